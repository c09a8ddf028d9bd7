#include "web/reply-private.h"

#include "gateway/base/error.h"
#include "web/json.h"

#include <string.h>
#include <time.h>

/* Nothing of ours is a page that may load or run anything, but for what later pages allow. */
#define POLICY                                                                                     \
    "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

G_DEFINE_QUARK(hearth - http - error - quark, hearth_http_error)

void hearth_reply_clear(HearthReply *reply)
{
    g_clear_pointer(&reply->response, MHD_destroy_response);
}

void hearth_reply_header(HearthReply *reply, const char *name, const char *value)
{
    MHD_add_response_header(reply->response, name, value);
}

/* Takes `data`. */
static gboolean set_body(HearthReply *reply, guint status, const char *media_type, char *data,
                         gsize size)
{
    hearth_reply_clear(reply);
    reply->status = status;
    reply->response = MHD_create_response_from_buffer_with_free_callback(size, data, g_free);
    hearth_reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, media_type);
    hearth_reply_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return TRUE;
}

gboolean hearth_reply_json(HearthReply *reply, guint status, GVariant *value)
{
    g_autoptr(GVariant) owned = g_variant_ref_sink(value);
    char *text = hearth_json_print(owned);
    return set_body(reply, status, "application/json", text, strlen(text));
}

gboolean hearth_reply_text(HearthReply *reply, const char *media_type, const char *text)
{
    return set_body(reply, MHD_HTTP_OK, media_type, g_strdup(text), strlen(text));
}

gboolean hearth_reply_bytes(HearthReply *reply, const char *media_type, GBytes *bytes)
{
    gsize size;
    gconstpointer data = g_bytes_get_data(bytes, &size);
    return set_body(reply, MHD_HTTP_OK, media_type, g_memdup2(data, size), size);
}

gboolean hearth_reply_empty(HearthReply *reply, guint status)
{
    hearth_reply_clear(reply);
    reply->status = status;
    reply->response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    return TRUE;
}

gboolean hearth_reply_host_value(HearthReply *reply, guint status, const char *key, GVariant *value)
{
    if (!value)
        return FALSE;
    g_autoptr(GVariant) owned = g_variant_take_ref(value);
    if (!key)
        return hearth_reply_json(reply, status, owned);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, key, owned);
    return hearth_reply_json(reply, status, g_variant_dict_end(&dict));
}

static guint error_status(const GError *error)
{
    return error->domain == HEARTH_HTTP_ERROR ? (guint)error->code : hearth_error_to_http(error);
}

static const char *error_word(const GError *error)
{
    return error->domain == HEARTH_HTTP_ERROR ? "http" : hearth_error_word(error);
}

void hearth_reply_problem(HearthReply *reply, const GError *error)
{
    guint status = error_status(error);
    g_autofree char *detail = g_utf8_make_valid(error->message, -1);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "title", "s", MHD_get_reason_phrase_for(status));
    g_variant_dict_insert(&dict, "status", "u", status);
    g_variant_dict_insert(&dict, "detail", "s", detail);
    g_variant_dict_insert(&dict, "code", "s", error_word(error));
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_dict_end(&dict));
    char *text = hearth_json_print(value);
    set_body(reply, status, "application/problem+json", text, strlen(text));
}

gboolean hearth_reply_unsupported(GError **error, const char *what)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "this gateway has no %s", what);
    return FALSE;
}

enum MHD_Result hearth_reply_send(HearthReply *reply, HearthRequest *request)
{
    hearth_reply_header(reply, "X-Content-Type-Options", "nosniff");
    hearth_reply_header(reply, "Content-Security-Policy", POLICY);
    hearth_reply_header(reply, "Cross-Origin-Resource-Policy", "same-origin");
    hearth_reply_header(reply, "Referrer-Policy", "no-referrer");
    enum MHD_Result result =
        MHD_queue_response(request->connection, reply->status, reply->response);
    hearth_reply_clear(reply);
    return result;
}

static struct tm *utc(gint64 ns, struct tm *broken, gint64 *ret_ns)
{
    gint64 seconds = ns / G_GINT64_CONSTANT(1000000000);
    *ret_ns = ns % G_GINT64_CONSTANT(1000000000);
    if (*ret_ns < 0) {
        *ret_ns += G_GINT64_CONSTANT(1000000000);
        seconds--;
    }
    time_t when = (time_t)seconds;
    return gmtime_r(&when, broken);
}

char *hearth_reply_moment(gint64 ns)
{
    struct tm broken;
    gint64 rest;
    utc(ns, &broken, &rest);
    return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d.%09" G_GINT64_FORMAT "Z",
                           broken.tm_year + 1900, broken.tm_mon + 1, broken.tm_mday, broken.tm_hour,
                           broken.tm_min, broken.tm_sec, rest);
}

char *hearth_reply_http_date(gint64 ns)
{
    static const char DAYS[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char MONTHS[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm broken;
    gint64 rest;
    utc(ns, &broken, &rest);
    return g_strdup_printf("%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[broken.tm_wday],
                           broken.tm_mday, MONTHS[broken.tm_mon], broken.tm_year + 1900,
                           broken.tm_hour, broken.tm_min, broken.tm_sec);
}
