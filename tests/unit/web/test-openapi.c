#include "web/route-private.h"

#include <string.h>

/* docs/openapi.yaml says what is served, all of it and nothing else. */

#define PREFIX "/api/v1"

/* "GET /devices/{}" from a pattern or from the document. */
static char *normal(const char *method, const char *path)
{
    g_autoptr(GRegex) wild = g_regex_new("\\*+|\\{[^}]*\\}", 0, 0, NULL);
    g_autofree char *upper = g_ascii_strup(method, -1);
    g_autofree char *plain = g_regex_replace_literal(wild, path, -1, 0, "{}", 0, NULL);
    return g_strdup_printf("%s %s", upper, plain);
}

static GHashTable *documented(void)
{
    GHashTable *found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL, *path = NULL;
    g_autofree char *file =
        g_build_filename(g_getenv("HEARTH_SOURCE"), "docs", "openapi.yaml", NULL);
    g_file_get_contents(file, &text, NULL, &error);
    g_assert_no_error(error);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && !g_str_has_prefix(*line, "components:"); line++) {
        gsize length = strlen(*line);
        if (g_str_has_prefix(*line, "  /") && (*line)[length - 1] == ':') {
            g_free(path);
            path = g_strndup(*line + 2, length - 3);
        } else if (path && g_regex_match_simple("^    (get|put|post|delete):$", *line, 0, 0)) {
            g_autofree char *method = g_strndup(*line + 4, length - 5);
            g_hash_table_add(found, normal(method, path));
        }
    }
    return found;
}

static void the_document_says_what_is_served(void)
{
    g_autoptr(GHashTable) said = documented();
    const HearthRoute *route;
    guint served = 0;
    g_assert_cmpuint(g_hash_table_size(said), >, 10);
    for (guint n = 0; (route = hearth_route_nth(n)); n++) {
        if (!g_str_has_prefix(route->pattern, PREFIX))
            continue;
        g_autofree char *line = normal(route->method, route->pattern + strlen(PREFIX));
        if (!g_hash_table_contains(said, line))
            g_error("%s is served, and docs/openapi.yaml does not say so", line);
        served++;
    }
    g_assert_cmpuint(served, ==, g_hash_table_size(said));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/openapi/complete", the_document_says_what_is_served);
    return g_test_run();
}
