#include "tests/unit/namespace/store-fixture.h"

/* Built with the thread sanitizer this finds races; in any build it finds what they break. */

#define THREADS 4
#define ROUNDS 60

typedef struct {
    HearthStore *store;
    guint number;
} Worker;

static gboolean ignore_entry(const HearthObject *object, const char *name, gpointer data)
{
    return TRUE;
}

static void work_once(const Worker *worker, guint round)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    g_autofree char *path = g_strdup_printf("/shared/%u/%u.txt", worker->number % 2, round);
    g_autofree char *own = g_strdup_printf("t%u-%u", worker->number, round);
    g_autofree char *text = g_strdup_printf("text %u", round % 10);
    gint64 ino = store_fixture_make(worker->store, HEARTH_ROOT_INO, own, HEARTH_KIND_FILE);
    store_fixture_write(worker->store, ino, text);
    hearth_store_make_folders(worker->store, "/shared/x", 0, &object, NULL);
    hearth_store_rename(worker->store, HEARTH_ROOT_INO, own, object.ino, "contended",
                        HEARTH_RENAME_REPLACE, 0, NULL);
    HearthNewFile file = {.path = path, .mode = 0644};
    hearth_store_add_file(worker->store, &file, 0, NULL, NULL);
    hearth_store_list(worker->store, object.ino, 0, ignore_entry, NULL, NULL);
    if (round % 10 == worker->number)
        g_assert_true(hearth_store_sync(worker->store, &error));
    if (round % 20 == worker->number)
        hearth_store_find(worker->store, "name ~ txt and size >= 0", 10, ignore_entry, NULL,
                          &error);
    if (round % 30 == worker->number)
        hearth_store_trash_empty(worker->store, G_MAXINT64, NULL, &error);
    if (round % 30 == worker->number + 5)
        hearth_store_gc(worker->store, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
}

static gpointer work(gpointer data)
{
    for (guint round = 0; round < ROUNDS; round++)
        work_once(data, round);
    return NULL;
}

static gboolean check_order(const HearthChange *change, gpointer data)
{
    guint64 *last = data;
    g_assert_cmpuint(change->sequence, ==, *last + 1);
    *last = change->sequence;
    return TRUE;
}

static void append_finding(const char *finding, gpointer data)
{
    g_string_append_printf(data, "%s\n", finding);
}

static void many_threads_leave_a_sound_store(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) findings = g_string_new(NULL);
    HearthStoreCounts counts;
    guint64 told = 0;
    Worker workers[THREADS];
    GThread *threads[THREADS];
    guint id = hearth_store_watch(f->store, check_order, &told, NULL);
    for (guint i = 0; i < THREADS; i++) {
        workers[i] = (Worker){f->store, i};
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    hearth_store_unwatch(f->store, id);
    g_assert_true(hearth_store_counts(f->store, &counts, &error));
    g_assert_cmpuint(told, <=, counts.last_sequence);
    g_assert_true(hearth_store_fsck(f->store, NULL, append_finding, findings, &error));
    g_assert_cmpstr(findings->str, ==, "");
}

static gpointer sync_many(gpointer data)
{
    for (guint i = 0; i < 50; i++)
        g_assert_true(hearth_store_sync(((Worker *)data)->store, NULL));
    return NULL;
}

/* Who waits for a flush gets one that began after the changes, or shares a later one. */
static void syncs_at_once_all_end(StoreFixture *f, gconstpointer data)
{
    Worker worker = {f->store, 0};
    GThread *threads[THREADS];
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("sync", sync_many, &worker);
    for (guint i = 0; i < 50; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);
        store_fixture_make(f->store, HEARTH_ROOT_INO, name, HEARTH_KIND_FILE);
    }
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/threads/" path, StoreFixture, NULL, store_fixture_set_up, func,   \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("many-threads-leave-a-sound-store", many_threads_leave_a_sound_store);
    ADD("syncs-at-once-all-end", syncs_at_once_all_end);
    return g_test_run();
}
