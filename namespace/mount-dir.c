#include "namespace/mount-private.h"

#include "gateway/base/error.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>

/*
 * The position in a listing is 0 at the start, 1 after ".", 2 after "..", and after an entry its
 * inode number + 2. Entries come by ascending inode number, so a position stays right while others
 * come and go; and since a number is never used again, none comes twice.
 */
#define AFTER_DOT 1
#define AFTER_DOTS 2

typedef struct {
    HearthMount *mount;
    fuse_req_t req;
    GArray *changes; /* owned, nullable; see hearth_mount_changes() */
    gboolean plus;   /* with attributes */
    char *buffer;
    size_t size;
    size_t used;
} Listing;

/* FALSE when it does not fit. */
static gboolean add_entry(Listing *listing, const HearthObject *object, const char *name,
                          off_t position)
{
    char *at = listing->buffer + listing->used;
    size_t left = listing->size - listing->used, needed;
    HearthObject shown = *object;
    struct fuse_entry_param entry;
    hearth_mount_changes_apply(listing->changes, &shown);
    hearth_mount_fill_entry(listing->mount, &shown, &entry);
    if (listing->plus)
        needed = fuse_add_direntry_plus(listing->req, at, left, name, &entry, position);
    else
        needed = fuse_add_direntry(listing->req, at, left, name, &entry.attr, position);
    if (needed > left)
        return FALSE;
    listing->used += needed;
    return TRUE;
}

static gboolean add_listed(const HearthObject *object, const char *name, gpointer data)
{
    return add_entry(data, object, name, (off_t)object->ino + AFTER_DOTS);
}

/* "." and "..": the kernel takes no more than number and kind of these. */
static gboolean add_dots(Listing *listing, gint64 folder, off_t position, GError **error)
{
    HearthObject self, parent;
    if (position >= AFTER_DOTS)
        return TRUE;
    if (!hearth_store_get(listing->mount->store, folder, &self, error))
        return FALSE;
    parent = self;
    parent.ino = self.parent != 0 ? self.parent : self.ino;
    if (position < AFTER_DOT && !add_entry(listing, &self, ".", AFTER_DOT))
        return TRUE;
    add_entry(listing, &parent, "..", AFTER_DOTS);
    return TRUE;
}

static void list_folder(fuse_req_t req, fuse_ino_t folder, size_t size, off_t position,
                        gboolean plus)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autofree char *buffer = g_malloc(size);
    g_autoptr(GArray) changes = hearth_mount_changes(mount);
    g_autoptr(GError) error = NULL;
    Listing listing = {mount, req, changes, plus, buffer, size, 0};
    gint64 after = position > AFTER_DOTS ? position - AFTER_DOTS : 0;
    if (add_dots(&listing, (gint64)folder, position, &error) &&
        hearth_store_list(mount->store, (gint64)folder, after, add_listed, &listing, &error))
        fuse_reply_buf(req, buffer, listing.used);
    else
        hearth_mount_reply_error(req, error);
}

static void mount_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t position,
                          struct fuse_file_info *file)
{
    list_folder(req, ino, size, position, FALSE);
}

static void mount_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t position,
                              struct fuse_file_info *file)
{
    list_folder(req, ino, size, position, TRUE);
}

/* No handle is needed to list. The kernel remembers this answer, asks no more, and keeps listings
 * until a change of the folder. */
static void mount_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
    fuse_reply_err(req, ENOSYS);
}

static void mount_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only,
                           struct fuse_file_info *file)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GError) error = NULL;
    if (hearth_store_sync(mount->store, &error))
        fuse_reply_err(req, 0);
    else
        hearth_mount_reply_error(req, error);
}

/* --- Making --- */

