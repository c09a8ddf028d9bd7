#include "gateway/base/io.h"

#include "gateway/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void hearth_close_at(int *fd)
{
    int kept = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = kept;
}

int hearth_steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

gboolean hearth_write_all(int fd, const void *data, gsize size, const char *name, GError **error)
{
    const guint8 *at = data;
    while (size > 0) {
        ssize_t done = write(fd, at, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return hearth_set_errno(error, errno, "cannot write %s", name);
        at += done;
        size -= (gsize)done;
    }
    return TRUE;
}

gboolean hearth_pwrite_all(int fd, const void *data, gsize size, off_t offset, const char *name,
                           GError **error)
{
    const guint8 *at = data;
    while (size > 0) {
        ssize_t done = pwrite(fd, at, size, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return hearth_set_errno(error, errno, "cannot write %s", name);
        at += done;
        size -= (gsize)done;
        offset += done;
    }
    return TRUE;
}

/* Reads from `offset`, or from the descriptor's own position when it is negative. */
static gssize read_up_to(int fd, void *data, gsize size, off_t offset, const char *name,
                         GError **error)
{
    guint8 *at = data;
    gsize got = 0;
    while (got < size) {
        ssize_t done = offset < 0 ? read(fd, at + got, size - got)
                                  : pread(fd, at + got, size - got, offset + (off_t)got);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            hearth_set_errno(error, errno, "cannot read %s", name);
            return -1;
        }
        if (done == 0)
            break;
        got += (gsize)done;
    }
    return (gssize)got;
}

gssize hearth_read_up_to(int fd, void *data, gsize size, const char *name, GError **error)
{
    return read_up_to(fd, data, size, -1, name, error);
}

gssize hearth_pread_up_to(int fd, void *data, gsize size, off_t offset, const char *name,
                          GError **error)
{
    return read_up_to(fd, data, size, offset, name, error);
}

gboolean hearth_sync_folder(int dirfd, const char *path, GError **error)
{
    hearth_autofd int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return hearth_set_errno(error, errno, "cannot make folder %s durable", path);
    return TRUE;
}

static gboolean write_durable(int fd, const void *data, gsize size, mode_t mode, const char *name,
                              GError **error)
{
    if (!hearth_write_all(fd, data, size, name, error))
        return FALSE;
    if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
        return hearth_set_errno(error, errno, "cannot make %s durable", name);
    return TRUE;
}

gboolean hearth_replace_file(const char *path, const void *data, gsize size, mode_t mode,
                             GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    hearth_autofd int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return hearth_set_errno(error, errno, "cannot create a file beside %s", path);
    gboolean done = write_durable(fd, data, size, mode, path, error);
    if (done && rename(temporary, path) != 0)
        done = hearth_set_errno(error, errno, "cannot replace %s", path);
    if (!done)
        unlink(temporary);
    return done && hearth_sync_folder(AT_FDCWD, folder, error);
}
