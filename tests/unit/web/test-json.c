#include "gateway/base/error.h"
#include "web/json.h"

#include <math.h>
#include <string.h>

static char *print(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) value = g_variant_parse(NULL, text, NULL, NULL, &error);
    g_assert_no_error(error);
    return hearth_json_print(value);
}

static void values_print_as_json(void)
{
    static const char *const ROWS[][2] = {
        {"{'a': <1>, 'b': <'x'>}", "{\"a\":1,\"b\":\"x\"}"},
        {"@a{sv} {}", "{}"},
        {"[<true>, <false>]", "[true,false]"},
        {"['a', 'b']", "[\"a\",\"b\"]"},
        {"@as []", "[]"},
        {"(1, 'x', [2])", "[1,\"x\",[2]]"},
        {"uint64 18446744073709551615", "18446744073709551615"},
        {"int64 -9223372036854775808", "-9223372036854775808"},
        {"1.5", "1.5"},
        {"0.004", "0.004"},
        {"'\"\\\\\\n\\u0001\\u007f\\u00e9'", "\"\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\""},
        {"[{'a': <1>}, {'b': <@as []>}]", "[{\"a\":1},{\"b\":[]}]"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *text = print(ROWS[i][0]);
        g_assert_cmpstr(text, ==, ROWS[i][1]);
    }
}

static void what_is_no_number_is_null(void)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new("(ddd)", NAN, INFINITY, -0.25));
    g_autofree char *text = hearth_json_print(value);
    g_assert_cmpstr(text, ==, "[null,null,-0.25]");
}

static void a_name_that_is_no_text_is_there_twice(void)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "name", g_variant_new_bytestring("caf\xe9/1%"));
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_dict_end(&dict));
    g_autofree char *text = hearth_json_print(value);
    g_assert_nonnull(strstr(text, "\"name\":\"caf\xef\xbf\xbd/1%\""));
    g_assert_nonnull(strstr(text, "\"name_bytes\":\"caf%E9/1%25\""));
    g_autoptr(GVariant) back = hearth_json_parse(text, -1, NULL);
    g_autofree char *bytes = hearth_json_lookup_bytes(back, "name");
    g_assert_cmpstr(bytes, ==, "caf\xe9/1%");
}

static void a_name_that_is_text_is_there_once(void)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert_value(&dict, "name", g_variant_new_bytestring("100%.jpg"));
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_dict_end(&dict));
    g_autofree char *text = hearth_json_print(value);
    g_assert_cmpstr(text, ==, "{\"name\":\"100%.jpg\"}");
    g_autoptr(GVariant) back = hearth_json_parse(text, -1, NULL);
    g_autofree char *bytes = hearth_json_lookup_bytes(back, "name");
    g_assert_cmpstr(bytes, ==, "100%.jpg");
}

static void json_comes_back_as_it_was(void)
{
    static const char TEXT[] = "{\"a\":[1,2.5,\"x\",true,{\"b\":-9007199254740993}],\"c\":\"\"}";
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) value = hearth_json_parse(TEXT, -1, &error);
    g_assert_no_error(error);
    g_autofree char *text = hearth_json_print(value);
    g_assert_cmpstr(text, ==, TEXT);
}

static char *repeat(const char *word, gsize count)
{
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < count; i++)
        g_string_append(text, word);
    return g_string_free(text, FALSE);
}

static void what_is_no_json_of_ours_is_refused(void)
{
    g_autofree char *deep = repeat("[", 100000);
    g_autofree char *hidden = g_strconcat("/*\"*/", deep, NULL);
    g_autofree char *quoted = g_strconcat("'\"'", deep, NULL);
    const char *const rows[] = {"",        "{",     "nul",  "{\"a\":}", "[1,2",
                                "\xff",    "var",   "null", "/**/",     "{\"a\":\"\xe9\"}",
                                "{'a':1}", "{a:1}", deep,   hidden,     quoted,
                                "[1] x"};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%.20s", rows[i]);
        g_assert_null(hearth_json_parse(rows[i], -1, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/json/print", values_print_as_json);
    g_test_add_func("/web/json/not-a-number", what_is_no_number_is_null);
    g_test_add_func("/web/json/odd-name", a_name_that_is_no_text_is_there_twice);
    g_test_add_func("/web/json/plain-name", a_name_that_is_text_is_there_once);
    g_test_add_func("/web/json/round-trip", json_comes_back_as_it_was);
    g_test_add_func("/web/json/refused", what_is_no_json_of_ours_is_refused);
    return g_test_run();
}
