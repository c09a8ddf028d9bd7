#include "namespace/content-engine.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Up to this many files of a batch are flushed one by one; for more, one flush of the whole file
 * system is cheaper than a journal commit for each. */
#define FLUSH_ONE_BY_ONE 4

/* "ab/" + 62 digits + ".blocks" + NUL */
#define PATH_SIZE (3 + 62 + 7 + 1)

typedef struct {
    HearthContentEngine base;
    int folder; /* STATE/content; open since before any write, so that syncfs reports each failure
                 */
    char *name; /* its path, for messages */
} FolderEngine;

static void content_path(const HearthContentId *id, const char *suffix, char path[PATH_SIZE])
{
    char text[HEARTH_CONTENT_ID_TEXT];
    hearth_content_id_to_text(id, text);
    g_snprintf(path, PATH_SIZE, "%.2s/%s%s", text, text + 2, suffix);
}

static gboolean fail(GError **error, int number, const char *what, const HearthContentId *id)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    return hearth_set_errno(error, number, "cannot %s content %s", what,
                            hearth_content_id_to_text(id, text));
}

/* --- Putting: data, then names, then folders --- */

static gboolean write_list(const HearthContentPut *put, GError **error)
{
    g_autofree char *name = g_strconcat(put->name, ".blocks", NULL);
    hearth_autofd int fd =
        openat(put->spool, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0440);
    if (fd < 0)
        return fail(error, errno, "keep the block list of", put->id);
    return hearth_write_all(fd, put->list->data, put->list->len, "a block list", error);
}

static gboolean write_lists(const HearthContentPut *puts, gsize count, GError **error)
{
    for (gsize i = 0; i < count; i++)
        if (puts[i].name != NULL && puts[i].list != NULL && !write_list(&puts[i], error))
            return FALSE;
    return TRUE;
}

/* syncfs reports a failed write once per descriptor, perhaps to another thread's call: each file is
 * asked as well, which costs nothing once it is clean. */
static gboolean flush_together(FolderEngine *engine, const HearthContentPut *puts, gsize count,
                               GError **error)
{
    if (syncfs(engine->folder) != 0)
        return hearth_set_errno(error, errno, "cannot flush %s", engine->name);
    for (gsize i = 0; i < count; i++)
        if (puts[i].name != NULL &&
            sync_file_range(puts[i].fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) != 0)
            return fail(error, errno, "flush", puts[i].id);
    return TRUE;
}

static gboolean flush_data(FolderEngine *engine, const HearthContentPut *puts, gsize count,
                           GError **error)
{
    gsize fresh = 0;
    for (gsize i = 0; i < count; i++)
        fresh += puts[i].name != NULL;
    if (fresh > FLUSH_ONE_BY_ONE)
        return flush_together(engine, puts, count, error);
    for (gsize i = 0; i < count; i++)
        if (puts[i].name != NULL && fdatasync(puts[i].fd) != 0)
            return fail(error, errno, "flush", puts[i].id);
    return TRUE;
}

static gboolean is_there(FolderEngine *engine, const HearthContentPut *put)
{
    char path[PATH_SIZE];
    struct stat status;
    content_path(put->id, "", path);
    return fstatat(engine->folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode) && status.st_size == put->size;
}

/* Two that store the same content at once both rename: the second replaces the first by its equal,
 * and whoever has that open goes on reading it. */
static gboolean take_name(FolderEngine *engine, const HearthContentPut *put, GError **error)
{
    char path[PATH_SIZE];
    g_autofree char *list_name = g_strconcat(put->name, ".blocks", NULL);
    if (!put->replace && is_there(engine, put)) {
        unlinkat(put->spool, put->name, 0);
        unlinkat(put->spool, list_name, 0);
        return TRUE;
    }
    if (put->list != NULL) {
        content_path(put->id, ".blocks", path);
        if (renameat(put->spool, list_name, engine->folder, path) != 0)
            return fail(error, errno, "name the block list of", put->id);
    }
    content_path(put->id, "", path);
    if (renameat(put->spool, put->name, engine->folder, path) != 0)
        return fail(error, errno, "name", put->id);
    return TRUE;
}

