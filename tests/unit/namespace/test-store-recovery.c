#include "tests/unit/namespace/store-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

static void append_finding(const char *finding, gpointer data)
{
    g_string_append_printf(data, "%s\n", finding);
}

static void assert_sound(HearthStore *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) findings = g_string_new(NULL);
    g_assert_true(hearth_store_fsck(store, NULL, append_finding, findings, &error));
    g_assert_cmpstr(findings->str, ==, "");
}

static guint64 last_sequence(HearthStore *store)
{
    HearthStoreCounts counts;
    g_assert_true(hearth_store_counts(store, &counts, NULL));
    return counts.last_sequence;
}

/* --- Crashes --- */

static void churn_once(HearthStore *store, guint round)
{
    g_autofree char *name = g_strdup_printf("f%u", round % 50);
    g_autofree char *other = g_strdup_printf("f%u", (round * 7 + 3) % 50);
    g_autofree char *path = g_strdup_printf("/in/%u/%u.txt", round % 7, round);
    HearthNewObject file = {.kind = HEARTH_KIND_FILE, .mode = 0644};
    HearthObject object;
    hearth_store_create(store, HEARTH_ROOT_INO, name, &file, 0, NULL, NULL);
    hearth_store_rename(store, HEARTH_ROOT_INO, name, HEARTH_ROOT_INO, other, HEARTH_RENAME_REPLACE,
                        0, NULL);
    store_fixture_add(store, path, path, NULL);
    if (round % 5 == 0 && hearth_store_lookup(store, HEARTH_ROOT_INO, other, &object, NULL))
        store_fixture_write(store, object.ino, path);
    if (round % 11 == 0 && hearth_store_walk(store, "/in/3", &object, NULL))
        hearth_store_remove_tree(store, object.ino, 0, NULL);
    if (round % 13 == 0)
        hearth_store_trash_empty(store, hearth_store_now_ns() - 20000000, NULL, NULL);
    if (round % 17 == 0)
        hearth_store_gc(store, NULL, NULL, NULL, NULL);
}

/* The child: changes for ever, and writes to standard output how far it is durable. */
static int churn(const char *state)
{
    HearthStore *store = store_fixture_open(state);
    for (guint round = (guint)last_sequence(store);; round++) {
        churn_once(store, round);
        guint64 reached = last_sequence(store);
        if (round % 3 == 0 && hearth_store_sync(store, NULL) &&
            write(STDOUT_FILENO, &reached, sizeof reached) != sizeof reached)
            return 1;
    }
}

/* Lets a child churn for `ms`, kills it, and gives the last sequence that it said was durable. */
static guint64 churn_and_kill(const char *state, guint ms)
{
    int pipe_fds[2];
    guint64 reached = 0, next;
    g_assert_cmpint(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_fds[1], STDOUT_FILENO);
        execl(program, program, "--churn", state, (char *)NULL);
        _exit(127);
    }
    close(pipe_fds[1]);
    /* Counted from its first words, so that a slow start is not all there is. */
    if (read(pipe_fds[0], &reached, sizeof reached) == sizeof reached)
        g_usleep(ms * 1000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(pipe_fds[0], &next, sizeof next) == sizeof next)
        reached = next;
    close(pipe_fds[0]);
    return reached;
}

static void a_kill_at_any_moment_loses_nothing_durable(void)
{
    g_autofree char *state = g_dir_make_tmp("hearth-store-XXXXXX", NULL);
    for (int i = 0; i < 4; i++) {
        guint64 reached = churn_and_kill(state, (guint)g_test_rand_int_range(1, 120));
        g_assert_cmpuint(reached, >, 0);
        for (int twice = 0; twice < 2; twice++) {
            g_autoptr(HearthStore) store = store_fixture_open(state);
            g_assert_cmpuint(last_sequence(store), >=, reached);
            assert_sound(store);
        }
    }
    fixture_remove_tree(state);
}

static void copy_file(const char *from, const char *to, const char *name, gssize most)
{
    g_autofree char *source = g_build_filename(from, name, NULL);
    g_autofree char *target = g_build_filename(to, name, NULL);
    g_autofree char *bytes = NULL;
    gsize size = 0;
    g_assert_true(g_file_get_contents(source, &bytes, &size, NULL));
    size = most >= 0 ? MIN(size, (gsize)most) : size;
    g_assert_true(g_file_set_contents(target, bytes, (gssize)size, NULL));
}

