#include "gateway/base/error.h"
#include "web/uri.h"

#include <string.h>

static void every_name_comes_back_from_its_encoding(void)
{
    for (int byte = 1; byte < 256; byte++) {
        g_autoptr(GError) error = NULL;
        const char name[] = {'a', (char)byte, 'z', '\0'};
        g_autofree char *encoded = hearth_uri_encode(name);
        g_autofree char *decoded = hearth_uri_decode(encoded, strlen(encoded), FALSE, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(decoded, ==, name);
        g_assert_true(g_str_is_ascii(encoded));
        g_assert_null(strpbrk(encoded, "/?#&+ "));
    }
}

typedef struct {
    const char *path;
    const char *segments; /* with | between them; NULL: refused */
} PathCase;

static const PathCase PATHS[] = {
    {"/", ""},
    {"/a", "a"},
    {"/a/b", "a|b"},
    {"/a/", "a"},
    {"/a%20b/%C3%A9", "a b|\xc3\xa9"},
    {"/caf%E9", "caf\xe9"},
    {"/%c0%ae%c0%ae", "\xc0\xae\xc0\xae"}, /* overlong dots are a name like any other */
    {"/a+b", "a+b"},
    {"/...", "..."},
    {"/.a", ".a"},
    {"", NULL},
    {"a", NULL},
    {"//", NULL},
    {"/a//b", NULL},
    {"/..", NULL},
    {"/.", NULL},
    {"/a/../b", NULL},
    {"/%2e%2e/etc", NULL},
    {"/%2E%2e", NULL},
    {"/.%2e/x", NULL},
    {"/a%2fb", NULL},
    {"/a%2Fb", NULL},
    {"/a%00b", NULL},
    {"/a%", NULL},
    {"/a%4", NULL},
    {"/a%zz", NULL},
    {"/a%%41", NULL},
};

static void a_path_is_split_into_names_or_refused(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(PATHS); i++) {
        const PathCase *row = &PATHS[i];
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) segments = hearth_uri_split_path(row->path, strlen(row->path), &error);
        g_test_message("%s", row->path);
        if (!row->segments) {
            g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
            g_assert_null(segments);
            continue;
        }
        g_assert_no_error(error);
        g_ptr_array_add(segments, NULL);
        g_autofree char *joined = g_strjoinv("|", (char **)segments->pdata);
        g_assert_cmpstr(joined, ==, row->segments);
    }
}

static void a_path_ends_where_it_is_said_to(void)
{
    /* Not terminated: reading past the length would be seen by the sanitizer. */
    g_autofree char *path = g_memdup2("/a%4", 4);
    g_autoptr(GError) error = NULL;
    g_assert_null(hearth_uri_split_path(path, 4, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
}

static void a_query_is_split_into_fields(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GHashTable) fields =
        hearth_uri_split_query("q=a+b%26c&empty=&alone&twice=1&twice=2&=nameless&&", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(g_hash_table_lookup(fields, "q"), ==, "a b&c");
    g_assert_cmpstr(g_hash_table_lookup(fields, "empty"), ==, "");
    g_assert_cmpstr(g_hash_table_lookup(fields, "alone"), ==, "");
    g_assert_cmpstr(g_hash_table_lookup(fields, "twice"), ==, "2");
    g_assert_cmpuint(g_hash_table_size(fields), ==, 5);
    g_assert_null(hearth_uri_split_query("q=%00", &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/uri/names-come-back", every_name_comes_back_from_its_encoding);
    g_test_add_func("/web/uri/paths", a_path_is_split_into_names_or_refused);
    g_test_add_func("/web/uri/length", a_path_ends_where_it_is_said_to);
    g_test_add_func("/web/uri/queries", a_query_is_split_into_fields);
    return g_test_run();
}
