#include "gateway/base/number.h"

static void assert_text(double number, const char *wanted)
{
    char text[HEARTH_DOUBLE_TEXT];
    g_assert_cmpstr(hearth_double_to_text(number, text), ==, wanted);
    g_assert_cmpfloat(g_ascii_strtod(text, NULL), ==, number);
}

static void a_number_is_as_short_as_it_was_given(void)
{
    assert_text(0.004, "0.004");
    assert_text(5.6, "5.6");
    assert_text(35, "35");
    assert_text(-0.0, "-0");
    assert_text(1e300, "1e+300");
}

static void no_digit_that_counts_is_dropped(void)
{
    assert_text(0.1 + 0.2, "0.30000000000000004");
    assert_text(1.0 / 3, "0.3333333333333333");
    assert_text(G_MAXDOUBLE, "1.7976931348623157e+308");
    assert_text(G_MINDOUBLE, "2.2250738585072014e-308");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/number/short", a_number_is_as_short_as_it_was_given);
    g_test_add_func("/base/number/exact", no_digit_that_counts_is_dropped);
    return g_test_run();
}
