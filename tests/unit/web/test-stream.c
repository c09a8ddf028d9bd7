#include "gateway/base/io.h"
#include "tests/unit/web/house.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Streams of events: a snapshot, news, coming back, the end. */

#define PATIENCE_MS 10000

typedef struct {
    int fd;
    GString *text; /* received, with the lengths of the chunks in it */
} Listener;

static Listener listen_to(House *house, gboolean tcp, const char *target, const char *headers)
{
    Listener listener = {house_connect(house, tcp), g_string_new(NULL)};
    g_autofree char *request =
        g_strdup_printf("GET /api/v1/%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target, headers);
    g_assert_cmpint(send(listener.fd, request, strlen(request), MSG_NOSIGNAL), ==, strlen(request));
    return listener;
}

static void listener_clear(Listener *listener)
{
    close(listener->fd);
    g_string_free(listener->text, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listener, listener_clear)

/* FALSE at the end of the stream. */
static gboolean receive(Listener *listener)
{
    char piece[4096];
    struct pollfd waited = {.fd = listener->fd, .events = POLLIN};
    if (poll(&waited, 1, PATIENCE_MS) <= 0)
        g_error("nothing came after: %s", listener->text->str);
    ssize_t got = recv(listener->fd, piece, sizeof piece, 0);
    if (got > 0)
        g_string_append_len(listener->text, piece, got);
    return got > 0;
}

static void await(Listener *listener, const char *words)
{
    while (!strstr(listener->text->str, words))
        if (!receive(listener))
            g_error("the stream ended without %s: %s", words, listener->text->str);
}

/* The id of the last whole event; (transfer full). */
static char *last_id(const Listener *listener)
{
    const char *at = g_strrstr(listener->text->str, "id: ");
    g_assert_nonnull(at);
    return g_strndup(at + 4, strcspn(at + 4, "\n"));
}

static void add_event(House *house, const char *name, const char *key, guint number)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "n", "u", number);
    hearth_web_events_add(house->events, name, key, g_variant_dict_end(&dict));
}

static void a_stream_begins_with_a_snapshot(void)
{
    g_autoptr(House) house = house_new();
    g_auto(Listener) listener = listen_to(house, FALSE, "events", "");
    await(&listener, "event: snapshot\n");
    await(&listener, "\"devices\":[]");
    await(&listener, "\"jobs\":[]");
    await(&listener, "\"name\":\"played\"");
    g_assert_nonnull(strstr(listener.text->str, "Content-Type: text/event-stream"));
    g_assert_nonnull(strstr(listener.text->str, "retry: 2000\n"));
    add_event(house, "problem", NULL, 7);
    await(&listener, "event: problem\ndata: {\"n\":7}\n\n");
}

static void who_comes_back_gets_what_was_missed(void)
{
    g_autoptr(House) house = house_new();
    g_autofree char *id = NULL;
    {
        g_auto(Listener) listener = listen_to(house, FALSE, "events", "");
        await(&listener, "event: snapshot\n");
        add_event(house, "problem", NULL, 1);
        await(&listener, "{\"n\":1}\n\n");
        id = last_id(&listener);
    }
    add_event(house, "problem", NULL, 2);
    add_event(house, "problem", NULL, 3);
    g_autofree char *header = g_strdup_printf("Last-Event-ID: %s\r\n", id);
    g_auto(Listener) again = listen_to(house, FALSE, "events", header);
    await(&again, "{\"n\":3}\n\n");
    g_assert_nonnull(strstr(again.text->str, "{\"n\":2}\n\n"));
    g_assert_null(strstr(again.text->str, "{\"n\":1}"));
    g_assert_null(strstr(again.text->str, "snapshot"));
}

static void who_was_away_too_long_gets_a_snapshot(void)
{
    g_autoptr(House) house = house_new();
    add_event(house, "problem", NULL, 0);
    g_autofree char *id = NULL;
    {
        g_auto(Listener) listener = listen_to(house, FALSE, "events", "");
        await(&listener, "event: snapshot\n");
        await(&listener, "\n\n");
        id = last_id(&listener);
    }
    for (guint i = 0; i < HEARTH_WEB_EVENTS_KEPT + 10; i++)
        add_event(house, "problem", NULL, i);
    g_autofree char *header = g_strdup_printf("Last-Event-ID: %s\r\n", id);
    g_auto(Listener) again = listen_to(house, FALSE, "events", header);
    await(&again, "event: snapshot\n");
    g_auto(Listener) stranger = listen_to(house, FALSE, "events", "Last-Event-ID: 0badc0de-3\r\n");
    await(&stranger, "event: snapshot\n");
}

static void many_changes_are_one_event(void)
{
    g_autoptr(House) house = house_new();
    g_auto(Listener) listener = listen_to(house, TRUE, "events", "");
    await(&listener, "event: snapshot\n");
    for (guint i = 1; i <= 200; i++)
        add_event(house, "job", "import-1", i);
    house_add(house, "/new", "new");
    await(&listener, "event: tree\n");
    await(&listener, "{\"n\":200}");
    g_assert_null(strstr(listener.text->str, "{\"n\":150}"));
}

static void the_log_is_followed_from_any_record(void)
{
    g_autoptr(House) house = house_new();
    HearthStoreCounts counts;
    house_add(house, "/old", "old");
    g_assert_true(hearth_store_counts(house->store, &counts, NULL));
    g_autofree char *target =
        g_strdup_printf("log?follow=1&after=%" G_GUINT64_FORMAT, counts.last_sequence - 1);
    g_auto(Listener) listener = listen_to(house, FALSE, target, "");
    await(&listener, "\"path\":\"/old\"");
    house_add(house, "/folder/new", "new");
    await(&listener, "\"path\":\"/folder/new\"");
    g_autofree char *id = last_id(&listener);
    g_autofree char *header = g_strdup_printf("Last-Event-ID: %s\r\n", id);
    g_auto(Listener) again = listen_to(house, FALSE, "log?follow=1", header);
    house_add(house, "/newest", "newest");
    await(&again, "\"path\":\"/newest\"");
    g_assert_null(strstr(again.text->str, "/old"));
}

static void stopping_ends_every_stream_at_once(void)
{
    g_autoptr(House) house = house_new();
    Listener listeners[20];
    for (guint i = 0; i < G_N_ELEMENTS(listeners); i++) {
        listeners[i] = listen_to(house, i % 2, i % 4 < 2 ? "events" : "log?follow=1&tail=0", "");
        await(&listeners[i], "retry: 2000\n");
    }
    gint64 begun = g_get_monotonic_time();
    house_restart(house);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, G_TIME_SPAN_SECOND);
    for (guint i = 0; i < G_N_ELEMENTS(listeners); i++) {
        while (receive(&listeners[i]))
            continue;
        listener_clear(&listeners[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/stream/snapshot", a_stream_begins_with_a_snapshot);
    g_test_add_func("/web/stream/resume", who_comes_back_gets_what_was_missed);
    g_test_add_func("/web/stream/lost", who_was_away_too_long_gets_a_snapshot);
    g_test_add_func("/web/stream/coalesced", many_changes_are_one_event);
    g_test_add_func("/web/stream/log", the_log_is_followed_from_any_record);
    g_test_add_func("/web/stream/stop", stopping_ends_every_stream_at_once);
    return g_test_run();
}
