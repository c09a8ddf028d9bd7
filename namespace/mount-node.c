#include "namespace/mount-private.h"

#include "gateway/base/error.h"

/*
 * One node for each open file; all opens of it share its state:
 *
 *              write, truncate (start_writing)
 *     CLEAN ------------------------------------> CHANGED <---+ write (resume)
 *       ^  bytes: the content's reader              | bytes: the writer's spool file
 *       |                                           | close, fsync, last release (commit)
 *       |   published and committed                 v         |
 *       +---------------------------------------- STAGED -----+
 *                                                    bytes: the staged spool file
 *
 * STAGED lasts only while a commit is under way, or after one that failed (a full disk): the bytes
 * stay readable and the next close or fsync tries again. The writer itself hashes what is written in
 * order and reads the rest when the version is made (content-writer.c), so streaming, appending and
 * changing in place need no states of their own.
 *
 * A file that is in the trash while it is open goes on working, but its changes are not made a
 * version: nobody could ask for them, and programs that unlink a temporary file at once would fill
 * the history. What it was before the unlinking is in the trash.
 */
struct HearthMountNode {
    HearthMount *mount; /* borrowed */
    gint64 ino;
    guint refs;     /* under the mount's lock of nodes */
    guint64 losses; /* of the store, as far as a caller was told; under the same lock */

    /* Written under both locks, so either is enough for reading: a stat does not wait for the I/O
     * of a write. */
    gboolean changed; /* CHANGED or STAGED */
    gint64 size;      /* of the file now */
    gint64 mtime_ns;  /* when it was changed, or set by hand since */
    gint64 ctime_ns;  /* when it was changed; stays the file's once that is a version */

    GRWLock lock;                /* guards what follows; held over the I/O of one request */
    HearthContentId content;     /* of the current version */
    HearthContentReader *reader; /* of `content`; NULL until needed */
    HearthContentWriter *writer; /* CHANGED */
    HearthStagedContent *staged; /* STAGED */
};

/* --- The table --- */

static HearthMountNode *node_new(HearthMount *mount, const HearthObject *object, guint64 losses)
{
    HearthMountNode *node = g_new0(HearthMountNode, 1);
    node->mount = mount;
    node->ino = object->ino;
    node->losses = losses;
    node->size = object->size;
    node->content = object->content;
    g_rw_lock_init(&node->lock);
    g_hash_table_insert(mount->nodes, &node->ino, node);
    return node;
}

static HearthMountNode *find_node(HearthMount *mount, gint64 ino)
{
    g_mutex_lock(&mount->nodes_lock);
    HearthMountNode *node = g_hash_table_lookup(mount->nodes, &ino);
    if (node != NULL)
        node->refs++;
    g_mutex_unlock(&mount->nodes_lock);
    return node;
}

static void node_ref(HearthMountNode *node)
{
    g_mutex_lock(&node->mount->nodes_lock);
    node->refs++;
    g_mutex_unlock(&node->mount->nodes_lock);
}

static void node_unref(HearthMountNode *node)
{
    HearthMount *mount = node->mount;
    g_mutex_lock(&mount->nodes_lock);
    gboolean last = --node->refs == 0;
    if (last) {
        g_hash_table_remove(mount->nodes, &node->ino);
        mount->changed -= node->changed;
    }
    g_mutex_unlock(&mount->nodes_lock);
    if (!last)
        return;
    hearth_content_reader_free(node->reader);
    hearth_content_writer_free(node->writer);
    hearth_staged_content_free(node->staged);
    /* A version that could not be made (the close has said so) or was of an unlinked file; told when
     * the room that it took is free again. */
    if (node->changed)
        hearth_mount_forget_pages(mount, node->ino);
    g_rw_lock_clear(&node->lock);
    g_free(node);
}

/* With the node's lock for writing. */
static void take_up(HearthMountNode *node, const HearthObject *object)
{
    if (node->writer != NULL || node->staged != NULL)
        return;
    if (!hearth_content_id_equal(&node->content, &object->content))
        g_clear_pointer(&node->reader, hearth_content_reader_free);
    g_mutex_lock(&node->mount->nodes_lock);
    node->content = object->content;
    node->size = object->size;
    g_mutex_unlock(&node->mount->nodes_lock);
}

HearthMountNode *hearth_mount_node_open(HearthMount *mount, const HearthObject *object,
                                        guint64 losses)
{
    g_mutex_lock(&mount->nodes_lock);
    HearthMountNode *node = g_hash_table_lookup(mount->nodes, &object->ino);
    gboolean fresh = node == NULL;
    if (fresh)
        node = node_new(mount, object, losses);
    node->refs++;
    g_mutex_unlock(&mount->nodes_lock);
    if (!fresh)
        hearth_mount_refresh(mount, object->ino);
    return node;
}

