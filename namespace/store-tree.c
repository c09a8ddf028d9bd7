#include "namespace/store-private.h"

#include "gateway/base/error.h"

#include <string.h>

/* Entries fetched under one hold of the lock. */
#define LIST_CHUNK 256
/* Folders whose path is kept. */
#define PATHS_MAX 4096
/* Deeper than any tree made by hand; a chain longer than this is a cycle in a damaged database. */
#define DEPTH_MAX 65536

/* --- Names and refusals --- */

gboolean hearth_store_refuse(GError **error, HearthError code, const char *what, const char *name)
{
    g_autofree char *shown = g_utf8_make_valid(name, -1);
    g_set_error(error, HEARTH_ERROR, code, "%s: %s", what, shown);
    return FALSE;
}

gboolean hearth_store_check_name(const char *name, GError **error)
{
    gsize length = strlen(name);
    if (length > HEARTH_NAME_MAX)
        return hearth_store_refuse(error, HEARTH_ERROR_NAME_TOO_LONG, "name of more than 255 bytes",
                                   name);
    if (length == 0 || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return hearth_store_refuse(error, HEARTH_ERROR_INVALID, "not a name", name);
    return TRUE;
}

static gboolean absent(HearthFetch fetch, gint64 ino, GError **error)
{
    if (fetch == HEARTH_FETCH_NONE)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND,
                    "there is no object %" G_GINT64_FORMAT, ino);
    return fetch == HEARTH_FETCH_ROW;
}

/* --- Looking, with the lock held --- */

void hearth_store_overlay(HearthStore *store, HearthObject *object)
{
    if (object->kind != HEARTH_KIND_FOLDER)
        return;
    const gint64 *ns = g_hash_table_lookup(store->touched, &object->ino);
    if (ns)
        object->mtime_ns = object->ctime_ns = *ns;
}

void hearth_store_touch(HearthStore *store, gint64 folder, gint64 ns)
{
    gint64 *at = g_hash_table_lookup(store->touched, &folder);
    if (at)
        *at = ns;
    else
        g_hash_table_insert(store->touched, g_memdup2(&folder, sizeof folder),
                            g_memdup2(&ns, sizeof ns));
}

gboolean hearth_store_need(HearthStore *store, gint64 ino, HearthObject *ret, GError **error)
{
    if (!absent(store->engine->get(store->metadata, ino, ret, error), ino, error))
        return FALSE;
    hearth_store_overlay(store, ret);
    return TRUE;
}

gboolean hearth_store_need_row(HearthStore *store, gint64 ino, HearthObjectRow *ret, GError **error)
{
    if (!absent(store->engine->get_row(store->metadata, ino, ret, error), ino, error))
        return FALSE;
    hearth_store_overlay(store, &ret->object);
    return TRUE;
}

static gboolean look_up(HearthStore *store, gint64 parent, const char *name, HearthObject *ret,
                        GError **error)
{
    HearthFetch fetch = store->engine->lookup(store->metadata, parent, name, ret, error);
    if (fetch == HEARTH_FETCH_NONE)
        return hearth_store_refuse(error, HEARTH_ERROR_NOT_FOUND, "no such file or folder", name);
    if (fetch == HEARTH_FETCH_ROW)
        hearth_store_overlay(store, ret);
    return fetch == HEARTH_FETCH_ROW;
}

gboolean hearth_store_need_entry(HearthStore *store, gint64 parent, const char *name,
                                 HearthObjectRow *ret, GError **error)
{
    HearthObject found;
    return look_up(store, parent, name, &found, error) &&
           hearth_store_need_row(store, found.ino, ret, error);
}

gboolean hearth_store_is_taken(HearthStore *store, gint64 parent, const char *name,
                               gboolean *ret_taken, GError **error)
{
    HearthObject found;
    HearthFetch fetch = store->engine->lookup(store->metadata, parent, name, &found, error);
    *ret_taken = fetch == HEARTH_FETCH_ROW;
    return fetch != HEARTH_FETCH_FAILED;
}

/* --- Paths, with the lock held --- */

void hearth_store_forget_paths(HearthStore *store)
{
    g_hash_table_remove_all(store->paths);
}

static char *join(const char *folder, const char *name)
{
    return g_strconcat(strcmp(folder, "/") == 0 ? "" : folder, "/", name, NULL);
}

