#pragma once

#include "web/events.h"

/** One event, immutable once it is in the line; referenced by the line and by listeners. */
typedef struct {
    gint references;
    guint64 number; /* from 1, ascending */
    char *name;
    char *key; /* nullable */
    GVariant *value;
} HearthWebEvent;

HearthWebEvent *hearth_web_event_ref(HearthWebEvent *event);
void hearth_web_event_unref(HearthWebEvent *event);

typedef enum {
    HEARTH_WEB_EVENTS_GOT,    /* there are some */
    HEARTH_WEB_EVENTS_LOST,   /* some beyond `after` are no longer held: start from a snapshot */
    HEARTH_WEB_EVENTS_NONE,   /* the time passed */
    HEARTH_WEB_EVENTS_CLOSED, /* for good */
} HearthWebEventsAnswer;

/**
 * Waits at most `timeout_ms` for events with a number above `after` and appends references to them,
 * in order, to `batch` (element type HearthWebEvent).
 */
HearthWebEventsAnswer hearth_web_events_wait(HearthWebEvents *events, guint64 after,
                                             guint timeout_ms, GPtrArray *batch);

/** Sleeps `ms`, or less if the line is closed; FALSE if it is. */
gboolean hearth_web_events_pause(HearthWebEvents *events, guint ms);

/** Number of the newest event; 0 before the first. */
guint64 hearth_web_events_last(HearthWebEvents *events);

/** The id "RUN-NUMBER" as it crosses the wire; (transfer full). */
char *hearth_web_events_id(const HearthWebEvents *events, guint64 number);

/** Reads such an id; FALSE if it is of another run or none at all. */
gboolean hearth_web_events_parse_id(HearthWebEvents *events, const char *id, guint64 *ret_number);
