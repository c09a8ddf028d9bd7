#include "namespace/content.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/block-hasher.h"
#include "namespace/content-parts-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* --- Opening --- */

/* What a killed process left behind. Only the holder of the spool's lock may do so: another process
 * that merely looks (fsck) must not take the files of one at work. */
static void clean_spool(HearthContents *contents)
{
    int fd = openat(contents->spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        hearth_close_at(&fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (entry->d_type != DT_DIR)
            unlinkat(contents->spool, entry->d_name, 0);
    closedir(stream);
}

static gboolean open_spool(HearthContents *contents, const char *state, GError **error)
{
    contents->spool_name = g_build_filename(state, "spool", NULL);
    g_mkdir(contents->spool_name, 0750);
    contents->spool = open(contents->spool_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (contents->spool < 0)
        return hearth_set_errno(error, errno, "cannot open folder %s", contents->spool_name);
    if (flock(contents->spool, LOCK_EX | LOCK_NB) == 0)
        clean_spool(contents);
    return TRUE;
}

HearthContents *hearth_contents_open(const char *state, GError **error)
{
    g_autoptr(HearthContents) contents = g_new0(HearthContents, 1);
    contents->spool = -1;
    contents->pins = hearth_content_pins_new();
    contents->checked = hearth_checked_blocks_new();
    if (g_mkdir_with_parents(state, 0750) != 0) {
        hearth_set_errno(error, errno, "cannot create folder %s", state);
        return NULL;
    }
    contents->engine = hearth_content_folder_open(state, error);
    if (contents->engine == NULL || !open_spool(contents, state, error))
        return NULL;
    contents->marks = hearth_content_marks_open(state, error);
    return contents->marks != NULL ? g_steal_pointer(&contents) : NULL;
}

void hearth_contents_close(HearthContents *contents)
{
    if (contents == NULL)
        return;
    if (contents->engine != NULL)
        contents->engine->ops->close(contents->engine);
    hearth_content_marks_close(contents->marks);
    hearth_checked_blocks_free(contents->checked);
    hearth_content_pins_free(contents->pins);
    hearth_close_at(&contents->spool);
    g_free(contents->spool_name);
    g_free(contents);
}

/* --- Publishing --- */

static HearthContentPut put_of(const HearthStagedContent *staged)
{
    return (HearthContentPut){
        .id = &staged->id,
        .size = staged->size,
        .fd = staged->fd,
        .spool = staged->contents->spool,
        .name = staged->name,
        .list = staged->list,
        .replace =
            staged->name != NULL && hearth_contents_is_bad(staged->contents, &staged->id, NULL),
    };
}

static gboolean settle_put(HearthContents *contents, HearthStagedContent *staged,
                           const HearthContentPut *put, GError **error)
{
    if (staged->name != NULL)
        hearth_checked_blocks_forget(contents->checked, &staged->id);
    g_clear_pointer(&staged->name, g_free);
    return !put->replace || hearth_content_marks_clear(contents->marks, &staged->id, error);
}

gboolean hearth_contents_publish(HearthContents *contents, HearthStagedContent *const *staged,
                                 gsize count, GError **error)
{
    g_autofree HearthContentPut *puts = g_new(HearthContentPut, count);
    g_autofree HearthStagedContent **put_staged = g_new(HearthStagedContent *, count);
    gsize wanted = 0;
    for (gsize i = 0; i < count; i++) {
        if (staged[i]->size == 0)
            continue;
        put_staged[wanted] = staged[i];
        puts[wanted++] = put_of(staged[i]);
    }
    if (wanted == 0)
        return TRUE;
    if (!contents->engine->ops->put(contents->engine, puts, wanted, error))
        return FALSE;
    gboolean good = TRUE;
    for (gsize i = 0; i < wanted; i++)
        good = settle_put(contents, put_staged[i], &puts[i], good ? error : NULL) && good;
    return good;
}

/* --- Upkeep --- */

gboolean hearth_contents_stat(HearthContents *contents, const HearthContentId *id, gint64 *ret_size,
                              GError **error)
{
    return contents->engine->ops->stat(contents->engine, id, ret_size, error);
}

gboolean hearth_contents_enumerate(HearthContents *contents, const HearthContentId *after,
                                   guint limit, HearthContentFunc func, gpointer data,
                                   GError **error)
{
    return contents->engine->ops->enumerate(contents->engine, after, limit, func, data, error);
}

gboolean hearth_contents_delete(HearthContents *contents, const HearthContentId *id,
                                HearthContentUnusedFunc unused, gpointer data,
                                gboolean *ret_deleted, GError **error)
{
    *ret_deleted = FALSE;
    if (!hearth_content_pins_condemn(contents->pins, id))
        return TRUE;
    gboolean good = TRUE;
    if (unused(id, data))
        good = contents->engine->ops->remove(contents->engine, id, ret_deleted, error) &&
               hearth_content_marks_clear(contents->marks, id, error);
    hearth_content_pins_settle(contents->pins, id);
    return good;
}

gboolean hearth_contents_mark_bad(HearthContents *contents, const HearthContentId *id,
                                  gint64 offset, GError **error)
{
    return hearth_content_marks_set(contents->marks, id, offset, error);
}

gboolean hearth_contents_clear_bad(HearthContents *contents, const HearthContentId *id,
                                   GError **error)
{
    return hearth_content_marks_clear(contents->marks, id, error);
}

gboolean hearth_contents_is_bad(HearthContents *contents, const HearthContentId *id,
                                gint64 *ret_offset)
{
    return hearth_content_marks_get(contents->marks, id, ret_offset);
}

gboolean hearth_contents_space(HearthContents *contents, guint64 *ret_free, guint64 *ret_total,
                               GError **error)
{
    return contents->engine->ops->space(contents->engine, ret_free, ret_total, error);
}

/* --- Lists and verifying --- */

HearthBlockList *hearth_contents_kept_list(HearthContents *contents, const HearthContentId *id,
                                           GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(GByteArray) data = contents->engine->ops->get_list(contents->engine, id, &reason);
    if (reason != NULL)
        g_propagate_error(error, g_steal_pointer(&reason));
    return data != NULL ? hearth_block_list_decode(data->data, data->len, id, NULL) : NULL;
}

static void keep_list(HearthContents *contents, const HearthContentId *id,
                      const HearthBlockList *list)
{
    g_autoptr(GByteArray) data = hearth_block_list_encode(list);
    /* Without it all is right, only slower: a full disk must not make a whole content unreadable.
     */
    contents->engine->ops->put_list(contents->engine, id, data, NULL);
}

/* Where a content stops being what it should be: the first block that differs from the kept list;
 * without one nothing can be trusted from the start. */
static gint64 first_difference(const HearthBlockList *kept, const HearthBlockList *found)
{
    guint shared = MIN(hearth_block_list_count(kept), hearth_block_list_count(found));
    for (guint i = 0; i < shared; i++) {
        const HearthBlock *a = hearth_block_list_get(kept, i), *b = hearth_block_list_get(found, i);
        HearthContentId wanted, got;
        memcpy(wanted.bytes, a->digest, sizeof wanted.bytes);
        memcpy(got.bytes, b->digest, sizeof got.bytes);
        if (a->length != b->length || !hearth_content_id_equal(&wanted, &got))
            return (gint64)a->offset;
    }
    return MIN(kept->size, found->size);
}

/* Reads all of `fd` and says whether it is the content `id`; TRUE also if not, with `ret_bad` at
 * the first bad block instead of -1. A list that was lost or damaged is kept anew. */
static gboolean compare_all(HearthContents *contents, const HearthContentId *id, int fd,
                            gint64 size, GCancellable *cancellable, gint64 *ret_bad, GError **error)
{
    g_autoptr(HearthBlockHasher) hasher = hearth_block_hasher_new();
    g_autoptr(HearthBlockList) kept = hearth_contents_kept_list(contents, id, NULL);
    if (!hearth_block_hasher_feed_fd(hasher, fd, size, cancellable, error)) {
        *ret_bad = hearth_block_hasher_position(hasher);
        return FALSE;
    }
    const HearthBlockList *found = hearth_block_hasher_finish(hasher);
    HearthContentId name = hearth_block_list_id(found);
    *ret_bad = -1;
    if (!hearth_content_id_equal(&name, id))
        *ret_bad = kept != NULL ? first_difference(kept, found) : 0;
    else if (kept == NULL && hearth_block_list_count(found) > 1)
        keep_list(contents, id, found);
    return TRUE;
}

static gboolean report_bad(HearthContents *contents, const HearthContentId *id, gint64 offset,
                           GError **error)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    hearth_contents_mark_bad(contents, id, offset, NULL);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                "content %s is damaged from byte %" G_GINT64_FORMAT " on",
                hearth_content_id_to_text(id, text), offset);
    return FALSE;
}

gboolean hearth_contents_verify(HearthContents *contents, const HearthContentId *id,
                                GCancellable *cancellable, gint64 *ret_bad, GError **error)
{
    gint64 size, bad = -1;
    if (ret_bad != NULL)
        *ret_bad = -1;
    if (hearth_content_id_is_none(id))
        return TRUE;
    hearth_autofd int fd = contents->engine->ops->open(contents->engine, id, TRUE, &size, error);
    if (fd < 0)
        return FALSE;
    gboolean read = compare_all(contents, id, fd, size, cancellable, &bad, error);
    if (ret_bad != NULL)
        *ret_bad = bad;
    if (!read)
        return FALSE;
    if (bad >= 0)
        return report_bad(contents, id, bad, error);
    return hearth_contents_clear_bad(contents, id, error);
}

HearthBlockList *hearth_contents_blocks(HearthContents *contents, const HearthContentId *id,
                                        GError **error)
{
    g_autoptr(HearthBlockList) kept = hearth_contents_kept_list(contents, id, NULL);
    if (kept != NULL || hearth_content_id_is_none(id))
        return kept != NULL ? g_steal_pointer(&kept) : hearth_block_list_new();
    gint64 size;
    g_autoptr(HearthBlockHasher) hasher = hearth_block_hasher_new();
    hearth_autofd int fd = contents->engine->ops->open(contents->engine, id, FALSE, &size, error);
    if (fd < 0 || !hearth_block_hasher_feed_fd(hasher, fd, size, NULL, error))
        return NULL;
    const HearthBlockList *found = hearth_block_hasher_finish(hasher);
    HearthContentId name = hearth_block_list_id(found);
    if (!hearth_content_id_equal(&name, id)) {
        report_bad(contents, id, 0, error);
        return NULL;
    }
    if (hearth_block_list_count(found) > 1)
        keep_list(contents, id, found);
    return hearth_block_list_copy(found);
}
