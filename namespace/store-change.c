#include "namespace/store-private.h"

#include "gateway/base/error.h"

#include <string.h>

/* A rename under way; all with the lock held. */
typedef struct {
    HearthObjectRow source;
    HearthObjectRow target; /* when `taken` */
    gboolean taken;
    gint64 new_parent;
    const char *new_name;
    HearthRename how;
    HearthOrigin origin;
} Rename;

/* Whether `folder` is `inside` or lies below it. */
static gboolean is_below(HearthStore *store, gint64 inside, gint64 folder, gboolean *ret_below,
                         GError **error)
{
    HearthObject at = {.ino = folder};
    while (at.ino != inside && at.ino != HEARTH_ROOT_INO && at.ino != 0) {
        if (!hearth_store_need(store, at.ino, &at, error))
            return FALSE;
        at.ino = at.parent;
    }
    *ret_below = at.ino == inside;
    return TRUE;
}

/* A folder may not move to where it would be its own ancestor. */
static gboolean check_loop(HearthStore *store, const HearthObjectRow *moved, gint64 new_parent,
                           GError **error)
{
    gboolean below = FALSE;
    if (moved->object.kind != HEARTH_KIND_FOLDER || moved->object.parent == new_parent)
        return TRUE;
    if (!is_below(store, moved->object.ino, new_parent, &below, error))
        return FALSE;
    return !below || hearth_store_refuse(error, HEARTH_ERROR_LOOP,
                                         "a folder cannot move into itself", moved->name);
}

static gboolean check_replace(HearthStore *store, const Rename *rename, GError **error)
{
    gboolean from_folder = rename->source.object.kind == HEARTH_KIND_FOLDER;
    gboolean to_folder = rename->target.object.kind == HEARTH_KIND_FOLDER;
    gboolean has_entries = FALSE;
    if (to_folder && !from_folder)
        return hearth_store_refuse(error, HEARTH_ERROR_IS_DIRECTORY, "a folder has the name",
                                   rename->new_name);
    if (from_folder && !to_folder)
        return hearth_store_refuse(error, HEARTH_ERROR_NOT_DIRECTORY,
                                   "something that is no folder has the name", rename->new_name);
    if (to_folder &&
        !hearth_store_has_entries(store, rename->target.object.ino, &has_entries, error))
        return FALSE;
    return !has_entries ||
           hearth_store_refuse(error, HEARTH_ERROR_NOT_EMPTY, "a folder with entries has the name",
                               rename->new_name);
}

static gboolean check_target(HearthStore *store, const Rename *rename, GError **error)
{
    switch (rename->how) {
    case HEARTH_RENAME_REPLACE:
        return !rename->taken || check_replace(store, rename, error);
    case HEARTH_RENAME_NO_REPLACE:
        return !rename->taken || hearth_store_refuse(error, HEARTH_ERROR_EXISTS,
                                                     "the name is taken", rename->new_name);
    case HEARTH_RENAME_EXCHANGE:
        if (!rename->taken)
            return hearth_store_refuse(error, HEARTH_ERROR_NOT_FOUND,
                                       "nothing there to exchange with", rename->new_name);
        return check_loop(store, &rename->target, rename->source.object.parent, error);
    }
    return hearth_store_refuse(error, HEARTH_ERROR_INVALID, "no way to rename", rename->new_name);
}

static gboolean find_target(HearthStore *store, Rename *rename, GError **error)
{
    if (!hearth_store_need_folder(store, rename->new_parent, error) ||
        !hearth_store_is_taken(store, rename->new_parent, rename->new_name, &rename->taken, error))
        return FALSE;
    return !rename->taken || hearth_store_need_entry(store, rename->new_parent, rename->new_name,
                                                     &rename->target, error);
}

/* Gives `row` a new place and records the move. */
static gboolean place(HearthStore *store, HearthObjectRow *row, gint64 parent, const char *name,
                      HearthOrigin origin, GError **error)
{
    gint64 old_parent = row->object.parent;
    char old_name[HEARTH_NAME_MAX + 1];
    memcpy(old_name, row->name, sizeof old_name);
    row->object.parent = parent;
    row->object.ctime_ns = hearth_store_now_ns();
    g_strlcpy(row->name, name, sizeof row->name);
    if (!hearth_store_stamp(store, row, error) ||
        !store->engine->move(store->metadata, row, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_MOVED, row, old_parent, old_name, origin, error))
        return FALSE;
    hearth_store_touch(store, old_parent, row->object.ctime_ns);
    hearth_store_touch(store, parent, row->object.ctime_ns);
    if (row->object.kind == HEARTH_KIND_FOLDER)
        hearth_store_forget_paths(store);
    return TRUE;
}

static gboolean exchange(HearthStore *store, Rename *rename, GError **error)
{
    gint64 parent = rename->source.object.parent;
    char name[HEARTH_NAME_MAX + 1];
    memcpy(name, rename->source.name, sizeof name);
    /* Two names cannot be swapped one after the other: the first goes out of the way meanwhile. */
    HearthObjectRow aside = rename->source;
    aside.object.parent = 0;
    return hearth_store_begin(store, error) &&
           store->engine->move(store->metadata, &aside, error) &&
           place(store, &rename->target, parent, name, rename->origin, error) &&
           place(store, &rename->source, rename->new_parent, rename->new_name, rename->origin,
                 error);
}