static const char *remember_path(HearthStore *store, gint64 folder, char *path)
{
    if (g_hash_table_size(store->paths) >= PATHS_MAX)
        hearth_store_forget_paths(store);
    g_hash_table_insert(store->paths, g_memdup2(&folder, sizeof folder), path);
    return path;
}

/* Collects the folders from `folder` up to one whose path is known, which is returned. */
static const char *climb(HearthStore *store, gint64 folder, GArray *inos, GPtrArray *names,
                         GError **error)
{
    HearthObjectRow row;
    while (inos->len < DEPTH_MAX) {
        const char *known =
            folder == HEARTH_ROOT_INO ? "/" : g_hash_table_lookup(store->paths, &folder);
        if (known)
            return known;
        if (folder == 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "it is in the trash");
            return NULL;
        }
        if (!hearth_store_need_row(store, folder, &row, error))
            return NULL;
        g_array_append_val(inos, folder);
        g_ptr_array_add(names, g_strdup(row.name));
        folder = row.object.parent;
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                "folder %" G_GINT64_FORMAT " hangs in a circle", folder);
    return NULL;
}

const char *hearth_store_folder_path(HearthStore *store, gint64 folder, GError **error)
{
    const char *known =
        folder == HEARTH_ROOT_INO ? "/" : g_hash_table_lookup(store->paths, &folder);
    if (known)
        return known;
    g_autoptr(GArray) inos = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    known = climb(store, folder, inos, names, error);
    if (!known)
        return NULL;
    /* From the top down; only the folder asked for is remembered: its siblings will ask for it. */
    g_autoptr(GString) path = g_string_new(strcmp(known, "/") == 0 ? "" : known);
    for (guint i = names->len; i > 0; i--) {
        g_string_append_c(path, '/');
        g_string_append(path, names->pdata[i - 1]);
    }
    return remember_path(store, folder, g_strdup(path->str));
}

char *hearth_store_entry_path(HearthStore *store, gint64 parent, const char *name, GError **error)
{
    const char *folder = hearth_store_folder_path(store, parent, error);
    return folder ? join(folder, name) : NULL;
}

gboolean hearth_store_is_in_tree(HearthStore *store, gint64 parent, gboolean *ret_in,
                                 GError **error)
{
    g_autoptr(GError) reason = NULL;
    *ret_in = hearth_store_folder_path(store, parent, &reason) != NULL;
    if (*ret_in || g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

gboolean hearth_store_need_folder(HearthStore *store, gint64 folder, GError **error)
{
    if (folder == HEARTH_ROOT_INO || g_hash_table_contains(store->paths, &folder))
        return TRUE;
    HearthObject object;
    if (!hearth_store_need(store, folder, &object, error))
        return FALSE;
    if (object.kind != HEARTH_KIND_FOLDER) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_DIRECTORY,
                    "object %" G_GINT64_FORMAT " is not a folder", folder);
        return FALSE;
    }
    return hearth_store_folder_path(store, folder, error) != NULL;
}

gboolean hearth_store_has_entries(HearthStore *store, gint64 folder, gboolean *ret_has,
                                  GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthEntryRow));
    if (!store->engine->list(store->metadata, folder, 0, 1, rows, error))
        return FALSE;
    *ret_has = rows->len > 0;
    return TRUE;
}

/* Splits the next part off `*path`; FALSE at the end. `name` gets it; too long is an error. */
static gboolean next_part(const char **path, char name[HEARTH_NAME_MAX + 1], gboolean *ret_end,
                          GError **error)
{
    const char *from = *path + strspn(*path, "/");
    gsize length = strcspn(from, "/");
    *ret_end = length == 0;
    if (length > HEARTH_NAME_MAX)
        return hearth_store_refuse(error, HEARTH_ERROR_NAME_TOO_LONG, "name of more than 255 bytes",
                                   from);
    memcpy(name, from, length);
    name[length] = '\0';
    *path = from + length;
    return length == 0 || hearth_store_check_name(name, error);
}

static gboolean check_absolute(const char *path, GError **error)
{
    return path[0] == '/' ||
           hearth_store_refuse(error, HEARTH_ERROR_INVALID, "not an absolute path", path);
}

