#pragma once

#include "web/reply-private.h"

/**
 * An answer without an end, in the form of server-sent events.
 *
 * `fill` appends the next piece to `out`, and may block for it, but no longer than
 * HEARTH_STREAM_PING_MS: after that it appends a comment, which is how a client that left is
 * noticed. It returns FALSE to end the stream. `data` is freed with `destroy` after the last call.
 */
typedef gboolean (*HearthStreamFunc)(GString *out, gpointer data);

#define HEARTH_STREAM_PING_MS 15000
#define HEARTH_STREAM_PING ": ping\n\n"

gboolean hearth_stream_reply(HearthReply *reply, HearthStreamFunc fill, gpointer data,
                             GDestroyNotify destroy);

/** Appends one event; `id` and `name` may be NULL. A floating value is taken. */
void hearth_stream_event(GString *out, const char *id, const char *name, GVariant *value);
