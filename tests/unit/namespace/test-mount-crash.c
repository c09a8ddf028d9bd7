#include "tests/unit/namespace/mount-fixture.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define MIB (1024 * 1024)
#define KILLS 8

/* --- A daemon that is killed --- */

/* Serves `base`/state at `base`/tree until it is killed. */
static void serve(const char *base)
{
    MountFixture f = {.state = g_build_filename(base, "state", NULL),
                      .mount_point = g_build_filename(base, "tree", NULL)};
    mount_fixture_start(&f);
    g_print("serving\n");
    pause();
}

/* A process of its own that serves; returns when the tree is there. */
static GPid start_server(MountFixture *f)
{
    g_autoptr(GError) error = NULL;
    const char *argv[] = {"/proc/self/exe", "--do", "serve", f->base, NULL};
    GPid child;
    int output;
    char line[9];
    g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                             &child, NULL, &output, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(hearth_read_up_to(output, line, 8, "the server", &error), ==, 8);
    close(output);
    return child;
}

/* Writes the version `seed` and tells whether the close said that it is stored. */
static gboolean write_version(const char *path, guint64 seed)
{
    g_autofree guint8 *bytes = fixture_bytes(seed, 2 * MIB);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return FALSE;
    gboolean good = TRUE;
    for (gsize done = 0; good && done < 2 * MIB; done += 64 * 1024)
        good = write(fd, bytes + done, 64 * 1024) == 64 * 1024;
    return close(fd) == 0 && good;
}

typedef struct {
    char *path;
    guint64 started; /* the last version begun */
    guint64 stored;  /* the last one whose close returned without an error */
} Progress;

static gpointer write_versions(gpointer data)
{
    Progress *progress = data;
    for (;;) {
        progress->started++;
        if (!write_version(progress->path, progress->started))
            return NULL;
        progress->stored = progress->started;
    }
}

/* The version that a file holds whole; 0 for none. */
static guint64 version_held(const char *path, guint64 from, guint64 to)
{
    g_autofree char *got = NULL;
    gsize length;
    if (!g_file_get_contents(path, &got, &length, NULL) || length != 2 * MIB)
        return 0;
    for (guint64 seed = from; seed <= to; seed++) {
        g_autofree guint8 *bytes = fixture_bytes(seed, 2 * MIB);
        if (memcmp(got, bytes, length) == 0)
            return seed;
    }
    return 0;
}

static void a_kill_leaves_the_old_or_the_new_version_whole(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    Progress progress = {path, 0, 0};
    g_assert_true(write_version(path, 0));
    for (guint i = 0; i < KILLS; i++) {
        mount_fixture_stop(f);
        GPid server = start_server(f);
        GThread *writer = g_thread_new("writer", write_versions, &progress);
        g_usleep((gulong)g_test_rand_int_range(20000, 300000));
        g_assert_cmpint(kill(server, SIGKILL), ==, 0);
        g_thread_join(writer);
        g_assert_cmpint(waitpid(server, NULL, 0), ==, server);
        mount_fixture_start(f); /* which also clears the mount that is left */
        g_assert_nonnull(f->mount);
        guint64 held = version_held(path, progress.stored, progress.started);
        g_assert_true(held >= progress.stored && (held > 0 || progress.stored == 0));
        g_assert_true(write_version(path, progress.started));
        progress.stored = progress.started;
    }
}

/* --- Stopping --- */

static void a_mount_in_use_stops_soon_and_keeps_what_was_changed(MountFixture *f,
                                                                 gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file"), *folder = at(f, "d");
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    hearth_autofd int inside = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    hearth_autofd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    g_assert_cmpint(write(fd, "unsaved", 7), ==, 7);
    gint64 start = g_get_monotonic_time();
    g_clear_pointer(&f->mount, hearth_mount_stop);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2 * G_USEC_PER_SEC);
    assert_fails_with(write(fd, "x", 1), ENOTCONN);
    close(hearth_steal_fd(&fd));
    close(hearth_steal_fd(&inside));
    mount_fixture_restart(f);
    assert_holds(path, "unsaved", 7);
}

