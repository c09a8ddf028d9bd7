#include "web/stream-private.h"

#include "web/json.h"

#include <string.h>

/* Largest piece handed to a connection at once, bytes. */
#define PIECE 16384

typedef struct {
    HearthStreamFunc fill;
    gpointer data;
    GDestroyNotify destroy;
    GString *pending;
    gsize sent; /* bytes of `pending` */
} Stream;

static void stream_free(void *data)
{
    Stream *stream = data;
    stream->destroy(stream->data);
    g_string_free(stream->pending, TRUE);
    g_free(stream);
}

static ssize_t stream_read(void *data, uint64_t position, char *buffer, size_t size)
{
    Stream *stream = data;
    if (stream->sent == stream->pending->len) {
        g_string_truncate(stream->pending, 0);
        stream->sent = 0;
        if (!stream->fill(stream->pending, stream->data))
            return MHD_CONTENT_READER_END_OF_STREAM;
    }
    gsize count = MIN(size, stream->pending->len - stream->sent);
    memcpy(buffer, stream->pending->str + stream->sent, count);
    stream->sent += count;
    return (ssize_t)count;
}

gboolean hearth_stream_reply(HearthReply *reply, HearthStreamFunc fill, gpointer data,
                             GDestroyNotify destroy)
{
    Stream *stream = g_new0(Stream, 1);
    stream->fill = fill;
    stream->data = data;
    stream->destroy = destroy;
    stream->pending = g_string_new("retry: 2000\n\n");
    hearth_reply_clear(reply);
    reply->status = MHD_HTTP_OK;
    reply->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, stream_read,
                                                        stream, stream_free);
    hearth_reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    hearth_reply_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return TRUE;
}

void hearth_stream_event(GString *out, const char *id, const char *name, GVariant *value)
{
    g_autoptr(GVariant) owned = g_variant_ref_sink(value);
    g_autofree char *json = hearth_json_print(owned);
    if (id)
        g_string_append_printf(out, "id: %s\n", id);
    if (name)
        g_string_append_printf(out, "event: %s\n", name);
    g_string_append_printf(out, "data: %s\n\n", json);
}