void hearth_mount_node_release(HearthMountNode *node)
{
    /* Pages of a mapping that outlived every close are written just before the release. The
     * reference is still held: an open meanwhile must find this node. */
    hearth_mount_node_commit(node, NULL);
    node_unref(node);
}

void hearth_mount_refresh(HearthMount *mount, gint64 ino)
{
    HearthObject object;
    HearthMountNode *node = find_node(mount, ino);
    if (node == NULL)
        return;
    g_rw_lock_writer_lock(&node->lock);
    /* Asked under the lock, so that of two that do this the later one wins. */
    if (hearth_store_get(mount->store, ino, &object, NULL))
        take_up(node, &object);
    g_rw_lock_writer_unlock(&node->lock);
    node_unref(node);
}

/* --- What stat must know --- */

GArray *hearth_mount_changes(HearthMount *mount)
{
    GArray *changes = NULL;
    g_mutex_lock(&mount->nodes_lock);
    if (mount->changed > 0) {
        GHashTableIter iter;
        gpointer value;
        changes = g_array_new(FALSE, FALSE, sizeof(HearthMountChange));
        g_hash_table_iter_init(&iter, mount->nodes);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
            const HearthMountNode *node = value;
            HearthMountChange change = {node->ino, node->size, node->mtime_ns, node->ctime_ns};
            if (node->changed)
                g_array_append_val(changes, change);
        }
    }
    g_mutex_unlock(&mount->nodes_lock);
    return changes;
}

void hearth_mount_changes_apply(const GArray *changes, HearthObject *object)
{
    for (guint i = 0; changes != NULL && i < changes->len; i++) {
        const HearthMountChange *change = &g_array_index(changes, HearthMountChange, i);
        if (change->ino != object->ino)
            continue;
        object->size = change->size;
        object->mtime_ns = change->mtime_ns;
        object->ctime_ns = MAX(object->ctime_ns, change->ctime_ns);
    }
}

/* With the node's lock for writing. */
static void set_shown(HearthMountNode *node, gboolean changed, gint64 size, gint64 mtime_ns)
{
    HearthMount *mount = node->mount;
    g_mutex_lock(&mount->nodes_lock);
    mount->changed += (guint)changed - (guint)node->changed;
    node->changed = changed;
    node->size = size;
    node->mtime_ns = mtime_ns;
    g_mutex_unlock(&mount->nodes_lock);
}

static void set_changed_now(HearthMountNode *node, gint64 size)
{
    gint64 now = hearth_mount_now();
    g_mutex_lock(&node->mount->nodes_lock);
    node->ctime_ns = now;
    g_mutex_unlock(&node->mount->nodes_lock);
    set_shown(node, TRUE, size, now);
}

void hearth_mount_set_mtime(HearthMount *mount, gint64 ino, gint64 mtime_ns)
{
    HearthMountNode *node = find_node(mount, ino);
    if (node == NULL)
        return;
    g_rw_lock_writer_lock(&node->lock);
    set_shown(node, node->changed, node->size, mtime_ns);
    g_rw_lock_writer_unlock(&node->lock);
    node_unref(node);
}

/* --- Reading --- */

/* With the node's lock for writing. */
static gboolean ensure_reader(HearthMountNode *node, GError **error)
{
    if (node->reader == NULL)
        node->reader = hearth_contents_read(node->mount->contents, &node->content, error);
    return node->reader != NULL;
}

static gboolean has_bytes(const HearthMountNode *node)
{
    return node->reader != NULL || node->writer != NULL || node->staged != NULL;
}

/* With the node's lock for reading; the descriptor under what is to be read, checked; -1 with
 * `error` set. */
static int readable_fd(HearthMountNode *node, gsize size, gint64 offset, GError **error)
{
    if (node->writer != NULL)
        return hearth_content_writer_fd(node->writer);
    if (node->staged != NULL)
        return hearth_staged_content_fd(node->staged);
    if (!hearth_content_reader_check(node->reader, offset, size, error))
        return -1;
    return hearth_content_reader_fd(node->reader);
}

static void reply_range(HearthMountNode *node, fuse_req_t req, gsize size, gint64 offset)
{
    g_autoptr(GError) error = NULL;
    gint64 left = node->size - offset;
    if (left <= 0) {
        fuse_reply_buf(req, NULL, 0);
        return;
    }
    struct fuse_bufvec data = FUSE_BUFVEC_INIT(MIN(size, (gsize)left));
    int fd = readable_fd(node, data.buf[0].size, offset, &error);
    if (fd < 0) {
        hearth_mount_reply_error(req, error);
        return;
    }
    data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
    data.buf[0].fd = fd;
    data.buf[0].pos = offset;
    fuse_reply_data(req, &data, FUSE_BUF_SPLICE_MOVE);
}

