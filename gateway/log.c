#include "gateway/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean wants_debug;

static const char *level_word(GLogLevelFlags level)
{
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
        return "error";
    if (level & G_LOG_LEVEL_WARNING)
        return "warning";
    return level & G_LOG_LEVEL_DEBUG ? "debug" : "info";
}

static const char *find_field(const GLogField *fields, gsize count, const char *key)
{
    for (gsize i = 0; i < count; i++)
        if (g_str_equal(fields[i].key, key) && fields[i].length < 0)
            return fields[i].value;
    return "";
}

/* A name from a device may hold anything; one message stays one line. */
static void make_one_line(char *text)
{
    for (char *at = text; *at; at++)
        if (g_ascii_iscntrl(*at))
            *at = ' ';
}

static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *fields, gsize count,
                                   gpointer data)
{
    if ((level & G_LOG_LEVEL_DEBUG) && !wants_debug)
        return G_LOG_WRITER_HANDLED;
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");
    g_autofree char *message = g_utf8_make_valid(find_field(fields, count, "MESSAGE"), -1);
    make_one_line(message);
    g_autofree char *line =
        g_strdup_printf("%s.%03d %s: %s\n", time, g_date_time_get_microsecond(now) / 1000,
                        level_word(level), message);
    /* One write, so that lines of several threads do not mix. */
    return write(STDERR_FILENO, line, strlen(line)) < 0 ? G_LOG_WRITER_UNHANDLED
                                                        : G_LOG_WRITER_HANDLED;
}

static GLogWriterOutput write_journal(GLogLevelFlags level, const GLogField *fields, gsize count,
                                      gpointer data)
{
    if ((level & G_LOG_LEVEL_DEBUG) && !wants_debug)
        return G_LOG_WRITER_HANDLED;
    return g_log_writer_journald(level, fields, count, data);
}

void hearth_log_init(gboolean foreground)
{
    wants_debug = g_getenv("HEARTH_DEBUG") != NULL;
    gboolean journal = !foreground && g_log_writer_is_journald(STDERR_FILENO);
    g_log_set_writer_func(journal ? write_journal : write_line, NULL, NULL);
}
