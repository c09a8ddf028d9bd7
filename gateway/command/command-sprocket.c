#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/output.h"
#include "gateway/command/table.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "sprockets/host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Extensions: what there is, and trying one without a daemon. */

/* Words of a list that a line of a table has room for. */
#define JOINED_MAX 4

/* The words of a list, each once; of many the first ones and how many more there are. */
static char *joined(GVariant *sprocket, const char *key)
{
    g_autoptr(GVariant) list = g_variant_lookup_value(sprocket, key, G_VARIANT_TYPE("av"));
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; list && i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
        g_autoptr(GVariant) element = g_variant_get_variant(boxed);
        const char *word = g_variant_is_of_type(element, G_VARIANT_TYPE_STRING)
                               ? g_variant_get_string(element, NULL)
                               : "?";
        if (g_hash_table_add(seen, g_strdup(word)) && g_hash_table_size(seen) <= JOINED_MAX)
            g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", word);
    }
    if (g_hash_table_size(seen) > JOINED_MAX)
        g_string_append_printf(text, " and %u more", g_hash_table_size(seen) - JOINED_MAX);
    return hearth_format_name(text->str);
}

static gboolean add_sprocket(GVariant *sprocket, gpointer data, GError **error)
{
    HearthTable *table = data;
    hearth_table_take(table, hearth_format_name(hearth_lookup_text(sprocket, "id", "?")));
    hearth_table_take(table, hearth_format_name(hearth_lookup_text(sprocket, "version", "")));
    hearth_table_add(table, hearth_lookup_flag(sprocket, "enabled") ? "on" : "off");
    hearth_table_take(table, joined(sprocket, "hooks"));
    hearth_table_take(table, joined(sprocket, "types"));
    return TRUE;
}

static gboolean run_list(HearthCall *call, GError **error)
{
    static const char *const TITLES[] = {"ID", "VERSION", "STATE", "HOOKS", "TYPES"};
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "sprockets", error);
    g_autoptr(HearthTable) table = hearth_table_new("lllll", TITLES);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    hearth_for_each(answer, "sprockets", add_sprocket, table, NULL);
    hearth_table_print(table);
    return TRUE;
}

typedef struct {
    const char *id;
    GVariant *found; /* nullable */
} Search;

static gboolean match_id(GVariant *sprocket, gpointer data, GError **error)
{
    Search *search = data;
    if (!search->found && strcmp(hearth_lookup_text(sprocket, "id", ""), search->id) == 0)
        search->found = g_variant_ref(sprocket);
    return TRUE;
}

static void print_sprocket(GVariant *sprocket)
{
    HearthFacts *facts = hearth_facts_new();
    hearth_facts_add_all(facts, sprocket);
    hearth_facts_print(facts);
}

static gboolean run_show(HearthCall *call, GError **error)
{
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "sprockets", error);
    Search search = {hearth_call_word(call, 0), NULL};
    if (!answer)
        return FALSE;
    hearth_for_each(answer, "sprockets", match_id, &search, NULL);
    g_autoptr(GVariant) found = search.found;
    if (!found) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no sprocket %s",
                    search.id);
        return FALSE;
    }
    if (hearth_call_json(call))
        hearth_output_json(found);
    else
        print_sprocket(found);
    return TRUE;
}

/* --- run --------------------------------------------------------------------------------------- */

/* K=V: a number where V is one, else a string. */
static gboolean read_param(const char *pair, GVariantDict *dict, GError **error)
{
    const char *equals = strchr(pair, '=');
    guint64 number;
    if (!equals || equals == pair)
        return hearth_call_usage(error, "--param takes K=V");
    g_autofree char *key = g_strndup(pair, (gsize)(equals - pair));
    if (g_ascii_string_to_unsigned(equals + 1, 10, 0, G_MAXUINT32, &number, NULL))
        g_variant_dict_insert(dict, key, "u", (guint32)number);
    else
        g_variant_dict_insert(dict, key, "s", equals + 1);
    return TRUE;
}

static GVariant *read_params(HearthCall *call, GError **error)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autofree const char **pairs = hearth_call_values(call, "param");
    for (gsize i = 0; pairs[i]; i++)
        if (!read_param(pairs[i], &dict, error))
            return NULL;
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

