#include "devices/sandbox.h"
#include "devices/shadow-private.h"
#include "gateway/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each case goes into the sandbox in a child and tries there; the child exits with the count of
 * its surprises, or NO_SANDBOX. */

#define NO_SANDBOX 99

typedef struct {
    char *folder; /* has the file IMG_0001.JPG and the folder sub */
    char *outside;
} Fixture;

typedef int (*Attempts)(const Fixture *fixture);

static void setup(Fixture *fixture, gconstpointer unused)
{
    fixture->folder = g_dir_make_tmp("hearth-sandbox-XXXXXX", NULL);
    fixture->outside = g_dir_make_tmp("hearth-outside-XXXXXX", NULL);
    g_autofree char *inside = g_build_filename(fixture->folder, "IMG_0001.JPG", NULL);
    g_autofree char *sub = g_build_filename(fixture->folder, "sub", NULL);
    g_autofree char *other = g_build_filename(fixture->outside, "secret", NULL);
    g_assert_true(g_file_set_contents(inside, "picture", -1, NULL));
    g_assert_true(g_file_set_contents(other, "secret", -1, NULL));
    g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
    g_assert_cmpint(g_chmod(inside, 0600), ==, 0);
    g_assert_cmpint(g_chmod(other, 0644), ==, 0);
    g_assert_cmpint(g_chmod(fixture->outside, 0755), ==, 0);
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *command =
        g_strdup_printf("rm -rf '%s' '%s'", fixture->folder, fixture->outside);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(fixture->folder);
    g_free(fixture->outside);
}