/* A power cut leaves any head of the WAL. */
static void a_torn_log_of_writes_loses_a_tail_of_changes(StoreFixture *f, gconstpointer data)
{
    guint64 before = 0;
    for (guint i = 0; i < 30; i++) {
        g_autofree char *name = g_strdup_printf("folder %u", i);
        store_fixture_make(f->store, HEARTH_ROOT_INO, name, HEARTH_KIND_FOLDER);
        g_assert_true(hearth_store_sync(f->store, NULL));
    }
    g_autofree char *wal = g_build_filename(f->state, "metadata.db-wal", NULL);
    GStatBuf st;
    g_assert_cmpint(g_stat(wal, &st), ==, 0);
    for (gint64 size = 0; size <= st.st_size;
         size += MIN(st.st_size / 13 + 7, MAX(st.st_size - size, 1))) {
        g_autofree char *copy = g_dir_make_tmp("hearth-store-XXXXXX", NULL);
        copy_file(f->state, copy, "metadata.db", -1);
        copy_file(f->state, copy, "metadata.db-wal", (gssize)size);
        HearthStore *store = store_fixture_open(copy);
        g_assert_cmpuint(last_sequence(store), >=, before);
        before = last_sequence(store);
        assert_sound(store);
        hearth_store_close(store);
        fixture_remove_tree(copy);
    }
    g_assert_cmpuint(before, ==, 30);
}

/* --- Disks that refuse --- */

/* A disk of its own, which only root can have. NULL: the test is skipped. */
static char *mount_small_disk(const char *options)
{
    char *folder = g_dir_make_tmp("hearth-disk-XXXXXX", NULL);
    if (mount("hearth-test", folder, "tmpfs", 0, options) == 0)
        return folder;
    g_autofree char *why = g_strdup_printf("cannot mount a small disk: %s", g_strerror(errno));
    g_test_skip(why);
    g_rmdir(folder);
    g_free(folder);
    return NULL;
}

static void unmount(char *folder)
{
    g_assert_cmpint(umount2(folder, MNT_DETACH), ==, 0);
    g_rmdir(folder);
    g_free(folder);
}

static void fill_disk(const char *path)
{
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    for (gsize size = sizeof block; size > 0; size /= 2)
        while (write(fd, block, size) > 0)
            continue;
    g_assert_cmpint(errno, ==, ENOSPC);
    close(fd);
}

/* Makes files until the store refuses; how many it made. */
static guint make_until_full(HearthStore *store)
{
    HearthNewObject file = {.kind = HEARTH_KIND_FILE, .mode = 0644};
    for (guint made = 0; made < 1000000; made++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_strdup_printf("%u-%0200u", g_random_int(), made);
        if (made % 500 == 0)
            hearth_store_sync(store, &error);
        g_assert_no_error(error);
        if (!hearth_store_create(store, HEARTH_ROOT_INO, name, &file, 0, NULL, &error)) {
            g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE);
            return made;
        }
    }
    g_assert_not_reached();
}

static void a_full_disk_refuses_changes_and_keeps_all(void)
{
    g_autoptr(GError) error = NULL;
    HearthStoreCounts counts, before;
    char *disk = mount_small_disk("size=56m");
    if (!disk)
        return;
    g_autofree char *state = g_build_filename(disk, "state", NULL);
    g_autofree char *filler = g_build_filename(disk, "filler", NULL);
    HearthStore *store = store_fixture_open(state);
    store_fixture_make(store, HEARTH_ROOT_INO, "first", HEARTH_KIND_FILE);
    fill_disk(filler);
    guint made = make_until_full(store);
    g_assert_cmpuint(made, >, 0);
    g_assert_true(hearth_store_counts(store, &counts, NULL));
    g_assert_cmpuint(counts.files, ==, made + 1);
    g_assert_true(hearth_store_sync(store, &error));
    hearth_store_close(store);
    store = store_fixture_open(state);
    g_assert_true(hearth_store_counts(store, &before, NULL));
    g_assert_cmpuint(before.files, ==, made + 1);
    g_assert_cmpint(g_unlink(filler), ==, 0);
    store_fixture_make(store, HEARTH_ROOT_INO, "room again", HEARTH_KIND_FILE);
    assert_sound(store);
    hearth_store_close(store);
    unmount(disk);
}

static gboolean note_loss(const HearthChange *change, gpointer data)
{
    if (change->kind == HEARTH_CHANGE_LOST)
        g_atomic_int_inc((gint *)data);
    return TRUE;
}