static void a_folder_in_use_is_not_mounted_over(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autoptr(GError) error = NULL;
    HearthMountOptions options = {.path = f->base}; /* holds state and tree */
    g_assert_null(hearth_mount_start(f->store, &options, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_EMPTY);
    g_clear_error(&error);
    options.path = "/nonexistent/hearth";
    g_assert_null(hearth_mount_start(f->store, &options, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
}

/* --- A bad disk --- */

static void a_bad_block_is_an_io_error(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    char byte;
    g_autofree char *path = at(f, "file");
    g_autofree guint8 *bytes = fixture_bytes(5, 9 * MIB);
    put(path, bytes, 9 * MIB);
    HearthContentId id = stored(f, "/file").content;
    ContentFixture content = {.state = f->state};
    g_autofree char *below = fixture_path(&content, &id);
    mount_fixture_stop(f);
    g_assert_cmpint(chmod(below, 0640), ==, 0);
    hearth_autofd int disk = open(below, O_WRONLY | O_CLOEXEC);
    byte = (char)~bytes[8 * MIB];
    g_assert_cmpint(pwrite(disk, &byte, 1, 8 * MIB), ==, 1);
    mount_fixture_start(f);
    hearth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), ==, 0);
    g_assert_cmpint(pread(fd, &byte, 1, 0), ==, 1);
    assert_fails_with(pread(fd, &byte, 1, 8 * MIB), EIO);
    /* Nor does a change elsewhere in the file give the damaged bytes a new, valid name. */
    assert_fails_with(pwrite(fd, "x", 1, 0), EIO);
    close(hearth_steal_fd(&fd));
    g_assert_cmpuint(stored(f, "/file").version, ==, 1);
}

static gboolean holds_text(const char *path, const char *text)
{
    g_autofree char *got = NULL;
    gsize length;
    return g_file_get_contents(path, &got, &length, NULL) && length == strlen(text) &&
           memcmp(got, text, length) == 0;
}

static void a_full_disk_keeps_the_old_version(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    mount_fixture_stop(f);
    if (mount("none", f->state, "tmpfs", 0, "size=64m") != 0) {
        g_test_skip("no right to mount a small disk");
        return;
    }
    mount_fixture_start(f);
    g_autofree char *path = at(f, "file"), *other = at(f, "other");
    g_autofree guint8 *bytes = fixture_bytes(6, MIB);
    put(path, "the old version", 15);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int failed = 0;
    for (guint i = 0; i < 80 && failed == 0; i++)
        failed = pwrite(fd, bytes, MIB, (off_t)i * MIB) == MIB ? 0 : errno;
    g_assert_cmpint(failed, ==, ENOSPC);
    assert_fails_with(close(fd), ENOSPC);
    /* The last reference goes a moment after the close, and with it what was not stored. */
    for (guint i = 0; i < 5000 && !holds_text(path, "the old version"); i++)
        g_usleep(1000);
    assert_holds(path, "the old version", 15);
    g_assert_cmpuint(stored(f, "/file").version, ==, 1);
    put(other, bytes, MIB); /* what was spooled is gone: there is room again */
    assert_holds(other, bytes, MIB);
    mount_fixture_stop(f);
    umount2(f->state, MNT_DETACH);
}

/* --- A disk that refuses --- */

/* Lets files grow to `bytes`: enough for a small content, too little for the database's log. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

#define REFUSE 4096 /* bytes */

static void a_refused_version_is_stored_by_the_next_try(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    g_assert_cmpint(fsync(fd), ==, 0);
    g_assert_cmpint(pwrite(fd, "one", 3, 0), ==, 3);
    limit_files(REFUSE);
    int refused = fsync(fd);
    limit_files(RLIM_INFINITY);
    g_assert_cmpint(refused, ==, -1);
    g_assert_cmpint(stored(f, "/file").size, ==, 0);
    g_assert_cmpint(fsync(fd), ==, 0);
    g_assert_cmpint(stored(f, "/file").size, ==, 3);
    /* Nor may what then changes the file touch the content, which has its name already. */
    g_assert_cmpint(pwrite(fd, "two", 3, 0), ==, 3);
    limit_files(REFUSE);
    refused = fsync(fd);
    limit_files(RLIM_INFINITY);
    g_assert_cmpint(refused, ==, -1);
    g_assert_cmpint(pwrite(fd, "ee", 2, 1), ==, 2);
    g_assert_cmpint(close(fd), ==, 0);
    mount_fixture_restart(f);
    assert_holds(path, "tee", 3);
    g_assert_true(hearth_store_scrub(f->store, NULL, NULL, NULL, NULL));
}

static void a_close_does_not_hide_that_the_file_was_refused(MountFixture *f, gconstpointer data)
{
    NEEDS_MOUNT(f);
    g_autofree char *path = at(f, "file"), *quiet = at(f, "quiet");
    g_assert_true(hearth_store_sync(f->store, NULL));
    limit_files(REFUSE);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    int other = open(quiet, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    gboolean synced = hearth_store_sync(f->store, NULL); /* another part is told first */
    limit_files(RLIM_INFINITY);
    g_assert_false(synced);
    assert_fails_with(fsync(other), EIO);
    close(other);
    if (write(fd, "lost", 4) == 4)
        assert_fails_with(close(fd), EIO);
    mount_fixture_restart(f);
    assert_fails_with(access(path, F_OK), ENOENT);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--do") == 0)
        serve(argv[3]);
    g_test_init(&argc, &argv, NULL);
    MOUNT_CASE("crash/kill", a_kill_leaves_the_old_or_the_new_version_whole);
    MOUNT_CASE("crash/busy", a_mount_in_use_stops_soon_and_keeps_what_was_changed);
    MOUNT_CASE("crash/in-the-way", a_folder_in_use_is_not_mounted_over);
    MOUNT_CASE("crash/full-disk", a_full_disk_keeps_the_old_version);
    MOUNT_CASE("crash/bad-block", a_bad_block_is_an_io_error);
    MOUNT_CASE("crash/refused", a_refused_version_is_stored_by_the_next_try);
    MOUNT_CASE("crash/refused-new", a_close_does_not_hide_that_the_file_was_refused);
    return g_test_run();
}
