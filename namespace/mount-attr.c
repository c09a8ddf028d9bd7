#include "namespace/mount-private.h"

#include "gateway/base/error.h"

#include <errno.h>
#include <string.h>

static void mount_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GArray) changes = hearth_mount_changes(mount);
    g_autoptr(GError) error = NULL;
    HearthObject object;
    struct fuse_entry_param entry;
    if (!hearth_mount_check_name(req, name))
        return;
    if (hearth_store_lookup(mount->store, (gint64)parent, name, &object, &error)) {
        hearth_mount_changes_apply(changes, &object);
        hearth_mount_fill_entry(mount, &object, &entry);
    } else if (g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND)) {
        /* Inode 0: the kernel may remember that there is none. */
        entry = (struct fuse_entry_param){.entry_timeout = HEARTH_MOUNT_CACHE_S};
    } else {
        hearth_mount_reply_error(req, error);
        return;
    }
    fuse_reply_entry(req, &entry);
}

/* Nothing is counted per inode, see mount-private.h. */
static void mount_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    fuse_reply_none(req);
}

static void mount_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, const GArray *changes, HearthObject *object)
{
    HearthMount *mount = fuse_req_userdata(req);
    struct stat status;
    hearth_mount_changes_apply(changes, object);
    hearth_mount_fill_stat(mount, object, &status);
    fuse_reply_attr(req, &status, HEARTH_MOUNT_CACHE_S);
}

static void mount_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GArray) changes = hearth_mount_changes(mount);
    g_autoptr(GError) error = NULL;
    HearthObject object;
    if (hearth_store_get(mount->store, (gint64)ino, &object, &error))
        reply_attr(req, changes, &object);
    else
        hearth_mount_reply_error(req, error);
}

/* --- setattr --- */

/* With an open file the new length becomes a version at its close. Without one nobody would close
 * it, so it becomes one at once. */
static gboolean set_size(HearthMount *mount, gint64 ino, gint64 size, struct fuse_file_info *file,
                         GError **error)
{
    HearthObject object;
    if (file != NULL)
        return hearth_mount_node_truncate((HearthMountNode *)(uintptr_t)file->fh, size, error);
    guint64 losses = hearth_store_losses(mount->store);
    if (!hearth_store_get(mount->store, ino, &object, error))
        return FALSE;
    HearthMountNode *node = hearth_mount_node_open(mount, &object, losses);
    gboolean good =
        hearth_mount_node_truncate(node, size, error) && hearth_mount_node_commit(node, error);
    hearth_mount_node_release(node);
    return good;
}

static gint64 wanted_mtime(const struct stat *wanted, int to_set)
{
    if ((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0)
        return hearth_mount_now();
    return wanted->st_mtim.tv_sec * G_GINT64_CONSTANT(1000000000) + wanted->st_mtim.tv_nsec;
}

/* What of `to_set` the store keeps; the time of access is not kept. */
static HearthSetMask store_mask(const struct stat *wanted, int to_set, HearthObject *values)
{
    HearthSetMask mask = 0;
    if ((to_set & FUSE_SET_ATTR_MODE) != 0) {
        mask |= HEARTH_SET_MODE;
        values->mode = wanted->st_mode & 07777;
    }
    if ((to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0) {
        mask |= HEARTH_SET_OWNER;
        values->uid = (to_set & FUSE_SET_ATTR_UID) != 0 ? wanted->st_uid : values->uid;
        values->gid = (to_set & FUSE_SET_ATTR_GID) != 0 ? wanted->st_gid : values->gid;
    }
    if ((to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0) {
        mask |= HEARTH_SET_MTIME;
        values->mtime_ns = wanted_mtime(wanted, to_set);
    }
    return mask;
}

static gboolean set_attributes(HearthMount *mount, gint64 ino, const struct stat *wanted,
                               int to_set, HearthObject *ret_object, GError **error)
{
    if (!hearth_store_get(mount->store, ino, ret_object, error))
        return FALSE;
    HearthObject values = *ret_object;
    HearthSetMask mask = store_mask(wanted, to_set, &values);
    if (mask == 0)
        return TRUE;
    if ((mask & HEARTH_SET_MTIME) != 0)
        hearth_mount_set_mtime(mount, ino, values.mtime_ns);
    return hearth_store_set(mount->store, ino, mask, &values, mount->origin, ret_object, error);
}

static void mount_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *wanted, int to_set,
                          struct fuse_file_info *file)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GError) error = NULL;
    HearthObject object;
    if (((to_set & FUSE_SET_ATTR_SIZE) != 0 &&
         !set_size(mount, (gint64)ino, wanted->st_size, file, &error)) ||
        !set_attributes(mount, (gint64)ino, wanted, to_set, &object, &error)) {
        hearth_mount_reply_error(req, error);
        return;
    }
    g_autoptr(GArray) changes = hearth_mount_changes(mount);
    reply_attr(req, changes, &object);
}

/* --- The rest --- */

static void mount_readlink(fuse_req_t req, fuse_ino_t ino)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GError) error = NULL;
    g_autofree char *target = hearth_store_readlink(mount->store, (gint64)ino, &error);
    if (target != NULL)
        fuse_reply_readlink(req, target);
    else
        hearth_mount_reply_error(req, error);
}

static void mount_statfs(fuse_req_t req, fuse_ino_t ino)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GError) error = NULL;
    guint64 free_bytes, total;
    HearthStoreCounts counts;
    if (!hearth_contents_space(mount->contents, &free_bytes, &total, &error) ||
        !hearth_store_counts(mount->store, &counts, &error)) {
        hearth_mount_reply_error(req, error);
        return;
    }
    enum { BLOCK = 4096 };
    guint64 objects = counts.folders + counts.files + counts.symlinks;
    struct statvfs status = {
        .f_bsize = BLOCK,
        .f_frsize = BLOCK,
        .f_blocks = total / BLOCK,
        .f_bfree = free_bytes / BLOCK,
        .f_bavail = free_bytes / BLOCK,
        /* There is no limit to the number of objects; what fits the disk is as good as any. */
        .f_files = objects + free_bytes / BLOCK,
        .f_ffree = free_bytes / BLOCK,
        .f_favail = free_bytes / BLOCK,
        .f_namemax = HEARTH_NAME_MAX,
    };
    fuse_reply_statfs(req, &status);
}

void hearth_mount_add_attr_operations(struct fuse_lowlevel_ops *ops)
{
    ops->lookup = mount_lookup;
    ops->forget = mount_forget;
    ops->forget_multi = mount_forget_multi;
    ops->getattr = mount_getattr;
    ops->setattr = mount_setattr;
    ops->readlink = mount_readlink;
    ops->statfs = mount_statfs;
}
