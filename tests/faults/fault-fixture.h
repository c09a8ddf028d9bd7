#pragma once

#include "namespace/store.h"
#include "tests/harness/daemon.h"
#include "tests/harness/files.h"

/**
 * What the tests of bad days share: a card whose every byte is known, a daemon, and the check that
 * all of the card is in the store, whole, once, and the store is as docs/architecture.md says.
 */
typedef struct {
    char *top, *state, *card, *port;
    guint files; /* on the card, each of its own content */
    gsize size;  /* bytes of each */
    HearthTestDaemon *daemon;
} Fault;

static inline void fault_set_up(Fault *f, gconstpointer data)
{
    f->top = g_dir_make_tmp("hearth-fault-XXXXXX", NULL);
    f->state = g_build_filename(f->top, "state", NULL);
    f->card = g_build_filename(f->top, "card", NULL);
    f->port = g_strconcat("volume:", f->card, NULL);
    f->daemon = test_daemon_new(f->state);
}

static inline void fault_tear_down(Fault *f, gconstpointer data)
{
    test_daemon_free(f->daemon);
    files_remove_tree(f->top);
    g_free(f->top);
    g_free(f->state);
    g_free(f->card);
    g_free(f->port);
}

static inline void fault_make_card(Fault *f, guint files, gsize size)
{
    f->files = files;
    f->size = size;
    files_make_card(f->card, files, size);
}

static inline void fault_on_finding(const char *finding, gpointer data)
{
    g_error("fsck: %s", finding);
}

static inline void fault_check_file(Fault *f, HearthStore *store, guint number)
{
    g_autoptr(GDateTime) day = g_date_time_new_utc(2026, 1, 1, 0, 0, 0);
    g_autoptr(GDateTime) taken = g_date_time_add_days(day, (int)(number % FILES_DAYS));
    g_autofree char *folder = g_date_time_format(taken, "/Photos/%Y/%Y-%m-%d");
    g_autofree char *path = g_strdup_printf("%s/IMG_%04u.JPG", folder, number + 1);
    g_autofree guint8 *expected = files_noise(number, f->size);
    g_autofree guint8 *found = g_malloc(f->size + 1);
    g_autoptr(GError) error = NULL;
    HearthObject object;
    hearth_store_walk(store, path, &object, &error);
    g_assert_no_error(error);
    g_autoptr(HearthContentReader) reader =
        hearth_contents_read(hearth_store_contents(store), &object.content, &error);
    g_assert_no_error(error);
    gssize size = hearth_content_reader_read(reader, found, f->size + 1, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(found, (gsize)size, expected, f->size);
}

/** The daemon must not run. */
static inline void fault_check_store(Fault *f)
{
    g_autoptr(GError) error = NULL;
    HearthStoreOptions options = {.state = f->state, .engine = "sqlite"};
    g_autoptr(HearthStore) store = hearth_store_open(&options, &error);
    g_assert_no_error(error);
    hearth_store_fsck(store, NULL, fault_on_finding, NULL, &error);
    g_assert_no_error(error);
    HearthStoreCounts counts;
    g_assert_true(hearth_store_counts(store, &counts, NULL));
    g_assert_cmpuint(counts.files, ==, f->files);
    for (guint i = 0; i < f->files; i++)
        fault_check_file(f, store, i);
}

/** Brings the import to its end, whatever was before, stops the daemon and checks all. */
static inline void fault_finish(Fault *f, guint seconds)
{
    if (!test_daemon_runs(f->daemon))
        test_daemon_start(f->daemon);
    g_assert_true(test_daemon_settle(f->daemon, seconds));
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_assert_true(test_daemon_settle(f->daemon, seconds));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    g_assert_cmpint(test_number(job, "imported") + test_number(job, "linked") +
                        test_number(job, "known"),
                    ==, f->files);
    test_daemon_stop(f->daemon, 10);
    fault_check_store(f);
}
