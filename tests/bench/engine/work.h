#pragma once

#include <glib.h>

#include "sprockets/engine/engine.h"

/**
 * The calls that are measured: a function of a shared object that was built without our flags, and what it works on.
 * Everything that a call is given exists until the program ends.
 */
typedef guint64 (*WorkFunction)(void *area, guint64 first, guint64 second, guint64 third);

typedef struct {
    const char *name;
    WorkFunction function;
    guint64 first;
    guint64 second;
    HearthEngineLimits limits;
    HearthEnginePolicy policy;
    HearthEngineInstance *instance; /* NULL: none */
    guint turns;                    /* of a measurement at full scale */
    guint
        group; /* calls in a row in each turn; one more, not counted, comes before them unless this is 1 */
} Work;

/** "exif", "taglib", "picture", "sound", "sound-own" or "empty"; ends the program if there is no such work. */
Work *work_new(const char *name);

/** 1 is the size that the goals speak of. From HEARTH_BENCH_SCALE. */
double work_scale(void);

/** `count` at scale, at least `least`. */
guint work_scaled(guint count, guint least);

/** Runs it in the process as it is, with `area`, of HEARTH_ENGINE_AREA_SIZE, as its first argument. */
guint64 work_run_native(const Work *work, void *area);

/** Runs it under the engine; ends the program if it does not return. `ret_stats` may be NULL. */
guint64 work_run_engine(const Work *work, HearthEngineStats *ret_stats);

/** Runs it both ways; ends the program unless value and area are the same. */
void work_verify(const Work *work);

/** Memory for the areas of native calls. */
void *work_area_new(void);