typedef struct {
    GVariant *values;
    GBytes *bytes;
    HearthSprocketRunStats stats;
    char *failure; /* why there is no result; nullable */
} Run;

static void run_clear(Run *run)
{
    g_clear_pointer(&run->values, g_variant_unref);
    g_clear_pointer(&run->bytes, g_bytes_unref);
    hearth_sprocket_report_clear(&run->stats.report);
    g_free(run->failure);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void insert_text(GVariantDict *dict, const char *key, const char *text)
{
    if (text)
        g_variant_dict_insert(dict, key, "s", text);
}

/* What was translated was so for the first call; the rest is of the last. */
static void insert_engine(GVariantDict *dict, const HearthSprocketRunStats *stats)
{
    const HearthSprocketEngineStats *last = &stats->report.engine, *first = &stats->cold;
    g_auto(GVariantDict) stores = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&stores, "stack", "t", first->stores_stack);
    g_variant_dict_insert(&stores, "thread", "t", first->stores_thread);
    g_variant_dict_insert(&stores, "checked", "t", first->stores_checked);
    g_variant_dict_insert(&stores, "foreign", "t", first->stores_foreign);
    g_variant_dict_insert_value(dict, "stores", g_variant_dict_end(&stores));
    g_variant_dict_insert(dict, "instructions_translated", "t", first->instructions);
    g_variant_dict_insert(dict, "overlay_pages", "t", (guint64)last->overlay_pages);
    g_variant_dict_insert(dict, "syscalls", "t", (guint64)last->system_calls);
    g_variant_dict_insert(dict, "tries", "t", (guint64)last->tries);
    g_variant_dict_insert(dict, "memory", "t", last->memory);
}

