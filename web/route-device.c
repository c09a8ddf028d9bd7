#include "web/json.h"
#include "web/reply-private.h"
#include "web/route-private.h"
#include "web/uri.h"

#include "gateway/base/error.h"

#include <string.h>

/* Cameras, phones and cards: list, attach, detach, import. */

static gboolean get_devices(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->devices)
        return hearth_reply_unsupported(error, "devices");
    return hearth_reply_host_value(reply, MHD_HTTP_OK, "devices",
                                   options->host->devices(options->data, error));
}

static gboolean get_device(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    const char *wanted = hearth_request_argument(request);
    if (!options->host->devices)
        return hearth_reply_unsupported(error, "devices");
    g_autoptr(GVariant) devices = options->host->devices(options->data, error);
    for (gsize i = 0; devices && i < g_variant_n_children(devices); i++) {
        g_autoptr(GVariant) device = g_variant_get_child_value(devices, i);
        const char *id;
        if (g_variant_lookup(device, "id", "&s", &id) && strcmp(id, wanted) == 0)
            return hearth_reply_json(reply, MHD_HTTP_OK, device);
    }
    if (devices)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no device %s", wanted);
    return FALSE;
}

static gboolean post_devices(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    g_autoptr(GVariant) body = hearth_request_json(request, error);
    g_autofree char *port = body ? hearth_json_lookup_bytes(body, "port") : NULL;
    if (!options->host->attach)
        return hearth_reply_unsupported(error, "devices that can be attached");
    if (!port) {
        if (body)
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                        "\"port\" must say what to attach, as disk:/mnt/card");
        return FALSE;
    }
    return hearth_reply_host_value(reply, MHD_HTTP_CREATED, NULL,
                                   options->host->attach(options->data, port, error));
}

static gboolean delete_device(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->detach)
        return hearth_reply_unsupported(error, "devices that can be detached");
    return options->host->detach(options->data, hearth_request_argument(request), error) &&
           hearth_reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

/* The exact bytes of each path asked for: "paths" as text or "paths_bytes" percent-encoded. NULL
 * without `error`: none was named. */
static char **read_paths(GVariant *body, GError **error)
{
    g_autoptr(GVariant) exact = g_variant_lookup_value(body, "paths_bytes", G_VARIANT_TYPE("av"));
    g_autoptr(GVariant) text = g_variant_lookup_value(body, "paths", G_VARIANT_TYPE("av"));
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    GVariant *list = exact ? exact : text;
    if (!list || g_variant_n_children(list) == 0)
        return NULL;
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        const char *path = "";
        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
        g_autoptr(GVariant) element = g_variant_get_variant(boxed);
        if (g_variant_is_of_type(element, G_VARIANT_TYPE_STRING))
            path = g_variant_get_string(element, NULL);
        g_autofree char *bytes =
            exact ? hearth_uri_decode(path, strlen(path), FALSE, error) : g_strdup(path);
        if (!bytes)
            return NULL;
        g_strv_builder_add(builder, bytes);
    }
    return g_strv_builder_end(builder);
}

static gboolean run_import(HearthRequest *request, const char *const *paths, gboolean dry_run,
                           HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    const char *device = hearth_request_argument(request);
    if (dry_run && options->host->plan)
        return hearth_reply_host_value(reply, MHD_HTTP_OK, "plan",
                                       options->host->plan(options->data, device, paths, error));
    if (!dry_run && options->host->import)
        return hearth_reply_host_value(reply, MHD_HTTP_ACCEPTED, NULL,
                                       options->host->import(options->data, device, paths, error));
    return hearth_reply_unsupported(error, dry_run ? "plans of imports" : "imports");
}

static gboolean post_import(HearthRequest *request, HearthReply *reply, GError **error)
{
    g_autoptr(GVariant) body = hearth_request_json(request, error);
    g_autoptr(GError) cause = NULL;
    gboolean dry_run = FALSE;
    if (!body)
        return FALSE;
    g_auto(GStrv) paths = read_paths(body, &cause);
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    g_variant_lookup(body, "dry_run", "b", &dry_run);
    return run_import(request, (const char *const *)paths, dry_run, reply, error);
}

static gboolean post_export(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    g_autoptr(GVariant) body = hearth_request_json(request, error);
    if (!options->host->export)
        return hearth_reply_unsupported(error, "exports");
    if (!body)
        return FALSE;
    const char *device = hearth_request_argument(request);
    return hearth_reply_host_value(reply, MHD_HTTP_ACCEPTED, NULL,
                                   options->host->export(options->data, device, body, error));
}

const HearthRoute HEARTH_ROUTES_DEVICE[] = {
    {"GET", "/api/v1/devices", get_devices, NULL},
    {"POST", "/api/v1/devices", post_devices, NULL},
    {"GET", "/api/v1/devices/*", get_device, NULL},
    {"DELETE", "/api/v1/devices/*", delete_device, NULL},
    {"POST", "/api/v1/devices/*/import", post_import, NULL},
    {"POST", "/api/v1/devices/*/export", post_export, NULL},
    {NULL},
};
