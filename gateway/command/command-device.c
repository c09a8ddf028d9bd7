#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/job.h"
#include "gateway/command/output.h"
#include "gateway/command/table.h"

#include "gateway/base/error.h"
#include "web/json.h"
#include "web/uri.h"

#include <stdio.h>
#include <string.h>

/* Cameras, phones and cards, and importing from them. */

/* A device that was just plugged in becomes ready within this time or is not waited for, seconds. */
#define STARTING_S 30

static char *lookup_escaped(GVariant *dictionary, const char *key)
{
    return hearth_format_name(hearth_lookup_text(dictionary, key, ""));
}

static gboolean add_device(GVariant *device, gpointer data, GError **error)
{
    static const char *const KEYS[] = {"id", "name", "driver", "state"};
    HearthTable *table = data;
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
        hearth_table_take(table, lookup_escaped(device, KEYS[i]));
    hearth_table_take(table, hearth_lookup_name(device, "port"));
    hearth_table_take(table, lookup_escaped(device, "message"));
    return TRUE;
}

static gboolean run_devices(HearthCall *call, GError **error)
{
    static const char *const TITLES[] = {"ID", "NAME", "DRIVER", "STATE", "PORT", ""};
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "devices", error);
    g_autoptr(HearthTable) table = hearth_table_new("llllll", TITLES);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    hearth_for_each(answer, "devices", add_device, table, NULL);
    hearth_table_print(table);
    return TRUE;
}

static gboolean run_attach(HearthCall *call, GError **error)
{
    g_autoptr(GVariant) answer = NULL;
    g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&body, "port", g_variant_new_bytestring(hearth_call_word(call, 0)));
    if (!hearth_client_send(hearth_call_client(call), "POST", "devices", g_variant_dict_end(&body),
                            &answer, error))
        return FALSE;
    if (hearth_call_json(call))
        hearth_output_json(answer);
    else
        hearth_output_line(hearth_lookup_text(answer, "id", ""));
    return TRUE;
}

static gboolean run_detach(HearthCall *call, GError **error)
{
    g_autofree char *id = hearth_uri_encode(hearth_call_word(call, 0));
    g_autofree char *target = g_strconcat("devices/", id, NULL);
    return hearth_client_send(hearth_call_client(call), "DELETE", target, NULL, NULL, error);
}

/* --- import ------------------------------------------------------------------------------------ */

static gboolean print_planned(GVariant *entry, gpointer data, GError **error)
{
    g_autofree char *source = hearth_lookup_name(entry, "source");
    g_autofree char *path = hearth_lookup_name(entry, "path");
    g_autofree char *reason = lookup_escaped(entry, "reason");
    const char *action = hearth_lookup_text(entry, "action", "?");
    printf("%-6s  %s%s%s%s%s%s\n", action, source, *path ? " -> " : "", path, *reason ? " (" : "",
           reason, *reason ? ")" : "");
    return TRUE;
}

static void print_result(GVariant *job)
{
    g_autofree char *done = hearth_format_count(hearth_lookup_count(job, "files_done"));
    g_autofree char *size = hearth_format_size(hearth_lookup_count(job, "bytes_done"));
    g_autofree char *skipped = hearth_format_count(hearth_lookup_count(job, "skipped"));
    g_autofree char *device = lookup_escaped(job, "device");
    guint64 failed = hearth_lookup_count(job, "failed");
    printf("%s: %s files (%s), %s skipped", device, done, size, skipped);
    if (failed > 0)
        printf(", %" G_GUINT64_FORMAT " failed", failed);
    putchar('\n');
}

/* The paths behind the ID, in a form that keeps every byte. */
static void add_paths(HearthCall *call, GVariantDict *body)
{
    g_auto(GVariantBuilder) paths = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 1; i < hearth_call_word_count(call); i++) {
        g_autofree char *encoded = hearth_uri_encode_path(hearth_call_word(call, i));
        g_variant_builder_add(&paths, "s", encoded);
    }
    if (hearth_call_word_count(call) > 1)
        g_variant_dict_insert_value(body, "paths_bytes", g_variant_builder_end(&paths));
}

static GVariant *post_import(HearthCall *call, const char *id, GError **error)
{
    g_autofree char *encoded = hearth_uri_encode(id);
    g_autofree char *target = g_strconcat("devices/", encoded, "/import", NULL);
    g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
    GVariant *answer = NULL;
    g_variant_dict_insert(&body, "dry_run", "b", hearth_call_flag(call, "dry-run"));
    add_paths(call, &body);
    hearth_client_send(hearth_call_client(call), "POST", target, g_variant_dict_end(&body), &answer,
                       error);
    return answer;
}

