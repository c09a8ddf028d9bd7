/* The first call of a process, and how much code all calls together make. */
#include "tests/bench/engine/measure.h"

#include <errno.h>
#include <string.h>

#include "tests/bench/engine/series.h"

#define WARM_CALLS 20

static double time_call(const Work *work)
{
    gint64 start = series_now();
    work_run_engine(work, NULL);
    return (double)(series_now() - start);
}

void measure_cold(const Work *work, const char *cache)
{
    if (cache) {
        gint64 start = series_now();
        long blocks = hearth_engine_load(cache);
        double taken = (double)(series_now() - start);
        if (blocks < 0)
            g_error("%s: %s", cache, g_strerror(errno));
        series_print_value("load", "ns", taken);
        series_print_value("blocks", "", (double)blocks);
    }
    double first = time_call(work);
    double second = time_call(work);
    series_print_value("first", "ns", first);
    series_print_value("second", "ns", second);
}

void measure_stats(const Work *work)
{
    HearthEngineStats first, warm;
    work_run_engine(work, &first);
    for (guint i = 0; i < WARM_CALLS; i++)
        work_run_engine(work, &warm);
    series_print_value("instructions", "", (double)first.instructions);
    series_print_value("blocks", "", (double)first.blocks);
    series_print_value("system-calls", "", (double)warm.system_calls);
    series_print_value("overlay-pages", "", (double)warm.overlay_pages);
    series_print_value("redirected", "", (double)warm.redirected);
    series_print_value("memory", "B", (double)warm.memory);
    series_print_value("tries", "", (double)warm.tries);
}

void measure_save(const Work *work, const char *cache)
{
    for (guint i = 0; i < WARM_CALLS; i++)
        work_run_engine(work, NULL);
    gint64 start = series_now();
    if (!hearth_engine_save(cache))
        g_error("%s: %s", cache, g_strerror(errno));
    series_print_value("save", "ns", (double)(series_now() - start));
}
