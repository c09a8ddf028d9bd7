#pragma once

#include "web/request-private.h"

/** What routes may use of the server. */
struct HearthWebServer {
    HearthWebOptions options; /* strings owned */
    HearthListener unix_listener;
    HearthListener tcp_listener;
    guint watch;           /* of the store */
    guint64 requests;      /* served so far; atomic */
    GMutex lock;           /* protects what follows; held for a moment */
    GCond changed;         /* the log grew, or the server stops */
    guint64 last_sequence; /* of the change log, as the watch told */
    gboolean stopping;
};

/** Waits until the log goes beyond `after`, the time has passed or the server stops, which is
 * FALSE.
 */
gboolean hearth_web_server_wait_log(HearthWebServer *server, guint64 after, guint timeout_ms);
