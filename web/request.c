#include "web/request-private.h"

#include "gateway/base/error.h"
#include "web/json.h"
#include "web/uri.h"

#include <string.h>

HearthRequest *hearth_request_new(const HearthListener *listener, const char *target,
                                  struct MHD_Connection *connection)
{
    HearthRequest *request = g_new0(HearthRequest, 1);
    request->listener = listener;
    request->connection = connection;
    request->target = g_strdup(target);
    request->body = g_byte_array_new();
    return request;
}

void hearth_request_free(HearthRequest *request)
{
    if (!request)
        return;
    if (request->route && request->route->upload)
        request->route->upload->end(request);
    g_clear_pointer(&request->segments, g_ptr_array_unref);
    g_clear_pointer(&request->query, g_hash_table_unref);
    g_byte_array_unref(request->body);
    g_clear_error(&request->refusal);
    g_free(request->target);
    g_free(request);
}

gboolean hearth_request_sync(const HearthRequest *request, GError **error)
{
    return hearth_store_sync_since(request->options->store, request->losses, error);
}

gboolean hearth_request_parse_target(HearthRequest *request, GError **error)
{
    const char *target = request->target;
    gsize length = strcspn(target, "?");
    request->segments = hearth_uri_split_path(target, length, error);
    if (!request->segments)
        return FALSE;
    request->query = hearth_uri_split_query(target[length] ? target + length + 1 : "", error);
    return request->query != NULL;
}

const char *hearth_request_header(const HearthRequest *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *hearth_request_query(const HearthRequest *request, const char *name)
{
    return g_hash_table_lookup(request->query, name);
}

gboolean hearth_request_flag(const HearthRequest *request, const char *name)
{
    const char *value = hearth_request_query(request, name);
    return value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}

gboolean hearth_request_number(const HearthRequest *request, const char *name, guint64 fallback,
                               guint64 max, guint64 *ret_number, GError **error)
{
    const char *value = hearth_request_query(request, name);
    *ret_number = fallback;
    if (!value || g_ascii_string_to_unsigned(value, 10, 0, max, ret_number, NULL))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "%s must be a whole number from 0 to %" G_GUINT64_FORMAT, name, max);
    return FALSE;
}

const char *hearth_request_argument(const HearthRequest *request)
{
    return g_ptr_array_index(request->segments, request->fixed);
}

char *hearth_request_tree_path(const HearthRequest *request)
{
    GString *path = g_string_new(NULL);
    for (guint i = request->fixed; i < request->segments->len; i++) {
        g_string_append_c(path, '/');
        g_string_append(path, g_ptr_array_index(request->segments, i));
    }
    if (path->len == 0)
        g_string_append_c(path, '/');
    return g_string_free(path, FALSE);
}

GVariant *hearth_request_json(const HearthRequest *request, GError **error)
{
    const GByteArray *body = request->body;
    if (body->len == 0)
        return g_variant_ref_sink(g_variant_new("a{sv}", NULL));
    GVariant *value = hearth_json_parse((const char *)body->data, body->len, error);
    if (!value || g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return value;
    g_variant_unref(value);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the body must be a JSON object");
    return NULL;
}
