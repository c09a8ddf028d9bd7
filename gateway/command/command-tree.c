#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/listing.h"
#include "gateway/command/output.h"
#include "gateway/command/table.h"

#include "gateway/base/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Looking at the tree and changing it: ls, stat, cat, mkdir, mv, rm. */

/* --- ls ---------------------------------------------------------------------------------------- */

typedef struct {
    gboolean json, whole, recursive;
    HearthJsonList list;
    HearthTable *table; /* of -l */
} Ls;

/* "drwxr-xr-x" */
static char *mode_text(GVariant *entry)
{
    static const char LETTERS[] = "rwxrwxrwx";
    guint64 mode = g_ascii_strtoull(hearth_lookup_text(entry, "mode", "0"), NULL, 8);
    char *text = g_strdup("----------");
    if (hearth_listing_is(entry, "folder"))
        text[0] = 'd';
    else if (hearth_listing_is(entry, "symlink"))
        text[0] = 'l';
    for (guint i = 0; i < 9; i++)
        if (mode & (0400u >> i))
            text[i + 1] = LETTERS[i];
    return text;
}

/* On a terminal a folder is marked, and no name can do harm. */
static char *ls_name(GVariant *entry, const char *path, gboolean full)
{
    const char *name = full ? path : strrchr(path, '/') + 1;
    g_autofree char *shown = hearth_format_output_name(name);
    gboolean mark = isatty(STDOUT_FILENO) && hearth_listing_is(entry, "folder");
    return g_strconcat(shown, mark ? "/" : "", NULL);
}

static gboolean ls_entry(GVariant *entry, const char *path, gpointer data, GError **error)
{
    Ls *ls = data;
    if (ls->json) {
        hearth_json_list_add(&ls->list, entry);
        return TRUE;
    }
    g_autofree char *name = ls_name(entry, path, ls->recursive);
    if (!ls->whole) {
        hearth_output_line(name);
        return TRUE;
    }
    hearth_table_take(ls->table, mode_text(entry));
    hearth_table_take(ls->table, hearth_listing_is(entry, "folder")
                                     ? g_strdup("-")
                                     : hearth_format_size(hearth_lookup_count(entry, "size")));
    hearth_table_take(ls->table,
                      hearth_format_moment(hearth_lookup_text(entry, "mtime", ""), FALSE));
    hearth_table_add(ls->table, name);
    return TRUE;
}

static gboolean ls_run(HearthCall *call, Ls *ls, const char *path, GError **error)
{
    HearthClient *client = hearth_call_client(call);
    g_autoptr(GVariant) entry = NULL;
    g_autofree char *target = hearth_client_tree_target(path, "?stat=1");
    entry = hearth_client_get(client, target, error);
    if (!entry)
        return FALSE;
    if (ls->json)
        hearth_json_list_begin(&ls->list, "entries");
    gboolean done = !hearth_listing_is(entry, "folder") ? ls_entry(entry, path, ls, error)
                    : ls->recursive ? hearth_listing_walk(client, path, ls_entry, ls, error)
                                    : hearth_listing_read(client, path, ls_entry, ls, error);
    if (ls->json && done)
        hearth_json_list_end(&ls->list);
    return done;
}

static gboolean run_ls(HearthCall *call, GError **error)
{
    const char *word = hearth_call_word(call, 0);
    g_autofree char *path = hearth_call_path(word ? word : "/");
    g_autoptr(HearthTable) table = hearth_table_new("lrll", NULL);
    Ls ls = {.json = hearth_call_json(call),
             .whole = hearth_call_flag(call, "long"),
             .recursive = hearth_call_flag(call, "recursive"),
             .table = table};
    if (!ls_run(call, &ls, path, error))
        return FALSE;
    hearth_table_print(table);
    return TRUE;
}

/* --- stat -------------------------------------------------------------------------------------- */

static void add_moment(HearthFacts *facts, const char *name, GVariant *entry, const char *key)
{
    const char *iso = hearth_lookup_text(entry, key, NULL);
    hearth_facts_take(facts, name, iso ? hearth_format_moment(iso, TRUE) : NULL);
}

static void print_stat(GVariant *entry)
{
    g_autoptr(GVariant) attributes =
        g_variant_lookup_value(entry, "attributes", G_VARIANT_TYPE_VARDICT);
    HearthFacts *facts = hearth_facts_new();
    hearth_facts_take(facts, "path", hearth_lookup_name(entry, "path"));
    hearth_facts_add(facts, "kind", entry, "kind");
    hearth_facts_add(facts, "target", entry, "target");
    if (!hearth_listing_is(entry, "folder")) {
        guint64 size = hearth_lookup_count(entry, "size");
        g_autofree char *exact = hearth_format_count(size), *rough = hearth_format_size(size);
        hearth_facts_take(facts, "size", g_strdup_printf("%s bytes (%s)", exact, rough));
    }
    hearth_facts_take(facts, "mode", mode_text(entry));
    add_moment(facts, "modified", entry, "mtime");
    add_moment(facts, "stored", entry, "birth");
    hearth_facts_add(facts, "version", entry, "version");
    hearth_facts_add(facts, "number", entry, "ino");
    hearth_facts_add(facts, "object", entry, "id");
    hearth_facts_add(facts, "content", entry, "content");
    hearth_facts_add_all(facts, attributes);
    hearth_facts_print(facts);
}

