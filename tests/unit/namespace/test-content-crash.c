#include "tests/unit/namespace/content-fixture.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 15
#define THREADS 4

typedef struct {
    HearthContents *contents;
    guint count;
} Check;

static gboolean check_one(const HearthContentId *id, gint64 size, gpointer data)
{
    Check *check = data;
    g_autoptr(GError) error = NULL;
    if (size == 0) /* a list whose content was not named yet */
        return TRUE;
    hearth_contents_verify(check->contents, id, NULL, NULL, &error);
    g_assert_no_error(error);
    check->count++;
    return TRUE;
}

/* Every file under a final name is what its name says, and the spool is empty; how many. */
static guint assert_all_whole(HearthContents *contents, const char *state)
{
    g_autoptr(GError) error = NULL;
    Check check = {contents, 0};
    g_assert_true(hearth_contents_enumerate(contents, NULL, 0, check_one, &check, &error));
    g_assert_no_error(error);
    g_autofree char *spool = g_build_filename(state, "spool", NULL);
    g_autoptr(GDir) dir = g_dir_open(spool, 0, NULL);
    g_assert_null(g_dir_read_name(dir));
    return check.count;
}

/* Stores batches of new contents until it is killed. */
static void store_for_ever(const char *state, guint64 seed)
{
    HearthContents *contents = hearth_contents_open(state, NULL);
    for (;; seed++) {
        HearthStagedContent *staged[6];
        g_autofree guint8 *bytes = fixture_bytes(seed, 900000);
        for (gsize i = 0; i < G_N_ELEMENTS(staged); i++)
            staged[i] = fixture_stage(contents, bytes, i == 0 ? 900000 : 1000 * i);
        hearth_contents_publish(contents, staged, 1 + seed % G_N_ELEMENTS(staged), NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(staged); i++)
            hearth_staged_content_free(staged[i]);
    }
}

