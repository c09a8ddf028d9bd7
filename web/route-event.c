#include "web/events-private.h"
#include "web/route-private.h"
#include "web/stream-private.h"

/* GET /events: a snapshot, then what happens; a client that comes back names the last id it saw. */

/* Least time between two bursts to one client, milliseconds. */
#define BURST_MS 500

typedef struct {
    const HearthWebOptions *options; /* borrowed */
    guint64 seen;                    /* number of the last event sent */
    gboolean snapshot;               /* to be sent next */
} Listener;

static void insert_answer(GVariantDict *dict, const char *key,
                          GVariant *(*ask)(gpointer, GError **), gpointer data)
{
    GVariant *value = ask ? ask(data, NULL) : NULL;
    g_autoptr(GVariant) owned = value ? g_variant_take_ref(value) : NULL;
    if (owned)
        g_variant_dict_insert_value(dict, key, owned);
}

static void append_snapshot(Listener *listener, GString *out)
{
    const HearthWebHost *host = listener->options->host;
    gpointer data = listener->options->data;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    /* The number first: what happens while we ask is then told again rather than lost. */
    listener->seen = hearth_web_events_last(listener->options->events);
    insert_answer(&dict, "status", host->status, data);
    insert_answer(&dict, "devices", host->devices, data);
    insert_answer(&dict, "jobs", host->jobs, data);
    g_autofree char *id = hearth_web_events_id(listener->options->events, listener->seen);
    hearth_stream_event(out, id, "snapshot", g_variant_dict_end(&dict));
    listener->snapshot = FALSE;
}

static void append_batch(Listener *listener, const GPtrArray *batch, GString *out)
{
    for (guint i = 0; i < batch->len; i++) {
        const HearthWebEvent *event = g_ptr_array_index(batch, i);
        g_autofree char *id = hearth_web_events_id(listener->options->events, event->number);
        hearth_stream_event(out, id, event->name, event->value);
        listener->seen = event->number;
    }
}

static gboolean fill(GString *out, gpointer data)
{
    Listener *listener = data;
    HearthWebEvents *events = listener->options->events;
    g_autoptr(GPtrArray) batch =
        g_ptr_array_new_with_free_func((GDestroyNotify)hearth_web_event_unref);
    if (listener->snapshot) {
        append_snapshot(listener, out);
        return TRUE;
    }
    if (!hearth_web_events_pause(events, BURST_MS))
        return FALSE;
    switch (hearth_web_events_wait(events, listener->seen, HEARTH_STREAM_PING_MS, batch)) {
    case HEARTH_WEB_EVENTS_GOT:
        append_batch(listener, batch, out);
        return TRUE;
    case HEARTH_WEB_EVENTS_LOST:
        append_snapshot(listener, out);
        return TRUE;
    case HEARTH_WEB_EVENTS_NONE:
        g_string_append(out, HEARTH_STREAM_PING);
        return TRUE;
    case HEARTH_WEB_EVENTS_CLOSED:
        break;
    }
    return FALSE;
}

static gboolean get_events(HearthRequest *request, HearthReply *reply, GError **error)
{
    Listener *listener = g_new0(Listener, 1);
    const char *id = hearth_request_header(request, "Last-Event-ID");
    listener->options = request->options;
    listener->snapshot =
        !id || !hearth_web_events_parse_id(request->options->events, id, &listener->seen);
    return hearth_stream_reply(reply, fill, listener, g_free);
}

const HearthRoute HEARTH_ROUTES_EVENT[] = {
    {"GET", "/api/v1/events", get_events, NULL},
    {NULL},
};
