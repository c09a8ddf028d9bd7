#include "web/range.h"

#include <string.h>

/* Digits at *at, which is moved past them; what is too large for a file is G_MAXINT64. -1: none. */
static gint64 read_number(const char **at)
{
    gint64 number = -1;
    for (; g_ascii_isdigit(**at); (*at)++) {
        int digit = **at - '0';
        number = MAX(number, 0);
        number = number > (G_MAXINT64 - digit) / 10 ? G_MAXINT64 : number * 10 + digit;
    }
    return number;
}

static HearthRange last_bytes(gint64 count, gint64 size, gint64 *ret_start, gint64 *ret_length)
{
    if (count == 0 || size == 0)
        return HEARTH_RANGE_UNSATISFIABLE;
    *ret_length = MIN(count, size);
    *ret_start = size - *ret_length;
    return HEARTH_RANGE_PART;
}

HearthRange hearth_range_parse(const char *value, gint64 size, gint64 *ret_start,
                               gint64 *ret_length)
{
    if (!value || g_ascii_strncasecmp(value, "bytes=", 6) != 0)
        return HEARTH_RANGE_WHOLE;
    const char *at = value + 6;
    at += strspn(at, " \t");
    gint64 first = read_number(&at);
    if (*at++ != '-')
        return HEARTH_RANGE_WHOLE;
    gint64 last = read_number(&at);
    at += strspn(at, " \t");
    if (*at != '\0' || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first))
        return HEARTH_RANGE_WHOLE;
    if (first < 0)
        return last_bytes(last, size, ret_start, ret_length);
    if (first >= size)
        return HEARTH_RANGE_UNSATISFIABLE;
    if (last < 0 || last >= size)
        last = size - 1;
    *ret_start = first;
    *ret_length = last - first + 1;
    return HEARTH_RANGE_PART;
}
