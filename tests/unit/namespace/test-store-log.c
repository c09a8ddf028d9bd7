#include "tests/unit/namespace/store-fixture.h"

static const char *const WORDS[] = {"?",       "created",  "content",   "attributes", "moved",
                                    "trashed", "restored", "forgotten", "lost"};

typedef struct {
    GMutex lock;
    GCond grown;
    GString *text;
    guint64 last;
    guint64 clock;
    guint count;
    HearthStore *store; /* looked into from within the callback when set */
} Told;

static gboolean tell(const HearthChange *change, gpointer data)
{
    Told *told = data;
    HearthStoreCounts counts;
    if (told->store)
        g_assert_true(hearth_store_counts(told->store, &counts, NULL));
    g_mutex_lock(&told->lock);
    g_assert_cmpuint(change->sequence, ==, told->last + 1);
    g_assert_cmpuint(change->clock, >, told->clock);
    told->last = change->sequence;
    told->clock = change->clock;
    told->count++;
    g_string_append_printf(told->text, "%s %s", WORDS[change->kind], change->name);
    if (change->old_name)
        g_string_append_printf(told->text, " from %" G_GINT64_FORMAT "/%s", change->old_parent,
                               change->old_name);
    if (change->origin)
        g_string_append_printf(told->text, " by %u", change->origin);
    g_string_append(told->text, "; ");
    g_cond_broadcast(&told->grown);
    g_mutex_unlock(&told->lock);
    return TRUE;
}

static void told_init(Told *told)
{
    *told = (Told){.text = g_string_new(NULL)};
    g_mutex_init(&told->lock);
    g_cond_init(&told->grown);
}

static void told_clear(Told *told)
{
    g_string_free(told->text, TRUE);
    g_mutex_clear(&told->lock);
    g_cond_clear(&told->grown);
}

static void told_wait(Told *told, guint count)
{
    gint64 until = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&told->lock);
    while (told->count < count)
        g_assert_true(g_cond_wait_until(&told->grown, &told->lock, until));
    g_mutex_unlock(&told->lock);
}

/* Does one of each kind of change; nine records. */
static void change_everything(HearthStore *store)
{
    g_autoptr(GError) error = NULL;
    HearthObject values = {.mode = 0600};
    gint64 folder = store_fixture_make(store, HEARTH_ROOT_INO, "d", HEARTH_KIND_FOLDER);
    gint64 file = store_fixture_make(store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    store_fixture_write(store, file, "bytes");
    g_assert_true(hearth_store_set(store, file, HEARTH_SET_MODE, &values, 0, NULL, &error));
    g_assert_true(hearth_store_rename(store, HEARTH_ROOT_INO, "f", folder, "g",
                                      HEARTH_RENAME_REPLACE, 7, &error));
    g_assert_true(hearth_store_remove(store, folder, "g", 0, 0, NULL, &error));
    g_assert_true(hearth_store_trash_restore(store, file, 0, NULL, &error));
    g_assert_true(hearth_store_remove(store, folder, "g", 0, 0, NULL, &error));
    g_assert_true(hearth_store_trash_empty(store, G_MAXINT64, NULL, &error));
}

#define RECORDS                                                                                    \
    "created d; created f; content f; attributes f; moved g from 1/f%s; trashed g from 2/g; "      \
    "restored g; trashed g from 2/g; forgotten g; "

static void every_change_is_one_record(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = g_strdup_printf(RECORDS, "");
    Told told;
    told_init(&told);
    change_everything(f->store);
    store_fixture_reopen(f);
    g_assert_true(hearth_store_log(f->store, 0, 0, tell, &told, &error));
    g_assert_cmpstr(told.text->str, ==, expected);
    told_clear(&told);
}

static void a_cursor_goes_on_where_it_was(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Told told;
    told_init(&told);
    for (int i = 0; i < 700; i++) {
        g_autofree char *name = g_strdup_printf("%d", i);
        store_fixture_make(f->store, HEARTH_ROOT_INO, name, HEARTH_KIND_FILE);
    }
    while (told.last < 700) {
        guint before = told.count;
        g_assert_true(hearth_store_log(f->store, told.last, 300, tell, &told, &error));
        g_assert_cmpuint(told.count - before, ==, MIN(300, 700 - before));
    }
    told_clear(&told);
}

static void refused_changes_leave_no_record(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthStoreCounts counts;
    HearthNewObject file = {.kind = HEARTH_KIND_FILE};
    store_fixture_make(f->store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    g_assert_false(hearth_store_create(f->store, HEARTH_ROOT_INO, "f", &file, 0, NULL, &error));
    g_clear_error(&error);
    g_assert_false(hearth_store_remove(f->store, HEARTH_ROOT_INO, "g", 0, 0, NULL, &error));
    g_assert_true(hearth_store_counts(f->store, &counts, NULL));
    g_assert_cmpuint(counts.last_sequence, ==, 1);
}

static void watchers_are_told_in_order_and_may_call_back(StoreFixture *f, gconstpointer data)
{
    g_autofree char *expected = g_strdup_printf(RECORDS, " by 7");
    Told told;
    told_init(&told);
    told.store = f->store;
    guint id = hearth_store_watch(f->store, tell, &told, NULL);
    g_assert_cmpuint(id, >, 0);
    change_everything(f->store);
    told_wait(&told, 9);
    g_assert_cmpstr(told.text->str, ==, expected);
    hearth_store_unwatch(f->store, id);
    hearth_store_unwatch(f->store, id);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "later", HEARTH_KIND_FILE);
    hearth_store_sync(f->store, NULL);
    g_assert_cmpuint(told.count, ==, 9);
    told_clear(&told);
}

typedef struct {
    HearthStore *store;
    guint id;
    gint calls, destroyed;
} Once;

static gboolean cancel_itself(const HearthChange *change, gpointer data)
{
    Once *once = data;
    hearth_store_unwatch(once->store, (guint)g_atomic_int_get((gint *)&once->id));
    g_atomic_int_inc(&once->calls);
    return TRUE;
}

static void note_destroy(gpointer data)
{
    g_atomic_int_inc(&((Once *)data)->destroyed);
}

static void a_watcher_can_cancel_itself(StoreFixture *f, gconstpointer data)
{
    Once once = {.store = f->store};
    guint id = hearth_store_watch(f->store, cancel_itself, &once, note_destroy);
    g_atomic_int_set((gint *)&once.id, (gint)id);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "a", HEARTH_KIND_FILE);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "b", HEARTH_KIND_FILE);
    for (int i = 0; i < 1000 && !g_atomic_int_get(&once.destroyed); i++)
        g_usleep(5000);
    g_assert_cmpint(g_atomic_int_get(&once.destroyed), ==, 1);
    g_assert_cmpint(g_atomic_int_get(&once.calls), ==, 1);
}

