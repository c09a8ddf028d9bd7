#include "namespace/store-private.h"

#include "gateway/base/error.h"

#include <string.h>

#define TRASH_CHUNK 128

/* --- Into the trash --- */

gboolean hearth_store_put_in_trash(HearthStore *store, HearthObjectRow *row, HearthOrigin origin,
                                   GError **error)
{
    HearthObject *object = &row->object;
    guint64 below = 0;
    g_autofree char *path = hearth_store_entry_path(store, object->parent, row->name, error);
    if (!path)
        return FALSE;
    HearthTrashRow trash = {.object = *object,
                            .old_parent = object->parent,
                            .trashed_ns = hearth_store_now_ns(),
                            .path = path};
    object->parent = 0;
    object->ctime_ns = trash.trashed_ns;
    if (!hearth_store_stamp(store, row, error) ||
        !store->engine->add_trash(store->metadata, &trash, error) ||
        !store->engine->move(store->metadata, row, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_TRASHED, row, trash.old_parent, row->name, origin,
                             error))
        return FALSE;
    if (object->kind == HEARTH_KIND_FOLDER) {
        hearth_store_forget_paths(store);
        if (!hearth_store_count_below(store, object->ino, -1, &below, error))
            return FALSE;
    }
    hearth_store_count(store, object, -1);
    store->now.counts.trashed += 1 + below;
    hearth_store_touch(store, trash.old_parent, trash.trashed_ns);
    return TRUE;
}

/* --- Looking at it --- */

static GArray *trash_rows_new(void)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(HearthTrashRow));
    g_array_set_clear_func(rows, (GDestroyNotify)hearth_trash_row_clear);
    return rows;
}

static gboolean trash_chunk(HearthStore *store, gint64 before_ns, gint64 before_ino, GArray *rows,
                            GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    g_array_set_size(rows, 0);
    return store->engine->trash(store->metadata, before_ns, before_ino, TRASH_CHUNK, rows, error);
}

gboolean hearth_store_trash_list(HearthStore *store, HearthTrashFunc func, gpointer data,
                                 GError **error)
{
    g_autoptr(GArray) rows = trash_rows_new();
    gint64 before_ns = G_MAXINT64, before_ino = G_MAXINT64;
    do {
        if (!trash_chunk(store, before_ns, before_ino, rows, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            const HearthTrashRow *row = &g_array_index(rows, HearthTrashRow, i);
            HearthTrashed trashed = {row->object, row->path, row->trashed_ns};
            before_ns = row->trashed_ns;
            before_ino = row->object.ino;
            if (!func(&trashed, data))
                return TRUE;
        }
    } while (rows->len == TRASH_CHUNK);
    return TRUE;
}

/* --- Out of it --- */

/* A name like `name` that is free in `parent`: "a (restored).jpg", then "a (restored 2).jpg". What
 * is too long is cut before the addition. */
static gboolean free_name(HearthStore *store, gint64 parent, const char *name,
                          char ret_name[HEARTH_NAME_MAX + 1], GError **error)
{
    const char *dot = strrchr(name, '.');
    const char *extension = dot && dot != name ? dot : name + strlen(name);
    gboolean taken = TRUE;
    for (guint number = 1; taken; number++) {
        g_autofree char *mark =
            number == 1 ? g_strdup(" (restored)") : g_strdup_printf(" (restored %u)", number);
        gsize kept_extension = MIN(strlen(extension), (gsize)64);
        gsize room = HEARTH_NAME_MAX - strlen(mark) - kept_extension;
        g_snprintf(ret_name, HEARTH_NAME_MAX + 1, "%.*s%s%.*s",
                   (int)MIN((gsize)(extension - name), room), name, mark, (int)kept_extension,
                   extension);
        if (!hearth_store_is_taken(store, parent, ret_name, &taken, error))
            return FALSE;
    }
    return TRUE;
}

/* The folder an object goes back to: its old one if that is in the tree, else the folders of its
 * old path, made again. */
static gboolean old_folder(HearthStore *store, const HearthTrashRow *trash, HearthOrigin origin,
                           gint64 *ret_parent, GError **error)
{
    HearthObject parent;
    const char *name;
    gboolean in_tree;
    if (!hearth_store_is_in_tree(store, trash->old_parent, &in_tree, error))
        return FALSE;
    if (in_tree) {
        *ret_parent = trash->old_parent;
        return TRUE;
    }
    if (!hearth_store_make_parents(store, trash->path, origin, &parent, &name, error))
        return FALSE;
    *ret_parent = parent.ino;
    return TRUE;
}

static gboolean count_back(HearthStore *store, const HearthObject *object, GError **error)
{
    guint64 below = 0;
    if (object->kind == HEARTH_KIND_FOLDER &&
        !hearth_store_count_below(store, object->ino, 1, &below, error))
        return FALSE;
    hearth_store_count(store, object, 1);
    store->now.counts.trashed -= 1 + below;
    return TRUE;
}

static gboolean put_back(HearthStore *store, HearthObjectRow *row, gint64 parent,
                         HearthOrigin origin, GError **error)
{
    gboolean taken;
    char name[HEARTH_NAME_MAX + 1];
    memcpy(name, row->name, sizeof name);
    if (!hearth_store_is_taken(store, parent, name, &taken, error) ||
        (taken && !free_name(store, parent, row->name, name, error)))
        return FALSE;
    row->object.parent = parent;
    row->object.ctime_ns = hearth_store_now_ns();
    memcpy(row->name, name, sizeof name);
    if (!hearth_store_stamp(store, row, error) ||
        !store->engine->drop_trash(store->metadata, row->object.ino, error) ||
        !store->engine->move(store->metadata, row, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_RESTORED, row, 0, NULL, origin, error))
        return FALSE;
    hearth_store_touch(store, parent, row->object.ctime_ns);
    return count_back(store, &row->object, error);
}

static char *restore_locked(HearthStore *store, gint64 ino, HearthOrigin origin, GError **error)
{
    HearthObjectRow row;
    gint64 parent;
    HearthTrashRow trash = {0};
    HearthFetch fetch = store->engine->get_trash(store->metadata, ino, &trash, error);
    if (fetch == HEARTH_FETCH_NONE)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND,
                    "object %" G_GINT64_FORMAT " is not in the trash", ino);
    gboolean done = fetch == HEARTH_FETCH_ROW && hearth_store_need_row(store, ino, &row, error) &&
                    old_folder(store, &trash, origin, &parent, error) &&
                    put_back(store, &row, parent, origin, error);
    hearth_trash_row_clear(&trash);
    return done ? hearth_store_entry_path(store, row.object.parent, row.name, error) : NULL;
}

