#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * Whole reads and writes, and changes of small files that survive a power cut.
 *
 * `name` in these calls is what the error message calls the file; it need not be its path.
 */

/** A file descriptor that is closed at the end of its scope: `hearth_autofd int fd = -1;` */
#define hearth_autofd __attribute__((cleanup(hearth_close_at)))

/** Closes *fd unless it is negative, sets it to -1, keeps errno. */
void hearth_close_at(int *fd);

/** Takes the descriptor out of *fd, leaving -1. */
int hearth_steal_fd(int *fd);

/** Writes all of `data`, over short writes and EINTR. */
gboolean hearth_write_all(int fd, const void *data, gsize size, const char *name, GError **error);

/** Writes all of `data` at `offset`. */
gboolean hearth_pwrite_all(int fd, const void *data, gsize size, off_t offset, const char *name,
                           GError **error);

/** Reads until `size` bytes or the end; the count read, or -1 with `error` set. */
gssize hearth_read_up_to(int fd, void *data, gsize size, const char *name, GError **error);

/** As hearth_read_up_to, at `offset`. */
gssize hearth_pread_up_to(int fd, void *data, gsize size, off_t offset, const char *name,
                          GError **error);

/** Opens `path` relative to `dirfd` and makes its entries durable (fsync of the folder). */
gboolean hearth_sync_folder(int dirfd, const char *path, GError **error);

/**
 * Replaces the file `path` by `data`, whole or not at all: temporary file beside it, fsync, rename,
 * fsync of the folder. `mode` is that of the new file.
 */
gboolean hearth_replace_file(const char *path, const void *data, gsize size, mode_t mode,
                             GError **error);
