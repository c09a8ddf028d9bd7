#include "gateway/plan.h"

/* Runs with TZ=Europe/Berlin, see CMakeLists.txt. */

typedef struct {
    const char *text;
    gboolean known;
    gint64 ns;
} Row;

#define S G_GINT64_CONSTANT(1000000000)

static void a_time_is_read_with_its_fraction_and_offset(void)
{
    static const Row rows[] = {
        {"2026-07-18T06:12:04Z", TRUE, 1784355124 * S},
        {"2026-07-18T06:12:04.5Z", TRUE, 1784355124 * S + S / 2},
        {"2026-07-18T06:12:04.123456789+00:00", TRUE, 1784355124 * S + 123456789},
        {"2026-07-18T08:12:04+02:00", TRUE, 1784355124 * S},
        {"2026-07-18T00:42:04-05:30", TRUE, 1784355124 * S},
        /* Without an offset it is this machine's wall: summer, +2. */
        {"2026-07-18T08:12:04", TRUE, 1784355124 * S},
        {"2026-01-18T07:12:04", TRUE, 1768716724 * S},
        {"1979-12-31T00:00:00", FALSE, 0},
        {"2199-01-01T00:00:00", FALSE, 0},
        {"171546-01-01T00:00:00", FALSE, 0},
        {"2026-02-30T00:00:00", FALSE, 0},
        {"2026-00-10T00:00:00", FALSE, 0},
        {"2026-07-18T24:00:00", FALSE, 0},
        {"2026-07-18 06:12:04", FALSE, 0},
        {"2026-07-18T06:12:04+2", FALSE, 0},
        {"2026-07-18T06:12:04Zx", FALSE, 0},
        {"", FALSE, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        HearthMoment moment = hearth_moment_from_text(rows[i].text);
        g_test_message("%s", rows[i].text);
        g_assert_cmpint(moment.known, ==, rows[i].known);
        if (moment.known)
            g_assert_cmpint(hearth_moment_to_ns(&moment), ==, rows[i].ns);
    }
}

static void a_file_time_is_the_cameras_wall_unless_it_is_true(void)
{
    HearthDeviceObject object = {.mtime = 1784355124, .mtime_is_utc = FALSE};
    HearthMoment wall = hearth_moment_from_object(&object);
    g_assert_true(wall.known);
    g_assert_cmpint(wall.hour, ==, 6);
    g_assert_cmpint(hearth_moment_to_ns(&wall), ==, (1784355124 - 7200) * S);

    object.mtime_is_utc = TRUE;
    HearthMoment utc = hearth_moment_from_object(&object);
    g_assert_cmpint(utc.hour, ==, 8);
    g_assert_cmpint(hearth_moment_to_ns(&utc), ==, 1784355124 * S);
}

static void a_file_time_that_cannot_be_is_none(void)
{
    const gint64 times[] = {HEARTH_MTIME_UNKNOWN, 0, -1, G_MAXINT64, 4102444800, 312768000};
    for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
        HearthDeviceObject object = {.mtime = times[i]};
        g_assert_false(hearth_moment_from_object(&object).known);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gateway/moment/a time is read with its fraction and offset",
                    a_time_is_read_with_its_fraction_and_offset);
    g_test_add_func("/gateway/moment/a file time is the camera's wall unless it is true",
                    a_file_time_is_the_cameras_wall_unless_it_is_true);
    g_test_add_func("/gateway/moment/a file time that cannot be is none",
                    a_file_time_that_cannot_be_is_none);
    return g_test_run();
}
