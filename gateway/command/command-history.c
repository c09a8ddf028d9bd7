#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/listing.h"
#include "gateway/command/output.h"
#include "gateway/command/table.h"

#include "gateway/base/error.h"
#include "web/json.h"

#include <string.h>

/* What was: versions of a file, and the trash. */

/* --- history, restore -------------------------------------------------------------------------- */

static gboolean add_version(GVariant *version, gpointer data, GError **error)
{
    HearthTable *table = data;
    hearth_table_take(
        table, g_strdup_printf("%" G_GUINT64_FORMAT, hearth_lookup_count(version, "version")));
    hearth_table_take(table, hearth_format_moment(hearth_lookup_text(version, "made", ""), TRUE));
    hearth_table_take(table, hearth_format_size(hearth_lookup_count(version, "size")));
    hearth_table_add(table, hearth_lookup_text(version, "content", "-"));
    return TRUE;
}

static gboolean run_history(HearthCall *call, GError **error)
{
    static const char *const TITLES[] = {"VERSION", "MADE", "SIZE", "CONTENT"};
    g_autofree char *path = hearth_call_path(hearth_call_word(call, 0));
    g_autofree char *target = hearth_client_tree_target(path, "?history=1");
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), target, error);
    g_autoptr(HearthTable) table = hearth_table_new("rlrl", TITLES);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    hearth_for_each(answer, "versions", add_version, table, NULL);
    hearth_table_print(table);
    return TRUE;
}

static gboolean run_restore(HearthCall *call, GError **error)
{
    g_autofree char *path = hearth_call_path(hearth_call_word(call, 0));
    g_autofree char *target = hearth_client_tree_target(path, NULL);
    g_autoptr(GVariant) answer = NULL;
    g_auto(GVariantDict) body = G_VARIANT_DICT_INIT(NULL);
    gint64 version;
    if (!g_ascii_string_to_signed(hearth_call_word(call, 1), 10, 1, G_MAXINT64, &version, NULL))
        return hearth_call_usage(error, "VERSION must be a number that hearth history shows");
    g_variant_dict_insert(&body, "action", "s", "restore");
    g_variant_dict_insert(&body, "version", "x", version);
    if (!hearth_client_send(hearth_call_client(call), "POST", target, g_variant_dict_end(&body),
                            &answer, error))
        return FALSE;
    if (hearth_call_json(call))
        hearth_output_json(answer);
    return TRUE;
}

/* --- trash ------------------------------------------------------------------------------------- */

static gboolean add_trashed(GVariant *entry, gpointer data, GError **error)
{
    HearthTable *table = data;
    hearth_table_take(table,
                      g_strdup_printf("%" G_GUINT64_FORMAT, hearth_lookup_count(entry, "ino")));
    hearth_table_take(table, hearth_format_moment(hearth_lookup_text(entry, "trashed", ""), FALSE));
    hearth_table_take(table, hearth_listing_is(entry, "folder")
                                 ? g_strdup("-")
                                 : hearth_format_size(hearth_lookup_count(entry, "size")));
    hearth_table_take(table, hearth_lookup_name(entry, "path"));
    return TRUE;
}

static gboolean run_trash_list(HearthCall *call, GError **error)
{
    static const char *const TITLES[] = {"NUMBER", "REMOVED", "SIZE", "PATH"};
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "trash", error);
    g_autoptr(HearthTable) table = hearth_table_new("rlrl", TITLES);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    hearth_for_each(answer, "trash", add_trashed, table, NULL);
    hearth_table_print(table);
    return TRUE;
}

typedef struct {
    const char *path;
    guint64 ino;         /* of the one removed last; 0: none */
    const char *trashed; /* when; borrowed from the answer */
} TrashSearch;

static gboolean match_trashed(GVariant *entry, gpointer data, GError **error)
{
    TrashSearch *search = data;
    const char *trashed = hearth_lookup_text(entry, "trashed", "");
    g_autofree char *path = hearth_json_lookup_bytes(entry, "path");
    if (path && strcmp(path, search->path) == 0 && strcmp(trashed, search->trashed) >= 0) {
        search->ino = hearth_lookup_count(entry, "ino");
        search->trashed = trashed;
    }
    return TRUE;
}

/* A number of the list, or the path where it was: then the one that was removed last. */
static gboolean find_trashed(HearthCall *call, guint64 *ret_ino, GError **error)
{
    const char *word = hearth_call_word(call, 0);
    if (g_ascii_string_to_unsigned(word, 10, 1, G_MAXINT64, ret_ino, NULL))
        return TRUE;
    g_autofree char *path = hearth_call_path(word);
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), "trash", error);
    TrashSearch search = {path, 0, ""};
    if (!answer)
        return FALSE;
    hearth_for_each(answer, "trash", match_trashed, &search, NULL);
    *ret_ino = search.ino;
    if (search.ino == 0)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "%s is not in the trash", path);
    return search.ino != 0;
}

static gboolean run_trash_restore(HearthCall *call, GError **error)
{
    g_autoptr(GVariant) answer = NULL;
    guint64 ino;
    if (!find_trashed(call, &ino, error))
        return FALSE;
    g_autofree char *target = g_strdup_printf("trash/%" G_GUINT64_FORMAT "/restore", ino);
    if (!hearth_client_send(hearth_call_client(call), "POST", target, NULL, &answer, error))
        return FALSE;
    g_autofree char *path = hearth_lookup_name(answer, "path");
    if (hearth_call_json(call))
        hearth_output_json(answer);
    else
        hearth_output_line(path);
    return TRUE;
}

static gboolean run_trash_empty(HearthCall *call, GError **error)
{
    g_autoptr(GVariant) answer = NULL;
    guint64 days;
    if (!hearth_call_number(call, "older-than", 0, 24000, &days, error))
        return FALSE;
    g_autofree char *target =
        g_strdup_printf("trash?older_than=%" G_GUINT64_FORMAT, days * 24 * 60 * 60);
    if (!hearth_client_send(hearth_call_client(call), "DELETE", target, NULL, &answer, error))
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    g_autofree char *count = hearth_format_count(hearth_lookup_count(answer, "forgotten"));
    g_autofree char *line = g_strdup_printf("%s forgotten; hearth gc frees their space", count);
    hearth_output_line(line);
    return TRUE;
}

static const HearthCallOption EMPTY_OPTIONS[] = {
    {"older-than", 0, "DAYS", "only what was removed so long ago"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_HISTORY[] = {
    {"history", "PATH", "The versions of a file, newest first", 1, 1, NULL, run_history},
    {"restore", "PATH VERSION", "Make an old version the newest", 2, 2, NULL, run_restore},
    {"trash list", "", "What was removed", 0, 0, NULL, run_trash_list},
    {"trash restore", "PATH|NUMBER", "Take something back out", 1, 1, NULL, run_trash_restore},
    {"trash empty", "", "Forget what is in the trash", 0, 0, EMPTY_OPTIONS, run_trash_empty},
    {NULL},
};
