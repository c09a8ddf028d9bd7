#include "gateway/command/format.h"

#include <string.h>
#include <unistd.h>

char *hearth_format_size(guint64 bytes)
{
    static const char *const UNITS[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000)
        return g_strdup_printf("%u B", (guint)bytes);
    double value = (double)bytes / 1000;
    gsize unit = 0;
    /* 999.5 would be written as 1000. */
    for (; value >= 999.5 && unit + 1 < G_N_ELEMENTS(UNITS); unit++)
        value /= 1000;
    return g_strdup_printf(value < 9.95 ? "%.1f %s" : "%.0f %s", value, UNITS[unit]);
}

char *hearth_format_count(guint64 count)
{
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, count);
    gsize length = strlen(digits);
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            g_string_append_c(text, ',');
        g_string_append_c(text, digits[i]);
    }
    return g_string_free(text, FALSE);
}

char *hearth_format_seconds(double seconds)
{
    guint64 whole = seconds > 0 ? (guint64)(seconds + 0.5) : 0;
    guint hours = (guint)(whole / 3600), minutes = (guint)(whole / 60 % 60);
    if (hours > 0)
        return g_strdup_printf("%u:%02u:%02u", hours, minutes, (guint)(whole % 60));
    return g_strdup_printf("%u:%02u", minutes, (guint)(whole % 60));
}

char *hearth_format_moment(const char *iso, gboolean seconds)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) moment = g_date_time_new_from_iso8601(iso, utc);
    g_autoptr(GDateTime) local = moment ? g_date_time_to_local(moment) : NULL;
    if (!local)
        return hearth_format_name(iso);
    return g_date_time_format(local, seconds ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M");
}

gboolean hearth_format_parse_moment(const char *iso, gint64 *ret_ns)
{
    g_autoptr(GDateTime) moment = g_date_time_new_from_iso8601(iso, NULL);
    if (!moment)
        return FALSE;
    gint64 fraction = 0, unit = 100000000;
    const char *point = strchr(iso, '.');
    for (const char *at = point ? point + 1 : ""; g_ascii_isdigit(*at) && unit > 0; at++) {
        fraction += (*at - '0') * unit;
        unit /= 10;
    }
    *ret_ns = g_date_time_to_unix(moment) * G_GINT64_CONSTANT(1000000000) + fraction;
    return TRUE;
}

char *hearth_format_name(const char *bytes)
{
    GString *text = g_string_new(NULL);
    for (const char *at = bytes; *at;) {
        gunichar c = g_utf8_get_char_validated(at, -1);
        gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;
        if (valid && g_unichar_isprint(c)) {
            const char *next = g_utf8_next_char(at);
            g_string_append_len(text, at, next - at);
            at = next;
            continue;
        }
        const char *next = valid ? g_utf8_next_char(at) : at + 1;
        for (; at < next; at++)
            g_string_append_printf(text, "\\x%02x", (guchar)*at);
    }
    return g_string_free(text, FALSE);
}

char *hearth_format_output_name(const char *bytes)
{
    return isatty(STDOUT_FILENO) ? hearth_format_name(bytes) : g_strdup(bytes);
}

guint hearth_format_width(const char *text)
{
    guint width = 0;
    if (!g_utf8_validate(text, -1, NULL))
        return (guint)strlen(text);
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}