static void make_object(fuse_req_t req, fuse_ino_t parent, const char *name,
                        HearthNewObject *wanted)
{
    HearthMount *mount = fuse_req_userdata(req);
    const struct fuse_ctx *caller = fuse_req_ctx(req);
    HearthObject folder, object;
    struct fuse_entry_param entry;
    g_autoptr(GError) error = NULL;
    if (!hearth_mount_check_name(req, name))
        return;
    wanted->uid = caller->uid;
    wanted->gid = caller->gid;
    if (hearth_store_get(mount->store, (gint64)parent, &folder, NULL) && folder.mode & S_ISGID) {
        wanted->gid = folder.gid;
        wanted->mode |= wanted->kind == HEARTH_KIND_FOLDER ? S_ISGID : 0;
    }
    if (!hearth_store_create(mount->store, (gint64)parent, name, wanted, mount->origin, &object,
                             &error)) {
        hearth_mount_reply_error(req, error);
        return;
    }
    hearth_mount_fill_entry(mount, &object, &entry);
    fuse_reply_entry(req, &entry);
}

static void mount_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    HearthNewObject wanted = {.kind = HEARTH_KIND_FOLDER, .mode = mode & 07777};
    make_object(req, parent, name, &wanted);
}

static void mount_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    HearthNewObject wanted = {.kind = HEARTH_KIND_SYMLINK, .mode = 0777, .target = target};
    make_object(req, parent, name, &wanted);
}

/* Pipes, sockets and devices mean nothing to the other machines that see the tree. */
static void mount_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
    HearthNewObject wanted = {.kind = HEARTH_KIND_FILE, .mode = mode & 07777};
    if (S_ISREG(mode) || (mode & S_IFMT) == 0)
        make_object(req, parent, name, &wanted);
    else
        fuse_reply_err(req, EPERM);
}

/* An object has one place in the tree. */
static void mount_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    fuse_reply_err(req, EPERM);
}

/* --- Moving and removing --- */

static void remove_object(fuse_req_t req, fuse_ino_t parent, const char *name, gboolean folder)
{
    HearthMount *mount = fuse_req_userdata(req);
    HearthObject object;
    g_autoptr(GError) error = NULL;
    if (!hearth_mount_check_name(req, name))
        return;
    /* The kernel has made sure that unlink does not mean a folder; a symlink is none either. */
    if (hearth_store_remove(mount->store, (gint64)parent, name, folder ? HEARTH_KIND_FOLDER : 0,
                            mount->origin, &object, &error))
        fuse_reply_err(req, 0);
    else
        hearth_mount_reply_error(req, error);
}

static void mount_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_object(req, parent, name, FALSE);
}

static void mount_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_object(req, parent, name, TRUE);
}

static gboolean how_to_rename(unsigned flags, HearthRename *ret_how)
{
    switch (flags) {
    case 0:
        *ret_how = HEARTH_RENAME_REPLACE;
        return TRUE;
    case RENAME_NOREPLACE:
        *ret_how = HEARTH_RENAME_NO_REPLACE;
        return TRUE;
    case RENAME_EXCHANGE:
        *ret_how = HEARTH_RENAME_EXCHANGE;
        return TRUE;
    default:
        return FALSE;
    }
}

static void mount_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                         const char *new_name, unsigned flags)
{
    HearthMount *mount = fuse_req_userdata(req);
    HearthRename how;
    g_autoptr(GError) error = NULL;
    if (!hearth_mount_check_name(req, name) || !hearth_mount_check_name(req, new_name))
        return;
    if (!how_to_rename(flags, &how))
        fuse_reply_err(req, EINVAL);
    else if (hearth_store_rename(mount->store, (gint64)parent, name, (gint64)new_parent, new_name,
                                 how, mount->origin, &error))
        fuse_reply_err(req, 0);
    else
        hearth_mount_reply_error(req, error);
}

void hearth_mount_add_dir_operations(struct fuse_lowlevel_ops *ops)
{
    ops->opendir = mount_opendir;
    ops->readdir = mount_readdir;
    ops->readdirplus = mount_readdirplus;
    ops->fsyncdir = mount_fsyncdir;
    ops->mkdir = mount_mkdir;
    ops->symlink = mount_symlink;
    ops->mknod = mount_mknod;
    ops->link = mount_link;
    ops->unlink = mount_unlink;
    ops->rmdir = mount_rmdir;
    ops->rename = mount_rename;
}
