#include "namespace/query.h"

#include "gateway/base/error.h"

#include <string.h>

static const char *type_of(const char *key)
{
    static const struct {
        const char *key, *type;
    } TYPES[] = {{"camera.model", "s"},   {"time.taken", "s"}, {"exposure.iso", "u"},
                 {"text.keywords", "as"}, {"media.type", "s"}, {"image.rating", "u"}};
    for (gsize i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (strcmp(TYPES[i].key, key) == 0)
            return TYPES[i].type;
    return NULL;
}

static void says_where_a_bad_query_is_bad(void)
{
    static const struct {
        const char *query, *message;
    } BAD[] = {
        {"", "column 1: expected a field, not or ("},
        {"   ", "column 4: expected a field, not or ("},
        {"name", "column 5: expected = != < <= > >= ~ or ^="},
        {"name =", "column 7: expected a value"},
        {"name = a b", "column 10: expected and, or or the end"},
        {"name = a and", "column 13: expected a field, not or ("},
        {"(name = a", "column 10: expected and, or or )"},
        {"name = a)", "column 9: expected and, or or the end"},
        {"()", "column 2: expected a field, not or ("},
        {"not", "column 4: expected a field, not or ("},
        {"colour = red", "column 1: expected path, name, kind, size, mtime, type, device, rating "
                         "or a metadata key"},
        {"camera.modell = x", "column 1: expected path, name, kind, size, mtime, type, device, "
                              "rating or a metadata key"},
        {"name = \"open", "column 13: expected a closing quote (\")"},
        {"size = big", "column 8: expected a size such as 500, 10M or 2G"},
        {"size = 10X", "column 8: expected a size such as 500, 10M or 2G"},
        {"size = -1", "column 8: expected a size such as 500, 10M or 2G"},
        {"size ~ 10", "column 6: expected = != < <= > or >="},
        {"kind < file", "column 6: expected = or !="},
        {"kind = sock", "column 8: expected file, folder or symlink"},
        {"mtime > yesterday",
         "column 9: expected a date such as 2026-11-20 or 2026-11-20T10:00:00"},
        {"mtime > 2026-02-30",
         "column 9: expected a date such as 2026-11-20 or 2026-11-20T10:00:00"},
        {"mtime > 2026-13", "column 9: expected a date such as 2026-11-20 or 2026-11-20T10:00:00"},
        {"time.taken = 26", "column 14: expected a date such as 2026-11-20 or 2026-11-20T10:00:00"},
        {"exposure.iso = fast", "column 16: expected a number"},
        {"exposure.iso = nan", "column 16: expected a number"},
        {"rating ^= 4", "column 8: expected = != < <= > or >="},
        {"name ! a", "column 6: expected = != < <= > >= ~ or ^="},
        {"name = \xc3\xa4 x", "column 10: expected and, or or the end"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", BAD[i].query);
        g_assert_null(hearth_query_parse(BAD[i].query, type_of, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
        g_assert_cmpstr(error->message, ==, BAD[i].message);
    }
}

static void and_binds_closer_than_or(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthQuery) query = hearth_query_parse(
        "name = a or name = b and NOT (size > 1K or rating >= 3)", type_of, &error);
    g_assert_no_error(error);
    const HearthQueryNode *root = hearth_query_root(query);
    g_assert_cmpint(root->kind, ==, HEARTH_QUERY_OR);
    g_assert_cmpint(root->right->kind, ==, HEARTH_QUERY_AND);
    g_assert_cmpint(root->right->right->kind, ==, HEARTH_QUERY_NOT);
    const HearthQueryNode *inner = root->right->right->left;
    g_assert_cmpint(inner->kind, ==, HEARTH_QUERY_OR);
    g_assert_cmpint(inner->left->whole, ==, 1024);
    g_assert_cmpstr(inner->right->key, ==, "image.rating");
    g_assert_cmpfloat(inner->right->number, ==, 3);
}

static void takes_values_as_the_field_says(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthQuery) model = hearth_query_parse("camera.model=350", type_of, &error);
    g_assert_cmpint(hearth_query_root(model)->type, ==, HEARTH_QUERY_TEXT);
    g_autoptr(HearthQuery) quoted = hearth_query_parse("name ~ \"A \\\"B\\\\\"", type_of, &error);
    g_assert_cmpstr(hearth_query_root(quoted)->text, ==, "a \"b\\");
    g_autoptr(HearthQuery) day = hearth_query_parse("time.taken = 2026-11-20", type_of, &error);
    g_assert_cmpstr(hearth_query_root(day)->text, ==, "2026-11-20");
    g_assert_cmpstr(hearth_query_root(day)->text_high, >, "2026-11-20t23:59:59.999z");
    g_autoptr(HearthQuery) minute = hearth_query_parse("mtime = 2026-11-20T10:00", type_of, &error);
    const HearthQueryNode *node = hearth_query_root(minute);
    g_assert_cmpint(node->whole_high - node->whole, ==, G_GINT64_CONSTANT(60000000000));
    g_autoptr(HearthQuery) open = hearth_query_parse("odd.key = 12", NULL, &error);
    g_assert_cmpint(hearth_query_root(open)->type, ==, HEARTH_QUERY_NUMBER);
    g_assert_no_error(error);
}

static char *repeat(const char *text, guint count)
{
    GString *all = g_string_new(NULL);
    for (guint i = 0; i < count; i++)
        g_string_append(all, text);
    return g_string_free(all, FALSE);
}

static void bounds_depth_terms_and_length(void)
{
    static const struct {
        const char *part, *last;
        guint fits, most;
    } CASES[] = {
        {"not ", "name=a", HEARTH_QUERY_DEPTH, HEARTH_QUERY_DEPTH + 1},
        {"name=a or ", "name=b", HEARTH_QUERY_TERMS - 1, HEARTH_QUERY_TERMS},
        {" ", "name=b", HEARTH_QUERY_MAX - 6, HEARTH_QUERY_MAX - 5},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
        for (guint over = 0; over < 2; over++) {
            g_autoptr(GError) error = NULL;
            g_autofree char *many = repeat(CASES[i].part, over ? CASES[i].most : CASES[i].fits);
            g_autofree char *text = g_strconcat(many, CASES[i].last, NULL);
            g_autoptr(HearthQuery) query = hearth_query_parse(text, type_of, &error);
            g_assert_cmpint(query == NULL, ==, over);
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/namespace/query/says-where-a-bad-query-is-bad",
                    says_where_a_bad_query_is_bad);
    g_test_add_func("/namespace/query/and-binds-closer-than-or", and_binds_closer_than_or);
    g_test_add_func("/namespace/query/takes-values-as-the-field-says",
                    takes_values_as_the_field_says);
    g_test_add_func("/namespace/query/bounds-depth-terms-and-length",
                    bounds_depth_terms_and_length);
    return g_test_run();
}
