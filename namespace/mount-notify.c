#include "namespace/mount-private.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

/*
 * Tells the kernel what others changed. On a thread of its own: telling it takes locks of the kernel
 * that a request under way may hold, and that request is answered by a thread of libfuse which must
 * not wait for this one. For the same reason the store's watch only queues.
 */
struct HearthMountNotifier {
    HearthMount *mount; /* borrowed */
    GAsyncQueue *queue; /* of Told, or the notifier itself: end */
    GThread *thread;
    guint watch;
};

/* A change, copied. */
typedef struct {
    HearthChangeKind kind;
    gint64 ino;
    gint64 parent;
    char *name;
    gint64 old_parent;
    char *old_name; /* nullable */
} Told;

static void told_free(Told *told)
{
    g_free(told->name);
    g_free(told->old_name);
    g_free(told);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Told, told_free)

static gboolean on_change(const HearthChange *change, gpointer data)
{
    HearthMountNotifier *notifier = data;
    if (change->origin == notifier->mount->origin)
        return TRUE; /* it came from the kernel */
    Told *told = g_new0(Told, 1);
    told->kind = change->kind;
    told->ino = change->ino;
    told->parent = change->parent;
    told->name = g_strdup(change->name);
    told->old_parent = change->old_parent;
    told->old_name = g_strdup(change->old_name);
    g_async_queue_push(notifier->queue, told);
    return TRUE;
}

/* A kernel that knows nothing of what is named answers ENOENT: that is as good. */

/* A name and with it all that was known of it, also that there was nothing. */
static void forget_name(HearthMountNotifier *notifier, gint64 folder, const char *name)
{
    if (folder != 0 && name != NULL)
        fuse_lowlevel_notify_inval_entry(notifier->mount->session, (fuse_ino_t)folder, name,
                                         strlen(name));
}

static void forget_attributes(HearthMountNotifier *notifier, gint64 ino)
{
    fuse_lowlevel_notify_inval_inode(notifier->mount->session, (fuse_ino_t)ino, -1, 0);
}

/* Attributes and pages: of a file its bytes, of a folder its kept listing. */
static void forget_all(HearthMountNotifier *notifier, gint64 ino)
{
    if (ino != 0)
        fuse_lowlevel_notify_inval_inode(notifier->mount->session, (fuse_ino_t)ino, 0, 0);
}

/* Also wakes who watches the folder (inotify), which forgetting a name does not. */
static void tell_removed(HearthMountNotifier *notifier, const Told *told)
{
    if (told->old_parent == 0 || told->old_name == NULL)
        return;
    if (fuse_lowlevel_notify_delete(notifier->mount->session, (fuse_ino_t)told->old_parent,
                                    (fuse_ino_t)told->ino, told->old_name,
                                    strlen(told->old_name)) != 0)
        forget_name(notifier, told->old_parent, told->old_name);
}

/* Changes that the kernel has seen did not happen after all, and nobody says which. Remounting drops
 * every name that is not in use; only root may, and for others what is kept runs out by time. */
static void forget_everything(HearthMountNotifier *notifier)
{
    const char *path = notifier->mount->path;
    if (mount(NULL, path, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, NULL) != 0)
        g_debug("cannot remount %s: %s", path, g_strerror(errno));
    hearth_mount_refresh_all(notifier->mount);
    forget_all(notifier, HEARTH_ROOT_INO);
}

static void tell(HearthMountNotifier *notifier, const Told *told)
{
    switch (told->kind) {
    case HEARTH_CHANGE_CREATED:
    case HEARTH_CHANGE_RESTORED:
    case HEARTH_CHANGE_MOVED:
        forget_name(notifier, told->old_parent, told->old_name);
        forget_name(notifier, told->parent, told->name);
        forget_attributes(notifier, told->ino);
        break;
    case HEARTH_CHANGE_TRASHED:
        tell_removed(notifier, told);
        forget_attributes(notifier, told->ino);
        break;
    case HEARTH_CHANGE_CONTENT:
        hearth_mount_refresh(notifier->mount, told->ino);
        forget_all(notifier, told->ino);
        break;
    case HEARTH_CHANGE_ATTRIBUTES:
    case HEARTH_CHANGE_FORGOTTEN:
        forget_attributes(notifier, told->ino);
        break;
    case HEARTH_CHANGE_LOST:
        forget_everything(notifier);
        break;
    }
}

static gboolean changes_names(HearthChangeKind kind)
{
    return kind != HEARTH_CHANGE_CONTENT && kind != HEARTH_CHANGE_ATTRIBUTES &&
           kind != HEARTH_CHANGE_LOST;
}

/* Of many changes in one folder, as an import makes them, only the last drops its listing. */
static void forget_listings(HearthMountNotifier *notifier, const Told *told, const Told *next)
{
    if (!changes_names(told->kind))
        return;
    gboolean again = next != NULL && changes_names(next->kind) && next->parent == told->parent &&
                     next->old_parent == told->old_parent;
    if (again)
        return;
    forget_all(notifier, told->parent);
    if (told->old_parent != told->parent)
        forget_all(notifier, told->old_parent);
}

static gpointer notifier_run(gpointer data)
{
    HearthMountNotifier *notifier = data;
    Told *next = NULL;
    for (;;) {
        g_autoptr(Told) told = next != NULL ? next : g_async_queue_pop(notifier->queue);
        if ((gpointer)told == notifier) {
            told = NULL;
            return NULL;
        }
        next = g_async_queue_try_pop(notifier->queue);
        tell(notifier, told);
        forget_listings(notifier, told, (gpointer)next != notifier ? next : NULL);
    }
}

void hearth_mount_notifier_forget(HearthMountNotifier *notifier, gint64 ino)
{
    Told *told = g_new0(Told, 1);
    told->kind = HEARTH_CHANGE_CONTENT;
    told->ino = ino;
    g_async_queue_push(notifier->queue, told);
}

HearthMountNotifier *hearth_mount_notifier_new(HearthMount *mount)
{
    HearthMountNotifier *notifier = g_new0(HearthMountNotifier, 1);
    notifier->mount = mount;
    notifier->queue = g_async_queue_new();
    notifier->thread = g_thread_new("hearth-notify", notifier_run, notifier);
    notifier->watch = hearth_store_watch(mount->store, on_change, notifier, NULL);
    return notifier;
}

void hearth_mount_notifier_free(HearthMountNotifier *notifier)
{
    if (notifier == NULL)
        return;
    hearth_store_unwatch(notifier->mount->store, notifier->watch);
    g_async_queue_push(notifier->queue, notifier);
    g_thread_join(notifier->thread);
    g_async_queue_unref(notifier->queue);
    g_free(notifier);
}