/* FALSE, with the reply sent, if the bytes cannot be had; else with the node's lock for reading. */
static gboolean lock_for_reading(HearthMountNode *node, fuse_req_t req)
{
    g_rw_lock_reader_lock(&node->lock);
    while (!has_bytes(node)) {
        g_autoptr(GError) error = NULL;
        g_rw_lock_reader_unlock(&node->lock);
        g_rw_lock_writer_lock(&node->lock);
        gboolean good = has_bytes(node) || ensure_reader(node, &error);
        g_rw_lock_writer_unlock(&node->lock);
        if (!good) {
            hearth_mount_reply_error(req, error);
            return FALSE;
        }
        g_rw_lock_reader_lock(&node->lock);
    }
    return TRUE;
}

void hearth_mount_node_read(HearthMountNode *node, fuse_req_t req, size_t size, off_t offset)
{
    /* Bytes go out straight from the descriptor, so under the lock; but with the reply the file may
     * be closed on another thread: only a reference of our own keeps the node until the unlock. */
    node_ref(node);
    if (lock_for_reading(node, req)) {
        reply_range(node, req, size, offset);
        g_rw_lock_reader_unlock(&node->lock);
    }
    node_unref(node);
}

/* --- Writing; all with the node's lock for writing --- */

/* Back from a commit that failed. If only the store refused it, the content has its final name and
 * must not be touched: a copy is. */
static gboolean resume(HearthMountNode *node, GError **error)
{
    HearthContents *contents = node->mount->contents;
    node->writer = hearth_content_writer_resume(node->staged, NULL);
    if (node->writer == NULL) {
        g_autoptr(HearthContentReader) stored =
            hearth_contents_read(contents, hearth_staged_content_id(node->staged), error);
        if (stored != NULL)
            node->writer = hearth_content_writer_new_from(contents, stored, G_MAXINT64, error);
    }
    if (node->writer == NULL)
        return FALSE;
    g_clear_pointer(&node->staged, hearth_staged_content_free);
    return TRUE;
}

/* Makes the node CHANGED; `keep`: how many bytes of the current version are still wanted. */
static gboolean start_writing(HearthMountNode *node, gint64 keep, GError **error)
{
    if (node->writer != NULL)
        return TRUE;
    if (node->staged != NULL)
        return resume(node, error);
    if (keep == 0 || hearth_content_id_is_none(&node->content)) {
        node->writer = hearth_content_writer_new(node->mount->contents, -1, error);
    } else if (ensure_reader(node, error)) {
        node->writer =
            hearth_content_writer_new_from(node->mount->contents, node->reader, keep, error);
    }
    return node->writer != NULL;
}

gboolean hearth_mount_node_write(HearthMountNode *node, const void *data, gsize size, gint64 offset,
                                 GError **error)
{
    g_rw_lock_writer_lock(&node->lock);
    gboolean good = start_writing(node, G_MAXINT64, error) &&
                    hearth_content_writer_pwrite(node->writer, data, size, offset, error);
    /* Also after a write that failed: part of it may be there. */
    if (node->writer != NULL)
        set_changed_now(node, hearth_content_writer_size(node->writer));
    g_rw_lock_writer_unlock(&node->lock);
    return good;
}

static gboolean truncate_locked(HearthMountNode *node, gint64 size, GError **error)
{
    if (size == node->size)
        return TRUE;
    if (!start_writing(node, size, error) ||
        !hearth_content_writer_truncate(node->writer, size, error))
        return FALSE;
    set_changed_now(node, size);
    return TRUE;
}

gboolean hearth_mount_node_truncate(HearthMountNode *node, gint64 size, GError **error)
{
    g_rw_lock_writer_lock(&node->lock);
    gboolean good = truncate_locked(node, size, error);
    g_rw_lock_writer_unlock(&node->lock);
    return good;
}

/* A file that is empty already has its times set all the same. */
static gboolean empty_locked(HearthMountNode *node, GError **error)
{
    HearthMount *mount = node->mount;
    HearthObject values = {.mtime_ns = hearth_mount_now()};
    if (node->size > 0)
        return truncate_locked(node, 0, error);
    if (!node->changed)
        return hearth_store_set(mount->store, node->ino, HEARTH_SET_MTIME, &values, mount->origin,
                                NULL, error);
    set_changed_now(node, 0);
    return TRUE;
}

gboolean hearth_mount_node_empty(HearthMountNode *node, GError **error)
{
    g_rw_lock_writer_lock(&node->lock);
    gboolean good = empty_locked(node, error);
    g_rw_lock_writer_unlock(&node->lock);
    return good;
}