/* A commit that the disk refuses takes its group with it, and says so. */
static void a_lost_group_is_told_and_leaves_no_part(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    gint losses = 0;
    struct rlimit limit, small = {4096, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    gint64 folder = store_fixture_make(f->store, HEARTH_ROOT_INO, "kept", HEARTH_KIND_FOLDER);
    g_assert_true(hearth_store_sync(f->store, &error));
    hearth_store_watch(f->store, note_loss, &losses, NULL);
    getrlimit(RLIMIT_FSIZE, &limit);
    store_fixture_make(f->store, folder, "lost", HEARTH_KIND_FILE);
    setrlimit(RLIMIT_FSIZE, &small);
    gboolean synced = hearth_store_sync(f->store, &error);
    setrlimit(RLIMIT_FSIZE, &limit);
    g_assert_false(synced);
    g_assert_nonnull(strstr(error->message, "metadata.db"));
    g_clear_error(&error);
    g_assert_false(hearth_store_lookup(f->store, folder, "lost", &object, NULL));
    g_assert_cmpuint(last_sequence(f->store), ==, 1);
    g_assert_true(hearth_store_sync(f->store, &error));
    store_fixture_make(f->store, folder, "after", HEARTH_KIND_FILE);
    g_assert_true(hearth_store_sync(f->store, &error));
    for (int i = 0; i < 1000 && !g_atomic_int_get(&losses); i++)
        g_usleep(5000);
    g_assert_cmpint(g_atomic_int_get(&losses), ==, 1);
    store_fixture_reopen(f);
    assert_sound(f->store);
}

/* Of two that changed something in a lost group, both are told, though only one syncs first. */
static void each_who_lost_a_change_is_told(StoreFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    struct rlimit limit, small = {4096, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    guint64 losses = hearth_store_losses(f->store);
    getrlimit(RLIMIT_FSIZE, &limit);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "one", HEARTH_KIND_FILE);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "other", HEARTH_KIND_FILE);
    setrlimit(RLIMIT_FSIZE, &small);
    gboolean synced = hearth_store_sync(f->store, NULL);
    setrlimit(RLIMIT_FSIZE, &limit);
    g_assert_false(synced);
    g_assert_false(hearth_store_sync_since(f->store, losses, &error));
    g_assert_nonnull(strstr(error->message, "given up"));
    g_clear_error(&error);
    losses = hearth_store_losses(f->store);
    store_fixture_make(f->store, HEARTH_ROOT_INO, "after", HEARTH_KIND_FILE);
    g_assert_true(hearth_store_sync_since(f->store, losses, &error));
    g_assert_no_error(error);
}

static void assert_open_fails(const char *state, gboolean read_only, HearthError code,
                              const char *words)
{
    g_autoptr(GError) error = NULL;
    HearthStoreOptions options = {.state = state, .read_only = read_only};
    g_assert_null(hearth_store_open(&options, &error));
    g_test_message("%s", error->message);
    g_assert_error(error, HEARTH_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, words));
}

static void a_disk_that_cannot_be_written_can_be_checked(void)
{
    g_autoptr(GError) error = NULL;
    char *disk = mount_small_disk("size=64m");
    if (!disk)
        return;
    HearthStore *store = store_fixture_open(disk);
    store_fixture_add(store, "/a/b", "text", NULL);
    hearth_store_close(store);
    g_assert_cmpint(mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
    assert_open_fails(disk, FALSE, HEARTH_ERROR_READ_ONLY, disk);
    HearthStoreOptions options = {.state = disk, .read_only = TRUE};
    store = hearth_store_open(&options, &error);
    g_assert_no_error(error);
    HearthNewObject file = {.kind = HEARTH_KIND_FILE};
    g_assert_false(hearth_store_create(store, HEARTH_ROOT_INO, "x", &file, 0, NULL, &error));
    assert_fails(error, HEARTH_ERROR_READ_ONLY);
    assert_sound(store);
    hearth_store_close(store);
    unmount(disk);
}

/* --- Opening --- */

static void a_second_opening_is_refused_with_the_process(StoreFixture *f, gconstpointer data)
{
    g_autofree char *words = g_strdup_printf("already in use by process %d", (int)getpid());
    assert_open_fails(f->state, FALSE, HEARTH_ERROR_BUSY, words);
    assert_open_fails(f->state, TRUE, HEARTH_ERROR_BUSY, words);
}

static void an_unknown_engine_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *state = g_dir_make_tmp("hearth-store-XXXXXX", NULL);
    HearthStoreOptions options = {.state = state, .engine = "abacus"};
    g_assert_null(hearth_store_open(&options, &error));
    assert_fails(error, HEARTH_ERROR_UNSUPPORTED);
    fixture_remove_tree(state);
}