static gboolean walk(HearthStore *store, const char *path, HearthObject *ret, GError **error)
{
    char name[HEARTH_NAME_MAX + 1];
    gboolean end;
    if (!check_absolute(path, error) || !hearth_store_need(store, HEARTH_ROOT_INO, ret, error))
        return FALSE;
    for (;;) {
        if (!next_part(&path, name, &end, error))
            return FALSE;
        if (end)
            return TRUE;
        if (ret->kind != HEARTH_KIND_FOLDER)
            return hearth_store_refuse(error, HEARTH_ERROR_NOT_DIRECTORY,
                                       "what it is looked up in is not a folder", name);
        if (!look_up(store, ret->ino, name, ret, error))
            return FALSE;
    }
}

/* --- Looking, for everybody --- */

gboolean hearth_store_get(HearthStore *store, gint64 ino, HearthObject *ret_object, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    return hearth_store_need(store, ino, ret_object, error);
}

gboolean hearth_store_lookup(HearthStore *store, gint64 parent, const char *name,
                             HearthObject *ret_object, GError **error)
{
    if (!hearth_store_check_name(name, error))
        return FALSE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    return look_up(store, parent, name, ret_object, error);
}

gboolean hearth_store_walk(HearthStore *store, const char *path, HearthObject *ret_object,
                           GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    if (walk(store, path, ret_object, error))
        return TRUE;
    g_autofree char *shown = g_utf8_make_valid(path, -1);
    g_prefix_error(error, "%s: ", shown);
    return FALSE;
}

char *hearth_store_path(HearthStore *store, gint64 ino, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    HearthObjectRow row;
    if (ino == HEARTH_ROOT_INO)
        return g_strdup("/");
    if (!hearth_store_need_row(store, ino, &row, error))
        return NULL;
    return hearth_store_entry_path(store, row.object.parent, row.name, error);
}

char *hearth_store_readlink(HearthStore *store, gint64 ino, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    HearthObject object;
    if (!hearth_store_need(store, ino, &object, error))
        return NULL;
    if (object.kind != HEARTH_KIND_SYMLINK) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "object %" G_GINT64_FORMAT " is not a symbolic link", ino);
        return NULL;
    }
    return store->engine->target(store->metadata, ino, error);
}

/* Where a listing goes on: by ino, or by name when `by_name`. */
typedef struct {
    gint64 folder;
    gboolean by_name;
    gint64 after;
    char after_name[HEARTH_NAME_MAX + 1];
} Listing;

/* Fetches the next entries; none: the end. */
static gboolean list_chunk(HearthStore *store, Listing *listing, GArray *rows, GError **error)
{
    g_array_set_size(rows, 0);
    g_mutex_lock(&store->lock);
    gboolean done = listing->by_name
                        ? store->engine->list_by_name(store->metadata, listing->folder,
                                                      listing->after_name, LIST_CHUNK, rows, error)
                        : store->engine->list(store->metadata, listing->folder, listing->after,
                                              LIST_CHUNK, rows, error);
    for (guint i = 0; done && i < rows->len; i++)
        hearth_store_overlay(store, &g_array_index(rows, HearthEntryRow, i).object);
    g_mutex_unlock(&store->lock);
    if (done && rows->len > 0) {
        const HearthEntryRow *last = &g_array_index(rows, HearthEntryRow, rows->len - 1);
        listing->after = last->object.ino;
        memcpy(listing->after_name, last->name, sizeof listing->after_name);
    }
    return done;
}

static gboolean list(HearthStore *store, Listing *listing, HearthEntryFunc func, gpointer data,
                     GError **error)
{
    HearthObject folder;
    if (!hearth_store_get(store, listing->folder, &folder, error))
        return FALSE;
    if (folder.kind != HEARTH_KIND_FOLDER) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_DIRECTORY,
                    "object %" G_GINT64_FORMAT " is not a folder", folder.ino);
        return FALSE;
    }
    g_autoptr(GArray) rows = g_array_sized_new(FALSE, FALSE, sizeof(HearthEntryRow), 16);
    do {
        if (!list_chunk(store, listing, rows, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            const HearthEntryRow *row = &g_array_index(rows, HearthEntryRow, i);
            if (!func(&row->object, row->name, data))
                return TRUE;
        }
    } while (rows->len == LIST_CHUNK);
    return TRUE;
}

