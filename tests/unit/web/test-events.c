#include "web/events-private.h"

static GVariant *number_value(guint64 number)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "n", "t", number);
    return g_variant_dict_end(&dict);
}

static GPtrArray *new_batch(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)hearth_web_event_unref);
}

static guint64 value_at(const GPtrArray *batch, guint index)
{
    const HearthWebEvent *event = g_ptr_array_index(batch, index);
    guint64 number = 0;
    g_variant_lookup(event->value, "n", "t", &number);
    return number;
}

static void a_listener_gets_what_came_after(void)
{
    g_autoptr(HearthWebEvents) events = hearth_web_events_new();
    g_autoptr(GPtrArray) batch = new_batch();
    for (guint64 i = 1; i <= 5; i++)
        hearth_web_events_add(events, "x", NULL, number_value(i * 10));
    g_assert_cmpint(hearth_web_events_wait(events, 3, 0, batch), ==, HEARTH_WEB_EVENTS_GOT);
    g_assert_cmpuint(batch->len, ==, 2);
    g_assert_cmpuint(value_at(batch, 0), ==, 40);
    g_assert_cmpuint(value_at(batch, 1), ==, 50);
    g_assert_cmpint(hearth_web_events_wait(events, 5, 1, batch), ==, HEARTH_WEB_EVENTS_NONE);
}

static void news_of_one_thing_takes_the_place_of_the_old(void)
{
    g_autoptr(HearthWebEvents) events = hearth_web_events_new();
    g_autoptr(GPtrArray) batch = new_batch();
    for (guint64 i = 1; i <= 100; i++) {
        hearth_web_events_add(events, "job", "a", number_value(i));
        hearth_web_events_add(events, "job", "b", number_value(i + 1000));
    }
    g_assert_cmpint(hearth_web_events_wait(events, 0, 0, batch), ==, HEARTH_WEB_EVENTS_GOT);
    g_assert_cmpuint(batch->len, ==, 2);
    g_assert_cmpuint(value_at(batch, 0), ==, 100);
    g_assert_cmpuint(value_at(batch, 1), ==, 1100);
}

static void who_was_away_too_long_is_told(void)
{
    g_autoptr(HearthWebEvents) events = hearth_web_events_new();
    g_autoptr(GPtrArray) batch = new_batch();
    for (guint64 i = 1; i <= HEARTH_WEB_EVENTS_KEPT + 2; i++)
        hearth_web_events_add(events, "x", NULL, number_value(i));
    g_assert_cmpint(hearth_web_events_wait(events, 1, 0, batch), ==, HEARTH_WEB_EVENTS_LOST);
    g_assert_cmpint(hearth_web_events_wait(events, 2, 0, batch), ==, HEARTH_WEB_EVENTS_GOT);
    g_assert_cmpuint(batch->len, ==, HEARTH_WEB_EVENTS_KEPT);
    g_assert_cmpuint(value_at(batch, 0), ==, 3);
}

static void an_id_is_good_in_its_own_run_only(void)
{
    g_autoptr(HearthWebEvents) events = hearth_web_events_new();
    g_autoptr(HearthWebEvents) other = hearth_web_events_new();
    static const char *const BAD[] = {"", "1", "-1", "00000000-", "x-1"};
    guint64 number = 7;
    hearth_web_events_add(events, "x", NULL, number_value(1));
    g_autofree char *good = hearth_web_events_id(events, 1);
    g_autofree char *future = hearth_web_events_id(events, 2);
    g_assert_true(hearth_web_events_parse_id(events, good, &number));
    g_assert_cmpuint(number, ==, 1);
    g_assert_false(hearth_web_events_parse_id(events, future, &number));
    g_assert_false(hearth_web_events_parse_id(other, good, &number));
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++)
        g_assert_false(hearth_web_events_parse_id(events, BAD[i], &number));
}

static gpointer wait_long(gpointer data)
{
    g_autoptr(GPtrArray) batch = new_batch();
    return GINT_TO_POINTER(hearth_web_events_wait(data, 0, 60000, batch));
}

static void waiting_ends_with_news_or_the_end(void)
{
    g_autoptr(HearthWebEvents) events = hearth_web_events_new();
    GThread *thread = g_thread_new("listener", wait_long, events);
    g_usleep(20000);
    hearth_web_events_add(events, "x", NULL, number_value(1));
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, HEARTH_WEB_EVENTS_GOT);

    g_autoptr(HearthWebEvents) quiet = hearth_web_events_new();
    thread = g_thread_new("listener", wait_long, quiet);
    g_usleep(20000);
    hearth_web_events_close(quiet);
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, HEARTH_WEB_EVENTS_CLOSED);
    g_assert_false(hearth_web_events_pause(quiet, 60000));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/events/after", a_listener_gets_what_came_after);
    g_test_add_func("/web/events/keyed", news_of_one_thing_takes_the_place_of_the_old);
    g_test_add_func("/web/events/lost", who_was_away_too_long_is_told);
    g_test_add_func("/web/events/ids", an_id_is_good_in_its_own_run_only);
    g_test_add_func("/web/events/waking", waiting_ends_with_news_or_the_end);
    return g_test_run();
}
