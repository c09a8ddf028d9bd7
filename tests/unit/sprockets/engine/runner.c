#include "tests/unit/sprockets/engine/runner.h"

#include <dlfcn.h>
#include <iconv.h>
#include <string.h>

void *runner_load(const char *variable, const char *name, gboolean lazy)
{
    const char *folder = g_getenv(variable);
    g_assert_nonnull(folder);
    g_autofree char *path = g_strdup_printf("%s/%s.so", folder, name);
    void *object = dlopen(path, RTLD_LOCAL | (lazy ? RTLD_LAZY : RTLD_NOW));
    if (!object)
        g_error("%s", dlerror());
    return object;
}

RunnerFunction runner_find(void *object, const char *function)
{
    void *address = dlsym(object, function);
    if (!address)
        g_error("%s", dlerror());
    return (RunnerFunction)address;
}

void *runner_run(RunnerFunction function, guint64 first, guint64 second,
                 const HearthEngineLimits *limits, const HearthEnginePolicy *policy,
                 HearthEngineResult *ret_result)
{
    void *area = hearth_engine_area();
    g_assert_nonnull(area);
    const HearthEngineCall call = {.entry = (guint64)function,
                                   .arguments = {(guint64)area, first, second, 0},
                                   .limits = limits,
                                   .policy = policy};
    hearth_engine_run(&call, ret_result);
    return area;
}

void runner_tell(const char *name, const HearthEngineResult *result)
{
    g_test_message("%s: %s, value %#lx, rule \"%s\", at %#lx %s, log \"%s\"", name,
                   hearth_engine_outcome_word(result->outcome), result->value, result->rule,
                   result->pc, result->symbol, result->log);
}

void runner_assert_returned(const char *name, const HearthEngineResult *result, guint64 value)
{
    if (result->outcome != HEARTH_ENGINE_RETURNED || result->value != value)
        runner_tell(name, result);
    g_assert_cmpint(result->outcome, ==, HEARTH_ENGINE_RETURNED);
    g_assert_cmphex(result->value, ==, value);
}

void runner_assert_as_native(RunnerFunction function, guint64 first, guint64 second,
                             const HearthEnginePolicy *policy)
{
    static HearthEngineResult result;
    const HearthEngineLimits limits = {.cpu_ms = 60000, .wall_ms = 120000};
    g_autofree guint8 *native = g_malloc0(HEARTH_ENGINE_AREA_SIZE);
    guint64 value = function(native, first, second, 0);
    for (guint i = 0; i < 2; i++) {
        const void *area = runner_run(function, first, second, &limits, policy, &result);
        runner_assert_returned(i == 0 ? "first" : "second", &result, value);
        g_assert_cmpmem(area, HEARTH_ENGINE_AREA_SIZE, native, HEARTH_ENGINE_AREA_SIZE);
    }
}

/*
 * Converters are modules of libc, and a call may not load libraries: as a host would, the tests have
 * those loaded that they use.
 */
static void load_converters(void)
{
    static const char *const SETS[] = {"UTF-16LE", "ISO-8859-1", "UTF-32BE", "CP1252", "UTF-7"};
    for (gsize i = 0; i < G_N_ELEMENTS(SETS); i++)
        g_assert_true(iconv_open(SETS[i], "UTF-8") != (iconv_t)-1);
}

gboolean runner_available(void)
{
    load_converters();
    const char *reason = NULL;
    if (hearth_engine_available(&reason))
        return TRUE;
    g_print("1..0 # SKIP the engine cannot run here: %s\n", reason);
    return FALSE;
}
