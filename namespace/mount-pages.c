#include "namespace/mount-private.h"

/* Which bytes the kernel has pages of, for the inodes opened last. */
typedef struct {
    gint64 ino;
    HearthContentId content;
    GList *link; /* its place in the order of opening */
} Kept;

static void kept_remember(HearthMount *mount, gint64 ino, const HearthContentId *content)
{
    Kept *kept = g_new0(Kept, 1);
    kept->ino = ino;
    kept->content = *content;
    g_queue_push_tail(&mount->kept_order, kept);
    kept->link = mount->kept_order.tail;
    g_hash_table_insert(mount->kept, &kept->ino, kept);
    if (mount->kept_order.length > HEARTH_MOUNT_KEPT_MAX) {
        Kept *oldest = g_queue_pop_head(&mount->kept_order);
        g_hash_table_remove(mount->kept, &oldest->ino);
    }
}

gboolean hearth_mount_keeps_pages(HearthMount *mount, gint64 ino, const HearthContentId *content)
{
    g_mutex_lock(&mount->nodes_lock);
    Kept *kept = g_hash_table_lookup(mount->kept, &ino);
    gboolean same = kept != NULL && hearth_content_id_equal(&kept->content, content);
    if (kept == NULL) {
        kept_remember(mount, ino, content);
    } else {
        kept->content = *content;
        g_queue_unlink(&mount->kept_order, kept->link);
        g_queue_push_tail_link(&mount->kept_order, kept->link);
    }
    g_mutex_unlock(&mount->nodes_lock);
    return same;
}

void hearth_mount_forget_pages(HearthMount *mount, gint64 ino)
{
    g_mutex_lock(&mount->nodes_lock);
    Kept *kept = g_hash_table_lookup(mount->kept, &ino);
    if (kept != NULL) {
        g_queue_delete_link(&mount->kept_order, kept->link);
        g_hash_table_remove(mount->kept, &ino);
    }
    g_mutex_unlock(&mount->nodes_lock);
    if (mount->notifier != NULL)
        hearth_mount_notifier_forget(mount->notifier, ino);
}
