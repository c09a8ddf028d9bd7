#include "sprockets/standard/photo-private.h"

#include <string.h>

#define YEAR_MIN 1800  /* scans of old prints carry the year of the picture */
#define TIME_LENGTH 19 /* bytes of date and time, with whatever separators */
#define FRACTION_MAX 9 /* digits */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_pair(const char *text, int *ret_value)
{
    if (!is_digit(text[0]) || !is_digit(text[1]))
        return false;
    *ret_value = (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

static int days_in(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

/* "YYYY:MM:DD HH:MM:SS" as the standard has it, or with the separators that writers use instead. */
static bool has_shape(const char *date)
{
    return strnlen(date, TIME_LENGTH) == TIME_LENGTH && strchr(":-/.", date[4]) &&
           strchr(":-/.", date[7]) && strchr(" T", date[10]) && date[13] == ':' && date[16] == ':';
}

/* Appends ".123"; digits up to the first other character, of which only blanks may follow. */
static size_t add_fraction(char *text, const char *fraction)
{
    size_t digits = 0;
    while (is_digit(fraction[digits]))
        digits++;
    if (digits == 0 || digits > FRACTION_MAX || fraction[digits + strspn(fraction + digits, " ")])
        return 0;
    text[0] = '.';
    memcpy(text + 1, fraction, digits);
    return digits + 1;
}

static size_t add_offset(char *text, const char *offset)
{
    int hours, minutes;
    if (strcmp(offset, "Z") == 0) {
        text[0] = 'Z';
        return 1;
    }
    if (strnlen(offset, 6) < 6 || (offset[0] != '+' && offset[0] != '-') || offset[3] != ':' ||
        !read_pair(offset + 1, &hours) || !read_pair(offset + 4, &minutes) || hours > 15 ||
        minutes > 59)
        return 0;
    memcpy(text, offset, 6);
    return 6;
}

bool photo_time_format(const char *date, const char *fraction, const char *offset,
                       char text[PHOTO_TIME_MAX])
{
    int century, year, month, day, hour, minute, second;
    if (!has_shape(date) || !read_pair(date, &century) || !read_pair(date + 2, &year) ||
        !read_pair(date + 5, &month) || !read_pair(date + 8, &day) ||
        !read_pair(date + 11, &hour) || !read_pair(date + 14, &minute) ||
        !read_pair(date + 17, &second))
        return false;
    year += century * 100;
    if (year < YEAR_MIN || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    size_t used = TIME_LENGTH;
    memcpy(text, date, used);
    text[4] = text[7] = '-';
    text[10] = 'T';
    if (fraction)
        used += add_fraction(text + used, fraction);
    if (offset)
        used += add_offset(text + used, offset);
    text[used] = '\0';
    return true;
}