gboolean hearth_store_list(HearthStore *store, gint64 folder, gint64 after, HearthEntryFunc func,
                           gpointer data, GError **error)
{
    Listing listing = {.folder = folder, .after = after};
    return list(store, &listing, func, data, error);
}

gboolean hearth_store_list_by_name(HearthStore *store, gint64 folder, const char *after,
                                   HearthEntryFunc func, gpointer data, GError **error)
{
    Listing listing = {.folder = folder, .by_name = TRUE};
    g_strlcpy(listing.after_name, after ? after : "", sizeof listing.after_name);
    return list(store, &listing, func, data, error);
}

/* --- Counts --- */

void hearth_store_count(HearthStore *store, const HearthObject *object, int sign)
{
    HearthStoreCounts *counts = &store->now.counts;
    /* Unsigned arithmetic: adding minus one takes one away. */
    guint64 one = (guint64)(gint64)sign;
    switch (object->kind) {
    case HEARTH_KIND_FOLDER:
        counts->folders += one;
        break;
    case HEARTH_KIND_FILE:
        counts->files += one;
        counts->bytes += one * (guint64)object->size;
        break;
    case HEARTH_KIND_SYMLINK:
        counts->symlinks += one;
        break;
    }
}

/* Counts the entries of one folder; those that are folders themselves come to `folders`. */
static gboolean count_entries(HearthStore *store, gint64 folder, int sign, GArray *folders,
                              guint64 *count, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthEntryRow));
    gint64 after = 0;
    do {
        g_array_set_size(rows, 0);
        if (!store->engine->list(store->metadata, folder, after, LIST_CHUNK, rows, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            const HearthObject *object = &g_array_index(rows, HearthEntryRow, i).object;
            hearth_store_count(store, object, sign);
            after = object->ino;
            if (object->kind == HEARTH_KIND_FOLDER)
                g_array_append_val(folders, object->ino);
        }
        *count += rows->len;
    } while (rows->len == LIST_CHUNK);
    return TRUE;
}

gboolean hearth_store_count_below(HearthStore *store, gint64 folder, int sign, guint64 *ret_count,
                                  GError **error)
{
    g_autoptr(GArray) folders = g_array_new(FALSE, FALSE, sizeof(gint64));
    guint64 count = 0;
    g_array_append_val(folders, folder);
    while (folders->len > 0) {
        gint64 next = g_array_index(folders, gint64, folders->len - 1);
        g_array_set_size(folders, folders->len - 1);
        if (!count_entries(store, next, sign, folders, &count, error))
            return FALSE;
    }
    *ret_count = count;
    return TRUE;
}

/* --- Making --- */

gboolean hearth_store_insert(HearthStore *store, HearthObjectRow *row, const char *target,
                             HearthOrigin origin, GError **error)
{
    row->object.ino = store->now.next_ino;
    row->object.id = hearth_id_new();
    if (!hearth_store_stamp(store, row, error) ||
        !store->engine->insert(store->metadata, row, target, error) ||
        !hearth_store_record(store, HEARTH_CHANGE_CREATED, row, 0, NULL, origin, error))
        return FALSE;
    store->now.next_ino++;
    hearth_store_count(store, &row->object, 1);
    hearth_store_touch(store, row->object.parent, row->object.birth_ns);
    return TRUE;
}

static gboolean check_new_object(const HearthNewObject *new_object, GError **error)
{
    gboolean is_link = new_object->kind == HEARTH_KIND_SYMLINK;
    gsize length = new_object->target ? strlen(new_object->target) : 0;
    gboolean known =
        new_object->kind >= HEARTH_KIND_FOLDER && new_object->kind <= HEARTH_KIND_SYMLINK;
    if (known && (is_link ? length > 0 && length < 4096 : !new_object->target))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "a symbolic link needs a target of 1 to 4095 bytes, and nothing else has one");
    return FALSE;
}

