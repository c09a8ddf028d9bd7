#pragma once

#include <gio/gio.h>

#include "sprockets/host/answer-private.h"

/**
 * The host's end of hearth-sprocket: starts it, starts it again when it has died, and runs calls.
 *
 * Threads: all functions from any thread, but for new and free. A call takes a lane (a socket and
 * the memory shared with its child) out of a pool and waits on that alone, so calls do not wait for
 * one another until HEARTH_WIRE_LANES_MAX are in progress. One lock covers the process, the list of
 * what is loaded and the pool; it is held while a server starts, never during a call.
 */
typedef struct HearthServer HearthServer;

/** `runner` is the path of the program. Starts nothing yet. */
HearthServer *hearth_server_new(const char *runner);
void hearth_server_free(HearthServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthServer, hearth_server_free)

/**
 * Loads `path` into `slot` and keeps it loaded across restarts. `ret_description` is the sprocket's
 * table as a record, not yet checked. INVALID: it cannot be loaded, the message says why.
 */
gboolean hearth_server_load(HearthServer *server, guint slot, const char *path,
                            GBytes **ret_description, GError **error);

/**
 * Runs `job` in a child. TRUE: `ret_answer` is filled; a bad end of the child is an answer too.
 * FALSE: CANCELLED, or the server cannot be started, or died twice under this call (GONE).
 */
gboolean hearth_server_call(HearthServer *server, const HearthJob *job, HearthAnswer *ret_answer,
                            GCancellable *cancellable, GError **error);

/** For tests: the process id of the running server; 0: none. */
GPid hearth_server_pid(HearthServer *server);
