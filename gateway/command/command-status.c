#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/output.h"
#include "gateway/command/table.h"

#include <stdio.h>
#include <string.h>

/* How the gateway is. */

static void add_amounts(HearthFacts *facts, GVariant *status)
{
    g_autoptr(GVariant) store = g_variant_lookup_value(status, "store", G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) disk = g_variant_lookup_value(status, "disk", G_VARIANT_TYPE_VARDICT);
    if (store) {
        g_autofree char *files = hearth_format_count(hearth_lookup_count(store, "files"));
        g_autofree char *folders = hearth_format_count(hearth_lookup_count(store, "folders"));
        g_autofree char *bytes = hearth_format_size(hearth_lookup_count(store, "bytes"));
        g_autofree char *trashed = hearth_format_count(hearth_lookup_count(store, "trashed"));
        hearth_facts_take(facts, "stored",
                          g_strdup_printf("%s files, %s, in %s folders; %s in the trash", files,
                                          bytes, folders, trashed));
    }
    if (disk) {
        g_autofree char *available = hearth_format_size(hearth_lookup_count(disk, "free"));
        g_autofree char *total = hearth_format_size(hearth_lookup_count(disk, "total"));
        hearth_facts_take(facts, "disk", g_strdup_printf("%s free of %s", available, total));
    }
}

static gboolean print_device(GVariant *device, gpointer data, GError **error)
{
    g_autofree char *name = hearth_format_name(hearth_lookup_text(device, "name", "?"));
    g_autofree char *message = hearth_format_name(hearth_lookup_text(device, "message", ""));
    g_autofree char *id = hearth_format_name(hearth_lookup_text(device, "id", "?"));
    printf("  %s (%s): %s%s%s\n", name, id, hearth_lookup_text(device, "state", "?"),
           *message ? ": " : "", message);
    return TRUE;
}

static gboolean is_over(GVariant *job)
{
    const char *state = hearth_lookup_text(job, "state", "");
    return strcmp(state, "waiting") != 0 && strcmp(state, "running") != 0;
}

static gboolean print_running(GVariant *job, gpointer data, GError **error)
{
    if (is_over(job))
        return TRUE;
    g_autofree char *files = hearth_format_count(hearth_lookup_count(job, "files_done"));
    g_autofree char *total = hearth_format_count(hearth_lookup_count(job, "files_total"));
    g_autofree char *id = hearth_format_name(hearth_lookup_text(job, "id", "?"));
    g_autofree char *device = hearth_format_name(hearth_lookup_text(job, "device", ""));
    printf("  %s%s%s (%s): %s, %s of %s files\n", hearth_lookup_text(job, "kind", "?"),
           *device ? " of " : "", device, id, hearth_lookup_text(job, "state", "?"), files, total);
    return TRUE;
}

static gboolean count_running(GVariant *job, gpointer data, GError **error)
{
    guint *count = data;
    *count += is_over(job) ? 0 : 1;
    return TRUE;
}

static void print_problems(GVariant *status)
{
    g_autoptr(GVariant) problems = g_variant_lookup_value(status, "problems", G_VARIANT_TYPE("av"));
    for (gsize i = 0; problems && i < g_variant_n_children(problems); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(problems, i);
        g_autoptr(GVariant) text = g_variant_get_variant(boxed);
        if (!g_variant_is_of_type(text, G_VARIANT_TYPE_STRING))
            continue;
        g_autofree char *line = hearth_format_name(g_variant_get_string(text, NULL));
        printf("%s  %s\n", i == 0 ? "problems:\n" : "", line);
    }
}

static void print_facts(GVariant *status)
{
    HearthFacts *facts = hearth_facts_new();
    hearth_facts_add(facts, "gateway", status, "name");
    hearth_facts_add(facts, "version", status, "version");
    hearth_facts_take(facts, "running for",
                      hearth_format_seconds(hearth_lookup_number(status, "uptime_s", 0)));
    hearth_facts_add(facts, "state", status, "state");
    hearth_facts_add(facts, "tree at", status, "mount");
    add_amounts(facts, status);
    hearth_facts_print(facts);
}

static void print_status(GVariant *status, GVariant *devices, GVariant *jobs)
{
    guint running = 0;
    g_autoptr(GVariant) list = g_variant_lookup_value(devices, "devices", G_VARIANT_TYPE("av"));
    print_facts(status);
    if (list && g_variant_n_children(list) > 0)
        hearth_output_line("devices:");
    hearth_for_each(devices, "devices", print_device, NULL, NULL);
    hearth_for_each(jobs, "jobs", count_running, &running, NULL);
    if (running > 0)
        hearth_output_line("jobs:");
    hearth_for_each(jobs, "jobs", print_running, NULL, NULL);
    print_problems(status);
}

/* One object with all three answers. */
static GVariant *join(GVariant *status, GVariant *devices, GVariant *jobs)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(status);
    g_autoptr(GVariant) device_list = g_variant_lookup_value(devices, "devices", NULL);
    g_autoptr(GVariant) job_list = g_variant_lookup_value(jobs, "jobs", NULL);
    if (device_list)
        g_variant_dict_insert_value(&dict, "devices", device_list);
    if (job_list)
        g_variant_dict_insert_value(&dict, "jobs", job_list);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static gboolean run_status(HearthCall *call, GError **error)
{
    HearthClient *client = hearth_call_client(call);
    g_autoptr(GVariant) status = hearth_client_get(client, "status", error);
    g_autoptr(GVariant) devices = status ? hearth_client_get(client, "devices", error) : NULL;
    g_autoptr(GVariant) jobs = devices ? hearth_client_get(client, "jobs", error) : NULL;
    if (!jobs)
        return FALSE;
    g_autoptr(GVariant) all = join(status, devices, jobs);
    if (hearth_call_json(call))
        hearth_output_json(all);
    else
        print_status(status, devices, jobs);
    return TRUE;
}

const HearthCommand HEARTH_COMMANDS_STATUS[] = {
    {"status", "", "How the gateway is: devices, jobs, space, problems", 0, 0, NULL, run_status},
    {NULL},
};
