#pragma once

#define FUSE_USE_VERSION 312

#include "namespace/content-private.h"
#include "namespace/mount.h"

#include <fuse3/fuse_lowlevel.h>

/**
 * What the files of the mount share. Inode numbers are those of the store, which never reuses one:
 * the kernel's look-up counts need no books here, and nothing is remembered of a file that is not
 * open. Requests come on the threads of libfuse, any number at once.
 */

/** How long the kernel may keep what it knows, in seconds: changes by others are told to it. */
#define HEARTH_MOUNT_CACHE_S 3600.0

/** Inodes of which we remember what bytes the kernel has pages of. */
#define HEARTH_MOUNT_KEPT_MAX 32768

typedef struct HearthMountNode HearthMountNode;
typedef struct HearthMountNotifier HearthMountNotifier;

struct HearthMount {
    HearthStore *store;       /* borrowed */
    HearthContents *contents; /* borrowed, of the store */
    HearthOrigin origin;      /* tags our own changes */
    guint64 generation;       /* of every inode: names the store's incarnation */
    char *path;
    guint threads;
    struct fuse_session *session;
    GThread *loop; /* runs the session */
    dev_t device;  /* of the mounted file system */
    HearthMountNotifier *notifier;

    GMutex nodes_lock; /* guards what follows; never held over I/O */
    GHashTable *nodes; /* ino -> HearthMountNode (borrowed): of open files */
    guint changed;     /* how many of them have bytes that are no version yet */
    GHashTable *kept;  /* ino -> Kept (owned), see hearth_mount_keeps_pages() */
    GQueue kept_order; /* of Kept (borrowed), oldest at the head */
};

/* --- mount.c: what several operations need --- */

/** Replies with the errno of `error`, which may be NULL (EIO). */
void hearth_mount_reply_error(fuse_req_t req, const GError *error);
/** FALSE, with the reply sent, if `name` cannot be one. */
gboolean hearth_mount_check_name(fuse_req_t req, const char *name);
/** Nanoseconds since 1970. */
gint64 hearth_mount_now(void);
/** Attributes as stat gives them. */
void hearth_mount_fill_stat(HearthMount *mount, const HearthObject *object, struct stat *ret_stat);
void hearth_mount_fill_entry(HearthMount *mount, const HearthObject *object,
                             struct fuse_entry_param *ret_entry);

/* --- mount-node.c: open files --- */

/** The node of an open file, made if it is the first open. Give back with release. `losses`: of the
 * store before `object` was made or asked for. */
HearthMountNode *hearth_mount_node_open(HearthMount *mount, const HearthObject *object,
                                        guint64 losses);
/** Ends one open; makes a version of what is still changed. */
void hearth_mount_node_release(HearthMountNode *node);

/** Size and times of files that have bytes which are no version yet. */
typedef struct {
    gint64 ino;
    gint64 size;
    gint64 mtime_ns;
    gint64 ctime_ns;
} HearthMountChange;

/**
 * The changed open files at this moment, NULL for none; (transfer full). To be taken *before* the
 * store is asked and applied to what it says: a version made in between is then seen in the store.
 */
GArray *hearth_mount_changes(HearthMount *mount);
void hearth_mount_changes_apply(const GArray *changes, HearthObject *object);

/** Takes up a change by others, unless the file is not open or has changes of its own. */
void hearth_mount_refresh(HearthMount *mount, gint64 ino);
/** The same for every open file. */
void hearth_mount_refresh_all(HearthMount *mount);

/** Replies with bytes of the file. */
void hearth_mount_node_read(HearthMountNode *node, fuse_req_t req, size_t size, off_t offset);
gboolean hearth_mount_node_write(HearthMountNode *node, const void *data, gsize size, gint64 offset,
                                 GError **error);
gboolean hearth_mount_node_truncate(HearthMountNode *node, gint64 size, GError **error);
/** What an open with O_TRUNC does. */
gboolean hearth_mount_node_empty(HearthMountNode *node, GError **error);
/** Makes the file at least `size` long. */
gboolean hearth_mount_node_extend(HearthMountNode *node, gint64 size, GError **error);
/** A time that was set by hand: of an open file it stands until the next write. */
void hearth_mount_set_mtime(HearthMount *mount, gint64 ino, gint64 mtime_ns);
/** Makes a version of changed bytes, durable on return. Nothing to do: costs nothing. */
gboolean hearth_mount_node_commit(HearthMountNode *node, GError **error);
/** The same, and makes durable all that was done to the file's name and attributes. Fails also if
 * the disk refused such a change since the file was opened. */
gboolean hearth_mount_node_sync(HearthMountNode *node, GError **error);
/** Commits every changed open file; at the end of a mount, with no request under way. */
void hearth_mount_commit_all(HearthMount *mount);

/**
 * TRUE if the pages that the kernel keeps of the file are those of `content`, and remembers that
 * from now on they are. The notifier's message comes a moment after a change by others: this is
 * what makes an open right after it see the new bytes.
 */
gboolean hearth_mount_keeps_pages(HearthMount *mount, gint64 ino, const HearthContentId *content);

/** The kernel's pages of the file are of bytes that came to nothing. */
void hearth_mount_forget_pages(HearthMount *mount, gint64 ino);

/* --- mount-notify.c: changes by others --- */

HearthMountNotifier *hearth_mount_notifier_new(HearthMount *mount);
/** Has the kernel drop what it keeps of a file, soon; any thread. */
void hearth_mount_notifier_forget(HearthMountNotifier *notifier, gint64 ino);
/** Returns when its thread has ended. After the session's loop, before the session is destroyed. */
void hearth_mount_notifier_free(HearthMountNotifier *notifier);

/* --- Operations, by file --- */

void hearth_mount_add_file_operations(struct fuse_lowlevel_ops *ops);
void hearth_mount_add_dir_operations(struct fuse_lowlevel_ops *ops);
void hearth_mount_add_attr_operations(struct fuse_lowlevel_ops *ops);
void hearth_mount_add_xattr_operations(struct fuse_lowlevel_ops *ops);
