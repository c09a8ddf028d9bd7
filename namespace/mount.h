#pragma once

#include "namespace/store.h"

/**
 * The tree of a store as a file system (FUSE 3, low-level API).
 *
 * The kernel's caches are long-lived; the mount listens to the store and invalidates what others
 * change. A file's changed bytes become a version at close or fsync, durable when that returns.
 * Runs on threads of its own; start and stop may come from any thread.
 */
typedef struct HearthMount HearthMount;

typedef struct {
    const char *path;     /* an existing, empty folder */
    gboolean allow_other; /* other users of the machine may enter */
    guint threads;        /* at most; 0: chosen from the number of processors */
} HearthMountOptions;

/** HEARTH_ERROR_UNSUPPORTED when the machine has no FUSE: the caller says so once and goes on. */
HearthMount *hearth_mount_start(HearthStore *store, const HearthMountOptions *options,
                                GError **error);
/** Unmounts (lazily if it is busy), makes versions of what was open and changed, and frees. */
void hearth_mount_stop(HearthMount *mount);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthMount, hearth_mount_stop)
