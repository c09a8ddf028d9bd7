#include "devices/driver.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A mounted volume: every step starts at the descriptor of its root and stays below it. The kernel
 * itself refuses to follow links and to leave the file system (openat2), so nothing on a card can
 * lead the walk elsewhere, also not by changing while it runs.
 */

#define NEW_FILE_MODE 0644
#define NEW_FOLDER_MODE 0755
#define COPY_BUFFER (1024 * 1024) /* bytes */

struct HearthDriverSession {
    int root;
    gboolean may_change;
    gboolean mtime_is_utc;
    gboolean had_entries; /* the root was not empty when it was opened */
};

typedef struct {
    HearthDriverSession *session;
    HearthDriverListFunc func;
    gpointer user_data;
} Walk;

static int open_below(int root, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (guint64)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* Fills the kernel's idea of the root; FALSE if there is none any more. */
static gboolean root_has_entries(int root, gboolean *ret_entries)
{
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return FALSE;
    }
    guint count = 0;
    errno = 0;
    while (count < 3 && readdir(folder))
        count++;
    gboolean readable = errno == 0;
    closedir(folder);
    *ret_entries = count > 2; /* more than . and .. */
    return readable;
}

/*
 * A pulled card first answers "no such file" or "input/output error", like a card whose file was
 * deleted or has a bad sector; only its root tells the difference.
 */
static gboolean is_gone(HearthDriverSession *session)
{
    gboolean entries = FALSE;
    return !root_has_entries(session->root, &entries) || (session->had_entries && !entries);
}

static gboolean set_failure(HearthDriverSession *session, int number, const char *what,
                            const char *path, GError **error)
{
    if (number == ENODEV || number == ENXIO ||
        ((number == ENOENT || number == EIO) && is_gone(session)))
        return hearth_driver_set_gone(error);
    return hearth_set_errno(error, number, "cannot %s %s", what, path);
}

static HearthDriverSession *volume_open(const char *place, gboolean may_change,
                                        HearthDriverIdentity *ret_identity, GError **error)
{
    hearth_autofd int root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean entries = FALSE;
    if (root < 0 || !root_has_entries(root, &entries)) {
        if (errno == ENOENT || errno == ENODEV)
            hearth_driver_set_gone(error);
        else
            hearth_set_errno(error, errno, "cannot open %s", place);
        return NULL;
    }
    ret_identity->can_change = may_change;
    HearthDriverSession *session = g_new0(HearthDriverSession, 1);
    session->may_change = may_change;
    session->had_entries = entries;
    session->mtime_is_utc = !hearth_driver_is_wall_clock(root);
    session->root = hearth_steal_fd(&root);
    return session;
}

static void volume_close(HearthDriverSession *session)
{
    hearth_close_at(&session->root);
    g_free(session);
}

static gboolean walk_folder(const Walk *walk, const char *path, int fd, guint depth,
                            GError **error);

static gboolean refuse(const Walk *walk, const char *folder, const char *name, gboolean is_folder,
                       const char *reason, GError **error)
{
    return hearth_driver_refuse(folder, name, is_folder, reason, walk->func, walk->user_data,
                                error);
}

static gboolean walk_into(const Walk *walk, const char *folder, int parent, const char *name,
                          guint depth, GError **error)
{
    if (depth >= HEARTH_DEVICE_MAX_DEPTH)
        return refuse(walk, folder, name, TRUE, "it is too deep inside other folders", error);
    hearth_autofd int fd = open_below(parent, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == EXDEV)
        return refuse(walk, folder, name, TRUE, "another volume is mounted there", error);
    if (fd < 0 && is_gone(walk->session))
        return hearth_driver_set_gone(error);
    if (fd < 0)
        return refuse(walk, folder, name, TRUE, g_strerror(errno), error);
    g_autofree char *path = g_strconcat(folder, "/", name, NULL);
    return walk_folder(walk, path, hearth_steal_fd(&fd), depth + 1, error);
}

