#include "tests/faults/fault-fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

/* Death at moments that nobody chose: of the daemon, of a device's process, of the card itself.
 * HEARTH_KILLS is the number of rounds; the slow run has many. */

static guint rounds(void)
{
    const char *text = g_getenv("HEARTH_KILLS");
    return text ? (guint)g_ascii_strtoull(text, NULL, 10) : 6;
}

static void the_daemon_is_killed_at_any_time(Fault *f, gconstpointer data)
{
    fault_make_card(f, 150, 20000);
    guint count = rounds();
    for (guint i = 0; i < count; i++) {
        if (test_daemon_try_start(f->daemon) && i == 0) {
            g_autofree char *id = test_daemon_attach(f->daemon, f->port);
        }
        g_usleep((gulong)g_random_int_range(0, 400000));
        test_daemon_kill(f->daemon);
    }
    fault_finish(f, 60);
}

/* Children of the daemon that are called `name`: killed; how many. */
static guint kill_children(GPid parent, const char *name)
{
    guint killed = 0;
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *entry;
    while ((entry = g_dir_read_name(proc))) {
        g_autofree char *path = g_strdup_printf("/proc/%s/stat", entry);
        g_autofree char *stat = NULL;
        char comm[64] = "";
        int pid = 0, ppid = 0;
        if (!g_ascii_isdigit(entry[0]) || !g_file_get_contents(path, &stat, NULL, NULL))
            continue;
        if (sscanf(stat, "%d (%63[^)]) %*c %d", &pid, comm, &ppid) != 3 || ppid != parent ||
            !g_str_equal(comm, name))
            continue;
        kill(pid, SIGKILL);
        killed++;
    }
    return killed;
}

static gboolean is_at_work(Fault *f)
{
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    return job && (g_str_equal(test_text(job, "state"), "running") ||
                   g_str_equal(test_text(job, "state"), "waiting"));
}

/* Waits until more came in than `bytes`: a process that never gets anywhere is given up, as it
 * should be. What has come in now. */
static gint64 wait_for_more(Fault *f, gint64 bytes)
{
    while (is_at_work(f)) {
        g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
        if (test_number(job, "bytes_done") > bytes)
            return test_number(job, "bytes_done");
        g_usleep(2000);
    }
    return bytes;
}

static void a_devices_process_is_killed_at_any_time(Fault *f, gconstpointer data)
{
    guint killed = 0, count = rounds();
    fault_make_card(f, 400, 100000);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    gint64 bytes = -1;
    while (is_at_work(f) && killed < count) {
        g_usleep((gulong)g_random_int_range(0, 50000));
        killed += kill_children(test_daemon_pid(f->daemon), "hearth-device");
        bytes = wait_for_more(f, bytes);
    }
    g_test_message("killed %u times", killed);
    g_assert_cmpuint(killed, >, 0);
    g_assert_true(test_daemon_settle(f->daemon, 60));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    g_assert_cmpint(test_number(job, "failed"), ==, 0);
    g_assert_cmpint(test_number(job, "imported"), ==, 400);
    fault_finish(f, 60);
}

static void wait_for_some(Fault *f)
{
    for (guint i = 0; i < 1000; i++) {
        g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
        if (!job || test_number(job, "bytes_done") > 0)
            return;
        g_usleep(5000);
    }
}

static void a_card_vanishes_in_the_middle(Fault *f, gconstpointer data)
{
    g_autofree char *away = g_strconcat(f->card, ".away", NULL);
    fault_make_card(f, 1500, 20000);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    wait_for_some(f);
    g_assert_cmpint(g_rename(f->card, away), ==, 0);
    g_assert_true(test_daemon_settle(f->daemon, 60));
    g_assert_cmpint(g_rename(away, f->card), ==, 0);
    fault_finish(f, 60);
}

static void a_mount_is_pulled_from_under_it(Fault *f, gconstpointer data)
{
    g_mkdir(f->card, 0755);
    /* In mounts of our own: to the daemons of other tests this would be a card to import. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", f->card, "tmpfs", 0, "size=64m") != 0) {
        g_test_skip("may not mount here");
        return;
    }
    fault_make_card(f, 1000, 20000);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    wait_for_some(f);
    g_assert_cmpint(umount2(f->card, MNT_DETACH), ==, 0);
    g_assert_true(test_daemon_settle(f->daemon, 60));
    g_assert_true(test_daemon_runs(f->daemon));
    /* The same card, plugged in again. */
    fault_make_card(f, 1000, 20000);
    fault_finish(f, 60);
}

static void a_file_cut_while_it_is_fetched_fails_alone(Fault *f, gconstpointer data)
{
    fault_make_card(f, 200, 200000);
    g_autofree char *last = g_build_filename(f->card, "DCIM/100TESTS/IMG_0200.JPG", NULL);
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_assert_cmpint(truncate(last, 1000), ==, 0);
    g_assert_true(test_daemon_settle(f->daemon, 60));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    g_assert_cmpint(test_number(job, "imported") + test_number(job, "failed"), ==, 200);
}

#define ADD(name, func)                                                                            \
    g_test_add("/faults/kills/" name, Fault, NULL, fault_set_up, func, fault_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("the daemon is killed at any time", the_daemon_is_killed_at_any_time);
    ADD("a device's process is killed at any time", a_devices_process_is_killed_at_any_time);
    ADD("a card vanishes in the middle", a_card_vanishes_in_the_middle);
    ADD("a mount is pulled from under it", a_mount_is_pulled_from_under_it);
    ADD("a file cut while it is fetched fails alone", a_file_cut_while_it_is_fetched_fails_alone);
    return g_test_run();
}
