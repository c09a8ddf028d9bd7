#pragma once

#include "devices/conversation.h"
#include "devices/driver.h"

/**
 * Where the bytes of one fetch go: while they are few they are kept, to be attached to the last
 * message; once they are many they go through the pipe, announced piece by piece.
 */
struct HearthSink {
    HearthConversation *conversation; /* borrowed */
    guint32 serial;
    guint64 piped; /* bytes announced and put into the pipe */
    gsize kept_size;
    guint8 *kept; /* HEARTH_MESSAGE_ATTACHED_MAX bytes, the conversation's */
};

/** Ends the fetch: what was kept is attached. */
gboolean hearth_sink_finish(HearthSink *sink, GError **error);