static GVariant *run_value(const Run *run)
{
    const HearthSprocketReport *report = &run->stats.report;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    insert_text(&dict, "outcome", hearth_sprocket_outcome_word(report->outcome));
    insert_text(&dict, "mode", hearth_sprocket_mode_word(report->mode));
    insert_text(&dict, "sprocket", report->sprocket);
    insert_text(&dict, "rule", report->rule);
    insert_text(&dict, "symbol", report->symbol);
    insert_text(&dict, "log", report->log);
    insert_text(&dict, "error", run->failure);
    g_variant_dict_insert(&dict, "address", "t", report->address);
    g_variant_dict_insert(&dict, "median_ns", "t", run->stats.median_ns);
    g_variant_dict_insert(&dict, "cold_ns", "t", run->stats.cold_ns);
    g_variant_dict_insert(&dict, "cpu_us", "t", report->cpu_us);
    g_variant_dict_insert(&dict, "peak_memory", "t", report->peak_memory);
    insert_engine(&dict, &run->stats);
    if (run->values)
        g_variant_dict_insert_value(&dict, "result", run->values);
    if (run->bytes)
        g_variant_dict_insert(&dict, "emitted", "t", (guint64)g_bytes_get_size(run->bytes));
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static void add_engine(HearthFacts *facts, GVariant *value, GVariant *stores)
{
    static const char *const KEYS[] = {"instructions_translated", "overlay_pages", "syscalls",
                                       "tries"};
    static const char *const CLASSES[] = {"stack", "thread", "checked", "foreign"};
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
        hearth_facts_add(facts, KEYS[i], value, KEYS[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(CLASSES); i++) {
        g_autofree char *title = g_strconcat("stores.", CLASSES[i], NULL);
        hearth_facts_add(facts, title, stores, CLASSES[i]);
    }
}

static void print_run(HearthCall *call, const Run *run)
{
    g_autoptr(GVariant) value = run_value(run);
    g_autoptr(GVariant) stores = g_variant_lookup_value(value, "stores", G_VARIANT_TYPE_VARDICT);
    HearthFacts *facts = hearth_facts_new();
    hearth_facts_add_all(facts, run->values);
    if (hearth_call_flag(call, "stats")) {
        static const char *const KEYS[] = {"outcome",   "rule",    "address", "symbol",     "mode",
                                           "median_ns", "cold_ns", "cpu_us",  "peak_memory"};
        for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
            hearth_facts_add(facts, KEYS[i], value, KEYS[i]);
        if (run->stats.report.engine.tries > 0)
            add_engine(facts, value, stores);
    }
    hearth_facts_add(facts, "log", value, "log");
    hearth_facts_print(facts);
}

static gboolean save_emitted(HearthCall *call, const Run *run, GError **error)
{
    const char *path = hearth_call_value(call, "output");
    gsize size;
    if (!path || !run->bytes)
        return TRUE;
    gconstpointer data = g_bytes_get_data(run->bytes, &size);
    hearth_autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return hearth_set_errno(error, errno, "cannot write %s", path);
    return hearth_write_all(fd, data, size, path, error);
}

/* What the call itself prints goes to standard output. */
static void print_trace(const char *line, gpointer data)
{
    g_printerr("%s\n", line);
}

static gboolean call_sprocket(HearthCall *call, GVariant *params, HearthSprocketMode mode,
                              guint repeat, Run *run, GError **error)
{
    const char *sprocket = hearth_call_word(call, 0);
    g_autoptr(HearthSprocketHost) host = NULL;
    if (!g_str_has_suffix(sprocket, ".so") && !(host = hearth_sprocket_host_new(NULL, error)))
        return FALSE;
    return hearth_sprocket_run_file(host, sprocket, hearth_call_word(call, 1),
                                    hearth_call_word(call, 2), params, mode, repeat,
                                    hearth_call_flag(call, "trace") ? print_trace : NULL,
                                    &run->values, &run->bytes, &run->stats, error);
}

static gboolean may_be_traced(HearthSprocketMode mode)
{
    if (mode == HEARTH_SPROCKET_MODE_DEFAULT)
        return hearth_sprocket_mode_available(HEARTH_SPROCKET_MODE_ROLLBACK, NULL);
    return mode == HEARTH_SPROCKET_MODE_ROLLBACK;
}

static gboolean run_run(HearthCall *call, GError **error)
{
    const char *word = hearth_call_value(call, "mode");
    HearthSprocketMode mode = HEARTH_SPROCKET_MODE_DEFAULT;
    g_autoptr(GError) cause = NULL;
    g_auto(Run) run = {0};
    guint64 repeat;
    if (word && !hearth_sprocket_mode_parse(word, &mode))
        return hearth_call_usage(error, "--mode is rollback, fork, direct or process");
    if (hearth_call_flag(call, "trace") && !may_be_traced(mode))
        return hearth_call_usage(error, "--trace is for the mode rollback");
    if (!hearth_call_number(call, "repeat", 1, G_MAXUINT32, &repeat, error))
        return FALSE;
    g_autoptr(GVariant) params = read_params(call, error);
    if (!params)
        return FALSE;
    if (!call_sprocket(call, params, mode, (guint)MAX(repeat, 1), &run, &cause))
        run.failure = g_strdup(cause->message);
    if (hearth_call_json(call)) {
        g_autoptr(GVariant) value = run_value(&run);
        hearth_output_json(value);
    } else if (!cause || hearth_call_flag(call, "stats")) {
        print_run(call, &run);
    }
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    return save_emitted(call, &run, error);
}

static const HearthCallOption RUN_OPTIONS[] = {
    {"param", 0, "K=V", "a parameter of the hook; may be given several times"},
    {"mode", 0, "MODE", "rollback (the default where it can be had), process, fork or direct"},
    {"repeat", 0, "N", "call it so often"},
    {"stats", 0, NULL, "how the call went, and what it cost"},
    {"trace", 0, NULL, "tell on standard error what the engine does for it"},
    {"output", 'o', "FILE", "write what it emits there"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_SPROCKET[] = {
    {"sprocket list", "", "The extensions for file types", 0, 0, NULL, run_list},
    {"sprocket show", "ID", "All that is known of one", 1, 1, NULL, run_show},
    {"sprocket run", "ID|FILE.so HOOK FILE", "Call a hook on a file, here and without the daemon",
     3, 3, RUN_OPTIONS, run_run},
    {NULL},
};
