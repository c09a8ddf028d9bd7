/* Several threads: how much faster two are than one, and what memory each takes. */
#include "tests/bench/engine/measure.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/engine/series.h"

/* --- Throughput -------------------------------------------------------------------------------- */

#define THREADS 2
#define TURN_MS 250
#define TURNS 9
#define WARM_CALLS 20

typedef struct {
    const Work *work;
    gboolean native;
    _Atomic gboolean started;
    _Atomic gboolean stopped;
    _Atomic guint ready;
    _Atomic guint64 calls;
} Race;

static void call_once(const Race *race, void *area)
{
    if (race->native)
        work_run_native(race->work, area);
    else
        work_run_engine(race->work, NULL);
}

static gpointer run_thread(gpointer data)
{
    Race *race = data;
    guint64 calls = 0;
    g_autofree void *area = work_area_new();
    for (guint i = 0; i < WARM_CALLS; i++)
        call_once(race, area);
    race->ready++;
    while (!race->started)
        g_thread_yield();
    for (; !race->stopped; calls++)
        call_once(race, area);
    race->calls += calls;
    return NULL;
}

static void add_race(Series *series, const Work *work, guint count, gboolean native)
{
    GThread *threads[THREADS];
    Race race = {.work = work, .native = native};
    for (guint i = 0; i < count; i++)
        threads[i] = g_thread_new("bench", run_thread, &race);
    while (race.ready < count)
        g_usleep(1000);
    gint64 start = series_now();
    race.started = TRUE;
    g_usleep((gulong)(TURN_MS * 1000 * MAX(work_scale(), 0.1)));
    race.stopped = TRUE;
    gint64 taken = series_now() - start;
    for (guint i = 0; i < count; i++)
        g_thread_join(threads[i]);
    series_add(series, (double)race.calls * 1e9 / (double)taken);
}

void measure_threads(const Work *work)
{
    g_autoptr(Series) engine_one = series_new("engine-1", "calls/s");
    g_autoptr(Series) engine_two = series_new("engine-2", "calls/s");
    g_autoptr(Series) native_one = series_new("native-1", "calls/s");
    g_autoptr(Series) native_two = series_new("native-2", "calls/s");
    work_verify(work);
    for (guint i = 0; i < work_scaled(TURNS, 3); i++) {
        add_race(engine_one, work, 1, FALSE);
        add_race(engine_two, work, THREADS, FALSE);
        add_race(native_one, work, 1, TRUE);
        add_race(native_two, work, THREADS, TRUE);
    }
    series_print(engine_one);
    series_print(engine_two);
    series_print(native_one);
    series_print(native_two);
}

/* --- Memory ------------------------------------------------------------------------------------ */

#define CALLERS 8
#define CALLS_OF_EACH 5

typedef struct {
    const Work *works[2];
    _Atomic guint arrived;
    _Atomic guint stage;
    _Atomic guint64 most;
} Crowd;

static double resident(void)
{
    gulong pages = 0, in_memory = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm || fscanf(statm, "%lu %lu", &pages, &in_memory) != 2)
        g_error("no /proc/self/statm");
    (void)fclose(statm);
    return (double)in_memory * (double)sysconf(_SC_PAGESIZE);
}

static void wait_for_stage(Crowd *crowd, guint stage)
{
    crowd->arrived++;
    while (crowd->stage < stage)
        g_usleep(1000);
}

static gpointer join_crowd(gpointer data)
{
    Crowd *crowd = data;
    wait_for_stage(crowd, 1);
    for (guint i = 0; i < CALLS_OF_EACH * G_N_ELEMENTS(crowd->works); i++) {
        HearthEngineStats stats;
        work_run_engine(crowd->works[i % G_N_ELEMENTS(crowd->works)], &stats);
        if (stats.memory > crowd->most)
            crowd->most = stats.memory;
    }
    wait_for_stage(crowd, 2);
    return NULL;
}

static void wait_for_all(Crowd *crowd, guint stage)
{
    while (crowd->arrived < CALLERS * stage)
        g_usleep(1000);
}

void measure_memory(void)
{
    GThread *threads[CALLERS];
    Crowd crowd = {.works = {work_new("exif"), work_new("taglib")}};
    work_verify(crowd.works[0]);
    work_verify(crowd.works[1]);
    for (guint i = 0; i < CALLERS; i++)
        threads[i] = g_thread_new("bench", join_crowd, &crowd);
    wait_for_all(&crowd, 1);
    double before = resident();
    crowd.stage = 1;
    wait_for_all(&crowd, 2);
    double after = resident(); /* all threads are there, as they were before */
    crowd.stage = 2;
    for (guint i = 0; i < CALLERS; i++)
        g_thread_join(threads[i]);
    series_print_value("resident", "B", (after - before) / CALLERS);
    series_print_value("private", "B", (double)crowd.most);
}
