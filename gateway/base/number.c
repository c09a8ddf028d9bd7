#include "gateway/base/number.h"

/* 15 digits are always exact when read from text, 17 always tell two numbers apart. */
#define DIGITS_FIRST 15
#define DIGITS_LAST 17

const char *hearth_double_to_text(double number, char text[HEARTH_DOUBLE_TEXT])
{
    for (int digits = DIGITS_FIRST; digits <= DIGITS_LAST; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, HEARTH_DOUBLE_TEXT, format, number);
        /* -0 is as good as 0 here: its text has its sign with any number of digits. */
        if (g_ascii_strtod(text, NULL) == number)
            break;
    }
    return text;
}
