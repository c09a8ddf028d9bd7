#pragma once

#include <glib.h>

/** What a Range header asks of a representation (RFC 9110 section 14). */
typedef enum {
    HEARTH_RANGE_WHOLE,         /* no range we serve (none, several, another unit, malformed) */
    HEARTH_RANGE_PART,          /* one part */
    HEARTH_RANGE_UNSATISFIABLE, /* one part that lies outside */
} HearthRange;

/**
 * Reads the value of a Range header (NULL: none) against a size in bytes. Of a part `ret_start` and
 * `ret_length` lie inside the size; they are not touched otherwise.
 */
HearthRange hearth_range_parse(const char *value, gint64 size, gint64 *ret_start,
                               gint64 *ret_length);