static void overwrite(const char *state, goffset offset, const char *bytes, gsize size)
{
    g_autofree char *path = g_build_filename(state, "metadata.db", NULL);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(pwrite(fd, bytes, size, offset), ==, (gssize)size);
    close(fd);
}

static void a_file_that_is_no_database_is_named(StoreFixture *f, gconstpointer data)
{
    hearth_store_close(f->store);
    overwrite(f->state, 0, "This is no database.", 20);
    assert_open_fails(f->state, FALSE, HEARTH_ERROR_CORRUPT, "metadata.db");
    f->store = NULL;
}

/* Damages one page after the other: each is found at opening, by fsck, or was not in use. */
static void a_damaged_page_is_complained_of(StoreFixture *f, gconstpointer data)
{
    static char garbage[4096];
    memset(garbage, 0x5a, sizeof garbage);
    for (int i = 0; i < 40; i++) {
        g_autofree char *name = g_strdup_printf("some name that takes room %d", i);
        store_fixture_make(f->store, HEARTH_ROOT_INO, name, HEARTH_KIND_FILE);
    }
    hearth_store_close(f->store);
    f->store = NULL;
    g_autofree char *path = g_build_filename(f->state, "metadata.db", NULL);
    GStatBuf st;
    guint found = 0;
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    for (goffset at = 4096; at < st.st_size; at += 4096) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) findings = g_string_new(NULL);
        g_autofree char *copy = g_dir_make_tmp("hearth-store-XXXXXX", NULL);
        copy_file(f->state, copy, "metadata.db", -1);
        overwrite(copy, at, garbage, sizeof garbage);
        HearthStoreOptions options = {.state = copy};
        HearthStore *store = hearth_store_open(&options, &error);
        if (store)
            hearth_store_fsck(store, NULL, append_finding, findings, &error);
        else
            g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
        if (store)
            g_assert_no_error(error);
        found += strstr(store ? findings->str : error->message, "metadata.db") != NULL;
        hearth_store_close(store);
        fixture_remove_tree(copy);
    }
    g_assert_cmpuint(found, ==, st.st_size / 4096 - 1);
}

static void changes_become_durable_by_the_clock(StoreFixture *f, gconstpointer data)
{
    store_fixture_make(f->store, HEARTH_ROOT_INO, "unasked", HEARTH_KIND_FILE);
    g_usleep(2 * HEARTH_STORE_GROUP_MS * 1000);
    g_mutex_lock(&f->store->lock);
    guint pending = f->store->pending;
    guint64 group = f->store->group;
    g_mutex_unlock(&f->store->lock);
    g_assert_cmpuint(pending, ==, 0);
    g_mutex_lock(&f->store->flush_lock);
    g_assert_cmpuint(f->store->hardened, ==, group - 1);
    g_mutex_unlock(&f->store->flush_lock);
}

#define ADD(path, func)                                                                            \
    g_test_add("/namespace/store/recovery/" path, StoreFixture, NULL, store_fixture_set_up, func,  \
               store_fixture_tear_down)

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "--churn") == 0)
        return churn(argv[2]);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/namespace/store/recovery/a-kill-at-any-moment-loses-nothing-durable",
                    a_kill_at_any_moment_loses_nothing_durable);
    ADD("a-torn-log-of-writes-loses-a-tail-of-changes",
        a_torn_log_of_writes_loses_a_tail_of_changes);
    g_test_add_func("/namespace/store/recovery/a-full-disk-refuses-changes-and-keeps-all",
                    a_full_disk_refuses_changes_and_keeps_all);
    ADD("a-lost-group-is-told-and-leaves-no-part", a_lost_group_is_told_and_leaves_no_part);
    ADD("each-who-lost-a-change-is-told", each_who_lost_a_change_is_told);
    g_test_add_func("/namespace/store/recovery/a-disk-that-cannot-be-written-can-be-checked",
                    a_disk_that_cannot_be_written_can_be_checked);
    ADD("a-second-opening-is-refused-with-the-process",
        a_second_opening_is_refused_with_the_process);
    g_test_add_func("/namespace/store/recovery/an-unknown-engine-is-refused",
                    an_unknown_engine_is_refused);
    ADD("a-file-that-is-no-database-is-named", a_file_that_is_no_database_is_named);
    ADD("a-damaged-page-is-complained-of", a_damaged_page_is_complained_of);
    ADD("changes-become-durable-by-the-clock", changes_become_durable_by_the_clock);
    return g_test_run();
}