static gboolean walk_entry(const Walk *walk, const char *folder, int parent, const char *name,
                           guint depth, GError **error)
{
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT && !is_gone(walk->session))
            return TRUE; /* it was deleted since its name was read */
        return set_failure(walk->session, errno, "look at", name, error);
    }
    if (S_ISLNK(status.st_mode))
        return refuse(walk, folder, name, FALSE, "it is a link, not a file", error);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return refuse(walk, folder, name, FALSE, "it is not a regular file", error);
    HearthDeviceObject object = {.size = S_ISDIR(status.st_mode) ? HEARTH_SIZE_UNKNOWN
                                                                 : (gint64)status.st_size,
                                 .mtime = status.st_mtime,
                                 .mtime_is_utc = walk->session->mtime_is_utc,
                                 .is_folder = S_ISDIR(status.st_mode)};
    if (object.is_folder && hearth_driver_is_system_folder(name))
        return TRUE;
    if (!hearth_driver_emit(folder, name, &object, walk->func, walk->user_data, error))
        return FALSE;
    if (!object.is_folder || hearth_device_check_name(name, strlen(name)))
        return TRUE;
    return walk_into(walk, folder, parent, name, depth, error);
}

/* Takes over `fd`. */
static gboolean walk_folder(const Walk *walk, const char *path, int fd, guint depth, GError **error)
{
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return hearth_set_errno(error, errno, "cannot read folder %s", path);
    }
    gboolean going = TRUE;
    const struct dirent *entry;
    while (going && (errno = 0, entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            going = walk_entry(walk, path, dirfd(folder), entry->d_name, depth, error);
    }
    int number = errno;
    closedir(folder);
    if (!going)
        return FALSE;
    if (number == 0)
        return TRUE;
    if (is_gone(walk->session))
        return hearth_driver_set_gone(error);
    /* A damaged folder; what was read of it was given, and the rest of the card can be. */
    return refuse(walk, path, "...", TRUE, "the rest of the folder cannot be read", error);
}

