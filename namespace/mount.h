#pragma once

#include "namespace/store.h"

/**
 * The tree of a store as a file system (FUSE 3, low-level API).
 *
 * The kernel's caches are long-lived; the mount listens to the store and invalidates what others
 * change. Runs on threads of its own; start and stop may come from any thread.
 *
 * What is durable when:
 *   - A file's changed bytes become one new version at close, fsync or msync of it, whole and durable
 *     when that call returns without an error. Between, a crash leaves the version before. A close
 *     of a file that was not changed costs nothing.
 *   - Names (create, mkdir, symlink, rename, unlink, rmdir), modes and times are seen by everyone at
 *     once and grouped on their way to the disk: durable after fsync of any file or folder of the
 *     mount, after the close of a changed file, or within HEARTH_STORE_GROUP_MS by themselves.
 *   - A truncate of a file that is not open makes a version at once.
 *   - A hole must fit the disk as if it were filled, else ENOSPC: it is hashed like other bytes.
 *   - Changes of a file that was unlinked while open go with its last close.
 *
 * Of two programs that have a file open, both see one state. If another part of Hearth stores a new
 * version meanwhile, an open file without changes of its own shows it; with changes, its close makes
 * its own version the newest and the other is in the history.
 *
 * Extended attributes `user.hearth.KEY` are the metadata of the current version, for reading alone;
 * others are not kept (EOPNOTSUPP). Hard links, pipes, sockets and devices are refused with EPERM.
 * File locks (flock, fcntl) are kept by the kernel: they hold between the programs of this machine,
 * and no one else changes a file of the mount in place. The time of last access is not kept.
 */
typedef struct HearthMount HearthMount;

typedef struct {
    const char *path;     /* an existing, empty folder */
    gboolean allow_other; /* other users of the machine may enter */
    guint threads;        /* at most; 0: chosen from the number of processors */
} HearthMountOptions;

/** Whether this user's mounts may let others in: root's, or all that /etc/fuse.conf allows it. */
gboolean hearth_mount_may_allow_other(void);

/** HEARTH_ERROR_UNSUPPORTED when the machine has no FUSE: the caller says so once and goes on. */
HearthMount *hearth_mount_start(HearthStore *store, const HearthMountOptions *options,
                                GError **error);
/** Unmounts (lazily if it is busy), makes versions of what was open and changed, and frees. */
void hearth_mount_stop(HearthMount *mount);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthMount, hearth_mount_stop)
