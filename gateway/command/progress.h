#pragma once

#include <glib.h>

/**
 * A bar on standard error, when that is a terminal; else nothing. It is redrawn a few times a
 * second, whatever is told it. Safe from any thread.
 */
typedef struct HearthProgress HearthProgress;

/** A zero stands for "not known". */
typedef struct {
    guint64 files_done, files_total;
    guint64 bytes_done, bytes_total;
    double rate;      /* bytes a second; negative: measured by the bar itself */
    double remaining; /* seconds; negative: reckoned by the bar itself */
} HearthProgressState;

HearthProgress *hearth_progress_new(const char *title);
/** Takes the bar off the screen. */
void hearth_progress_free(HearthProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthProgress, hearth_progress_free)

void hearth_progress_show(HearthProgress *progress, const HearthProgressState *state);

/** The line that would be drawn, `columns` wide at most; (transfer full). For tests and the bar. */
char *hearth_progress_line(const char *title, const HearthProgressState *state, guint columns);
