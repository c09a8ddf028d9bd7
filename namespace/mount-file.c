#include "namespace/mount-private.h"

#include "gateway/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

static HearthMountNode *node_of(const struct fuse_file_info *file)
{
    return (HearthMountNode *)(uintptr_t)file->fh;
}

static void reply_result(fuse_req_t req, gboolean good, const GError *error)
{
    if (good)
        fuse_reply_err(req, 0);
    else
        hearth_mount_reply_error(req, error);
}

/* --- Opening --- */

static void fill_handle(HearthMount *mount, HearthMountNode *node, const HearthObject *object,
                        struct fuse_file_info *file)
{
    file->fh = (uintptr_t)node;
    file->keep_cache = hearth_mount_keeps_pages(mount, object->ino, &object->content);
    /* Nothing to make a version of at its close. The kernel keeps the locks itself. */
    file->noflush = (file->flags & O_ACCMODE) == O_RDONLY;
}

static void mount_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    HearthMount *mount = fuse_req_userdata(req);
    HearthObject object;
    g_autoptr(GError) error = NULL;
    guint64 losses = hearth_store_losses(mount->store);
    if (!hearth_store_get(mount->store, (gint64)ino, &object, &error)) {
        hearth_mount_reply_error(req, error);
        return;
    }
    HearthMountNode *node = hearth_mount_node_open(mount, &object, losses);
    fill_handle(mount, node, &object, file);
    /* The kernel leaves O_TRUNC to us; it has checked that writing is allowed. */
    if ((file->flags & O_TRUNC) != 0 && !hearth_mount_node_empty(node, &error))
        hearth_mount_reply_error(req, error);
    else if (fuse_reply_open(req, file) == 0)
        return;
    hearth_mount_node_release(node);
}

/* A folder with the set-group-id bit hands its group down, as everywhere on Linux. */
static HearthNewObject new_file(HearthMount *mount, fuse_req_t req, fuse_ino_t parent, mode_t mode)
{
    const struct fuse_ctx *caller = fuse_req_ctx(req);
    HearthNewObject wanted = {HEARTH_KIND_FILE, mode & 07777, caller->uid, caller->gid, NULL};
    HearthObject folder;
    if (hearth_store_get(mount->store, (gint64)parent, &folder, NULL) && folder.mode & S_ISGID)
        wanted.gid = folder.gid;
    return wanted;
}

static void mount_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                         struct fuse_file_info *file)
{
    HearthMount *mount = fuse_req_userdata(req);
    HearthNewObject wanted = new_file(mount, req, parent, mode);
    HearthObject object;
    struct fuse_entry_param entry;
    g_autoptr(GError) error = NULL;
    if (!hearth_mount_check_name(req, name))
        return;
    guint64 losses = hearth_store_losses(mount->store);
    if (!hearth_store_create(mount->store, (gint64)parent, name, &wanted, mount->origin, &object,
                             &error)) {
        hearth_mount_reply_error(req, error);
        return;
    }
    HearthMountNode *node = hearth_mount_node_open(mount, &object, losses);
    fill_handle(mount, node, &object, file);
    hearth_mount_fill_entry(mount, &object, &entry);
    if (fuse_reply_create(req, &entry, file) != 0)
        hearth_mount_node_release(node);
}

static void mount_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    hearth_mount_node_release(node_of(file));
    fuse_reply_err(req, 0);
}

/* --- Bytes --- */

static void mount_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *file)
{
    hearth_mount_node_read(node_of(file), req, size, offset);
}

static void mount_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                        struct fuse_file_info *file)
{
    g_autoptr(GError) error = NULL;
    if (hearth_mount_node_write(node_of(file), data, size, offset, &error))
        fuse_reply_write(req, size);
    else
        hearth_mount_reply_error(req, error);
}

static void mount_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                            struct fuse_file_info *file)
{
    g_autoptr(GError) error = NULL;
    gboolean good = TRUE;
    /* Room cannot be set aside in a file that is stored anew at its close; the length can be had. */
    if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0)
        good = hearth_mount_node_extend(node_of(file), offset + length, &error);
    reply_result(req, good, error);
}

/* --- Making durable --- */

static void mount_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    g_autoptr(GError) error = NULL;
    gboolean good = hearth_mount_node_commit(node_of(file), &error);
    reply_result(req, good, error);
}

static void mount_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *file)
{
    g_autoptr(GError) error = NULL;
    gboolean good = hearth_mount_node_sync(node_of(file), &error);
    reply_result(req, good, error);
}

void hearth_mount_add_file_operations(struct fuse_lowlevel_ops *ops)
{
    ops->open = mount_open;
    ops->create = mount_create;
    ops->release = mount_release;
    ops->read = mount_read;
    ops->write = mount_write;
    ops->fallocate = mount_fallocate;
    ops->flush = mount_flush;
    ops->fsync = mount_fsync;
}