static gboolean report_plan(HearthCall *call, GVariant *plan)
{
    if (hearth_call_json(call))
        hearth_output_json(plan);
    else
        hearth_for_each(plan, "plan", print_planned, NULL, NULL);
    return TRUE;
}

/* Waits for the job if asked, and says how it stands. */
static gboolean report_job(HearthCall *call, GVariant *job, GError **error)
{
    g_autoptr(GVariant) last = g_variant_ref(job);
    gboolean wait = hearth_call_flag(call, "wait");
    const char *id = hearth_lookup_text(job, "id", "");
    if (wait) {
        g_variant_unref(last);
        last = hearth_job_wait(hearth_call_client(call), id, error);
        if (!last)
            return FALSE;
    }
    if (hearth_call_json(call))
        hearth_output_json(last);
    else if (wait)
        print_result(last);
    else
        hearth_output_line(id);
    return !wait || hearth_job_succeeded(last, error);
}

/* An import that runs by itself is as good as one that we begin. */
static gboolean import_device(HearthCall *call, const char *id, const char *running, GError **error)
{
    g_autofree char *encoded = running ? hearth_uri_encode(running) : NULL;
    g_autofree char *target = running ? g_strconcat("jobs/", encoded, NULL) : NULL;
    g_autoptr(GVariant) answer = running
                                     ? hearth_client_get(hearth_call_client(call), target, error)
                                     : post_import(call, id, error);
    if (!answer)
        return FALSE;
    if (hearth_call_flag(call, "dry-run"))
        return report_plan(call, answer);
    return report_job(call, answer, error);
}

static gboolean import_listed(GVariant *device, gpointer data, GError **error)
{
    HearthCall *call = data;
    const char *id = hearth_lookup_text(device, "id", "");
    const char *job = hearth_lookup_text(device, "job", NULL);
    gboolean plan = hearth_call_flag(call, "dry-run");
    return import_device(call, id, plan || !job || !*job ? NULL : job, error);
}

static gboolean count_starting(GVariant *device, gpointer data, GError **error)
{
    guint *count = data;
    *count += strcmp(hearth_lookup_text(device, "state", ""), "starting") == 0;
    return TRUE;
}

/* The devices, once none of them is still being opened. */
static GVariant *settled_devices(HearthCall *call, GError **error)
{
    gint64 end = g_get_monotonic_time() + STARTING_S * G_TIME_SPAN_SECOND;
    for (;;) {
        guint starting = 0;
        g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "devices", error);
        if (!answer)
            return NULL;
        hearth_for_each(answer, "devices", count_starting, &starting, NULL);
        if (starting == 0 || !hearth_call_flag(call, "wait") || g_get_monotonic_time() > end)
            return g_steal_pointer(&answer);
        g_usleep(100 * 1000);
    }
}

static gboolean run_import(HearthCall *call, GError **error)
{
    const char *id = hearth_call_word(call, 0);
    if (id && *id == '/')
        return hearth_call_usage(error, "name the device before the paths on it");
    g_autoptr(GVariant) devices = settled_devices(call, error);
    if (!devices)
        return FALSE;
    if (id)
        return import_device(call, id, NULL, error);
    g_autoptr(GVariant) list = g_variant_lookup_value(devices, "devices", G_VARIANT_TYPE("av"));
    if (!list || g_variant_n_children(list) == 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND,
                    "there is no device to import from");
        return FALSE;
    }
    return hearth_for_each(devices, "devices", import_listed, call, error);
}

static const HearthCallOption IMPORT_OPTIONS[] = {
    {"dry-run", 0, NULL, "only say where each file would go, and why one is skipped"},
    {"wait", 0, NULL, "return when it is done"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_DEVICE[] = {
    {"devices", "", "What is plugged in or attached", 0, 0, NULL, run_devices},
    {"device attach", "PORT", "Attach disk:PATH, volume:PATH, ptpip:HOST or usb:BUS,DEV", 1, 1,
     NULL, run_attach},
    {"device detach", "ID", "Let go of a device", 1, 1, NULL, run_detach},
    {"import", "[ID [PATH...]]", "Import a device, or all; or what is named of it", 0, G_MAXUINT,
     IMPORT_OPTIONS, run_import},
    {NULL},
};
