#pragma once

#include <glib.h>

/**
 * A hybrid logical clock: milliseconds since 1970 shifted left by 16, plus a counter. It follows
 * the wall clock, never goes back and never gives one value twice, also when the wall clock jumps.
 * A plain value; its owner holds a lock around it.
 */
typedef struct {
    guint64 last; /* the value given last */
} HearthClock;

/** Bits of the counter below the milliseconds. */
#define HEARTH_CLOCK_COUNTER_BITS 16

/** The next value, when the wall clock shows `wall_ms`. */
guint64 hearth_clock_next(HearthClock *clock, gint64 wall_ms);

/** Takes note of a value seen elsewhere: what comes next is above it. */
void hearth_clock_observe(HearthClock *clock, guint64 seen);
