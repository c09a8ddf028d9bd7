#include "namespace/clock.h"
#include "namespace/version-vector.h"

#include <string.h>

/* Pairs until the first zero node. */
static HearthVersionVector make(const guint64 *pairs)
{
    HearthVersionVector vector = {0};
    for (; *pairs; pairs += 2)
        g_assert_true(hearth_version_vector_bump(&vector, pairs[0], pairs[1]));
    return vector;
}
#define V(...) make((const guint64[]){__VA_ARGS__, 0})
#define NONE make((const guint64[]){0})

static void compares_by_who_saw_whom(void)
{
    const struct {
        HearthVersionVector a, b;
        HearthOrder order;
    } CASES[] = {
        {NONE, NONE, HEARTH_ORDER_EQUAL},
        {NONE, V(1, 1), HEARTH_ORDER_BEFORE},
        {V(1, 5), V(1, 5), HEARTH_ORDER_EQUAL},
        {V(1, 5), V(1, 6), HEARTH_ORDER_BEFORE},
        {V(1, 5, 2, 1), V(1, 5), HEARTH_ORDER_AFTER},
        {V(1, 5), V(2, 5), HEARTH_ORDER_CONCURRENT},
        {V(1, 5, 3, 1), V(2, 9, 3, 1), HEARTH_ORDER_CONCURRENT},
        {V(3, 1, 1, 5), V(1, 5, 3, 1), HEARTH_ORDER_EQUAL},
    };
    static const HearthOrder REVERSE[] = {HEARTH_ORDER_EQUAL, HEARTH_ORDER_AFTER,
                                          HEARTH_ORDER_BEFORE, HEARTH_ORDER_CONCURRENT};
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_assert_cmpint(hearth_version_vector_compare(&CASES[i].a, &CASES[i].b), ==,
                        CASES[i].order);
        g_assert_cmpint(hearth_version_vector_compare(&CASES[i].b, &CASES[i].a), ==,
                        REVERSE[CASES[i].order]);
    }
}

static void merging_is_before_neither(void)
{
    HearthVersionVector a = V(1, 5, 3, 2), b = V(1, 4, 2, 9), merged = a;
    g_assert_true(hearth_version_vector_merge(&merged, &b));
    g_assert_cmpint(hearth_version_vector_compare(&a, &merged), ==, HEARTH_ORDER_BEFORE);
    g_assert_cmpint(hearth_version_vector_compare(&b, &merged), ==, HEARTH_ORDER_BEFORE);
    HearthVersionVector expected = V(1, 5, 2, 9, 3, 2);
    g_assert_cmpint(hearth_version_vector_compare(&merged, &expected), ==, HEARTH_ORDER_EQUAL);
}

static void bumping_always_moves_forward(void)
{
    HearthVersionVector vector = V(1, 100);
    g_assert_true(hearth_version_vector_bump(&vector, 1, 50));
    g_assert_cmpuint(hearth_version_vector_get(&vector, 1), ==, 101);
    g_assert_true(hearth_version_vector_bump(&vector, 1, 500));
    g_assert_cmpuint(hearth_version_vector_get(&vector, 1), ==, 500);
    for (guint64 node = 2; node <= HEARTH_VERSION_VECTOR_MAX; node++)
        g_assert_true(hearth_version_vector_bump(&vector, node, 1));
    g_assert_false(hearth_version_vector_bump(&vector, 1000, 1));
    g_assert_cmpuint(vector.count, ==, HEARTH_VERSION_VECTOR_MAX);
}

static void the_stored_form_is_for_ever(void)
{
    static const guint8 BYTES[] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2,
                                   1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
    guint8 data[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    HearthVersionVector vector = V(G_GUINT64_CONSTANT(1) << 56, 3, 1, 0x102), back;
    g_assert_cmpmem(data, hearth_version_vector_encode(&vector, data), BYTES, sizeof BYTES);
    g_assert_true(hearth_version_vector_decode(BYTES, sizeof BYTES, &back));
    g_assert_cmpint(hearth_version_vector_compare(&vector, &back), ==, HEARTH_ORDER_EQUAL);
}

static void damaged_bytes_are_refused(void)
{
    HearthVersionVector vector = V(1, 1, 2, 2), untouched = V(9, 9);
    guint8 good[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY] = {0}, bad[64];
    hearth_version_vector_encode(&vector, good);
    g_assert_false(hearth_version_vector_decode(good, 31, &untouched));
    g_assert_false(hearth_version_vector_decode(good, sizeof good, &untouched));
    memcpy(bad, good + 16, 16);
    memcpy(bad + 16, good, 16);
    g_assert_false(hearth_version_vector_decode(bad, 32, &untouched));
    memcpy(bad + 16, good + 16, 16);
    g_assert_false(hearth_version_vector_decode(bad, 32, &untouched));
    memset(bad + 8, 0, 8);
    g_assert_false(hearth_version_vector_decode(bad, 16, &untouched));
    g_assert_cmpuint(hearth_version_vector_get(&untouched, 9), ==, 9);
}

static void the_clock_never_goes_back(void)
{
    HearthClock clock = {0};
    guint64 first = hearth_clock_next(&clock, 1000);
    g_assert_cmpuint(first, ==, 1000 << HEARTH_CLOCK_COUNTER_BITS);
    g_assert_cmpuint(hearth_clock_next(&clock, 1000), ==, first + 1);
    g_assert_cmpuint(hearth_clock_next(&clock, 10), ==, first + 2);
    g_assert_cmpuint(hearth_clock_next(&clock, -5), ==, first + 3);
    g_assert_cmpuint(hearth_clock_next(&clock, 1001), ==, 1001 << HEARTH_CLOCK_COUNTER_BITS);
    hearth_clock_observe(&clock, G_GUINT64_CONSTANT(5000) << HEARTH_CLOCK_COUNTER_BITS);
    g_assert_cmpuint(hearth_clock_next(&clock, 1002) >> HEARTH_CLOCK_COUNTER_BITS, ==, 5000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/namespace/version-vector/compares-by-who-saw-whom", compares_by_who_saw_whom);
    g_test_add_func("/namespace/version-vector/merging-is-before-neither",
                    merging_is_before_neither);
    g_test_add_func("/namespace/version-vector/bumping-always-moves-forward",
                    bumping_always_moves_forward);
    g_test_add_func("/namespace/version-vector/the-stored-form-is-for-ever",
                    the_stored_form_is_for_ever);
    g_test_add_func("/namespace/version-vector/damaged-bytes-are-refused",
                    damaged_bytes_are_refused);
    g_test_add_func("/namespace/clock/never-goes-back", the_clock_never_goes_back);
    return g_test_run();
}
