#include "tests/faults/fault-fixture.h"

#include <signal.h>
#include <sys/wait.h>

/*
 * hearthd dies by SIGKILL at a named step of an import (gateway/crash-point.h), starts again, and
 * must come to the same end as if nothing had been. After the second crash at the same place too:
 * recovery itself may be interrupted.
 */

#define FILES 9
#define SIZE 3000

/* `again`: it may have been passed for good the first time; then the daemon is just killed. */
static G_GNUC_UNUSED void crash_at(Fault *f, const char *point, gboolean again)
{
    test_daemon_set_variable(f->daemon, "HEARTH_CRASH_POINT", point);
    if (!test_daemon_try_start(f->daemon))
        return; /* a job of before went on and met its point at once */
    g_autofree char *body = g_strdup_printf("{\"port\":\"%s\"}", f->port);
    test_daemon_request(f->daemon, "POST", "/api/v1/devices", body, NULL);
    if (again) {
        test_daemon_settle(f->daemon, 30);
        test_daemon_kill(f->daemon);
        return;
    }
    int status = test_daemon_wait(f->daemon, 30);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
}

static void a_crash_there_loses_nothing(Fault *f, gconstpointer data)
{
#ifndef HEARTH_TEST_HOOKS
    g_test_skip("this build has no crash points (HEARTH_TEST_HOOKS)");
#else
    fault_make_card(f, FILES, SIZE);
    crash_at(f, data, FALSE);
    crash_at(f, data, TRUE);
    test_daemon_set_variable(f->daemon, "HEARTH_CRASH_POINT", NULL);
    fault_finish(f, 30);
#endif
}

static void a_crash_while_deleting_loses_nothing(Fault *f, gconstpointer data)
{
#ifndef HEARTH_TEST_HOOKS
    g_test_skip("this build has no crash points (HEARTH_TEST_HOOKS)");
#else
    g_autofree char *config = g_build_filename(f->top, "hearth.conf", NULL);
    files_write(f->top, "hearth.conf", 1, "[import]\ndelete-after-import=true\n");
    test_daemon_add_argument(f->daemon, "--config");
    test_daemon_add_argument(f->daemon, config);
    fault_make_card(f, FILES, SIZE);
    crash_at(f, data, FALSE);
    test_daemon_set_variable(f->daemon, "HEARTH_CRASH_POINT", NULL);
    test_daemon_start(f->daemon);
    g_assert_true(test_daemon_settle(f->daemon, 30));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    test_daemon_stop(f->daemon, 10);
    fault_check_store(f);
    for (guint i = 0; i < FILES; i++) {
        g_autofree char *path = g_strdup_printf("%s/DCIM/100TESTS/IMG_%04u.JPG", f->card, i + 1);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
#endif
}

int main(int argc, char **argv)
{
    static const char *const points[] = {
        "import-listed:1", "import-fetched:1",   "import-fetched:5", "import-fetched:9",
        "import-staged:1", "import-published:1", "import-filed:1",   "import-filed:5",
        "import-filed:9",  "import-synced:1",    "import-counted:1", "import-done:1",
    };
    static const char *const deleting[] = {"import-proven:1", "import-proven:5", "import-removed:1",
                                           "import-removed:9"};
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
        g_autofree char *name =
            g_strdup_printf("/faults/crash/a crash at %s loses nothing", points[i]);
        g_test_add(name, Fault, points[i], fault_set_up, a_crash_there_loses_nothing,
                   fault_tear_down);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(deleting); i++) {
        g_autofree char *name = g_strdup_printf(
            "/faults/crash/a crash at %s while deleting loses nothing", deleting[i]);
        g_test_add(name, Fault, deleting[i], fault_set_up, a_crash_while_deleting_loses_nothing,
                   fault_tear_down);
    }
    return g_test_run();
}
