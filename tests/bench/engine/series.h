#pragma once

#include <glib.h>

/**
 * Samples of one thing that is measured, printed as one line of JSON with median and deciles. The unit is the
 * caller's: nanoseconds, bytes, calls a second.
 */
typedef struct Series Series;

Series *series_new(const char *name, const char *unit);
void series_free(Series *series);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Series, series_free)

void series_add(Series *series, double value);
double series_median(Series *series);

/** {"name": "native", "unit": "ns", "median": 1.0, "p10": 1.0, "p90": 1.0, "count": 1} */
void series_print(Series *series);

/** A series of one. */
void series_print_value(const char *name, const char *unit, double value);

/** Monotonic, nanoseconds. */
gint64 series_now(void);
