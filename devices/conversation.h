#pragma once

#include "devices/message.h"

/**
 * The worker's end of the conversation of message.h: takes requests in order, and learns of a
 * CANCEL while one is being served. Private to hearth-device; one thread.
 */
typedef struct {
    int socket;
    int pipe;                /* write end; -1 until OPEN brought it */
    guint8 *buffer;          /* HEARTH_MESSAGE_MAX bytes */
    guint8 *kept;            /* HEARTH_MESSAGE_ATTACHED_MAX bytes, for the sink of a fetch */
    GQueue waiting;          /* of HearthMessage*: came in while another was being served */
    guint32 cancelled_up_to; /* serial */
} HearthConversation;

/** Takes over `socket`. */
void hearth_conversation_init(HearthConversation *conversation, int socket);
void hearth_conversation_clear(HearthConversation *conversation);

/** The next request; waits. NULL with GONE when hearthd is. Free with hearth_conversation_drop().
 */
HearthMessage *hearth_conversation_next(HearthConversation *conversation, GError **error);
void hearth_conversation_drop(HearthMessage *request);

/** FALSE with CANCELLED or GONE if nobody waits for request `serial` any more. Never waits. */
gboolean hearth_conversation_wanted(HearthConversation *conversation, guint32 serial,
                                    GError **error);
