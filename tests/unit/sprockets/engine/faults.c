#include "tests/unit/sprockets/engine/faults.h"

#include "tests/unit/sprockets/engine/memory-oracle.h"

void *faults_guest, *faults_basic;
HearthEngineResult faults_result;
static char difference[512];
static bool same;

gboolean faults_start(void)
{
    if (!runner_available())
        return FALSE;
    faults_basic = runner_load(FAULTS_GUESTS, "engine-guest", FALSE);
    faults_guest = runner_load(FAULTS_GUESTS, "faults", FALSE);
    memory_oracle_ignore(&faults_result, sizeof faults_result);
    memory_oracle_ignore(difference, sizeof difference);
    memory_oracle_ignore(&same, sizeof same);
    faults_assert_next_is_right(); /* from here on its handlers are there */
    return TRUE;
}

HearthEngineCall faults_call(void *object, const char *function, guint64 first, guint64 second)
{
    return (HearthEngineCall){.entry = (guint64)runner_find(object, function),
                              .arguments = {(guint64)hearth_engine_area(), first, second}};
}

/* The frames from here down are the oracle's business. */
__attribute__((noinline)) void faults_run_watched(const HearthEngineCall *call)
{
    const void *frame = __builtin_frame_address(0);
    difference[0] = '\0';
    memory_oracle_take(frame);
    hearth_engine_run(call, &faults_result);
    /* Not as the last thing done: its frame would stand in the place of this one. */
    same = memory_oracle_compare(frame, difference, sizeof difference);
}

void faults_assert_unchanged(const char *name)
{
    if (!same)
        runner_tell(name, &faults_result);
    g_assert_cmpstr(difference, ==, "");
    g_assert_true(same);
}

void faults_assert_one_of(const char *name, guint outcomes, guint64 value)
{
    guint64 got = faults_result.value;
    gboolean fits = (outcomes & 1u << faults_result.outcome) != 0;
    if (fits && faults_result.outcome == HEARTH_ENGINE_RETURNED)
        fits = got == value || (got & ~(guint64)0xff) == FAILED ||
               (g_str_equal(name, LIBRARY) && got < value);
    if (!fits)
        runner_tell(name, &faults_result);
    g_assert_true(fits);
    faults_assert_unchanged(name);
}

void faults_assert_next_is_right(void)
{
    HearthEngineResult *next = g_new(HearthEngineResult, 1);
    runner_run(runner_find(faults_basic, "fibonacci"), 12, 0, NULL, NULL, next);
    runner_assert_returned("fibonacci", next, 144);
    g_free(next);
}

guint64 faults_right_value(const HearthEngineCall *call)
{
    HearthEngineCall unlimited = *call;
    g_autofree guint8 *native = g_malloc0(HEARTH_ENGINE_AREA_SIZE);
    guint64 value =
        ((RunnerFunction)call->entry)(native, call->arguments[1], call->arguments[2], 0);
    unlimited.limits = NULL;
    hearth_engine_run(&unlimited, &faults_result);
    runner_assert_returned("without limits", &faults_result, value);
    return value;
}
