#include "namespace/clock.h"

guint64 hearth_clock_next(HearthClock *clock, gint64 wall_ms)
{
    guint64 wall = (guint64)MAX(wall_ms, 0) << HEARTH_CLOCK_COUNTER_BITS;
    /* A counter that overflows carries into the milliseconds: still above all that came before. */
    clock->last = MAX(clock->last + 1, wall);
    return clock->last;
}

void hearth_clock_observe(HearthClock *clock, guint64 seen)
{
    clock->last = MAX(clock->last, seen);
}
