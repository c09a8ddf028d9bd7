#include "web/reply-private.h"
#include "web/route-private.h"
#include "web/server-private.h"

#include "gateway/base/error.h"
#include "gateway/base/number.h"

#include <string.h>

/* What runs, and how it is: status, metrics, health, and a page that says what is served. */

static gboolean insert_store(GVariantDict *dict, HearthStore *store, GError **error)
{
    HearthStoreCounts counts;
    if (!hearth_store_counts(store, &counts, error))
        return FALSE;
    g_auto(GVariantDict) inner = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&inner, "folders", "t", counts.folders);
    g_variant_dict_insert(&inner, "files", "t", counts.files);
    g_variant_dict_insert(&inner, "symlinks", "t", counts.symlinks);
    g_variant_dict_insert(&inner, "bytes", "t", counts.bytes);
    g_variant_dict_insert(&inner, "trashed", "t", counts.trashed);
    g_variant_dict_insert(&inner, "last_sequence", "t", counts.last_sequence);
    g_variant_dict_insert_value(dict, "store", g_variant_dict_end(&inner));
    return TRUE;
}

static gboolean insert_disk(GVariantDict *dict, HearthStore *store, GError **error)
{
    guint64 free_bytes, total;
    if (!hearth_contents_space(hearth_store_contents(store), &free_bytes, &total, error))
        return FALSE;
    g_auto(GVariantDict) inner = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&inner, "free", "t", free_bytes);
    g_variant_dict_insert(&inner, "total", "t", total);
    g_variant_dict_insert_value(dict, "disk", g_variant_dict_end(&inner));
    return TRUE;
}

static gboolean get_status(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->status)
        return hearth_reply_unsupported(error, "status");
    g_autoptr(GVariant) status = options->host->status(options->data, error);
    if (!status)
        return FALSE;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(status);
    return insert_store(&dict, options->store, error) &&
           insert_disk(&dict, options->store, error) &&
           hearth_reply_json(reply, MHD_HTTP_OK, g_variant_dict_end(&dict));
}

static void append_metric(GString *out, const char *name, const char *type, const char *help,
                          double value)
{
    char text[HEARTH_DOUBLE_TEXT];
    g_string_append_printf(out, "# HELP hearth_%s %s\n# TYPE hearth_%s %s\nhearth_%s %s\n", name,
                           help, name, type, name, hearth_double_to_text(value, text));
}

static void append_host_metrics(GString *out, GVariant *metrics)
{
    GVariantIter iter;
    const char *name, *type, *help;
    double value;
    g_variant_iter_init(&iter, metrics);
    while (g_variant_iter_next(&iter, "(&s&s&sd)", &name, &type, &help, &value))
        append_metric(out, name, type, help, value);
}

static gboolean append_own_metrics(GString *out, HearthRequest *request, GError **error)
{
    HearthStore *store = request->options->store;
    HearthStoreCounts counts;
    guint64 free_bytes, total;
    if (!hearth_store_counts(store, &counts, error) ||
        !hearth_contents_space(hearth_store_contents(store), &free_bytes, &total, error))
        return FALSE;
    append_metric(out, "files", "gauge", "Files in the tree.", (double)counts.files);
    append_metric(out, "folders", "gauge", "Folders in the tree.", (double)counts.folders);
    append_metric(out, "bytes", "gauge", "Bytes of the files in the tree.", (double)counts.bytes);
    append_metric(out, "trashed", "gauge", "Objects in the trash.", (double)counts.trashed);
    append_metric(out, "log_sequence", "counter", "Records in the change log.",
                  (double)counts.last_sequence);
    append_metric(out, "disk_free_bytes", "gauge", "Bytes free for contents.", (double)free_bytes);
    append_metric(out, "disk_total_bytes", "gauge", "Bytes of the disk under the contents.",
                  (double)total);
    append_metric(out, "http_requests_total", "counter", "Requests begun.",
                  (double)__atomic_load_n(&request->server->requests, __ATOMIC_RELAXED));
    return TRUE;
}

static gboolean get_metrics(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!append_own_metrics(out, request, error))
        return FALSE;
    if (options->host->metrics) {
        g_autoptr(GVariant) metrics = options->host->metrics(options->data, error);
        if (!metrics)
            return FALSE;
        append_host_metrics(out, metrics);
    }
    return hearth_reply_text(reply, "text/plain; version=0.0.4; charset=utf-8", out->str);
}

/* Well is who can read the database and see the disk. */
static gboolean get_health(HearthRequest *request, HearthReply *reply, GError **error)
{
    HearthStoreCounts counts;
    guint64 free_bytes, total;
    g_autoptr(GError) cause = NULL;
    HearthContents *contents = hearth_store_contents(request->options->store);
    if (hearth_store_counts(request->options->store, &counts, &cause) &&
        hearth_contents_space(contents, &free_bytes, &total, &cause))
        return hearth_reply_text(reply, "text/plain; charset=utf-8", "ok\n");
    g_set_error(error, HEARTH_HTTP_ERROR, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", cause->message);
    return FALSE;
}

static gboolean get_sprockets(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->sprockets)
        return hearth_reply_unsupported(error, "sprockets");
    return hearth_reply_host_value(reply, MHD_HTTP_OK, "sprockets",
                                   options->host->sprockets(options->data, error));
}

static const char PAGE[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Hearth</title>\n"
    "<h1>Hearth " HEARTH_VERSION "</h1>\n"
    "<p>A home storage gateway. This is its HTTP interface; answers are JSON.</p>\n<ul>\n"
    "<li><a href=\"/api/v1/status\">/api/v1/status</a>: what runs, how much is stored</li>\n"
    "<li><a href=\"/api/v1/tree/\">/api/v1/tree/PATH</a>: folders and files</li>\n"
    "<li>/api/v1/find?q=QUERY: search; /api/v1/preview/OBJECT?edge=256: small pictures</li>\n"
    "<li><a href=\"/api/v1/devices\">/api/v1/devices</a>: cameras, phones and cards</li>\n"
    "<li><a href=\"/api/v1/jobs\">/api/v1/jobs</a>: what is being done</li>\n"
    "<li>/api/v1/events: what happens, as server-sent events</li>\n"
    "<li><a href=\"/api/v1/log?tail=100\">/api/v1/log</a>: what has changed in the tree</li>\n"
    "<li><a href=\"/api/v1/trash\">/api/v1/trash</a>: what was removed</li>\n"
    "<li><a href=\"/api/v1/sprockets\">/api/v1/sprockets</a>: extensions for file types</li>\n"
    "<li><a href=\"/metrics\">/metrics</a>, <a href=\"/healthz\">/healthz</a>: for "
    "monitoring</li>\n"
    "</ul>\n<p>Over TCP everything can be read from this machine. To change things use the "
    "command\n"
    "<code>hearth</code>, or the same addresses over the Unix socket.</p>\n</html>\n";

static gboolean get_page(HearthRequest *request, HearthReply *reply, GError **error)
{
    return hearth_reply_text(reply, "text/html; charset=utf-8", PAGE);
}

const HearthRoute HEARTH_ROUTES_STATUS[] = {
    {"GET", "/", get_page, NULL},
    {"GET", "/healthz", get_health, NULL},
    {"GET", "/metrics", get_metrics, NULL},
    {"GET", "/api/v1/healthz", get_health, NULL},
    {"GET", "/api/v1/metrics", get_metrics, NULL},
    {"GET", "/api/v1/status", get_status, NULL},
    {"GET", "/api/v1/sprockets", get_sprockets, NULL},
    {NULL},
};
