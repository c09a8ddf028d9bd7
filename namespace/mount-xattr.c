#include "namespace/mount-private.h"

#include "gateway/base/error.h"
#include "gateway/base/number.h"

#include <errno.h>
#include <string.h>

/* What the sprockets know of a file, as extended attributes that can be read but not set. Numbers
 * are decimal text; of a list each item stands on a line. */
#define PREFIX "user.hearth."

static char *list_text(GVariant *value)
{
    g_autofree const char **items = g_variant_get_strv(value, NULL);
    return g_strjoinv("\n", (char **)items);
}

static char *value_text(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY))
        return list_text(value);
    char number[HEARTH_DOUBLE_TEXT];
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        return g_strdup(hearth_double_to_text(g_variant_get_double(value), number));
    return g_variant_print(value, FALSE);
}

static void reply_bytes(fuse_req_t req, const char *bytes, size_t length, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(req, length);
    else if (length > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, bytes, length);
}

static void mount_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GError) error = NULL;
    /* Asked for by the kernel itself before each write (security.capability): no look-up then. */
    if (!g_str_has_prefix(name, PREFIX)) {
        fuse_reply_err(req, g_str_has_prefix(name, "system.") ? EOPNOTSUPP : ENODATA);
        return;
    }
    g_autoptr(GVariant) attributes = hearth_store_attributes(mount->store, (gint64)ino, &error);
    if (attributes == NULL) {
        hearth_mount_reply_error(req, error);
        return;
    }
    g_autoptr(GVariant) value = g_variant_lookup_value(attributes, name + strlen(PREFIX), NULL);
    g_autofree char *text = value != NULL ? value_text(value) : NULL;
    if (text == NULL)
        fuse_reply_err(req, ENODATA);
    else
        reply_bytes(req, text, strlen(text), size);
}

static void mount_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    HearthMount *mount = fuse_req_userdata(req);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) attributes = hearth_store_attributes(mount->store, (gint64)ino, &error);
    if (attributes == NULL) {
        hearth_mount_reply_error(req, error);
        return;
    }
    g_autoptr(GString) names = g_string_new(NULL);
    GVariantIter iter;
    const char *key;
    g_variant_iter_init(&iter, attributes);
    while (g_variant_iter_next(&iter, "{&sv}", &key, NULL))
        g_string_append_printf(names, PREFIX "%s%c", key, '\0');
    reply_bytes(req, names->str, names->len, size);
}

/* Others than ours are not kept: "not supported" makes cp, rsync and tar go on without a word. */
static void refuse_change(fuse_req_t req, const char *name)
{
    fuse_reply_err(req, g_str_has_prefix(name, PREFIX) ? EPERM : EOPNOTSUPP);
}

static void mount_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                           size_t size, int flags)
{
    refuse_change(req, name);
}

static void mount_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    refuse_change(req, name);
}

void hearth_mount_add_xattr_operations(struct fuse_lowlevel_ops *ops)
{
    ops->getxattr = mount_getxattr;
    ops->listxattr = mount_listxattr;
    ops->setxattr = mount_setxattr;
    ops->removexattr = mount_removexattr;
}
