#include "web/entry-private.h"
#include "web/file-private.h"
#include "web/route-private.h"

#include "gateway/base/error.h"

/* Searching, and small pictures of what was found. */

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 100000
/* Longer edge of a preview, pixels. */
#define EDGE_DEFAULT 256
#define EDGE_MIN 16
#define EDGE_MAX 4096

typedef struct {
    GVariantBuilder entries;
    guint64 room;
    gboolean more;
} Matches;

static gboolean add_match(const HearthObject *object, const char *path, gpointer data)
{
    Matches *matches = data;
    matches->more = matches->room == 0;
    if (matches->more)
        return FALSE;
    g_variant_builder_add_value(&matches->entries,
                                hearth_entry_new(object, hearth_entry_name(path), path));
    matches->room--;
    return TRUE;
}

static gboolean get_find(HearthRequest *request, HearthReply *reply, GError **error)
{
    const char *query = hearth_request_query(request, "q");
    Matches matches = {0};
    guint64 limit;
    if (!query) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "q must hold a query");
        return FALSE;
    }
    if (!hearth_request_number(request, "limit", LIMIT_DEFAULT, LIMIT_MAX, &limit, error))
        return FALSE;
    matches.room = limit;
    g_variant_builder_init(&matches.entries, G_VARIANT_TYPE("aa{sv}"));
    /* One more than asked for tells whether there are more. */
    if (!hearth_store_find(request->options->store, query, (guint)limit + 1, add_match, &matches,
                           error)) {
        g_variant_builder_clear(&matches.entries);
        return FALSE;
    }
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "matches", g_variant_builder_end(&matches.entries));
    g_variant_dict_insert(&dict, "more", "b", matches.more);
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

static gboolean read_object(HearthRequest *request, HearthObject *ret_object, GError **error)
{
    gint64 ino;
    const char *text = hearth_request_argument(request);
    if (!g_ascii_string_to_signed(text, 10, 1, G_MAXINT64, &ino, NULL)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "an object is named by its number, the \"ino\" of a listing");
        return FALSE;
    }
    return hearth_store_get(request->options->store, ino, ret_object, error);
}

static gboolean read_edge(HearthRequest *request, guint *ret_edge, GError **error)
{
    guint64 edge;
    if (!hearth_request_number(request, "edge", EDGE_DEFAULT, EDGE_MAX, &edge, error))
        return FALSE;
    *ret_edge = (guint)MAX(edge, EDGE_MIN);
    return TRUE;
}

static gboolean get_preview(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    char content[HEARTH_CONTENT_ID_TEXT];
    HearthObject object;
    guint edge;
    if (!options->host->preview)
        return hearth_reply_unsupported(error, "previews");
    if (!read_object(request, &object, error) || !read_edge(request, &edge, error))
        return FALSE;
    g_autofree char *etag =
        g_strdup_printf("\"%s-%u\"", hearth_content_id_to_text(&object.content, content), edge);
    if (hearth_file_is_known(request, etag, reply))
        return TRUE;
    g_autofree char *type = NULL;
    g_autoptr(GBytes) bytes = options->host->preview(options->data, &object, edge, &type, error);
    if (!bytes)
        return FALSE;
    hearth_reply_bytes(reply, type, bytes);
    MHD_del_response_header(reply->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    hearth_reply_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL, "private, no-cache");
    hearth_reply_header(reply, MHD_HTTP_HEADER_ETAG, etag);
    return TRUE;
}

const HearthRoute HEARTH_ROUTES_FIND[] = {
    {"GET", "/api/v1/find", get_find, NULL},
    {"GET", "/api/v1/preview/*", get_preview, NULL},
    {NULL},
};
