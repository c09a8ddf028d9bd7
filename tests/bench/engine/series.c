#include "tests/bench/engine/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct Series {
    char *name;
    char *unit;
    GArray *values; /* double */
};

Series *series_new(const char *name, const char *unit)
{
    Series *series = g_new(Series, 1);
    *series = (Series){g_strdup(name), g_strdup(unit), g_array_new(FALSE, FALSE, sizeof(double))};
    return series;
}

void series_free(Series *series)
{
    g_free(series->name);
    g_free(series->unit);
    g_array_unref(series->values);
    g_free(series);
}

void series_add(Series *series, double value)
{
    g_array_append_val(series->values, value);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double quantile(Series *series, guint tenths)
{
    guint count = series->values->len;
    g_assert(count > 0);
    qsort(series->values->data, count, sizeof(double), compare);
    return g_array_index(series->values, double, (count - 1) * tenths / 10);
}

double series_median(Series *series)
{
    return quantile(series, 5);
}

void series_print(Series *series)
{
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f, "
           "\"count\": %u}\n",
           series->name, series->unit, quantile(series, 5), quantile(series, 1),
           quantile(series, 9), series->values->len);
    (void)fflush(stdout);
}

void series_print_value(const char *name, const char *unit, double value)
{
    g_autoptr(Series) series = series_new(name, unit);
    series_add(series, value);
    series_print(series);
}

gint64 series_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}
