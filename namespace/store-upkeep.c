#include "namespace/content-private.h"
#include "namespace/store-private.h"

#include "gateway/base/error.h"

/* Contents looked at in one go. */
#define UPKEEP_CHUNK 256

/* --- Every content that is referred to --- */

/* What fsck and scrub share: whom to tell, and how far it went. */
typedef struct {
    HearthStore *store;
    HearthProgressFunc progress; /* (nullable) */
    HearthFindingFunc finding;   /* (nullable) */
    gpointer data;
    guint64 done, total;
} Upkeep;

static gboolean go_on(Upkeep *upkeep, GError **error)
{
    if (!upkeep->progress || upkeep->progress(upkeep->done, upkeep->total, upkeep->data))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "stopped on request");
    return FALSE;
}

static void tell(Upkeep *upkeep, const char *finding)
{
    if (upkeep->finding)
        upkeep->finding(finding, upkeep->data);
}

/* "content ID (of /path): WHAT". */
static void tell_about(Upkeep *upkeep, const HearthVersion *version, const char *what)
{
    char id[HEARTH_CONTENT_ID_TEXT];
    gint64 ino = (gint64)version->version;
    g_autofree char *path = hearth_store_path(upkeep->store, ino, NULL);
    g_autofree char *shown =
        path ? g_utf8_make_valid(path, -1) : g_strdup_printf("object %" G_GINT64_FORMAT, ino);
    g_autofree char *sentence = g_strdup_printf(
        "content %s (of %s): %s", hearth_content_id_to_text(&version->content, id), shown, what);
    tell(upkeep, sentence);
}

typedef gboolean (*ContentFunc)(Upkeep *upkeep, const HearthVersion *version, GError **error);

static gboolean each_content(Upkeep *upkeep, ContentFunc func, GError **error)
{
    HearthStore *store = upkeep->store;
    HearthContentId after = {0};
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthVersion));
    do {
        g_array_set_size(rows, 0);
        if (!store->engine->contents(store->metadata, &after, UPKEEP_CHUNK, rows, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            const HearthVersion *version = &g_array_index(rows, HearthVersion, i);
            after = version->content;
            if (!func(upkeep, version, error))
                return FALSE;
        }
    } while (rows->len == UPKEEP_CHUNK);
    return TRUE;
}

/* A content that was dropped since it was listed is no finding. */
static gboolean is_still_used(HearthStore *store, const HearthContentId *id)
{
    return hearth_store_find_content(store, id, NULL) != 0;
}

/* --- Fsck --- */

static gboolean check_content(Upkeep *upkeep, const HearthVersion *version, GError **error)
{
    HearthContents *contents = upkeep->store->contents;
    g_autoptr(GError) reason = NULL;
    gint64 size = 0, bad = 0;
    if (!hearth_contents_stat(contents, &version->content, &size, &reason)) {
        if (is_still_used(upkeep->store, &version->content))
            tell_about(upkeep, version, reason->message);
    } else if (size != version->size) {
        g_autofree char *what =
            g_strdup_printf("is %" G_GINT64_FORMAT " bytes long, but should be %" G_GINT64_FORMAT,
                            size, version->size);
        tell_about(upkeep, version, what);
    } else if (hearth_contents_is_bad(contents, &version->content, &bad)) {
        g_autofree char *what =
            g_strdup_printf("is known to be damaged from byte %" G_GINT64_FORMAT, bad);
        tell_about(upkeep, version, what);
    }
    return TRUE;
}

/* Damage that keeps the contents from being listed is a finding as well. */
static gboolean check_contents(Upkeep *upkeep, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (each_content(upkeep, check_content, &reason))
        return TRUE;
    gboolean damaged = g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    if (damaged)
        tell(upkeep, reason->message);
    else
        g_propagate_error(error, g_steal_pointer(&reason));
    return damaged;
}

gboolean hearth_store_fsck(HearthStore *store, HearthProgressFunc progress,
                           HearthFindingFunc finding, gpointer data, GError **error)
{
    const HearthMetadataEngine *engine = store->engine;
    Upkeep upkeep = {store, progress, finding, data, 0, *engine->check_steps + 1};
    if (!hearth_store_settle(store, error))
        return FALSE;
    for (guint step = 0; step < *engine->check_steps; step++, upkeep.done++)
        if (!go_on(&upkeep, error) || !engine->check(store->metadata, step, finding, data, error))
            return FALSE;
    if (!go_on(&upkeep, error) || !check_contents(&upkeep, error))
        return FALSE;
    upkeep.done++;
    return go_on(&upkeep, error);
}