/* Each object's vector moves forward with each change, on this node's counter alone. */
static void vectors_grow_with_each_change(StoreFixture *f, gconstpointer data)
{
    HearthObjectRow before, after;
    gint64 ino = store_fixture_make(f->store, HEARTH_ROOT_INO, "f", HEARTH_KIND_FILE);
    g_assert_cmpint(f->store->engine->get_row(f->store->metadata, ino, &before, NULL), ==,
                    HEARTH_FETCH_ROW);
    store_fixture_write(f->store, ino, "new");
    g_assert_cmpint(f->store->engine->get_row(f->store->metadata, ino, &after, NULL), ==,
                    HEARTH_FETCH_ROW);
    g_assert_cmpuint(after.vector.count, ==, 1);
    g_assert_cmpint(hearth_version_vector_compare(&before.vector, &after.vector), ==,
                    HEARTH_ORDER_BEFORE);
    g_assert_cmpuint(after.vector.entries[0].node, ==, f->store->node_short);
}

static void nodes_and_incarnations_stay_over_a_reopen(StoreFixture *f, gconstpointer data)
{
    HearthId node = hearth_store_node(f->store), incarnation = hearth_store_incarnation(f->store);
    store_fixture_reopen(f);
    HearthId again = hearth_store_node(f->store), same = hearth_store_incarnation(f->store);
    g_assert_true(hearth_id_equal(&node, &again));
    g_assert_true(hearth_id_equal(&incarnation, &same));
    g_assert_false(hearth_id_equal(&node, &same));
    g_assert_false(hearth_id_is_none(&node));
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/log/" path, StoreFixture, NULL, store_fixture_set_up, func,       \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("every-change-is-one-record", every_change_is_one_record);
    ADD("a-cursor-goes-on-where-it-was", a_cursor_goes_on_where_it_was);
    ADD("refused-changes-leave-no-record", refused_changes_leave_no_record);
    ADD("watchers-are-told-in-order-and-may-call-back",
        watchers_are_told_in_order_and_may_call_back);
    ADD("a-watcher-can-cancel-itself", a_watcher_can_cancel_itself);
    ADD("vectors-grow-with-each-change", vectors_grow_with_each_change);
    ADD("nodes-and-incarnations-stay-over-a-reopen", nodes_and_incarnations_stay_over_a_reopen);
    return g_test_run();
}