static gboolean rename_locked(HearthStore *store, gint64 parent, const char *name, Rename *rename,
                              GError **error)
{
    if (!hearth_store_need_entry(store, parent, name, &rename->source, error) ||
        !hearth_store_need_folder(store, parent, error) || !find_target(store, rename, error))
        return FALSE;
    gboolean same = rename->taken && rename->target.object.ino == rename->source.object.ino;
    if (same && rename->how != HEARTH_RENAME_NO_REPLACE)
        return TRUE;
    if (!check_loop(store, &rename->source, rename->new_parent, error) ||
        !check_target(store, rename, error))
        return FALSE;
    if (rename->how == HEARTH_RENAME_EXCHANGE)
        return exchange(store, rename, error);
    if (rename->taken && !hearth_store_put_in_trash(store, &rename->target, rename->origin, error))
        return FALSE;
    return place(store, &rename->source, rename->new_parent, rename->new_name, rename->origin,
                 error);
}

gboolean hearth_store_rename(HearthStore *store, gint64 parent, const char *name, gint64 new_parent,
                             const char *new_name, HearthRename how, HearthOrigin origin,
                             GError **error)
{
    Rename rename = {.new_parent = new_parent, .new_name = new_name, .how = how, .origin = origin};
    if (!hearth_store_check_name(name, error) || !hearth_store_check_name(new_name, error) ||
        !hearth_store_enter(store, error))
        return FALSE;
    gboolean done = rename_locked(store, parent, name, &rename, error);
    return hearth_store_leave(store, done, error);
}

/* --- Removing --- */

static gboolean check_kind(const HearthObjectRow *row, HearthKind kind, GError **error)
{
    gboolean is_folder = row->object.kind == HEARTH_KIND_FOLDER;
    if (kind == HEARTH_KIND_FOLDER && !is_folder)
        return hearth_store_refuse(error, HEARTH_ERROR_NOT_DIRECTORY, "not a folder", row->name);
    if (kind != 0 && kind != HEARTH_KIND_FOLDER && is_folder)
        return hearth_store_refuse(error, HEARTH_ERROR_IS_DIRECTORY, "a folder", row->name);
    return TRUE;
}

static gboolean remove_locked(HearthStore *store, gint64 parent, const char *name, HearthKind kind,
                              HearthOrigin origin, HearthObjectRow *row, GError **error)
{
    gboolean has_entries = FALSE;
    if (!hearth_store_need_entry(store, parent, name, row, error) ||
        !hearth_store_need_folder(store, parent, error) || !check_kind(row, kind, error))
        return FALSE;
    if (row->object.kind == HEARTH_KIND_FOLDER &&
        !hearth_store_has_entries(store, row->object.ino, &has_entries, error))
        return FALSE;
    if (has_entries)
        return hearth_store_refuse(error, HEARTH_ERROR_NOT_EMPTY, "the folder has entries", name);
    return hearth_store_put_in_trash(store, row, origin, error);
}

gboolean hearth_store_remove(HearthStore *store, gint64 parent, const char *name, HearthKind kind,
                             HearthOrigin origin, HearthObject *ret_object, GError **error)
{
    HearthObjectRow row;
    if (!hearth_store_check_name(name, error) || !hearth_store_enter(store, error))
        return FALSE;
    gboolean done = remove_locked(store, parent, name, kind, origin, &row, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = row.object;
    return TRUE;
}

static gboolean remove_tree_locked(HearthStore *store, gint64 ino, HearthOrigin origin,
                                   GError **error)
{
    HearthObjectRow row;
    if (!hearth_store_need_row(store, ino, &row, error))
        return FALSE;
    if (ino == HEARTH_ROOT_INO)
        return hearth_store_refuse(error, HEARTH_ERROR_INVALID, "cannot be removed", "/");
    return hearth_store_need_folder(store, row.object.parent, error) &&
           hearth_store_put_in_trash(store, &row, origin, error);
}

gboolean hearth_store_remove_tree(HearthStore *store, gint64 ino, HearthOrigin origin,
                                  GError **error)
{
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = remove_tree_locked(store, ino, origin, error);
    return hearth_store_leave(store, done, error);
}

/* --- Mode, owner, times --- */

static gboolean set_locked(HearthStore *store, gint64 ino, HearthSetMask mask,
                           const HearthObject *values, HearthOrigin origin, HearthObjectRow *row,
                           GError **error)
{
    if (!hearth_store_need_row(store, ino, row, error))
        return FALSE;
    HearthObject *object = &row->object;
    if (mask & HEARTH_SET_MODE)
        object->mode = values->mode & 07777;
    if (mask & HEARTH_SET_OWNER) {
        object->uid = values->uid;
        object->gid = values->gid;
    }
    if (mask & HEARTH_SET_MTIME)
        object->mtime_ns = values->mtime_ns;
    object->ctime_ns = hearth_store_now_ns();
    if (!hearth_store_stamp(store, row, error) ||
        !store->engine->update(store->metadata, row, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_ATTRIBUTES, row, 0, NULL, origin, error))
        return FALSE;
    /* The row now has the times; older ones from the open group must not come back over them. */
    g_hash_table_remove(store->touched, &ino);
    return TRUE;
}

gboolean hearth_store_set(HearthStore *store, gint64 ino, HearthSetMask mask,
                          const HearthObject *values, HearthOrigin origin, HearthObject *ret_object,
                          GError **error)
{
    HearthObjectRow row;
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = set_locked(store, ino, mask, values, origin, &row, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = row.object;
    return TRUE;
}
