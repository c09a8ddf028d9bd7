#include "namespace/store-private.h"

#include "gateway/base/error.h"

#include <string.h>

#define HISTORY_CHUNK 64

static gboolean check_file(const HearthObjectRow *row, GError **error)
{
    if (row->object.kind == HEARTH_KIND_FILE)
        return TRUE;
    HearthError code =
        row->object.kind == HEARTH_KIND_FOLDER ? HEARTH_ERROR_IS_DIRECTORY : HEARTH_ERROR_INVALID;
    return hearth_store_refuse(error, code, "not a file", row->name);
}

/* In a version that is yet to be made, `made_ns` is when its bytes were changed, 0: now. */
static gint64 ctime_of(const HearthObjectRow *row, const HearthVersion *from)
{
    return from->made_ns != 0 ? MAX(row->object.ctime_ns, from->made_ns) : hearth_store_now_ns();
}

/* Gives `row` the bytes of `from` as its next version, and writes that down. */
static gboolean put_version(HearthStore *store, HearthObjectRow *row, const HearthVersion *from,
                            GError **error)
{
    HearthVersion version = *from;
    version.version = row->object.version + 1;
    version.made_ns = hearth_store_now_ns();
    version.node = store->node;
    row->object.version = version.version;
    row->object.content = version.content;
    row->object.size = version.size;
    row->object.mtime_ns = version.mtime_ns;
    row->object.ctime_ns = ctime_of(row, from);
    return store->engine->add_version(store->metadata, row, &version, error);
}

/* The bytes of a file changed: version, object, record, counts. What was read out of the old bytes
 * does not hold for the new ones, so the attributes go. */
static gboolean change_content(HearthStore *store, HearthObjectRow *row, const HearthVersion *from,
                               HearthOrigin origin, GError **error)
{
    gboolean in_tree;
    gint64 old_size = row->object.size;
    if (!hearth_store_is_in_tree(store, row->object.parent, &in_tree, error) ||
        !hearth_store_stamp(store, row, error) || !put_version(store, row, from, error) ||
        !store->engine->update(store->metadata, row, error) ||
        !store->engine->set_attributes(store->metadata, row->object.ino, NULL, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_CONTENT, row, 0, NULL, origin, error))
        return FALSE;
    if (in_tree)
        store->now.counts.bytes += (guint64)(row->object.size - old_size);
    return TRUE;
}

static gboolean change_mtime(HearthStore *store, HearthObjectRow *row, const HearthVersion *from,
                             HearthOrigin origin, GError **error)
{
    if (row->object.mtime_ns == from->mtime_ns)
        return TRUE;
    row->object.mtime_ns = from->mtime_ns;
    row->object.ctime_ns = ctime_of(row, from);
    return hearth_store_stamp(store, row, error) &&
           store->engine->update(store->metadata, row, error) &&
           hearth_store_record(store, HEARTH_CHANGE_ATTRIBUTES, row, 0, NULL, origin, error);
}

/* `expected` NULL: any. */
static gboolean check_expected(const HearthObjectRow *row, const HearthContentId *expected,
                               GError **error)
{
    if (!expected || hearth_content_id_equal(&row->object.content, expected))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT,
                "object %" G_GINT64_FORMAT " was changed meanwhile", row->object.ino);
    return FALSE;
}

static gboolean commit_locked(HearthStore *store, gint64 ino, const HearthContentId *expected,
                              const HearthVersion *from, HearthOrigin origin, HearthObjectRow *row,
                              GError **error)
{
    if (!hearth_store_need_row(store, ino, row, error) || !check_file(row, error) ||
        !check_expected(row, expected, error))
        return FALSE;
    if (hearth_content_id_equal(&row->object.content, &from->content))
        return change_mtime(store, row, from, origin, error);
    return change_content(store, row, from, origin, error);
}

/* The content of what was staged; none if there are no bytes. */
static HearthVersion version_of(const HearthStagedContent *staged, gint64 mtime_ns)
{
    HearthVersion version = {.mtime_ns = mtime_ns};
    if (staged) {
        version.content = *hearth_staged_content_id(staged);
        version.size = hearth_staged_content_size(staged);
    }
    return version;
}