static gboolean create_locked(HearthStore *store, gint64 parent, const char *name,
                              const HearthNewObject *new_object, HearthOrigin origin,
                              HearthObject *ret_object, GError **error)
{
    gboolean taken;
    if (!hearth_store_need_folder(store, parent, error) ||
        !hearth_store_is_taken(store, parent, name, &taken, error))
        return FALSE;
    if (taken)
        return hearth_store_refuse(error, HEARTH_ERROR_EXISTS, "the name is taken", name);
    gint64 now = hearth_store_now_ns();
    const char *target = new_object->target;
    HearthObjectRow row = {.object = {.parent = parent,
                                      .kind = new_object->kind,
                                      .mode = new_object->mode & 07777,
                                      .uid = new_object->uid,
                                      .gid = new_object->gid,
                                      .size = target ? (gint64)strlen(target) : 0,
                                      .mtime_ns = now,
                                      .ctime_ns = now,
                                      .birth_ns = now}};
    g_strlcpy(row.name, name, sizeof row.name);
    if (!hearth_store_insert(store, &row, target, origin, error))
        return FALSE;
    *ret_object = row.object;
    return TRUE;
}

gboolean hearth_store_create(HearthStore *store, gint64 parent, const char *name,
                             const HearthNewObject *new_object, HearthOrigin origin,
                             HearthObject *ret_object, GError **error)
{
    HearthObject made;
    if (!hearth_store_check_name(name, error) || !check_new_object(new_object, error) ||
        !hearth_store_enter(store, error))
        return FALSE;
    gboolean done = create_locked(store, parent, name, new_object, origin, &made, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = made;
    return TRUE;
}

/* The folder `name` in `folder`, made when missing; `folder` becomes it. */
static gboolean step_into(HearthStore *store, HearthObject *folder, const char *name,
                          HearthOrigin origin, GError **error)
{
    HearthObject found;
    HearthFetch fetch = store->engine->lookup(store->metadata, folder->ino, name, &found, error);
    if (fetch == HEARTH_FETCH_NONE) {
        HearthNewObject new_folder = {
            .kind = HEARTH_KIND_FOLDER, .mode = 0755, .uid = folder->uid, .gid = folder->gid};
        return create_locked(store, folder->ino, name, &new_folder, origin, folder, error);
    }
    if (fetch == HEARTH_FETCH_ROW && found.kind != HEARTH_KIND_FOLDER)
        return hearth_store_refuse(error, HEARTH_ERROR_NOT_DIRECTORY, "not a folder", name);
    if (fetch == HEARTH_FETCH_ROW) {
        hearth_store_overlay(store, &found);
        *folder = found;
    }
    return fetch == HEARTH_FETCH_ROW;
}

/* What is bad is found before the first folder is made. */
static gboolean check_parts(const char *path, GError **error)
{
    char name[HEARTH_NAME_MAX + 1];
    gboolean end = FALSE;
    if (!check_absolute(path, error))
        return FALSE;
    while (!end)
        if (!next_part(&path, name, &end, error))
            return FALSE;
    return TRUE;
}

static gboolean make_folders(HearthStore *store, const char *path, HearthOrigin origin,
                             HearthObject *ret, GError **error)
{
    char name[HEARTH_NAME_MAX + 1];
    gboolean end;
    if (!check_parts(path, error) || !hearth_store_need(store, HEARTH_ROOT_INO, ret, error))
        return FALSE;
    for (;;) {
        if (!next_part(&path, name, &end, error))
            return FALSE;
        if (end)
            return TRUE;
        if (!step_into(store, ret, name, origin, error))
            return FALSE;
    }
}

gboolean hearth_store_make_parents(HearthStore *store, const char *path, HearthOrigin origin,
                                   HearthObject *ret_parent, const char **ret_name, GError **error)
{
    if (!check_absolute(path, error))
        return FALSE;
    const char *slash = strrchr(path, '/');
    g_autofree char *folder = g_strndup(path, (gsize)(slash - path) + 1);
    *ret_name = slash + 1;
    return hearth_store_check_name(*ret_name, error) &&
           make_folders(store, folder, origin, ret_parent, error);
}

gboolean hearth_store_make_folders(HearthStore *store, const char *path, HearthOrigin origin,
                                   HearthObject *ret_object, GError **error)
{
    HearthObject made;
    if (!hearth_store_enter(store, error))
        return FALSE;
    gboolean done = make_folders(store, path, origin, &made, error);
    if (!hearth_store_leave(store, done, error))
        return FALSE;
    if (ret_object)
        *ret_object = made;
    return TRUE;
}
