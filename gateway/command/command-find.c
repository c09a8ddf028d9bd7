#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/output.h"

#include "web/uri.h"

#include <stdio.h>

/* Searching the tree. */

#define LIMIT_DEFAULT 10000
#define LIMIT_MAX 100000

static gboolean print_path(GVariant *match, gpointer data, GError **error)
{
    g_autofree char *path = hearth_lookup_name(match, "path");
    hearth_output_line(path);
    return TRUE;
}

static gboolean run_find(HearthCall *call, GError **error)
{
    guint64 limit;
    if (!hearth_call_number(call, "limit", LIMIT_DEFAULT, LIMIT_MAX, &limit, error))
        return FALSE;
    g_autofree char *query = hearth_uri_encode(hearth_call_word(call, 0));
    g_autofree char *target =
        g_strdup_printf("find?limit=%" G_GUINT64_FORMAT "&q=%s", limit, query);
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), target, error);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call)) {
        hearth_output_json(answer);
        return TRUE;
    }
    hearth_for_each(answer, "matches", print_path, NULL, NULL);
    /* Who named a limit knows; who did not would take the list for all. */
    if (hearth_lookup_flag(answer, "more") && !hearth_call_value(call, "limit"))
        fprintf(stderr, "hearth: there are more than these %u; see --limit\n", LIMIT_DEFAULT);
    return TRUE;
}

static const HearthCallOption OPTIONS[] = {
    {"limit", 'n', "N", "at most so many, newest first"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_FIND[] = {
    {"find", "QUERY", "List what matches, newest first", 1, 1, OPTIONS, run_find},
    {NULL},
};