static void assert_inside(const Fixture *fixture, const char *driver, const char *place,
                          gboolean may_change, Attempts attempts)
{
    HearthSandbox sandbox = {driver, place, may_change};
    pid_t child = fork();
    if (child == 0) {
        g_autoptr(GError) error = NULL;
        if (!hearth_sandbox_begin(&sandbox, &error) || !hearth_sandbox_close(&sandbox, &error)) {
            fprintf(stderr, "# no sandbox: %s\n", error->message);
            _exit(NO_SANDBOX);
        }
        _exit(attempts(fixture));
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

/* Counts what should have been refused, saying what. */
static int refused(const char *what, gboolean happened)
{
    if (happened)
        fprintf(stderr, "# not refused: %s\n", what);
    return happened;
}

static int allowed(const char *what, gboolean happened)
{
    if (!happened)
        fprintf(stderr, "# refused: %s (%s)\n", what, strerror(errno));
    return !happened;
}

static int try_open(const char *folder, const char *name, int flags)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd;
}

static gboolean can_exec(void)
{
    char name[] = "true", *const arguments[] = {name, NULL};
    /* Only a failed exec comes back. */
    execv("/bin/true", arguments);
    return FALSE;
}

/* What no driver has, whichever it is. */
static int attempt_common(const Fixture *fixture)
{
    int wrong = 0;
    wrong += refused("creating a file", try_open(fixture->outside, "new", O_WRONLY | O_CREAT) >= 0);
    wrong += refused("reading outside", try_open(fixture->outside, "secret", O_RDONLY) >= 0);
    wrong += refused("a local socket", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    wrong += refused("a raw socket", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
    wrong += refused("a new process", fork() >= 0);
    wrong += refused("exec", can_exec());
    wrong += refused("a signal to another", kill(getppid(), 0) == 0);
    wrong += refused("debugging", syscall(SYS_ptrace, 0, 0, 0, 0) == 0);
    wrong += refused("becoming root", getuid() == 0 && geteuid() == 0);
    return wrong;
}

static int attempt_reading(const Fixture *fixture)
{
    int wrong = attempt_common(fixture);
    wrong +=
        allowed("reading the volume", try_open(fixture->folder, "IMG_0001.JPG", O_RDONLY) >= 0);
    wrong += allowed("its folders", try_open(fixture->folder, "sub", O_RDONLY | O_DIRECTORY) >= 0);
    wrong += refused("writing it", try_open(fixture->folder, "IMG_0001.JPG", O_WRONLY) >= 0);
    wrong +=
        refused("reading and writing it", try_open(fixture->folder, "IMG_0001.JPG", O_RDWR) >= 0);
    wrong += refused("creating in it", try_open(fixture->folder, "new", O_WRONLY | O_CREAT) >= 0);
    wrong += refused("a network socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    g_autofree char *path = g_build_filename(fixture->folder, "IMG_0001.JPG", NULL);
    wrong += refused("deleting from it", unlink(path) == 0);
    return wrong;
}

static int attempt_changing(const Fixture *fixture)
{
    int wrong = attempt_common(fixture);
    g_autofree char *path = g_build_filename(fixture->folder, "new", NULL);
    wrong += allowed("creating in it", try_open(fixture->folder, "new", O_WRONLY | O_CREAT) >= 0);
    wrong += allowed("deleting from it", unlink(path) == 0);
    wrong += refused("a network socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    return wrong;
}

static int attempt_usb(const Fixture *fixture)
{
    int wrong = attempt_common(fixture);
    wrong += refused("opening any file", open("/usr/bin/env", O_RDONLY | O_CLOEXEC) >= 0);
    wrong += refused("a network socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    /* EPERM comes from the filter; without it a pipe would say ENOTTY. */
    wrong += refused("other requests of devices", ioctl(0, TCGETS, NULL) == 0 || errno != EPERM);
    return wrong;
}

static int attempt_network(const Fixture *fixture)
{
    int wrong = attempt_common(fixture);
    wrong += refused("opening any file", open("/usr/bin/env", O_RDONLY | O_CLOEXEC) >= 0);
    wrong += allowed("a network socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    wrong += refused("listening", syscall(SYS_listen, 0, 1) == 0 || errno != EPERM);
    return wrong;
}

static void a_volume_is_all_that_its_driver_sees(Fixture *fixture, gconstpointer unused)
{
    assert_inside(fixture, "volume", fixture->folder, FALSE, attempt_reading);
}

static void a_folder_camera_is_all_that_libgphoto2_sees(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *place = g_strconcat("disk:", fixture->folder, NULL);
    assert_inside(fixture, "gphoto2", place, FALSE, attempt_reading);
}

static void a_volume_that_may_change_changes_alone(Fixture *fixture, gconstpointer unused)
{
    assert_inside(fixture, "volume", fixture->folder, TRUE, attempt_changing);
}

static void a_usb_driver_opens_nothing(Fixture *fixture, gconstpointer unused)
{
    assert_inside(fixture, "gphoto2", "usb:001,002", FALSE, attempt_usb);
    assert_inside(fixture, "mtp", "usb:001,002", TRUE, attempt_usb);
}

static void a_network_camera_has_the_network_alone(Fixture *fixture, gconstpointer unused)
{
    assert_inside(fixture, "gphoto2", "ptpip:192.0.2.1", FALSE, attempt_network);
}

/* The value of a line of /proc/PID/status. */
static char *status_of(int pid, const char *label)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", pid), *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    const char *at = strstr(text, label);
    g_assert_nonnull(at);
    at += strlen(label);
    return g_strstrip(g_strndup(at, strcspn(at, "\n")));
}

static void the_running_process_is_in_its_sandbox(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *port = g_strconcat("volume:", fixture->folder, NULL);
    g_autoptr(HearthDevice) device = hearth_device_from_port(port, &error);
    g_autoptr(HearthShadow) shadow = hearth_shadow_new(device, NULL);
    g_assert_true(hearth_shadow_open(shadow, NULL, &error));
    g_assert_no_error(error);
    int pid = hearth_shadow_worker_pid(shadow);
    g_autofree char *filter = status_of(pid, "Seccomp:");
    g_autofree char *privileges = status_of(pid, "NoNewPrivs:");
    g_autofree char *user = status_of(pid, "Uid:");
    g_assert_cmpstr(filter, ==, "2");
    g_assert_cmpstr(privileges, ==, "1");
    if (geteuid() == 0)
        g_assert_true(g_str_has_prefix(user, "65534"));
}

static guint count_descriptors(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    guint count = 0;
    g_assert_nonnull(folder);
    while (g_dir_read_name(folder))
        count++;
    return count;
}

static void the_running_process_has_none_of_our_descriptors(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *port = g_strconcat("volume:", fixture->folder, NULL);
    g_autoptr(HearthDevice) device = hearth_device_from_port(port, &error);
    g_autoptr(HearthShadow) shadow = hearth_shadow_new(device, NULL);
    int leaky = open("/etc/passwd", O_RDONLY); /* not close-on-exec, by mistake */
    g_assert_true(hearth_shadow_open(shadow, NULL, &error));
    /* Three null devices, the conversation, the pipe, and the volume's root. */
    g_assert_cmpuint(count_descriptors(hearth_shadow_worker_pid(shadow)), ==, 6);
    close(leaky);
}

#define ADD(path, func) g_test_add("/devices/sandbox/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("volume-is-all-its-driver-sees", a_volume_is_all_that_its_driver_sees);
    ADD("folder-camera-is-all-libgphoto2-sees", a_folder_camera_is_all_that_libgphoto2_sees);
    ADD("volume-that-may-change-changes-alone", a_volume_that_may_change_changes_alone);
    ADD("usb-driver-opens-nothing", a_usb_driver_opens_nothing);
    ADD("network-camera-has-the-network-alone", a_network_camera_has_the_network_alone);
    ADD("running-process-is-in-its-sandbox", the_running_process_is_in_its_sandbox);
    ADD("running-process-has-no-descriptor-of-ours",
        the_running_process_has_none_of_our_descriptors);
    return g_test_run();
}
