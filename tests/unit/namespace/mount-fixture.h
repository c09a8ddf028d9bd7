#pragma once

#include "tests/unit/namespace/content-fixture.h"

#include "namespace/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/** A store in a private folder, mounted beside it by this very process. */
typedef struct {
    char *base;
    char *state;
    char *mount_point;
    HearthStore *store;
    HearthMount *mount; /* NULL when this machine has no FUSE: the case is skipped */
} MountFixture;

/** Seconds for one case: after them, and when an assertion fails, the mount is cut off first. */
#define MOUNT_CASE_SECONDS 50

/* A process that dies with files open in a mount that it serves itself waits for itself for ever. */
static char mount_fixture_cut_path[512];

static inline void mount_fixture_cut(int number)
{
    umount2(mount_fixture_cut_path, MNT_FORCE);
    umount2(mount_fixture_cut_path, MNT_DETACH);
    signal(number, SIG_DFL);
    raise(number);
}

/** Runs this program again as `--do WHAT PATH`, as another process that uses the mount: what is
 * mapped cannot be written back by the process that maps it. */
static inline void in_another_process(const char *what, const char *path)
{
    g_autoptr(GError) error = NULL;
    const char *argv[] = {"/proc/self/exe", "--do", what, path, NULL};
    int status = -1;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                 &error);
    g_assert_no_error(error);
    g_assert_cmpint(status, ==, 0);
}

static inline void mount_fixture_start(MountFixture *f)
{
    g_autoptr(GError) error = NULL;
    HearthStoreOptions store = {.state = f->state, .engine = "sqlite"};
    HearthMountOptions options = {.path = f->mount_point};
    f->store = hearth_store_open(&store, &error);
    g_assert_no_error(error);
    f->mount = hearth_mount_start(f->store, &options, &error);
    if (f->mount == NULL)
        g_test_message("%s", error->message), g_test_skip(error->message);
}

static inline void mount_fixture_stop(MountFixture *f)
{
    g_clear_pointer(&f->mount, hearth_mount_stop);
    g_clear_pointer(&f->store, hearth_store_close);
}

static inline void mount_fixture_restart(MountFixture *f)
{
    mount_fixture_stop(f);
    mount_fixture_start(f);
}

static inline void mount_fixture_set_up(MountFixture *f, gconstpointer data)
{
    f->base = g_dir_make_tmp("hearth-mount-XXXXXX", NULL);
    f->state = g_build_filename(f->base, "state", NULL);
    f->mount_point = g_build_filename(f->base, "tree", NULL);
    g_assert_cmpint(g_mkdir(f->mount_point, 0755), ==, 0);
    g_strlcpy(mount_fixture_cut_path, f->mount_point, sizeof mount_fixture_cut_path);
    signal(SIGABRT, mount_fixture_cut);
    signal(SIGALRM, mount_fixture_cut);
    alarm(MOUNT_CASE_SECONDS);
    mount_fixture_start(f);
}

static inline void mount_fixture_tear_down(MountFixture *f, gconstpointer data)
{
    mount_fixture_stop(f);
    alarm(0);
    fixture_remove_tree(f->base);
    g_free(f->base);
    g_free(f->state);
    g_free(f->mount_point);
}

/** A path in the mount; (transfer full). */
static inline char *at(MountFixture *f, const char *name)
{
    return g_build_filename(f->mount_point, name, NULL);
}

static inline void put(const char *path, const void *bytes, gsize size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    g_assert_cmpint(fd, >=, 0);
    for (gsize done = 0; done < size;) {
        ssize_t step = write(fd, (const char *)bytes + done, size - done);
        g_assert_cmpint(step, >, 0);
        done += (gsize)step;
    }
    g_assert_cmpint(close(fd), ==, 0);
}

static inline void assert_holds(const char *path, const void *bytes, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *got = NULL;
    gsize length;
    g_assert_true(g_file_get_contents(path, &got, &length, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(got, length, bytes, size);
}

/** What the store says of a path of the tree. */
static inline HearthObject stored(MountFixture *f, const char *path)
{
    g_autoptr(GError) error = NULL;
    HearthObject object;
    g_assert_true(hearth_store_walk(f->store, path, &object, &error));
    g_assert_no_error(error);
    return object;
}

#define assert_fails_with(call, number)                                                            \
    do {                                                                                           \
        g_assert_cmpint((call), ==, -1);                                                           \
        g_assert_cmpint(errno, ==, (number));                                                      \
    } while (0)

#define MOUNT_CASE(name, func)                                                                     \
    g_test_add("/namespace/mount/" name, MountFixture, NULL, mount_fixture_set_up, func,           \
               mount_fixture_tear_down)
/** The first line of a case. */
#define NEEDS_MOUNT(f)                                                                             \
    if ((f)->mount == NULL)                                                                        \
    return