/* Of contents that were stored before as well: who stored them may not have come this far yet. */
static gboolean flush_folders(FolderEngine *engine, const HearthContentPut *puts, gsize count,
                              GError **error)
{
    gboolean wanted[256] = {FALSE};
    guint distinct = 0;
    for (gsize i = 0; i < count; i++) {
        distinct += !wanted[puts[i].id->bytes[0]];
        wanted[puts[i].id->bytes[0]] = TRUE;
    }
    if (distinct > FLUSH_ONE_BY_ONE)
        return syncfs(engine->folder) == 0 ||
               hearth_set_errno(error, errno, "cannot flush %s", engine->name);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        char name[3];
        g_snprintf(name, sizeof name, "%02x", i);
        if (wanted[i] && !hearth_sync_folder(engine->folder, name, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean folder_put(HearthContentEngine *base, const HearthContentPut *puts, gsize count,
                           GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    if (!write_lists(puts, count, error) || !flush_data(engine, puts, count, error))
        return FALSE;
    for (gsize i = 0; i < count; i++)
        if (puts[i].name != NULL && !take_name(engine, &puts[i], error))
            return FALSE;
    return flush_folders(engine, puts, count, error);
}

/* --- Getting --- */

static int open_uncached(FolderEngine *engine, const char *path)
{
    hearth_autofd int fd = openat(engine->folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    /* Pages not written yet cannot be dropped. Where there is no O_DIRECT (tmpfs of old kernels)
     * dropping the pages is the best there is. */
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    int direct = openat(engine->folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECT);
    return direct >= 0 ? direct : hearth_steal_fd(&fd);
}

static int folder_open(HearthContentEngine *base, const HearthContentId *id, gboolean uncached,
                       gint64 *ret_size, GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    char path[PATH_SIZE];
    struct stat status;
    content_path(id, "", path);
    hearth_autofd int fd = uncached
                               ? open_uncached(engine, path)
                               : openat(engine->folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0) {
        fail(error, errno, "open", id);
        return -1;
    }
    *ret_size = status.st_size;
    return hearth_steal_fd(&fd);
}

static gssize folder_get(HearthContentEngine *base, const HearthContentId *id, void *data,
                         gsize size, gint64 offset, GError **error)
{
    gint64 whole;
    hearth_autofd int fd = folder_open(base, id, FALSE, &whole, error);
    return fd < 0 ? -1 : hearth_pread_up_to(fd, data, size, offset, "a content", error);
}

static gboolean folder_stat(HearthContentEngine *base, const HearthContentId *id, gint64 *ret_size,
                            GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    char path[PATH_SIZE];
    struct stat status;
    content_path(id, "", path);
    if (fstatat(engine->folder, path, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail(error, errno, "find", id);
    *ret_size = status.st_size;
    return TRUE;
}

static GByteArray *folder_get_list(HearthContentEngine *base, const HearthContentId *id,
                                   GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    char path[PATH_SIZE];
    struct stat status;
    content_path(id, ".blocks", path);
    hearth_autofd int fd = openat(engine->folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0 || fstat(fd, &status) != 0) {
        fail(error, errno, "open the block list of", id);
        return NULL;
    }
    g_autoptr(GByteArray) list = g_byte_array_new();
    if (status.st_size > G_MAXINT32) /* no list of ours: it would be of 60 TB */
        return g_steal_pointer(&list);
    g_byte_array_set_size(list, (guint)status.st_size);
    gssize got = hearth_pread_up_to(fd, list->data, list->len, 0, "a block list", error);
    if (got < 0)
        return NULL;
    g_byte_array_set_size(list, (guint)got);
    return g_steal_pointer(&list);
}

static gboolean folder_put_list(HearthContentEngine *base, const HearthContentId *id,
                                const GByteArray *list, GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    char path[PATH_SIZE];
    content_path(id, ".blocks", path);
    g_autofree char *full = g_build_filename(engine->name, path, NULL);
    return hearth_replace_file(full, list->data, list->len, 0440, error);
}

/* --- Listing and deleting --- */

/* Of a content or of the list of its blocks. */
static gboolean id_of_entry(guint folder, const char *name, HearthContentId *ret_id)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    const gsize length = sizeof text - 3;
    if (strlen(name) < length || (name[length] != '\0' && strcmp(name + length, ".blocks") != 0))
        return FALSE;
    g_snprintf(text, sizeof text, "%02x%.*s", folder, (int)length, name);
    return hearth_content_id_from_text(text, ret_id);
}

static int compare_ids(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(HearthContentId));
}

static void drop_twins(GArray *ids)
{
    guint kept = 0;
    for (guint i = 0; i < ids->len; i++) {
        HearthContentId id = g_array_index(ids, HearthContentId, i);
        if (kept == 0 || compare_ids(&g_array_index(ids, HearthContentId, kept - 1), &id) != 0)
            g_array_index(ids, HearthContentId, kept++) = id;
    }
    g_array_set_size(ids, kept);
}

/* Ids in one folder above `after`, ascending; (transfer full). */
static GArray *list_folder(FolderEngine *engine, guint number, const HearthContentId *after,
                           GError **error)
{
    char name[3];
    g_snprintf(name, sizeof name, "%02x", number);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(HearthContentId));
    int fd = openat(engine->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        hearth_set_errno(error, errno, "cannot list %s/%s", engine->name, name);
        hearth_close_at(&fd);
        return NULL;
    }
    for (struct dirent *entry; errno = 0, (entry = readdir(stream)) != NULL;) {
        HearthContentId id;
        if (id_of_entry(number, entry->d_name, &id) &&
            (after == NULL || compare_ids(&id, after) > 0))
            g_array_append_val(ids, id);
    }
    int number_of_error = errno;
    closedir(stream);
    if (number_of_error != 0) {
        hearth_set_errno(error, number_of_error, "cannot list %s/%s", engine->name, name);
        return NULL;
    }
    g_array_sort(ids, compare_ids);
    drop_twins(ids);
    return g_steal_pointer(&ids);
}

static gboolean folder_enumerate(HearthContentEngine *base, const HearthContentId *after,
                                 guint limit, HearthEngineFunc func, gpointer data, GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    guint given = 0;
    for (guint number = after != NULL ? after->bytes[0] : 0; number < 256; number++) {
        g_autoptr(GArray) ids = list_folder(engine, number, after, error);
        if (ids == NULL)
            return FALSE;
        for (guint i = 0; i < ids->len; i++) {
            const HearthContentId *id = &g_array_index(ids, HearthContentId, i);
            gint64 size;
            if (!folder_stat(base, id, &size, NULL))
                size = 0;
            if (!func(id, size, data) || (limit != 0 && ++given == limit))
                return TRUE;
        }
    }
    return TRUE;
}

static gboolean folder_remove(HearthContentEngine *base, const HearthContentId *id,
                              gboolean *ret_deleted, GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    char path[PATH_SIZE];
    content_path(id, "", path);
    *ret_deleted = unlinkat(engine->folder, path, 0) == 0;
    if (!*ret_deleted && errno != ENOENT)
        return fail(error, errno, "delete", id);
    content_path(id, ".blocks", path);
    if (unlinkat(engine->folder, path, 0) != 0 && errno != ENOENT)
        return fail(error, errno, "delete the block list of", id);
    return TRUE;
}

static gboolean folder_space(HearthContentEngine *base, guint64 *ret_free, guint64 *ret_total,
                             GError **error)
{
    FolderEngine *engine = (FolderEngine *)base;
    struct statvfs status;
    if (fstatvfs(engine->folder, &status) != 0)
        return hearth_set_errno(error, errno, "cannot ask for the space of %s", engine->name);
    *ret_free = (guint64)status.f_bavail * status.f_frsize;
    *ret_total = (guint64)status.f_blocks * status.f_frsize;
    return TRUE;
}

static void folder_close(HearthContentEngine *base)
{
    FolderEngine *engine = (FolderEngine *)base;
    hearth_close_at(&engine->folder);
    g_free(engine->name);
    g_free(engine);
}

static const HearthContentEngineClass FOLDER_CLASS = {
    .name = "dir",
    .put = folder_put,
    .open = folder_open,
    .get = folder_get,
    .stat = folder_stat,
    .get_list = folder_get_list,
    .put_list = folder_put_list,
    .enumerate = folder_enumerate,
    .remove = folder_remove,
    .space = folder_space,
    .close = folder_close,
};

/* All 256 folders are there from the start, so that storing never has to make one durable. */
static gboolean make_folders(FolderEngine *engine, GError **error)
{
    gboolean made = FALSE;
    for (guint i = 0; i < 256; i++) {
        char name[3];
        g_snprintf(name, sizeof name, "%02x", i);
        if (mkdirat(engine->folder, name, 0750) == 0)
            made = TRUE;
        else if (errno != EEXIST && errno != EROFS)
            return hearth_set_errno(error, errno, "cannot create folder %s/%s", engine->name, name);
    }
    return !made || hearth_sync_folder(engine->folder, ".", error);
}

HearthContentEngine *hearth_content_folder_open(const char *state, GError **error)
{
    FolderEngine *engine = g_new0(FolderEngine, 1);
    engine->base.ops = &FOLDER_CLASS;
    engine->name = g_build_filename(state, "content", NULL);
    mkdir(engine->name, 0750);
    engine->folder = open(engine->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (engine->folder < 0)
        hearth_set_errno(error, errno, "cannot open folder %s", engine->name);
    if (engine->folder < 0 || !make_folders(engine, error)) {
        folder_close(&engine->base);
        return NULL;
    }
    return &engine->base;
}
