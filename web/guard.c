#include "web/guard-private.h"

#include "web/reply-private.h"

#include <string.h>

typedef struct {
    guint hosts;
    guint lengths;
    guint encodings;
    gboolean chunked;
    gboolean control;
} Framing;

static gboolean refuse(GError **error, guint status, const char *why)
{
    g_set_error_literal(error, HEARTH_HTTP_ERROR, (int)status, why);
    return FALSE;
}

static gboolean has_control(const char *text, gsize size)
{
    for (gsize i = 0; i < size; i++)
        if ((guchar)text[i] < 0x20 ? text[i] != '\t' : text[i] == 0x7f)
            return TRUE;
    return FALSE;
}

static enum MHD_Result count_header(void *data, enum MHD_ValueKind kind, const char *key,
                                    size_t key_size, const char *value, size_t value_size)
{
    Framing *framing = data;
    value = value ? value : "";
    framing->control |= has_control(key, key_size) || has_control(value, value_size);
    if (g_ascii_strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
        framing->hosts++;
    } else if (g_ascii_strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        framing->lengths++;
    } else if (g_ascii_strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        framing->encodings++;
        framing->chunked = g_ascii_strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

gboolean hearth_guard_framing(const HearthRequest *request, GError **error)
{
    Framing framing = {0};
    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, count_header, &framing);
    if (has_control(request->target, strlen(request->target)) || framing.control)
        return refuse(error, MHD_HTTP_BAD_REQUEST, "the request holds a control character");
    if (framing.hosts != 1)
        return refuse(error, MHD_HTTP_BAD_REQUEST, "a request has exactly one Host");
    if (framing.lengths > 1)
        return refuse(error, MHD_HTTP_BAD_REQUEST, "a request has at most one Content-Length");
    if (framing.encodings > 0 && framing.lengths > 0)
        return refuse(error, MHD_HTTP_BAD_REQUEST,
                      "a request has either Content-Length or Transfer-Encoding");
    if (framing.encodings > 1 || (framing.encodings == 1 && !framing.chunked))
        return refuse(error, MHD_HTTP_NOT_IMPLEMENTED, "Transfer-Encoding can only be chunked");
    return TRUE;
}

/* Loopback by one of its names, with our port or none. */
static gboolean is_own_host(const char *host, guint16 port)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]"};
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        gsize length = strlen(NAMES[i]);
        if (g_ascii_strncasecmp(host, NAMES[i], length) != 0)
            continue;
        if (host[length] == '\0')
            return TRUE;
        g_autofree char *with_port = g_strdup_printf(":%u", port);
        return strcmp(host + length, with_port) == 0;
    }
    return FALSE;
}

/* A page of another site can make a browser on this machine ask; it may not have the answer. */
static gboolean is_own_page(const HearthRequest *request, const char *host)
{
    const char *origin = hearth_request_header(request, "Origin");
    const char *site = hearth_request_header(request, "Sec-Fetch-Site");
    g_autofree char *own = g_strconcat("http://", host, NULL);
    if (origin && g_ascii_strcasecmp(origin, own) != 0)
        return FALSE;
    return !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}

gboolean hearth_guard_access(const HearthRequest *request, GError **error)
{
    if (request->listener->full)
        return TRUE;
    const char *host = hearth_request_header(request, MHD_HTTP_HEADER_HOST);
    if (!is_own_host(host, request->listener->port))
        return refuse(error, MHD_HTTP_MISDIRECTED_REQUEST,
                      "this address is served as localhost, 127.0.0.1 or [::1] only");
    if (!is_own_page(request, host))
        return refuse(error, MHD_HTTP_FORBIDDEN, "pages of other sites may not ask here");
    if (strcmp(request->method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(request->method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(error, MHD_HTTP_FORBIDDEN,
                      "over TCP the gateway can be read only: change things with the command "
                      "hearth, or over its Unix socket");
    return TRUE;
}
