#include "gateway/plan.h"

#include <string.h>
#include <time.h>

/* Digital cameras did not exist before, and FAT counts from here: an earlier year is a clock that
 * was never set. */
#define FIRST_YEAR 1980
#define NS_PER_S G_GINT64_CONSTANT(1000000000)

static gboolean is_plausible(const HearthMoment *moment)
{
    time_t now = time(NULL);
    struct tm today;
    gmtime_r(&now, &today);
    return moment->year >= FIRST_YEAR && moment->year <= today.tm_year + 1900 + 1;
}

/* Reads exactly `digits` digits, in a range. */
static gboolean read_number(const char **at, int digits, int low, int high, int *ret)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (!g_ascii_isdigit(**at))
            return FALSE;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return value >= low && value <= high;
}

static gboolean read_character(const char **at, char c)
{
    if (**at != c)
        return FALSE;
    (*at)++;
    return TRUE;
}

static void read_fraction(const char **at, HearthMoment *moment)
{
    int unit = (int)NS_PER_S / 10;
    for (; g_ascii_isdigit(**at); (*at)++, unit /= 10)
        moment->nanosecond += (**at - '0') * unit;
}

static gboolean read_offset(const char **at, HearthMoment *moment)
{
    int hours, minutes;
    if (**at == '\0')
        return TRUE;
    moment->has_offset = TRUE;
    if (read_character(at, 'Z'))
        return **at == '\0';
    int sign = **at == '-' ? -1 : 1;
    if (**at != '-' && **at != '+')
        return FALSE;
    (*at)++;
    if (!read_number(at, 2, 0, 15, &hours) || !read_character(at, ':') ||
        !read_number(at, 2, 0, 59, &minutes))
        return FALSE;
    moment->offset = sign * (hours * 3600 + minutes * 60);
    return **at == '\0';
}

HearthMoment hearth_moment_from_text(const char *text)
{
    HearthMoment moment = {0};
    const HearthMoment none = {0};
    const char *at = text;
    if (!read_number(&at, 4, 0, 9999, &moment.year) || !read_character(&at, '-') ||
        !read_number(&at, 2, 1, 12, &moment.month) || !read_character(&at, '-') ||
        !read_number(&at, 2, 1, 31, &moment.day) || !read_character(&at, 'T') ||
        !read_number(&at, 2, 0, 23, &moment.hour) || !read_character(&at, ':') ||
        !read_number(&at, 2, 0, 59, &moment.minute) || !read_character(&at, ':') ||
        !read_number(&at, 2, 0, 60, &moment.second))
        return none;
    if (read_character(&at, '.'))
        read_fraction(&at, &moment);
    if (!read_offset(&at, &moment) ||
        !g_date_valid_dmy((GDateDay)moment.day, (GDateMonth)moment.month, (GDateYear)moment.year) ||
        !is_plausible(&moment))
        return none;
    moment.known = TRUE;
    return moment;
}

HearthMoment hearth_moment_from_object(const HearthDeviceObject *object)
{
    HearthMoment moment = {0};
    const HearthMoment none = {0};
    struct tm wall;
    time_t seconds = (time_t)object->mtime;
    if (object->mtime == HEARTH_MTIME_UNKNOWN)
        return none;
    if (!(object->mtime_is_utc ? localtime_r(&seconds, &wall) : gmtime_r(&seconds, &wall)))
        return none;
    moment.known = TRUE;
    moment.year = wall.tm_year + 1900;
    moment.month = wall.tm_mon + 1;
    moment.day = wall.tm_mday;
    moment.hour = wall.tm_hour;
    moment.minute = wall.tm_min;
    moment.second = wall.tm_sec;
    moment.has_offset = object->mtime_is_utc;
    moment.offset = object->mtime_is_utc ? (int)wall.tm_gmtoff : 0;
    return is_plausible(&moment) ? moment : none;
}

gint64 hearth_moment_to_ns(const HearthMoment *moment)
{
    struct tm wall = {
        .tm_year = moment->year - 1900,
        .tm_mon = moment->month - 1,
        .tm_mday = moment->day,
        .tm_hour = moment->hour,
        .tm_min = moment->minute,
        .tm_sec = moment->second,
        .tm_isdst = -1,
    };
    gint64 seconds = moment->has_offset ? (gint64)timegm(&wall) - moment->offset : mktime(&wall);
    return seconds * NS_PER_S + moment->nanosecond;
}