gboolean hearth_mount_node_extend(HearthMountNode *node, gint64 size, GError **error)
{
    g_rw_lock_writer_lock(&node->lock);
    gboolean good = size <= node->size || truncate_locked(node, size, error);
    g_rw_lock_writer_unlock(&node->lock);
    return good;
}

/* --- Making a version --- */

static guint64 told_losses(HearthMountNode *node)
{
    g_mutex_lock(&node->mount->nodes_lock);
    guint64 losses = node->losses;
    g_mutex_unlock(&node->mount->nodes_lock);
    return losses;
}

/* A file that is gone was forgotten with the trash, unless the disk refused its making. */
static gboolean find_in_tree(HearthMountNode *node, gboolean *ret_in, GError **error)
{
    HearthObject object = {0};
    g_autoptr(GError) reason = NULL;
    gboolean found = hearth_store_get(node->mount->store, node->ino, &object, &reason);
    gboolean gone = g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
    *ret_in = found && object.parent != 0;
    if (found || (gone && hearth_store_losses(node->mount->store) == told_losses(node)))
        return TRUE;
    if (gone)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IO, "the disk refused to take the new file");
    else
        g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

static gboolean stage(HearthMountNode *node, GError **error)
{
    if (node->staged != NULL)
        return TRUE;
    node->staged = hearth_content_writer_finish(node->writer, error);
    if (node->staged == NULL)
        return FALSE;
    g_clear_pointer(&node->writer, hearth_content_writer_free);
    return TRUE;
}

/* Until all is durable the node stays STAGED: the next close or fsync tries again. */
static gboolean commit_locked(HearthMountNode *node, GError **error)
{
    HearthMount *mount = node->mount;
    HearthObject object;
    gboolean in_tree;
    if (!node->changed)
        return TRUE;
    guint64 losses = hearth_store_losses(mount->store);
    if (!find_in_tree(node, &in_tree, error))
        return FALSE;
    if (!in_tree)
        return TRUE;
    if (!stage(node, error) || !hearth_contents_publish(mount->contents, &node->staged, 1, error) ||
        !hearth_store_commit_content(mount->store, node->ino, node->staged, node->mtime_ns,
                                     node->ctime_ns, mount->origin, &object, error) ||
        !hearth_store_sync_since(mount->store, losses, error))
        return FALSE;
    g_clear_pointer(&node->staged, hearth_staged_content_free);
    take_up(node, &object);
    set_shown(node, FALSE, object.size, object.mtime_ns);
    hearth_mount_keeps_pages(mount, node->ino, &object.content);
    return TRUE;
}

gboolean hearth_mount_node_commit(HearthMountNode *node, GError **error)
{
    g_mutex_lock(&node->mount->nodes_lock);
    gboolean changed = node->changed;
    g_mutex_unlock(&node->mount->nodes_lock);
    if (!changed)
        return TRUE;
    g_rw_lock_writer_lock(&node->lock);
    gboolean good = commit_locked(node, error);
    g_rw_lock_writer_unlock(&node->lock);
    return good;
}

gboolean hearth_mount_node_sync(HearthMountNode *node, GError **error)
{
    HearthMount *mount = node->mount;
    /* The store's part also when no byte changed: the file's name may be new. */
    if (hearth_mount_node_commit(node, error) &&
        hearth_store_sync_since(mount->store, told_losses(node), error))
        return TRUE;
    guint64 losses = hearth_store_losses(mount->store);
    g_mutex_lock(&mount->nodes_lock);
    node->losses = losses;
    g_mutex_unlock(&mount->nodes_lock);
    return FALSE;
}

/* Takes up what the store has now; with no change of others to say of which file. */
void hearth_mount_refresh_all(HearthMount *mount)
{
    g_autoptr(GArray) inos = g_array_new(FALSE, FALSE, sizeof(gint64));
    GHashTableIter iter;
    gpointer value;
    g_mutex_lock(&mount->nodes_lock);
    g_hash_table_iter_init(&iter, mount->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_array_append_val(inos, ((HearthMountNode *)value)->ino);
    g_mutex_unlock(&mount->nodes_lock);
    for (guint i = 0; i < inos->len; i++)
        hearth_mount_refresh(mount, g_array_index(inos, gint64, i));
}

void hearth_mount_commit_all(HearthMount *mount)
{
    g_autoptr(GPtrArray) nodes = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_mutex_lock(&mount->nodes_lock);
    g_hash_table_iter_init(&iter, mount->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(nodes, value);
    g_mutex_unlock(&mount->nodes_lock);
    for (guint i = 0; i < nodes->len; i++) {
        HearthMountNode *node = g_ptr_array_index(nodes, i);
        hearth_mount_node_commit(node, NULL);
        node->refs = 1; /* no kernel is left to release the others */
        node_unref(node);
    }
}
