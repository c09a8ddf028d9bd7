#include "tests/faults/fault-fixture.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

/*
 * The state on a disk that is too small, at one size after the other, so that it is full at one
 * step of an import after the other; then there is room again, and all must be as if nothing had
 * been. And the state on a disk that may not be written.
 */

#define FILES 40
#define SIZE 20000
#define ROOM_KIB 65536

/* FALSE (and the test is skipped) where one may not mount. */
static gboolean mount_state(Fault *f, guint kib)
{
    g_autofree char *options = g_strdup_printf("size=%uk", kib);
    g_mkdir(f->state, 0755);
    if (mount("none", f->state, "tmpfs", 0, options) == 0)
        return TRUE;
    g_test_skip("may not mount here");
    return FALSE;
}

static void remount_state(Fault *f, guint kib, unsigned long flags)
{
    g_autofree char *options = g_strdup_printf("size=%uk", kib);
    g_assert_cmpint(mount("none", f->state, "tmpfs", MS_REMOUNT | flags, options), ==, 0);
}

static void unmount_state(Fault *f)
{
    test_daemon_kill(f->daemon);
    g_assert_cmpint(umount2(f->state, MNT_DETACH), ==, 0);
}

static void check_log(Fault *f, const char *part)
{
    g_autofree char *log = test_daemon_log(f->daemon);
    if (!strstr(log, part))
        g_error("\"%s\" is not in the log:\n%s", part, log);
}

/* Takes `text`, which must say what a person can do something about. */
static void check_says_full(char *text)
{
    if (!strstr(text, "No space left on device") && !strstr(text, "database or disk is full"))
        g_error("not said that the disk is full: %s", text);
    g_free(text);
}

/* The status shows why the last import failed. */
static void check_problem(Fault *f, const char *reason)
{
    g_autoptr(GVariant) status = test_daemon_ask(f->daemon, "GET", "/api/v1/status", NULL);
    g_autoptr(GVariant) problems = g_variant_lookup_value(status, "problems", NULL);
    g_assert_nonnull(problems);
    g_autofree char *text = g_variant_print(problems, FALSE);
    g_assert_nonnull(strstr(text, "is nearly full"));
    g_assert_nonnull(strstr(text, "the last import of "));
    g_autofree char *quoted = g_strescape(reason, NULL);
    if (!strstr(text, quoted) && !strstr(text, reason))
        g_error("\"%s\" is not among the problems: %s", reason, text);
}

/* Whether the disk was too small for the import. */
static gboolean fill(Fault *f)
{
    if (!test_daemon_try_start(f->daemon)) {
        int status = test_daemon_wait(f->daemon, 1);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 1);
        check_says_full(test_daemon_log(f->daemon));
        return TRUE;
    }
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_assert_true(test_daemon_settle(f->daemon, 30));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    if (g_str_equal(test_text(job, "state"), "done"))
        return FALSE;
    g_assert_cmpstr(test_text(job, "state"), ==, "failed");
    check_says_full(g_strdup(test_text(job, "error")));
    check_problem(f, test_text(job, "error"));
    return TRUE;
}

static void a_full_disk_loses_nothing(Fault *f, gconstpointer data)
{
    guint kib = GPOINTER_TO_UINT(data);
    if (!mount_state(f, kib))
        return;
    fault_make_card(f, FILES, SIZE);
    gboolean full = fill(f);
    g_assert_true(full || kib > FILES * SIZE / 1024);
    remount_state(f, ROOM_KIB, 0);
    fault_finish(f, 30);
    unmount_state(f);
}

static void a_state_that_may_not_be_written_is_an_error(Fault *f, gconstpointer data)
{
    if (!mount_state(f, ROOM_KIB))
        return;
    fault_make_card(f, FILES, SIZE);
    remount_state(f, ROOM_KIB, MS_RDONLY);
    g_assert_false(test_daemon_try_start(f->daemon));
    check_log(f, "Read-only file system");
    remount_state(f, ROOM_KIB, 0);
    fault_finish(f, 30);
    unmount_state(f);
}

#define ADD(name, data, func)                                                                      \
    g_test_add("/faults/full-disk/" name, Fault, data, fault_set_up, func, fault_tear_down)

int main(int argc, char **argv)
{
    static const guint sizes[] = {16, 64, 256, 384, 512, 640, 768, 896, 1024, 1280, 1536};
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *name =
            g_strdup_printf("/faults/full-disk/a disk full at %u KiB loses nothing", sizes[i]);
        g_test_add(name, Fault, GUINT_TO_POINTER(sizes[i]), fault_set_up, a_full_disk_loses_nothing,
                   fault_tear_down);
    }
    ADD("a state that may not be written is an error", NULL,
        a_state_that_may_not_be_written_is_an_error);
    return g_test_run();
}