static gboolean run_stat(HearthCall *call, GError **error)
{
    g_autofree char *path = hearth_call_path(hearth_call_word(call, 0));
    g_autofree char *target = hearth_client_tree_target(path, "?stat=1");
    g_autoptr(GVariant) entry = hearth_client_get(hearth_call_client(call), target, error);
    if (!entry)
        return FALSE;
    if (hearth_call_json(call))
        hearth_output_json(entry);
    else
        print_stat(entry);
    return TRUE;
}

/* --- cat --------------------------------------------------------------------------------------- */

/* The bytes of a folder would be its listing: that is what ls is for. */
static gboolean run_cat(HearthCall *call, GError **error)
{
    HearthClient *client = hearth_call_client(call);
    for (guint i = 0; i < hearth_call_word_count(call); i++) {
        g_autofree char *path = hearth_call_path(hearth_call_word(call, i));
        g_autofree char *stat_target = hearth_client_tree_target(path, "?stat=1");
        g_autofree char *target = hearth_client_tree_target(path, NULL);
        g_autoptr(GVariant) entry = hearth_client_get(client, stat_target, error);
        if (!entry)
            return FALSE;
        if (!hearth_listing_is(entry, "file")) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IS_DIRECTORY, "%s is not a file", path);
            return FALSE;
        }
        if (!hearth_client_download(client, target, STDOUT_FILENO, NULL, NULL, error))
            return FALSE;
    }
    return TRUE;
}

/* --- mkdir, mv, rm ----------------------------------------------------------------------------- */

/* Says in JSON what was done, if asked; takes `answer`. */
static gboolean finish(HearthCall *call, GVariant *answer)
{
    g_autoptr(GVariant) owned = answer;
    if (hearth_call_json(call))
        hearth_output_json(owned);
    return TRUE;
}

static gboolean run_mkdir(HearthCall *call, GError **error)
{
    for (guint i = 0; i < hearth_call_word_count(call); i++) {
        g_autofree char *path = hearth_call_path(hearth_call_word(call, i));
        g_autofree char *target = hearth_client_tree_target(path, NULL);
        g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
        GVariant *answer;
        g_variant_dict_insert(&body, "action", "s", "mkdir");
        g_variant_dict_insert(&body, "parents", "b", hearth_call_flag(call, "parents"));
        if (!hearth_client_send(hearth_call_client(call), "POST", target, g_variant_dict_end(&body),
                                &answer, error))
            return FALSE;
        finish(call, answer);
    }
    return TRUE;
}

/* Into a folder that is there, under the old name; else to the new name. */
static char *move_destination(HearthCall *call, const char *from, const char *word, GError **error)
{
    g_autofree char *to = hearth_call_path(word);
    g_autoptr(GError) cause = NULL;
    g_autoptr(GVariant) there = hearth_listing_stat(hearth_call_client(call), to, &cause);
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return NULL;
    }
    if (there && hearth_listing_is(there, "folder"))
        return hearth_listing_join(to, strrchr(from, '/') + 1);
    return g_steal_pointer(&to);
}

static gboolean run_mv(HearthCall *call, GError **error)
{
    g_autofree char *from = hearth_call_path(hearth_call_word(call, 0));
    g_autofree char *to = move_destination(call, from, hearth_call_word(call, 1), error);
    g_autofree char *target = hearth_client_tree_target(from, NULL);
    g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
    GVariant *answer;
    if (!to)
        return FALSE;
    g_variant_dict_insert(&body, "action", "s", "move");
    g_variant_dict_insert(&body, "replace", "b", hearth_call_flag(call, "force"));
    g_variant_dict_insert_value(&body, "to", g_variant_new_bytestring(to));
    return hearth_client_send(hearth_call_client(call), "POST", target, g_variant_dict_end(&body),
                              &answer, error) &&
           finish(call, answer);
}

static gboolean run_rm(HearthCall *call, GError **error)
{
    const char *query = hearth_call_flag(call, "recursive") ? "?recursive=1" : NULL;
    for (guint i = 0; i < hearth_call_word_count(call); i++) {
        g_autofree char *path = hearth_call_path(hearth_call_word(call, i));
        g_autofree char *target = hearth_client_tree_target(path, query);
        if (!hearth_client_send(hearth_call_client(call), "DELETE", target, NULL, NULL, error))
            return FALSE;
    }
    return TRUE;
}

static const HearthCallOption LS_OPTIONS[] = {
    {"long", 'l', NULL, "mode, size and time of each"},
    {"recursive", 'R', NULL, "all below, with full paths"},
    {NULL},
};
static const HearthCallOption MKDIR_OPTIONS[] = {
    {"parents", 'p', NULL, "also the folders above; no error if it is there"},
    {NULL},
};
static const HearthCallOption MV_OPTIONS[] = {
    {"force", 'f', NULL, "move to the trash what stands at B"},
    {NULL},
};
static const HearthCallOption RM_OPTIONS[] = {
    {"recursive", 'r', NULL, "a folder with all below it"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_TREE[] = {
    {"ls", "[PATH]", "List a folder", 0, 1, LS_OPTIONS, run_ls},
    {"stat", "PATH", "All that is known of one object", 1, 1, NULL, run_stat},
    {"cat", "PATH...", "Write a file's bytes to standard output", 1, G_MAXUINT, NULL, run_cat},
    {"mkdir", "PATH...", "Make a folder", 1, G_MAXUINT, MKDIR_OPTIONS, run_mkdir},
    {"mv", "A B", "Move or rename", 2, 2, MV_OPTIONS, run_mv},
    {"rm", "PATH...", "Move to the trash", 1, G_MAXUINT, RM_OPTIONS, run_rm},
    {NULL},
};
