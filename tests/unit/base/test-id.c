#include "gateway/base/id.h"

static void an_id_survives_the_way_through_text(void)
{
    HearthId id = hearth_id_new(), back;
    char text[HEARTH_ID_TEXT];
    g_assert_true(hearth_id_from_text(hearth_id_to_text(&id, text), &back));
    g_assert_true(hearth_id_equal(&id, &back));
    g_assert_false(hearth_id_is_none(&id));
}

static void two_ids_differ(void)
{
    HearthId a = hearth_id_new(), b = hearth_id_new();
    g_assert_false(hearth_id_equal(&a, &b));
}

static void text_that_is_no_id_is_refused(void)
{
    static const char *const BAD[] = {"",
                                      "00",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdef0",
                                      "0123456789ABCDEF0123456789abcdef",
                                      "0123456789abcdef0123456789abcdeg"};
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++) {
        HearthId id = {{0}};
        g_assert_false(hearth_id_from_text(BAD[i], &id));
        g_assert_true(hearth_id_is_none(&id));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/id/survives-the-way-through-text", an_id_survives_the_way_through_text);
    g_test_add_func("/base/id/two-differ", two_ids_differ);
    g_test_add_func("/base/id/bad-text-is-refused", text_that_is_no_id_is_refused);
    return g_test_run();
}
