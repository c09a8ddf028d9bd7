#include "web/entry-private.h"
#include "web/file-private.h"
#include "web/route-private.h"
#include "web/uri.h"

#include "gateway/base/error.h"

#include <string.h>

/* Reading the tree: bytes of a file, a page of a folder, what is known of an object. */

/* Entries of a page of a folder, unless asked otherwise, and at most. */
#define PAGE_DEFAULT 1000
#define PAGE_MAX 10000

typedef struct {
    const char *folder; /* path */
    GVariantBuilder entries;
    guint64 room; /* entries that may still be taken */
    char *last;   /* name of the last one taken; nullable */
    gboolean more;
} Page;

static gboolean add_entry(const HearthObject *object, const char *name, gpointer data)
{
    Page *page = data;
    if (page->room == 0) {
        page->more = TRUE;
        return FALSE;
    }
    const char *slash = page->folder[1] ? "/" : "";
    g_autofree char *path = g_strconcat(page->folder, slash, name, NULL);
    g_variant_builder_add_value(&page->entries, hearth_entry_new(object, name, path));
    g_free(page->last);
    page->last = g_strdup(name);
    page->room--;
    return TRUE;
}

static GVariant *page_value(Page *page, const HearthObject *folder)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(
        &dict, "folder", hearth_entry_new(folder, hearth_entry_name(page->folder), page->folder));
    g_variant_dict_insert_value(&dict, "entries", g_variant_builder_end(&page->entries));
    if (page->more) {
        g_autofree char *next = hearth_uri_encode(page->last);
        g_variant_dict_insert(&dict, "next", "s", next);
    }
    return g_variant_dict_end(&dict);
}

static gboolean reply_listing(HearthRequest *request, const HearthObject *folder, const char *path,
                              HearthReply *reply, GError **error)
{
    Page page = {.folder = path};
    if (!hearth_request_number(request, "limit", PAGE_DEFAULT, PAGE_MAX, &page.room, error))
        return FALSE;
    g_variant_builder_init(&page.entries, G_VARIANT_TYPE("aa{sv}"));
    gboolean done =
        hearth_store_list_by_name(request->options->store, folder->ino,
                                  hearth_request_query(request, "after"), add_entry, &page, error);
    if (done)
        hearth_reply_json(reply, MHD_HTTP_OK, page_value(&page, folder));
    else
        g_variant_builder_clear(&page.entries);
    g_free(page.last);
    return done;
}

static gboolean reply_stat(HearthRequest *request, const HearthObject *object, const char *path,
                           HearthReply *reply, GError **error)
{
    GVariant *value = hearth_entry_new_full(request->options->store, object, path, error);
    return value && hearth_reply_json(reply, MHD_HTTP_OK, value);
}

static gboolean add_version(const HearthVersion *version, gpointer data)
{
    char content[HEARTH_CONTENT_ID_TEXT], node[HEARTH_ID_TEXT];
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autofree char *mtime = hearth_reply_moment(version->mtime_ns);
    g_autofree char *made = hearth_reply_moment(version->made_ns);
    g_variant_dict_insert(&dict, "version", "t", version->version);
    g_variant_dict_insert(&dict, "size", "x", version->size);
    g_variant_dict_insert(&dict, "mtime", "s", mtime);
    g_variant_dict_insert(&dict, "made", "s", made);
    g_variant_dict_insert(&dict, "node", "s", hearth_id_to_text(&version->node, node));
    if (!hearth_content_id_is_none(&version->content))
        g_variant_dict_insert(&dict, "content", "s",
                              hearth_content_id_to_text(&version->content, content));
    g_variant_builder_add_value(data, g_variant_dict_end(&dict));
    return TRUE;
}

static gboolean reply_history(HearthRequest *request, const HearthObject *object,
                              HearthReply *reply, GError **error)
{
    g_auto(GVariantBuilder) versions = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    if (!hearth_store_history(request->options->store, object->ino, add_version, &versions, error))
        return FALSE;
    g_variant_dict_insert_value(&dict, "versions", g_variant_builder_end(&versions));
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

typedef struct {
    guint64 wanted;
    HearthFileAnswer *file;
    gboolean found;
} VersionSearch;

static gboolean match_version(const HearthVersion *version, gpointer data)
{
    VersionSearch *search = data;
    if (version->version != search->wanted)
        return TRUE;
    search->file->content = version->content;
    search->file->size = version->size;
    search->file->mtime_ns = version->mtime_ns;
    search->found = TRUE;
    return FALSE;
}

/* The version that the query names takes the place of the current one. */
static gboolean select_version(HearthRequest *request, const HearthObject *object,
                               HearthFileAnswer *file, GError **error)
{
    VersionSearch search = {.file = file};
    if (!hearth_request_query(request, "version"))
        return TRUE;
    if (!hearth_request_number(request, "version", 0, G_MAXINT64, &search.wanted, error) ||
        !hearth_store_history(request->options->store, object->ino, match_version, &search, error))
        return FALSE;
    if (!search.found)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND,
                    "there is no version %" G_GUINT64_FORMAT, search.wanted);
    return search.found;
}

static gboolean reply_bytes(HearthRequest *request, const HearthObject *object, HearthReply *reply,
                            GError **error)
{
    HearthFileAnswer file = {
        .content = object->content, .size = object->size, .mtime_ns = object->mtime_ns};
    g_autoptr(GVariant) attributes =
        hearth_store_attributes(request->options->store, object->ino, error);
    if (!attributes || !select_version(request, object, &file, error))
        return FALSE;
    g_variant_lookup(attributes, "media.type", "&s", &file.media_type);
    return hearth_file_reply(request, &file, reply, error);
}

static gboolean get_tree(HearthRequest *request, HearthReply *reply, GError **error)
{
    g_autofree char *path = hearth_request_tree_path(request);
    HearthObject object;
    if (!hearth_store_walk(request->options->store, path, &object, error))
        return FALSE;
    if (hearth_request_flag(request, "stat"))
        return reply_stat(request, &object, path, reply, error);
    if (hearth_request_flag(request, "history"))
        return reply_history(request, &object, reply, error);
    if (object.kind == HEARTH_KIND_FOLDER)
        return reply_listing(request, &object, path, reply, error);
    if (object.kind == HEARTH_KIND_FILE)
        return reply_bytes(request, &object, reply, error);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED,
                "%s is a symbolic link: ask for its target with ?stat=1", path);
    return FALSE;
}

const HearthRoute HEARTH_ROUTES_TREE[] = {
    {"GET", "/api/v1/tree/**", get_tree, NULL},
    {NULL},
};
