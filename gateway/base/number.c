#include "gateway/base/number.h"

#include <string.h>

/* 15 digits are always exact when read from text, 17 always tell two numbers apart. */
#define DIGITS_FIRST 15
#define DIGITS_LAST 17

const char *hearth_double_to_text(double number, char text[HEARTH_DOUBLE_TEXT])
{
    for (int digits = DIGITS_FIRST; digits <= DIGITS_LAST; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, HEARTH_DOUBLE_TEXT, format, number);
        double back = g_ascii_strtod(text, NULL);
        /* Bit by bit, for the sake of -0. */
        if (memcmp(&back, &number, sizeof back) == 0)
            break;
    }
    return text;
}
