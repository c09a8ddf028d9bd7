#include "web/entry-private.h"
#include "web/reply-private.h"
#include "web/route-private.h"

#include "gateway/base/error.h"

/* What was removed: list it, bring it back, forget it. */

static gboolean add_trashed(const HearthTrashed *trashed, gpointer data)
{
    g_autoptr(GVariant) entry = g_variant_ref_sink(
        hearth_entry_new(&trashed->object, hearth_entry_name(trashed->path), NULL));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(entry);
    g_autofree char *when = hearth_reply_moment(trashed->trashed_ns);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(trashed->path));
    g_variant_dict_insert(&dict, "trashed", "s", when);
    g_variant_builder_add_value(data, g_variant_dict_end(&dict));
    return TRUE;
}

static gboolean get_trash(HearthRequest *request, HearthReply *reply, GError **error)
{
    g_auto(GVariantBuilder) entries = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    if (!hearth_store_trash_list(request->options->store, add_trashed, &entries, error))
        return FALSE;
    g_variant_dict_insert_value(&dict, "trash", g_variant_builder_end(&entries));
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

static gboolean post_restore(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    g_autofree char *path = NULL;
    gint64 ino;
    if (!g_ascii_string_to_signed(hearth_request_argument(request), 10, 1, G_MAXINT64, &ino,
                                  NULL)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "what is in the trash is named by its number, the \"ino\" of the list");
        return FALSE;
    }
    if (!hearth_store_trash_restore(options->store, ino, options->origin, &path, error) ||
        !hearth_request_sync(request, error))
        return FALSE;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(path));
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

static gboolean delete_trash(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    guint64 older_than, forgotten;
    if (!hearth_request_number(request, "older_than", 0, G_MAXINT32, &older_than, error))
        return FALSE;
    /* Without an age all of it goes, also what was removed in this very moment. */
    gint64 before = older_than == 0 ? G_MAXINT64
                                    : g_get_real_time() * 1000 -
                                          (gint64)older_than * G_GINT64_CONSTANT(1000000000);
    if (!hearth_store_trash_empty(options->store, before, &forgotten, error) ||
        !hearth_request_sync(request, error))
        return FALSE;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "forgotten", "t", forgotten);
    return hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

const HearthRoute HEARTH_ROUTES_TRASH[] = {
    {"GET", "/api/v1/trash", get_trash, NULL},
    {"POST", "/api/v1/trash/*/restore", post_restore, NULL},
    {"DELETE", "/api/v1/trash", delete_trash, NULL},
    {NULL},
};
