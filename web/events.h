#pragma once

#include <glib.h>

/**
 * What happens in the daemon, as a bounded line of numbered events that any number of listeners
 * read at their own pace.
 *
 * The daemon adds; GET /events sends. The last HEARTH_WEB_EVENTS_KEPT are held, so that a listener
 * that comes back says what it saw last and gets the rest; one that was away for longer is told so
 * and starts from a snapshot. Adding never blocks on a listener. Ids are "RUN-NUMBER": RUN is drawn
 * at random for each line, so an id of an earlier daemon is never taken for one of this.
 *
 * Safe from any thread. The line outlives every server that sends from it.
 *
 * Names the pages and the command know: `job` and `device` (the dictionary as in server.h, keyed by
 * its id, at every change), `device-gone` (id s), `problem` (message s). The server adds `tree`
 * (sequence t) by itself when the change log has grown.
 */
typedef struct HearthWebEvents HearthWebEvents;

/** Events held for listeners that come back. */
#define HEARTH_WEB_EVENTS_KEPT 1024

HearthWebEvents *hearth_web_events_new(void);
/** As hearth_web_events_close(), then frees; no listener may be left. */
void hearth_web_events_free(HearthWebEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthWebEvents, hearth_web_events_free)

/**
 * Adds an event. `name` is [a-z-]; `value` is a{sv}, a floating one is taken. With a `key` it takes
 * the place of an earlier event of that name and key that is still held: a job may tell of its
 * progress as often as it likes, and a listener gets what is newest when it next looks, at most
 * twice a second.
 */
void hearth_web_events_add(HearthWebEvents *events, const char *name, const char *key,
                           GVariant *value);

/** Wakes every listener for good: their waits return FALSE from now on. */
void hearth_web_events_close(HearthWebEvents *events);
