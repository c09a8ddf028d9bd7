#include "web/events-private.h"

#include "gateway/base/id.h"

#include <string.h>

/* Bytes of the mark that tells one run of the daemon from another. */
#define RUN_SIZE 4

struct HearthWebEvents {
    char run[2 * RUN_SIZE + 1]; /* immutable */
    GMutex lock;                /* protects what follows; held for a moment, no I/O */
    GCond changed;
    GQueue held;       /* HearthWebEvent, ascending numbers */
    GHashTable *keyed; /* "name key" -> GList of `held`, borrowed */
    guint64 last;      /* number of the newest event */
    guint64 forgotten; /* number of the newest event that fell out for want of room */
    gboolean closed;
};

HearthWebEvent *hearth_web_event_ref(HearthWebEvent *event)
{
    g_atomic_int_inc(&event->references);
    return event;
}

void hearth_web_event_unref(HearthWebEvent *event)
{
    if (!event || !g_atomic_int_dec_and_test(&event->references))
        return;
    g_free(event->name);
    g_free(event->key);
    g_variant_unref(event->value);
    g_free(event);
}

HearthWebEvents *hearth_web_events_new(void)
{
    HearthWebEvents *events = g_new0(HearthWebEvents, 1);
    HearthId run = hearth_id_new();
    hearth_hex_encode(run.bytes, RUN_SIZE, events->run);
    g_mutex_init(&events->lock);
    g_cond_init(&events->changed);
    g_queue_init(&events->held);
    events->keyed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return events;
}

void hearth_web_events_free(HearthWebEvents *events)
{
    if (!events)
        return;
    hearth_web_events_close(events);
    g_hash_table_unref(events->keyed);
    g_queue_clear_full(&events->held, (GDestroyNotify)hearth_web_event_unref);
    g_cond_clear(&events->changed);
    g_mutex_clear(&events->lock);
    g_free(events);
}

/* Called with the lock. */
static void drop_link(HearthWebEvents *events, GList *link)
{
    HearthWebEvent *event = link->data;
    if (event->key)
        g_hash_table_remove(events->keyed, event->key);
    g_queue_delete_link(&events->held, link);
    hearth_web_event_unref(event);
}

/* Called with the lock. */
static void make_room(HearthWebEvents *events)
{
    while (events->held.length > HEARTH_WEB_EVENTS_KEPT) {
        const HearthWebEvent *oldest = events->held.head->data;
        events->forgotten = oldest->number;
        drop_link(events, events->held.head);
    }
}

void hearth_web_events_add(HearthWebEvents *events, const char *name, const char *key,
                           GVariant *value)
{
    HearthWebEvent *event = g_new0(HearthWebEvent, 1);
    event->references = 1;
    event->name = g_strdup(name);
    event->key = key ? g_strconcat(name, " ", key, NULL) : NULL;
    event->value = g_variant_ref_sink(value);

    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
    GList *earlier = event->key ? g_hash_table_lookup(events->keyed, event->key) : NULL;
    if (earlier)
        drop_link(events, earlier);
    event->number = ++events->last;
    g_queue_push_tail(&events->held, event);
    if (event->key)
        g_hash_table_insert(events->keyed, g_strdup(event->key), events->held.tail);
    make_room(events);
    g_cond_broadcast(&events->changed);
}

void hearth_web_events_close(HearthWebEvents *events)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
    events->closed = TRUE;
    g_cond_broadcast(&events->changed);
}

/* Called with the lock. */
static void collect(HearthWebEvents *events, guint64 after, GPtrArray *batch)
{
    GList *first = events->held.tail;
    while (first && first->prev && ((HearthWebEvent *)first->prev->data)->number > after)
        first = first->prev;
    for (GList *link = first; link; link = link->next)
        g_ptr_array_add(batch, hearth_web_event_ref(link->data));
}

HearthWebEventsAnswer hearth_web_events_wait(HearthWebEvents *events, guint64 after,
                                             guint timeout_ms, GPtrArray *batch)
{
    gint64 end = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
    while (!events->closed && events->last <= after)
        if (!g_cond_wait_until(&events->changed, &events->lock, end))
            return events->closed ? HEARTH_WEB_EVENTS_CLOSED : HEARTH_WEB_EVENTS_NONE;
    if (events->closed)
        return HEARTH_WEB_EVENTS_CLOSED;
    if (after < events->forgotten)
        return HEARTH_WEB_EVENTS_LOST;
    collect(events, after, batch);
    return HEARTH_WEB_EVENTS_GOT;
}

gboolean hearth_web_events_pause(HearthWebEvents *events, guint ms)
{
    gint64 end = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
    while (!events->closed && g_cond_wait_until(&events->changed, &events->lock, end))
        continue;
    return !events->closed;
}

guint64 hearth_web_events_last(HearthWebEvents *events)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
    return events->last;
}

char *hearth_web_events_id(const HearthWebEvents *events, guint64 number)
{
    return g_strdup_printf("%s-%" G_GUINT64_FORMAT, events->run, number);
}

gboolean hearth_web_events_parse_id(HearthWebEvents *events, const char *id, guint64 *ret_number)
{
    gsize run = strlen(events->run);
    if (strncmp(id, events->run, run) != 0 || id[run] != '-')
        return FALSE;
    guint64 number;
    if (!g_ascii_string_to_unsigned(id + run + 1, 10, 0, G_MAXUINT64, &number, NULL) ||
        number > hearth_web_events_last(events))
        return FALSE;
    *ret_number = number;
    return TRUE;
}