/* --- Scrub --- */

static gboolean add_size(Upkeep *upkeep, const HearthVersion *version, GError **error)
{
    upkeep->total += (guint64)version->size;
    return TRUE;
}

/* Verifying marks what is bad and clears the mark of what is whole again. */
static gboolean scrub_content(Upkeep *upkeep, const HearthVersion *version, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (!go_on(upkeep, error))
        return FALSE;
    if (!hearth_contents_verify(upkeep->store->contents, &version->content, NULL, NULL, &reason) &&
        is_still_used(upkeep->store, &version->content))
        tell_about(upkeep, version, reason->message);
    upkeep->done += (guint64)version->size;
    return TRUE;
}

gboolean hearth_store_scrub(HearthStore *store, HearthProgressFunc progress,
                            HearthFindingFunc finding, gpointer data, GError **error)
{
    Upkeep upkeep = {store, progress, finding, data, 0, 0};
    return hearth_store_settle(store, error) && each_content(&upkeep, add_size, error) &&
           each_content(&upkeep, scrub_content, error) && go_on(&upkeep, error);
}

/* --- Garbage --- */

typedef struct {
    HearthContentId id;
    gint64 size;
} Stored;

static gboolean take_stored(const HearthContentId *id, gint64 size, gpointer data)
{
    Stored stored = {*id, size};
    g_array_append_val(data, stored);
    return TRUE;
}

static gboolean count_stored(const HearthContentId *id, gint64 size, gpointer data)
{
    ++*(guint64 *)data;
    return TRUE;
}

/* On failure to look, it is in use. */
static gboolean is_unused(const HearthContentId *id, gpointer data)
{
    g_autoptr(GError) reason = NULL;
    return hearth_store_find_content(data, id, &reason) == 0 && !reason;
}

/* Keeps in `stored` what nothing refers to. */
static void keep_unused(HearthStore *store, GArray *stored)
{
    guint kept = 0;
    for (guint i = 0; i < stored->len; i++) {
        Stored *at = &g_array_index(stored, Stored, i);
        if (is_unused(&at->id, store))
            g_array_index(stored, Stored, kept++) = *at;
    }
    g_array_set_size(stored, kept);
}

/*
 * Deletes what is unused, by this argument. While drop_lock is held no reference goes away. So what
 * has none now had its last one dropped before, and the sync makes those drops durable: no power
 * cut can bring a reference back. A reference can still come, from one who has staged this very
 * content; hearth_contents_delete() refuses as long as it is staged, and asks again in between.
 */
static gboolean delete_unused(HearthStore *store, GArray *unused, guint64 *bytes, GError **error)
{
    g_autoptr(GMutexLocker) dropping = g_mutex_locker_new(&store->drop_lock);
    if (unused->len == 0)
        return TRUE;
    if (!hearth_store_sync(store, error))
        return FALSE;
    for (guint i = 0; i < unused->len; i++) {
        const Stored *at = &g_array_index(unused, Stored, i);
        gboolean deleted = FALSE;
        if (!hearth_contents_delete(store->contents, &at->id, is_unused, store, &deleted, error))
            return FALSE;
        *bytes += deleted ? (guint64)at->size : 0;
    }
    return TRUE;
}

gboolean hearth_store_gc(HearthStore *store, HearthProgressFunc progress, gpointer data,
                         guint64 *ret_bytes, GError **error)
{
    Upkeep upkeep = {store, progress, NULL, data, 0, 0};
    HearthContentId after = {0};
    guint64 bytes = 0;
    guint found;
    g_autoptr(GArray) stored = g_array_new(FALSE, FALSE, sizeof(Stored));
    if (store->read_only)
        return hearth_store_refuse(error, HEARTH_ERROR_READ_ONLY, "open for reading only",
                                   store->state);
    if (!hearth_contents_enumerate(store->contents, NULL, 0, count_stored, &upkeep.total, error))
        return FALSE;
    do {
        g_array_set_size(stored, 0);
        if (!go_on(&upkeep, error) ||
            !hearth_contents_enumerate(store->contents, &after, UPKEEP_CHUNK, take_stored, stored,
                                       error))
            return FALSE;
        found = stored->len;
        if (found > 0)
            after = g_array_index(stored, Stored, found - 1).id;
        keep_unused(store, stored);
        if (!delete_unused(store, stored, &bytes, error))
            return FALSE;
        upkeep.done += found;
    } while (found == UPKEEP_CHUNK);
    if (ret_bytes)
        *ret_bytes = bytes;
    return TRUE;
}