gboolean hearth_store_trash_restore(HearthStore *store, gint64 ino, HearthOrigin origin,
                                    char **ret_path, GError **error)
{
    if (!hearth_store_enter(store, error))
        return FALSE;
    g_autofree char *path = restore_locked(store, ino, origin, error);
    if (!hearth_store_leave(store, path != NULL, error))
        return FALSE;
    if (ret_path)
        *ret_path = g_steal_pointer(&path);
    return TRUE;
}

/* --- For good --- */

static gboolean forget(HearthStore *store, HearthObjectRow *row, GError **error)
{
    gint64 parent = row->object.parent;
    row->object.parent = 0;
    if (!hearth_store_stamp(store, row, error) ||
        !store->engine->forget(store->metadata, row->object.ino, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_FORGOTTEN, row, parent, NULL, 0, error))
        return FALSE;
    g_hash_table_remove(store->touched, &row->object.ino);
    store->now.counts.trashed--;
    return TRUE;
}

/* Forgets the first object that has nothing below it, under `ino` or `ino` itself: at any moment
 * what is left hangs together. */
static gboolean forget_leaf(HearthStore *store, gint64 ino, gboolean *ret_top, GError **error)
{
    HearthObjectRow row;
    gint64 top = ino;
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthEntryRow));
    do {
        g_array_set_size(rows, 0);
        if (!store->engine->list(store->metadata, ino, 0, 1, rows, error))
            return FALSE;
        if (rows->len > 0)
            ino = g_array_index(rows, HearthEntryRow, 0).object.ino;
    } while (rows->len > 0);
    *ret_top = ino == top;
    return hearth_store_need_row(store, ino, &row, error) && forget(store, &row, error);
}

/* Forgets up to TRASH_CHUNK objects, then lets others in. `ret_more` says whether to call again. */
static gboolean empty_chunk(HearthStore *store, gint64 before_ns, guint64 *count,
                            gboolean *ret_more, GError **error)
{
    g_autoptr(GArray) rows = trash_rows_new();
    guint left = TRASH_CHUNK;
    if (!store->engine->trash(store->metadata, before_ns, 0, TRASH_CHUNK, rows, error))
        return FALSE;
    *ret_more = rows->len > 0;
    for (guint i = 0; i < rows->len && left > 0; i++) {
        gboolean top = FALSE;
        for (; !top && left > 0; left--) {
            if (!forget_leaf(store, g_array_index(rows, HearthTrashRow, i).object.ino, &top, error))
                return FALSE;
            ++*count;
        }
    }
    return TRUE;
}

gboolean hearth_store_trash_empty(HearthStore *store, gint64 before_ns, guint64 *ret_count,
                                  GError **error)
{
    g_autoptr(GMutexLocker) dropping = g_mutex_locker_new(&store->drop_lock);
    gboolean more = TRUE;
    guint64 count = 0;
    while (more) {
        if (!hearth_store_enter(store, error))
            return FALSE;
        gboolean done = empty_chunk(store, before_ns, &count, &more, error);
        if (!hearth_store_leave(store, done, error))
            return FALSE;
    }
    if (ret_count)
        *ret_count = count;
    return TRUE;
}