static gboolean volume_list(HearthDriverSession *session, HearthDriverListFunc func,
                            gpointer user_data, GError **error)
{
    Walk walk = {session, func, user_data};
    int fd = openat(session->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return set_failure(session, errno, "read", "the root of the volume", error);
    return walk_folder(&walk, "", fd, 0, error);
}

/* Opens `object` if it is still what was listed. A FIFO must neither block nor be read: O_NONBLOCK,
 * then a look at what it is. */
static int open_listed(HearthDriverSession *session, const HearthDeviceObject *object,
                       struct stat *ret_status, GError **error)
{
    hearth_autofd int fd =
        open_below(session->root, object->path + 1, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 || fstat(fd, ret_status) != 0) {
        set_failure(session, errno, "open", object->path, error);
        return -1;
    }
    if (!S_ISREG(ret_status->st_mode) ||
        !hearth_driver_same(object, ret_status->st_size, ret_status->st_mtime)) {
        hearth_driver_set_changed(error, object->path);
        return -1;
    }
    return hearth_steal_fd(&fd);
}

static gboolean volume_fetch(HearthDriverSession *session, const HearthDeviceObject *object,
                             guint64 offset, HearthSink *sink, GError **error)
{
    g_autoptr(GError) failure = NULL;
    struct stat status;
    hearth_autofd int fd = open_listed(session, object, &status, error);
    if (fd < 0)
        return FALSE;
    guint64 size = (guint64)status.st_size, moved;
    if (offset >= size)
        return TRUE;
    posix_fadvise(fd, (off_t)offset, 0, POSIX_FADV_SEQUENTIAL);
    if (hearth_sink_move(sink, fd, offset, size - offset, &moved, object->path, &failure))
        return TRUE;
    if (g_error_matches(failure, HEARTH_ERROR, HEARTH_ERROR_IO) && is_gone(session))
        return hearth_driver_set_gone(error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean check_may_change(HearthDriverSession *session, GError **error)
{
    if (session->may_change)
        return TRUE;
    g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_READ_ONLY,
                        "the volume was opened for reading only");
    return FALSE;
}

/* The open folder that holds `path`; `make` makes what is missing of it. */
static int open_parent(HearthDriverSession *session, const char *path, gboolean make,
                       GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path + 1);
    if (!make || g_str_equal(folder, "."))
        return open_below(session->root, folder, O_RDONLY | O_DIRECTORY, 0);
    g_auto(GStrv) parts = g_strsplit(folder, "/", -1);
    hearth_autofd int at = openat(session->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (char **part = parts; *part && at >= 0; part++) {
        if (mkdirat(at, *part, NEW_FOLDER_MODE) != 0 && errno != EEXIST)
            return -1;
        int next = open_below(at, *part, O_RDONLY | O_DIRECTORY, 0);
        hearth_close_at(&at);
        at = next;
    }
    return hearth_steal_fd(&at);
}

static gboolean volume_remove(HearthDriverSession *session, const HearthDeviceObject *object,
                              GError **error)
{
    struct stat status;
    g_autofree char *name = g_path_get_basename(object->path);
    if (!check_may_change(session, error))
        return FALSE;
    hearth_autofd int fd = open_listed(session, object, &status, error);
    if (fd < 0)
        return FALSE;
    hearth_autofd int parent = open_parent(session, object->path, FALSE, error);
    if (parent < 0 || unlinkat(parent, name, 0) != 0)
        return set_failure(session, errno, "delete", object->path, error);
    return fsync(parent) == 0 ||
           set_failure(session, errno, "make durable the deletion of", object->path, error);
}

static gboolean copy_all(int from, int to, guint64 size, const char *path, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(COPY_BUFFER);
    for (guint64 done = 0; done < size;) {
        gssize got = hearth_pread_up_to(from, buffer, MIN(size - done, (guint64)COPY_BUFFER),
                                        (off_t)done, "the file to send", error);
        if (got < 0)
            return FALSE;
        if (got == 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT,
                        "the file became shorter while it was sent to %s", path);
            return FALSE;
        }
        if (!hearth_write_all(to, buffer, (gsize)got, path, error))
            return FALSE;
        done += (guint64)got;
    }
    return fsync(to) == 0 || hearth_set_errno(error, errno, "cannot make %s durable", path);
}

static gboolean volume_put(HearthDriverSession *session, const char *path, int from, guint64 size,
                           GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    if (!check_may_change(session, error))
        return FALSE;
    hearth_autofd int parent = open_parent(session, path, TRUE, error);
    if (parent < 0)
        return set_failure(session, errno, "make the folder of", path, error);
    hearth_autofd int to = open_below(parent, name, O_WRONLY | O_CREAT | O_EXCL, NEW_FILE_MODE);
    if (to < 0)
        return set_failure(session, errno, "create", path, error);
    if (copy_all(from, to, size, path, error))
        return fsync(parent) == 0 || set_failure(session, errno, "make durable", path, error);
    unlinkat(parent, name, 0);
    return FALSE;
}

static gboolean volume_space(HearthDriverSession *session, guint64 *ret_free, guint64 *ret_total,
                             GError **error)
{
    struct statvfs status;
    if (fstatvfs(session->root, &status) != 0)
        return set_failure(session, errno, "measure", "the volume", error);
    *ret_free = (guint64)status.f_bavail * status.f_frsize;
    *ret_total = (guint64)status.f_blocks * status.f_frsize;
    return TRUE;
}

const HearthDriver HEARTH_DRIVER_VOLUME = {
    .name = "volume",
    .open = volume_open,
    .list = volume_list,
    .fetch = volume_fetch,
    .remove = volume_remove,
    .put = volume_put,
    .space = volume_space,
    .close = volume_close,
};
