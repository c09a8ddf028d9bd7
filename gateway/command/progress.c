#include "gateway/command/progress.h"

#include "gateway/command/format.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Least time between two drawings, microseconds. */
#define REDRAW_US 100000
#define BAR_WIDTH 20
#define DEFAULT_COLUMNS 80

struct HearthProgress {
    char *title;
    gint64 begun; /* monotonic, microseconds */
    GMutex lock;  /* protects what follows, and the terminal while drawing */
    gint64 drawn; /* when last; 0: never */
};

HearthProgress *hearth_progress_new(const char *title)
{
    if (!isatty(STDERR_FILENO))
        return NULL;
    HearthProgress *progress = g_new0(HearthProgress, 1);
    progress->title = hearth_format_name(title);
    progress->begun = g_get_monotonic_time();
    g_mutex_init(&progress->lock);
    return progress;
}

void hearth_progress_free(HearthProgress *progress)
{
    if (!progress)
        return;
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    g_mutex_clear(&progress->lock);
    g_free(progress->title);
    g_free(progress);
}

static double done_share(const HearthProgressState *state)
{
    double done = 0;
    if (state->bytes_total > 0)
        done = (double)state->bytes_done / (double)state->bytes_total;
    else if (state->files_total > 0)
        done = (double)state->files_done / (double)state->files_total;
    return CLAMP(done, 0, 1);
}

static void append_bar(GString *line, double share)
{
    guint full = (guint)(share * BAR_WIDTH);
    g_string_append(line, " [");
    for (guint i = 0; i < BAR_WIDTH; i++)
        g_string_append_c(line, i < full ? '#' : '-');
    g_string_append_printf(line, "] %3u %%", (guint)(share * 100));
}

static void append_amounts(GString *line, const HearthProgressState *state)
{
    g_autofree char *files = hearth_format_count(state->files_done);
    g_autofree char *files_total = hearth_format_count(state->files_total);
    g_autofree char *bytes = hearth_format_size(state->bytes_done);
    g_autofree char *bytes_total = hearth_format_size(state->bytes_total);
    if (state->files_total > 0)
        g_string_append_printf(line, "  %s of %s files", files, files_total);
    else if (state->files_done > 0)
        g_string_append_printf(line, "  %s files", files);
    if (state->bytes_total > 0)
        g_string_append_printf(line, "  %s of %s", bytes, bytes_total);
    else if (state->bytes_done > 0)
        g_string_append_printf(line, "  %s", bytes);
}

static void append_speed(GString *line, const HearthProgressState *state)
{
    if (state->rate > 0) {
        g_autofree char *rate = hearth_format_size((guint64)state->rate);
        g_string_append_printf(line, "  %s/s", rate);
    }
    if (state->remaining > 0) {
        g_autofree char *remaining = hearth_format_seconds(state->remaining);
        g_string_append_printf(line, "  %s left", remaining);
    }
}

char *hearth_progress_line(const char *title, const HearthProgressState *state, guint columns)
{
    GString *line = g_string_new(title);
    if (state->files_total > 0 || state->bytes_total > 0)
        append_bar(line, done_share(state));
    append_amounts(line, state);
    append_speed(line, state);
    while (hearth_format_width(line->str) > columns)
        g_string_truncate(line,
                          g_utf8_find_prev_char(line->str, line->str + line->len) - line->str);
    return g_string_free(line, FALSE);
}

/* What the caller does not know is reckoned from what has been done since the start. */
static HearthProgressState complete(const HearthProgress *progress,
                                    const HearthProgressState *state, gint64 now)
{
    HearthProgressState full = *state;
    double seconds = (double)(now - progress->begun) / G_TIME_SPAN_SECOND;
    double share = done_share(state);
    if (full.rate < 0)
        full.rate = seconds > 0 ? (double)full.bytes_done / seconds : 0;
    if (full.remaining < 0)
        full.remaining = share > 0 ? seconds * (1 - share) / share : 0;
    return full;
}

void hearth_progress_show(HearthProgress *progress, const HearthProgressState *state)
{
    struct winsize size = {0};
    gint64 now = g_get_monotonic_time();
    if (!progress)
        return;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&progress->lock);
    if (now - progress->drawn < REDRAW_US)
        return;
    progress->drawn = now;
    guint columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
                        ? size.ws_col
                        : DEFAULT_COLUMNS;
    HearthProgressState full = complete(progress, state, now);
    g_autofree char *line = hearth_progress_line(progress->title, &full, columns - 1);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}
