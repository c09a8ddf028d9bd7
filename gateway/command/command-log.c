#include "gateway/command/client.h"
#include "gateway/command/commands.h"
#include "gateway/command/format.h"
#include "gateway/command/output.h"

#include "web/json.h"

#include <stdio.h>

/* The change log. */

#define LINES_DEFAULT 100

static void print_change(GVariant *change)
{
    g_autofree char *time = hearth_format_moment(hearth_lookup_text(change, "time", ""), TRUE);
    g_autofree char *path = hearth_lookup_name(change, "path");
    g_autofree char *name = hearth_lookup_name(change, "name");
    printf("%8" G_GUINT64_FORMAT "  %s  %-10s  %s\n", hearth_lookup_count(change, "sequence"), time,
           hearth_lookup_text(change, "change", "?"), *path ? path : name);
}

static gboolean print_item(GVariant *change, gpointer data, GError **error)
{
    print_change(change);
    return TRUE;
}

static gboolean follow_change(GVariant *change, gpointer data)
{
    const HearthCall *call = data;
    if (hearth_call_json(call)) {
        g_autofree char *line = hearth_json_print(change);
        hearth_output_line(line);
    } else {
        print_change(change);
    }
    return fflush(stdout) == 0;
}

static gboolean run_log(HearthCall *call, GError **error)
{
    guint64 lines, after;
    if (!hearth_call_number(call, "lines", LINES_DEFAULT, 10000, &lines, error) ||
        !hearth_call_number(call, "after", 0, G_MAXINT64, &after, error))
        return FALSE;
    gboolean follow = hearth_call_flag(call, "follow");
    g_autofree char *start = hearth_call_value(call, "after")
                                 ? g_strdup_printf("after=%" G_GUINT64_FORMAT, after)
                                 : g_strdup_printf("tail=%" G_GUINT64_FORMAT, lines);
    g_autofree char *target =
        g_strdup_printf("log?%s%s", start, follow ? "&follow=1" : "&limit=10000");
    if (follow)
        return hearth_client_listen(hearth_call_client(call), target, follow_change, call, error);
    g_autoptr(GVariant) answer = hearth_client_get(hearth_call_client(call), target, error);
    if (!answer)
        return FALSE;
    if (hearth_call_json(call))
        hearth_output_json(answer);
    else
        hearth_for_each(answer, "changes", print_item, NULL, NULL);
    return TRUE;
}

static const HearthCallOption OPTIONS[] = {
    {"follow", 'f', NULL, "go on as changes happen; with --json one object a line"},
    {"lines", 'n', "N", "begin with the last N (100)"},
    {"after", 0, "SEQUENCE", "begin after that record"},
    {NULL},
};

const HearthCommand HEARTH_COMMANDS_LOG[] = {
    {"log", "", "What has changed in the tree", 0, 0, OPTIONS, run_log},
    {NULL},
};
