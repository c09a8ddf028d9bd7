#include "web/range.h"

typedef struct {
    const char *value;
    gint64 size;
    HearthRange range;
    gint64 start, length; /* of a part */
} RangeCase;

#define HUGE_SIZE (G_GINT64_CONSTANT(5) << 40)

static const RangeCase CASES[] = {
    {NULL, 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=0-0", 10, HEARTH_RANGE_PART, 0, 1},
    {"bytes=0-9", 10, HEARTH_RANGE_PART, 0, 10},
    {"bytes=0-99", 10, HEARTH_RANGE_PART, 0, 10},
    {"bytes=3-", 10, HEARTH_RANGE_PART, 3, 7},
    {"bytes=9-", 10, HEARTH_RANGE_PART, 9, 1},
    {"bytes=-3", 10, HEARTH_RANGE_PART, 7, 3},
    {"bytes=-99", 10, HEARTH_RANGE_PART, 0, 10},
    {"BYTES=1-2", 10, HEARTH_RANGE_PART, 1, 2},
    {"bytes= 1-2 ", 10, HEARTH_RANGE_PART, 1, 2},
    {"bytes=4398046511104-4398046511105", HUGE_SIZE, HEARTH_RANGE_PART, 4398046511104, 2},
    {"bytes=0-99999999999999999999999", 10, HEARTH_RANGE_PART, 0, 10},
    {"bytes=10-", 10, HEARTH_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=10-20", 10, HEARTH_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 10, HEARTH_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-", 0, HEARTH_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-1", 0, HEARTH_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=99999999999999999999999-", 10, HEARTH_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=5-4", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=-", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=a-b", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=1", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=1-2x", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=--1", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"bytes=0-1,3-4", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"items=0-1", 10, HEARTH_RANGE_WHOLE, 0, 0},
    {"", 10, HEARTH_RANGE_WHOLE, 0, 0},
};

static void each_header_gives_its_range(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        const RangeCase *row = &CASES[i];
        gint64 start = -7, length = -7;
        g_test_message("%s of %" G_GINT64_FORMAT, row->value ? row->value : "(none)", row->size);
        g_assert_cmpint(hearth_range_parse(row->value, row->size, &start, &length), ==, row->range);
        g_assert_cmpint(start, ==, row->range == HEARTH_RANGE_PART ? row->start : -7);
        g_assert_cmpint(length, ==, row->range == HEARTH_RANGE_PART ? row->length : -7);
    }
}

/* What the standard says, one byte at a time: which bytes does "bytes=FIRST-LAST" name? */
static void every_small_range_names_the_bytes_it_should(void)
{
    for (gint64 size = 0; size < 6; size++) {
        for (int first = 0; first < 8; first++) {
            for (int last = first; last < 8; last++) {
                g_autofree char *value = g_strdup_printf("bytes=%d-%d", first, last);
                gint64 start = 0, length = 0, named = 0;
                for (gint64 at = 0; at < size; at++)
                    named += at >= first && at <= last;
                HearthRange range = hearth_range_parse(value, size, &start, &length);
                g_assert_cmpint(range, ==,
                                named > 0 ? HEARTH_RANGE_PART : HEARTH_RANGE_UNSATISFIABLE);
                g_assert_cmpint(length, ==, named);
                g_assert_cmpint(start, ==, named > 0 ? first : 0);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/range/table", each_header_gives_its_range);
    g_test_add_func("/web/range/reference", every_small_range_names_the_bytes_it_should);
    return g_test_run();
}