static void a_kill_at_any_moment_leaves_only_whole_contents(ContentFixture *f, gconstpointer data)
{
    guint before = 0;
    for (guint i = 0; i < KILLS; i++) {
        hearth_contents_close(f->contents);
        pid_t child = fork();
        if (child == 0)
            store_for_ever(f->state, 1000 * i + 1);
        /* Longer while it has stored nothing yet: on a busy machine it takes time to begin. */
        g_usleep((gulong)g_test_rand_int_range(1000, 60000) * (before == 0 ? 1 + i : 1));
        g_assert_cmpint(kill(child, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
        f->contents = hearth_contents_open(f->state, NULL);
        guint count = assert_all_whole(f->contents, f->state);
        g_assert_cmpuint(count, >=, before); /* what was stored stays */
        before = count;
    }
    g_assert_cmpuint(before, >, 0);
}

/* --- A full disk --- */

/* Fills the disk under `state` but for `room` bytes; removes the filler when negative. */
static void leave_room(const char *state, gint64 room)
{
    g_autofree char *filler = g_build_filename(state, "filler", NULL);
    guint64 free_bytes, total;
    g_unlink(filler);
    if (room < 0)
        return;
    HearthContents *contents = hearth_contents_open(state, NULL);
    g_assert_true(hearth_contents_space(contents, &free_bytes, &total, NULL));
    hearth_contents_close(contents);
    hearth_autofd int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(posix_fallocate(fd, 0, (off_t)free_bytes - room), ==, 0);
}

/* Writes a content of several blocks and one of one; FALSE at the first step that fails. */
static gboolean store_two(HearthContents *contents, const guint8 *bytes, GError **error)
{
    g_autoptr(HearthContentWriter) large = hearth_content_writer_new(contents, -1, error);
    if (large == NULL || !hearth_content_writer_write(large, bytes, 3000000, error))
        return FALSE;
    g_autoptr(HearthStagedContent) first = hearth_content_writer_finish(large, error);
    if (first == NULL)
        return FALSE;
    g_autoptr(HearthContentWriter) small = hearth_content_writer_new(contents, -1, error);
    if (small == NULL || !hearth_content_writer_write(small, bytes, 10000, error))
        return FALSE;
    g_autoptr(HearthStagedContent) second = hearth_content_writer_finish(small, error);
    HearthStagedContent *both[] = {first, second};
    return second != NULL && hearth_contents_publish(contents, both, 2, error);
}

static void mount_small_disk(ContentFixture *f, const char *options)
{
    hearth_contents_close(f->contents);
    f->contents = NULL;
    if (mount("none", f->state, "tmpfs", 0, options) != 0)
        g_test_skip("no right to mount a small disk");
    else
        f->contents = hearth_contents_open(f->state, NULL);
}

static void remove_small_disk(ContentFixture *f)
{
    g_clear_pointer(&f->contents, hearth_contents_close);
    umount2(f->state, MNT_DETACH);
}

static void assert_fails_for_want_of_room(ContentFixture *f, const guint8 *bytes)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(store_two(f->contents, bytes, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE);
    assert_all_whole(f->contents, f->state);
}

static void a_full_disk_leaves_nothing_half_made(ContentFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree guint8 *bytes = fixture_bytes(11, 3000000);
    mount_small_disk(f, "size=8m");
    if (f->contents == NULL)
        return;
    g_autoptr(HearthContentWriter) hopeless =
        hearth_content_writer_new(f->contents, 9 * 1024 * 1024, &error);
    g_assert_null(hopeless);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NO_SPACE);
    g_clear_error(&error);
    /* The last: room for the bytes but not for the list of blocks. */
    static const gint64 ROOMS[] = {0, 4096, 1000000, 2998272, 3002368, 3014656};
    for (gsize i = 0; i < G_N_ELEMENTS(ROOMS); i++) {
        leave_room(f->state, ROOMS[i]);
        assert_fails_for_want_of_room(f, bytes);
    }
    leave_room(f->state, -1);
    g_assert_true(store_two(f->contents, bytes, &error));
    g_assert_cmpuint(assert_all_whole(f->contents, f->state), ==, 2);
    remove_small_disk(f);
}

static void a_disk_without_inodes_leaves_nothing_half_made(ContentFixture *f, gconstpointer data)
{
    g_autofree guint8 *bytes = fixture_bytes(12, 3000000);
    /* Root, content, its 256 folders, the folder of marks and the spool take 260. */
    for (guint left = 0; left <= 3; left++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *options = g_strdup_printf("size=16m,nr_inodes=%u", 260 + left);
        mount_small_disk(f, options);
        if (f->contents == NULL)
            return;
        if (left < 3)
            assert_fails_for_want_of_room(f, bytes);
        else
            g_assert_true(store_two(f->contents, bytes, &error));
        g_assert_no_error(error);
        remove_small_disk(f);
    }
}

/* --- Many at once --- */

static gpointer store_same(gpointer data)
{
    for (guint64 seed = 1; seed <= 12; seed++) {
        g_autofree guint8 *bytes = fixture_bytes(seed, 700000);
        fixture_store(data, bytes, 700000);
    }
    return NULL;
}

static void writers_of_one_content_do_not_meet(ContentFixture *f, gconstpointer data)
{
    GThread *threads[THREADS];
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("writer", store_same, f->contents);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    g_assert_cmpuint(assert_all_whole(f->contents, f->state), ==, 12);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define CASE(name, func)                                                                           \
    g_test_add("/namespace/content-crash/" name, ContentFixture, NULL, fixture_set_up, func,       \
               fixture_tear_down)
    CASE("kill", a_kill_at_any_moment_leaves_only_whole_contents);
    CASE("full-disk", a_full_disk_leaves_nothing_half_made);
    CASE("no-inodes", a_disk_without_inodes_leaves_nothing_half_made);
    CASE("parallel", writers_of_one_content_do_not_meet);
    return g_test_run();
}
