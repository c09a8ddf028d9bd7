/* Calls one after the other in one thread. */
#include "tests/bench/engine/measure.h"

#include "tests/bench/engine/series.h"

#define BATCH 16 /* empty calls between two looks at the clock */

typedef struct {
    const Work *work;
    void *area;
} Native;

static void run_native(const void *data)
{
    const Native *native = data;
    work_run_native(native->work, native->area);
}

static void run_engine(const void *data)
{
    work_run_engine(data, NULL);
}

/* A group of calls, each a sample; the one before them brings caches and wall into the state of calls in a row. */
static void add_group(Series *series, guint count, void (*run)(const void *), const void *data)
{
    if (count > 1)
        run(data);
    for (guint i = 0; i < count; i++) {
        gint64 start = series_now();
        run(data);
        series_add(series, (double)(series_now() - start));
    }
}

void measure_warm(const Work *work)
{
    g_autoptr(Series) native_series = series_new("native", "ns");
    g_autoptr(Series) engine_series = series_new("engine", "ns");
    const Native native = {work, work_area_new()};
    work_verify(work);
    for (guint i = 0; i < work->turns; i++) {
        hearth_engine_rest();
        add_group(native_series, work->group, run_native, &native);
        add_group(engine_series, work->group, run_engine, work);
    }
    series_print(native_series);
    series_print(engine_series);
    g_free(native.area);
}

void measure_native(const Work *work)
{
    g_autoptr(Series) series = series_new("native", "ns");
    const Native native = {work, work_area_new()};
    for (guint i = 0; i < work->turns; i++)
        add_group(series, work->group, run_native, &native);
    series_print(series);
    g_free(native.area);
}

/* --- Empty calls ------------------------------------------------------------------------------- */

static void add_empty(Series *series, const HearthEngineCall *call, gboolean with_area)
{
    static HearthEngineResult result;
    gint64 start = series_now();
    for (guint i = 0; i < BATCH; i++) {
        if (with_area)
            hearth_engine_area();
        hearth_engine_run(call, &result);
        g_assert(result.outcome == HEARTH_ENGINE_RETURNED);
    }
    series_add(series, (double)(series_now() - start) / BATCH);
}

void measure_empty(void)
{
    g_autoptr(Series) run = series_new("run", "ns");
    g_autoptr(Series) area = series_new("area", "ns");
    g_autoptr(Series) validating = series_new("validating", "ns");
    const Work *work = work_new("empty");
    const HearthEnginePolicy validate = {.validate_reads = true};
    const HearthEngineCall plain = {.entry = (guint64)work->function};
    const HearthEngineCall checked = {.entry = (guint64)work->function, .policy = &validate};
    work_verify(work);
    add_empty(validating, &checked, FALSE);
    for (guint i = 0; i < work->turns; i++) {
        add_empty(run, &plain, FALSE);
        add_empty(area, &plain, TRUE);
        add_empty(validating, &checked, TRUE);
    }
    series_print(run);
    series_print(area);
    series_print(validating);
}
