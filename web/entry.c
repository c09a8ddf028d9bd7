#include "web/entry-private.h"

#include "web/reply-private.h"
#include "web/uri.h"

#include <string.h>

const char *hearth_entry_kind_word(HearthKind kind)
{
    switch (kind) {
    case HEARTH_KIND_FOLDER:
        return "folder";
    case HEARTH_KIND_FILE:
        return "file";
    case HEARTH_KIND_SYMLINK:
        return "symlink";
    }
    return "unknown";
}

char *hearth_entry_etag(const HearthObject *object)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    return g_strdup_printf("\"%s\"", hearth_content_id_to_text(&object->content, text));
}

const char *hearth_entry_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static void insert_moment(GVariantDict *dict, const char *key, gint64 ns)
{
    g_autofree char *text = hearth_reply_moment(ns);
    g_variant_dict_insert(dict, key, "s", text);
}

static void insert_path(GVariantDict *dict, const char *path)
{
    g_autofree char *encoded = hearth_uri_encode_path(path);
    g_autofree char *href = g_strconcat("/api/v1/tree", encoded, NULL);
    g_variant_dict_insert_value(dict, "path", g_variant_new_bytestring(path));
    g_variant_dict_insert(dict, "href", "s", href);
}

static void insert_object(GVariantDict *dict, const HearthObject *object)
{
    char id[HEARTH_ID_TEXT], content[HEARTH_CONTENT_ID_TEXT], mode[8];
    g_snprintf(mode, sizeof mode, "%04o", (guint)object->mode & 07777);
    g_variant_dict_insert(dict, "kind", "s", hearth_entry_kind_word(object->kind));
    g_variant_dict_insert(dict, "ino", "x", object->ino);
    g_variant_dict_insert(dict, "id", "s", hearth_id_to_text(&object->id, id));
    g_variant_dict_insert(dict, "mode", "s", mode);
    g_variant_dict_insert(dict, "uid", "u", (guint32)object->uid);
    g_variant_dict_insert(dict, "gid", "u", (guint32)object->gid);
    insert_moment(dict, "mtime", object->mtime_ns);
    if (object->kind == HEARTH_KIND_FOLDER)
        return;
    g_variant_dict_insert(dict, "size", "x", object->size);
    if (object->kind == HEARTH_KIND_FILE)
        g_variant_dict_insert(dict, "version", "t", object->version);
    if (!hearth_content_id_is_none(&object->content))
        g_variant_dict_insert(dict, "content", "s",
                              hearth_content_id_to_text(&object->content, content));
}

GVariant *hearth_entry_new(const HearthObject *object, const char *name, const char *path)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    insert_object(&dict, object);
    if (name)
        g_variant_dict_insert_value(&dict, "name", g_variant_new_bytestring(name));
    if (path)
        insert_path(&dict, path);
    return g_variant_dict_end(&dict);
}

GVariant *hearth_entry_new_full(HearthStore *store, const HearthObject *object, const char *path,
                                GError **error)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) attributes = hearth_store_attributes(store, object->ino, error);
    if (!attributes)
        return NULL;
    insert_object(&dict, object);
    insert_path(&dict, path);
    insert_moment(&dict, "ctime", object->ctime_ns);
    insert_moment(&dict, "birth", object->birth_ns);
    g_variant_dict_insert_value(&dict, "name", g_variant_new_bytestring(hearth_entry_name(path)));
    g_variant_dict_insert_value(&dict, "attributes", attributes);
    if (object->kind == HEARTH_KIND_SYMLINK) {
        g_autofree char *target = hearth_store_readlink(store, object->ino, error);
        if (!target)
            return NULL;
        g_variant_dict_insert_value(&dict, "target", g_variant_new_bytestring(target));
    }
    return g_variant_dict_end(&dict);
}
