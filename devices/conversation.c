#include "devices/conversation.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <sys/socket.h>

#define WAITING_MAX 512 /* requests; hearthd asks ahead for far fewer */

void hearth_conversation_init(HearthConversation *conversation, int socket)
{
    *conversation = (HearthConversation){.socket = socket, .pipe = -1};
    conversation->buffer = g_malloc(HEARTH_MESSAGE_MAX);
    conversation->kept = g_malloc(HEARTH_MESSAGE_ATTACHED_MAX);
    g_queue_init(&conversation->waiting);
}

void hearth_conversation_drop(HearthMessage *request)
{
    hearth_message_clear(request);
    g_free(request);
}

void hearth_conversation_clear(HearthConversation *conversation)
{
    g_queue_clear_full(&conversation->waiting, (GDestroyNotify)hearth_conversation_drop);
    g_clear_pointer(&conversation->buffer, g_free);
    g_clear_pointer(&conversation->kept, g_free);
    hearth_close_at(&conversation->socket);
    hearth_close_at(&conversation->pipe);
}

/* One request from the socket, whose body no longer depends on the buffer. */
static HearthMessage *receive(HearthConversation *conversation, int flags, GError **error)
{
    HearthMessage *request = g_new0(HearthMessage, 1);
    request->fd = -1;
    if (!hearth_message_receive(conversation->socket, conversation->buffer, flags, request,
                                error)) {
        g_free(request);
        return NULL;
    }
    g_autoptr(GBytes) bytes =
        g_bytes_new(g_variant_get_data(request->body), g_variant_get_size(request->body));
    GVariant *body = g_variant_new_from_bytes(g_variant_get_type(request->body), bytes, TRUE);
    g_variant_unref(request->body);
    request->body = g_variant_ref_sink(body);
    request->attached = NULL;
    request->attached_size = 0;
    return request;
}

HearthMessage *hearth_conversation_next(HearthConversation *conversation, GError **error)
{
    HearthMessage *request = g_queue_pop_head(&conversation->waiting);
    while (!request) {
        request = receive(conversation, 0, error);
        if (!request)
            return NULL;
        if (request->kind == HEARTH_MESSAGE_CANCEL)
            g_clear_pointer(&request, hearth_conversation_drop);
    }
    return request;
}

gboolean hearth_conversation_wanted(HearthConversation *conversation, guint32 serial,
                                    GError **error)
{
    g_autoptr(GError) failure = NULL;
    HearthMessage *request;
    while (conversation->waiting.length < WAITING_MAX &&
           (request = receive(conversation, MSG_DONTWAIT, &failure))) {
        if (request->kind == HEARTH_MESSAGE_CANCEL) {
            conversation->cancelled_up_to = request->serial;
            hearth_conversation_drop(request);
        } else {
            g_queue_push_tail(&conversation->waiting, request);
        }
    }
    if (failure && !g_error_matches(failure, HEARTH_ERROR, HEARTH_ERROR_BUSY)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    if (serial > conversation->cancelled_up_to)
        return TRUE;
    g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "cancelled");
    return FALSE;
}
