#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/job.h"
#include "gateway/command/output.h"
#include "gateway/command/progress.h"
#include "gateway/command/table.h"

#include "gateway/base/error.h"
#include "namespace/store.h"
#include "web/uri.h"

#include <stdio.h>
#include <string.h>

/* Jobs, and the upkeep that runs as one. */

static gboolean add_job(GVariant *job, gpointer data, GError **error)
{
    static const char *const KEYS[] = {"id", "kind", "state", "device"};
    HearthTable *table = data;
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
        hearth_table_take(table, hearth_format_name(hearth_lookup_text(job, KEYS[i], "")));
    hearth_table_take(table, hearth_format_count(hearth_lookup_count(job, "files_done")));
    hearth_table_take(table, hearth_format_size(hearth_lookup_count(job, "bytes_done")));
    const char *why = hearth_lookup_text(job, "error", hearth_lookup_text(job, "message", ""));
    hearth_table_take(table, hearth_format_name(why));
    return TRUE;
}

static gboolean run_jobs(HearthCall *call, GError **error)
{
    static const char *const TITLES[] = {"ID", "KIND", "STATE", "DEVICE", "FILES", "BYTES", ""};
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "jobs", error);
    g_autoptr(HearthTable) table = hearth_table_new("llllrrl", TITLES);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    hearth_for_each(answer, "jobs", add_job, table, NULL);
    hearth_table_print(table);
    return TRUE;
}

static gboolean run_cancel(HearthCall *call, GError **error)
{
    g_autofree char *id = hearth_uri_encode(hearth_call_word(call, 0));
    g_autofree char *target = g_strconcat("jobs/", id, NULL);
    return hearth_client_send(hearth_call_client(call), "DELETE", target, NULL, NULL, error);
}

/* --- Upkeep by the daemon ----------------------------------------------------------------------- */

static guint print_findings(GVariant *job)
{
    g_autoptr(GVariant) findings = g_variant_lookup_value(job, "findings", G_VARIANT_TYPE("av"));
    gsize count = findings ? g_variant_n_children(findings) : 0;
    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(findings, i);
        g_autoptr(GVariant) text = g_variant_get_variant(boxed);
        g_autofree char *line = g_variant_is_of_type(text, G_VARIANT_TYPE_STRING)
                                    ? hearth_format_name(g_variant_get_string(text, NULL))
                                    : g_strdup("?");
        hearth_output_line(line);
    }
    return (guint)count;
}

/* Findings have been printed and are the reason themselves. */
static gboolean judge(guint findings, GError **error)
{
    if (findings == 0)
        return TRUE;
    g_set_error(error, HEARTH_COMMAND_ERROR, HEARTH_COMMAND_ERROR_SILENT, "%u findings", findings);
    return FALSE;
}

static gboolean report_upkeep(HearthCall *call, const char *kind, GVariant *job, GError **error)
{
    guint findings = 0;
    if (hearth_call_json(call))
        hearth_output_json(job);
    if (!hearth_job_succeeded(job, error))
        return FALSE;
    g_autoptr(GVariant) list = g_variant_lookup_value(job, "findings", G_VARIANT_TYPE("av"));
    if (hearth_call_json(call))
        return judge(list ? (guint)g_variant_n_children(list) : 0, error);
    if (strcmp(kind, "gc") == 0) {
        g_autofree char *size = hearth_format_size(hearth_lookup_count(job, "bytes_freed"));
        printf("%s freed\n", size);
    } else if ((findings = print_findings(job)) == 0) {
        hearth_output_line("all is well");
    }
    return judge(findings, error);
}

static gboolean run_upkeep(HearthCall *call, const char *kind, gboolean wait, GError **error)
{
    HearthClient *client = hearth_call_client(call);
    g_autoptr(GVariant) job = NULL;
    if (!hearth_client_send(client, "POST", kind, NULL, &job, error))
        return FALSE;
    const char *id = hearth_lookup_text(job, "id", "");
    if (!wait) {
        if (hearth_call_json(call))
            hearth_output_json(job);
        else
            hearth_output_line(id);
        return TRUE;
    }
    g_autoptr(GVariant) last = hearth_job_wait(client, id, error);
    return last && report_upkeep(call, kind, last, error);
}

static gboolean run_scrub(HearthCall *call, GError **error)
{
    return run_upkeep(call, "scrub", hearth_call_flag(call, "wait"), error);
}

static gboolean run_gc(HearthCall *call, GError **error)
{
    return run_upkeep(call, "gc", TRUE, error);
}

/* --- fsck without a daemon ---------------------------------------------------------------------- */

typedef struct {
    HearthProgress *bar;
    GVariantBuilder findings;
} Checking;

static gboolean show_step(guint64 done, guint64 total, gpointer data)
{
    const Checking *checking = data;
    HearthProgressState state = {.files_done = done, .files_total = total};
    hearth_progress_show(checking->bar, &state);
    return TRUE;
}

static void add_finding(const char *finding, gpointer data)
{
    Checking *checking = data;
    g_autofree char *text = g_utf8_make_valid(finding, -1);
    g_variant_builder_add(&checking->findings, "v", g_variant_new_string(text));
}

/* The state is looked at here, and stays as it is. */
static gboolean check_here(HearthCall *call, GError **error)
{
    HearthStoreOptions options = {
        .state = hearth_call_state(call), .engine = "sqlite", .read_only = TRUE};
    g_autoptr(HearthStore) store = hearth_store_open(&options, error);
    if (!store)
        return FALSE;
    Checking checking = {.bar = hearth_progress_new("fsck")};
    g_variant_builder_init(&checking.findings, G_VARIANT_TYPE("av"));
    gboolean done = hearth_store_fsck(store, show_step, add_finding, &checking, error);
    hearth_progress_free(checking.bar);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "kind", "s", "fsck");
    g_variant_dict_insert(&dict, "state", "s", done ? "done" : "failed");
    g_variant_dict_insert_value(&dict, "findings", g_variant_builder_end(&checking.findings));
    g_autoptr(GVariant) result = g_variant_ref_sink(g_variant_dict_end(&dict));
    return done && report_upkeep(call, "fsck", result, error);
}

static gboolean run_fsck(HearthCall *call, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (run_upkeep(call, "fsck", TRUE, &cause))
        return TRUE;
    if (g_error_matches(cause, HEARTH_COMMAND_ERROR, HEARTH_COMMAND_ERROR_UNREACHABLE))
        return check_here(call, error);
    g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

static const HearthCallOption SCRUB_OPTIONS[] = {
    {"wait", 0, NULL, "return when it is done"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_JOB[] = {
    {"jobs", "", "What is being done, and what was", 0, 0, NULL, run_jobs},
    {"job cancel", "ID", "Stop a job", 1, 1, NULL, run_cancel},
    {"scrub", "", "Read every stored byte and check it", 0, 0, SCRUB_OPTIONS, run_scrub},
    {"gc", "", "Free the space of contents that nothing needs", 0, 0, NULL, run_gc},
    {"fsck", "", "Check the state's consistency, also without a daemon", 0, 0, NULL, run_fsck},
    {NULL},
};
