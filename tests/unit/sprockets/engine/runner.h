#pragma once

#include <glib.h>

#include "sprockets/engine/engine.h"

/** Functions of shared objects, run natively and under the engine. */

typedef guint64 (*RunnerFunction)(void *area, guint64 first, guint64 second, guint64 third);

/** Loads NAME.so of the folder that the environment variable names; bound at once unless `lazy`. */
void *runner_load(const char *variable, const char *name, gboolean lazy);
RunnerFunction runner_find(void *object, const char *function);

/** Runs the function with this thread's area, cleared, as its first argument; the area. */
void *runner_run(RunnerFunction function, guint64 first, guint64 second,
                 const HearthEngineLimits *limits, const HearthEnginePolicy *policy,
                 HearthEngineResult *ret_result);

/** Runs it natively on memory of the heap, then under the engine, twice: the same value and the same area. */
void runner_assert_as_native(RunnerFunction function, guint64 first, guint64 second,
                             const HearthEnginePolicy *policy);

/** Says what came of a call, for who reads why a test failed. */
void runner_tell(const char *name, const HearthEngineResult *result);

/** Asserts that the call returned `value`. */
void runner_assert_returned(const char *name, const HearthEngineResult *result, guint64 value);

/** Skips all of the program where the engine cannot run, and loads what calls may not; FALSE if it did skip. */
gboolean runner_available(void);