static gboolean commit(HearthStore *store, gint64 ino, const HearthContentId *expected,
                       HearthStagedContent *staged, const HearthVersion *version,
                       HearthOrigin origin, HearthObject *ret_object, GError **error)
{
    HearthObjectRow row;
    if (staged && !hearth_contents_publish(store->contents, &staged, 1, error))
        return FALSE;
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = commit_locked(store, ino, expected, version, origin, &row, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = row.object;
    return TRUE;
}

gboolean hearth_store_commit_content(HearthStore *store, gint64 ino, HearthStagedContent *staged,
                                     gint64 mtime_ns, gint64 ctime_ns, HearthOrigin origin,
                                     HearthObject *ret_object, GError **error)
{
    HearthVersion version = version_of(staged, mtime_ns);
    version.made_ns = ctime_ns;
    return commit(store, ino, NULL, staged, &version, origin, ret_object, error);
}

gboolean hearth_store_replace_content(HearthStore *store, gint64 ino,
                                      const HearthContentId *expected, HearthStagedContent *staged,
                                      gint64 mtime_ns, HearthOrigin origin,
                                      HearthObject *ret_object, GError **error)
{
    HearthVersion version = version_of(staged, mtime_ns);
    return commit(store, ino, expected, staged, &version, origin, ret_object, error);
}

/* --- A whole file at once --- */

static gboolean check_attributes(GVariant *attributes, GError **error)
{
    gsize count = 0;
    if (attributes && !g_variant_is_of_type(attributes, G_VARIANT_TYPE_VARDICT)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "attributes must be a{sv}");
        return FALSE;
    }
    if (attributes)
        count = g_variant_n_children(attributes);
    for (gsize i = 0; i < count; i++) {
        const char *key;
        g_autoptr(GVariant) value = NULL;
        g_variant_get_child(attributes, i, "{&sv}", &key, &value);
        const char *type = g_variant_get_type_string(value);
        if (strcmp(type, "s") != 0 && strcmp(type, "u") != 0 && strcmp(type, "d") != 0 &&
            strcmp(type, "as") != 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                        "attribute %s has type %s; s, u, d and as are known", key, type);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean insert_file(HearthStore *store, const HearthNewFile *file, HearthObjectRow *row,
                            HearthOrigin origin, GError **error)
{
    HearthVersion version = version_of(file->staged, file->mtime_ns);
    gint64 now = hearth_store_now_ns();
    row->object.birth_ns = row->object.ctime_ns = now;
    row->object.mtime_ns = version.mtime_ns;
    row->object.version = 1;
    row->object.content = version.content;
    row->object.size = version.size;
    if (!hearth_store_insert(store, row, NULL, origin, error))
        return FALSE;
    version.version = 1;
    version.made_ns = now;
    version.node = store->node;
    return store->engine->add_version(store->metadata, row, &version, error) &&
           (!file->attributes || store->engine->set_attributes(store->metadata, row->object.ino,
                                                               file->attributes, error));
}

static gboolean put_in_ledger(HearthStore *store, const HearthNewFile *file,
                              const HearthObjectRow *row, GError **error)
{
    if (!file->ledger)
        return TRUE;
    HearthLedgerEntry entry = *file->ledger;
    entry.ino = row->object.ino;
    entry.content = row->object.content;
    entry.imported_ns = row->object.birth_ns;
    return store->engine->ledger_put(store->metadata, &entry, error);
}

static gboolean add_file_locked(HearthStore *store, const HearthNewFile *file, HearthOrigin origin,
                                HearthObjectRow *row, GError **error)
{
    HearthObject parent;
    const char *name;
    gboolean taken;
    if (!hearth_store_make_parents(store, file->path, origin, &parent, &name, error) ||
        !hearth_store_is_taken(store, parent.ino, name, &taken, error))
        return FALSE;
    /* A name can only be taken in a folder that was there before: nothing was made yet. */
    if (taken)
        return hearth_store_refuse(error, HEARTH_ERROR_EXISTS, "the path is taken", file->path);
    *row = (HearthObjectRow){.object = {.parent = parent.ino,
                                        .kind = HEARTH_KIND_FILE,
                                        .mode = file->mode & 07777,
                                        .uid = parent.uid,
                                        .gid = parent.gid}};
    g_strlcpy(row->name, name, sizeof row->name);
    return insert_file(store, file, row, origin, error) && put_in_ledger(store, file, row, error);
}

gboolean hearth_store_add_file(HearthStore *store, const HearthNewFile *file, HearthOrigin origin,
                               HearthObject *ret_object, GError **error)
{
    HearthObjectRow row;
    if (!check_attributes(file->attributes, error) || !hearth_store_enter(store, error))
        return FALSE;
    gboolean done = add_file_locked(store, file, origin, &row, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = row.object;
    return TRUE;
}

/* --- Attributes --- */

static gboolean set_attributes_locked(HearthStore *store, gint64 ino, GVariant *attributes,
                                      GError **error)
{
    HearthObjectRow row;
    if (!hearth_store_need_row(store, ino, &row, error) || !check_file(&row, error))
        return FALSE;
    row.object.ctime_ns = hearth_store_now_ns();
    return hearth_store_stamp(store, &row, error) &&
           store->engine->update(store->metadata, &row, error) &&
           store->engine->set_attributes(store->metadata, ino, attributes, error) &&
           hearth_store_record(store, HEARTH_CHANGE_ATTRIBUTES, &row, 0, NULL, 0, error);
}

gboolean hearth_store_set_attributes(HearthStore *store, gint64 ino, GVariant *attributes,
                                     GError **error)
{
    if (!check_attributes(attributes, error) || !hearth_store_enter(store, error))
        return FALSE;
    gboolean done = set_attributes_locked(store, ino, attributes, error);
    return hearth_store_leave(store, done, error);
}

GVariant *hearth_store_attributes(HearthStore *store, gint64 ino, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    HearthObject object;
    if (!hearth_store_need(store, ino, &object, error))
        return NULL;
    return store->engine->attributes(store->metadata, ino, error);
}

/* --- History --- */

static gboolean history_chunk(HearthStore *store, gint64 ino, guint64 below, GArray *rows,
                              GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    HearthObject object;
    g_array_set_size(rows, 0);
    return hearth_store_need(store, ino, &object, error) &&
           store->engine->versions(store->metadata, ino, below, HISTORY_CHUNK, rows, error);
}

gboolean hearth_store_history(HearthStore *store, gint64 ino, HearthVersionFunc func, gpointer data,
                              GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthVersion));
    guint64 below = G_MAXINT64;
    do {
        if (!history_chunk(store, ino, below, rows, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            const HearthVersion *version = &g_array_index(rows, HearthVersion, i);
            below = version->version;
            if (!func(version, data))
                return TRUE;
        }
    } while (rows->len == HISTORY_CHUNK);
    return TRUE;
}

static gboolean restore_locked(HearthStore *store, gint64 ino, guint64 number, HearthOrigin origin,
                               HearthObjectRow *row, GError **error)
{
    HearthVersion version;
    if (!hearth_store_need_row(store, ino, row, error) || !check_file(row, error))
        return FALSE;
    HearthFetch fetch = store->engine->get_version(store->metadata, ino, number, &version, error);
    if (fetch == HEARTH_FETCH_NONE)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND,
                    "there is no version %" G_GUINT64_FORMAT, number);
    if (fetch != HEARTH_FETCH_ROW)
        return FALSE;
    version.made_ns = 0;
    return number == row->object.version || change_content(store, row, &version, origin, error);
}

gboolean hearth_store_restore(HearthStore *store, gint64 ino, guint64 version, HearthOrigin origin,
                              HearthObject *ret_object, GError **error)
{
    HearthObjectRow row;
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = restore_locked(store, ino, version, origin, &row, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = row.object;
    return TRUE;
}

gint64 hearth_store_find_content(HearthStore *store, const HearthContentId *id, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    gint64 ino = 0;
    if (hearth_content_id_is_none(id))
        return 0;
    store->engine->find_content(store->metadata, id, &ino, error);
    return ino;
}
