#include "devices/monitor-private.h"
#include "devices/monitor.h"
#include "gateway/base/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* Volumes on real mounts, in a mount namespace of the test's own. USB is in tests/rigs. */

#define PATIENCE_MS 5000

typedef struct {
    char *folder;
    GPtrArray *seen; /* of char*: "+PORT" and "-PORT" */
    HearthMonitor *monitor;
} Fixture;

static void arrived(const HearthDevice *device, gpointer user_data)
{
    g_ptr_array_add(user_data, g_strconcat("+", device->port, NULL));
}

static void removed(const HearthDevice *device, gpointer user_data)
{
    g_assert_cmpint(device->state, ==, HEARTH_DEVICE_GONE);
    g_ptr_array_add(user_data, g_strconcat("-", device->port, NULL));
}

static void setup(Fixture *fixture, gconstpointer unused)
{
    fixture->folder = g_dir_make_tmp("hearth monitor-XXXXXX", NULL);
    fixture->seen = g_ptr_array_new_with_free_func(g_free);
    HearthMonitorFuncs funcs = {arrived, removed, fixture->seen, NULL};
    fixture->monitor = hearth_monitor_new(NULL, &funcs);
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    hearth_monitor_free(fixture->monitor);
    umount2(fixture->folder, MNT_DETACH);
    g_rmdir(fixture->folder);
    g_free(fixture->folder);
    g_ptr_array_unref(fixture->seen);
}

static gboolean may_mount(void)
{
    static int answer = -1;
    if (answer < 0)
        answer =
            unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, "") == 0;
    if (!answer)
        g_test_skip("mounting needs root");
    return answer;
}

static void mount_card(const Fixture *fixture, const char *point, const char *inside)
{
    g_autofree char *path = g_build_filename(point, inside, NULL);
    g_assert_cmpint(mount("card", point, "tmpfs", 0, "size=1m"), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
}

static gboolean set_flag(gpointer flag)
{
    *(gboolean *)flag = TRUE;
    return G_SOURCE_REMOVE;
}

/* Runs the main context until `count` events came, or nothing did for a while. */
static void wait_for(Fixture *fixture, guint count, guint patience_ms)
{
    gboolean late = FALSE;
    guint source = g_timeout_add(patience_ms, set_flag, &late);
    while (fixture->seen->len < count && !late)
        g_main_context_iteration(NULL, TRUE);
    if (!late)
        g_source_remove(source);
}

static void assert_seen(Fixture *fixture, guint index, char sign)
{
    g_autofree char *wanted = g_strdup_printf("%cvolume:%s", sign, fixture->folder);
    g_assert_cmpuint(fixture->seen->len, >, index);
    g_assert_cmpstr(fixture->seen->pdata[index], ==, wanted);
}

static void a_mounted_folder_of_pictures_is_announced(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    if (!may_mount())
        return;
    g_autofree char *source = g_dir_make_tmp("hearth-source-XXXXXX", NULL);
    g_autofree char *dcim = g_build_filename(source, "DCIM", NULL);
    g_assert_cmpint(g_mkdir(dcim, 0755), ==, 0);
    g_assert_true(hearth_monitor_start_volumes(fixture->monitor, &error));
    g_assert_cmpint(mount(source, fixture->folder, NULL, MS_BIND, NULL), ==, 0);
    wait_for(fixture, 1, PATIENCE_MS);
    assert_seen(fixture, 0, '+');
    g_assert_cmpint(umount(fixture->folder), ==, 0);
    wait_for(fixture, 2, PATIENCE_MS);
    assert_seen(fixture, 1, '-');
    g_rmdir(dcim);
    g_rmdir(source);
}

static void a_card_that_is_there_already_is_announced(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    if (!may_mount())
        return;
    mount_card(fixture, fixture->folder, "dcim");
    g_assert_true(hearth_monitor_start_volumes(fixture->monitor, &error));
    g_assert_cmpuint(fixture->seen->len, ==, 0); /* never from within a call */
    wait_for(fixture, 1, PATIENCE_MS);
    assert_seen(fixture, 0, '+');
}

static void a_card_mounted_twice_is_announced_once(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    if (!may_mount())
        return;
    mount_card(fixture, fixture->folder, "DCIM");
    g_assert_cmpint(mount(fixture->folder, fixture->folder, NULL, MS_BIND, NULL), ==, 0);
    g_assert_true(hearth_monitor_start_volumes(fixture->monitor, &error));
    wait_for(fixture, 2, 500);
    g_assert_cmpuint(fixture->seen->len, ==, 1);
    g_assert_cmpint(umount(fixture->folder), ==, 0);
}

static void a_disk_without_pictures_is_not_announced(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    if (!may_mount())
        return;
    mount_card(fixture, fixture->folder, "Documents");
    g_assert_true(hearth_monitor_start_volumes(fixture->monitor, &error));
    wait_for(fixture, 1, 500);
    g_assert_cmpuint(fixture->seen->len, ==, 0);
}

static void nothing_comes_after_the_end(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    if (!may_mount())
        return;
    mount_card(fixture, fixture->folder, "DCIM");
    g_assert_true(hearth_monitor_start_volumes(fixture->monitor, &error));
    g_usleep(200000);
    g_clear_pointer(&fixture->monitor, hearth_monitor_free);
    wait_for(fixture, 1, 200);
    g_assert_cmpuint(fixture->seen->len, ==, 0);
}

static void lines_of_mountinfo_are_read(Fixture *fixture, gconstpointer unused)
{
    g_auto(HearthMount) mount = {0};
    g_assert_true(hearth_mount_parse(
        "36 35 98:0 / /media/my\\040card\\134x rw,noatime shared:1 - vfat /dev/sda1 rw", &mount));
    g_assert_cmpuint(mount.id, ==, 36);
    g_assert_cmpstr(mount.point, ==, "/media/my card\\x");
    g_assert_cmpstr(mount.type, ==, "vfat");
    static const char *const BAD[] = {"",
                                      " - ",
                                      "x",
                                      "36 35 98:0 / /mnt rw - nfs4 server:/x rw",
                                      "36 35 98:0 / / rw - ext4 a rw",
                                      "x 35 98:0 / /mnt rw - vfat /dev/sda1 rw",
                                      "36 35 98:0 / relative rw - vfat /dev/sda1 rw",
                                      "36 35 98:0 / /mnt rw - fuse.hearth hearth rw",
                                      "36 35 98:0 / /mnt rw vfat /dev/sda1 rw"};
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_auto(HearthMount) none = {0};
        g_assert_false(hearth_mount_parse(BAD[i], &none));
    }
}

static void the_driver_follows_from_what_is_known(Fixture *fixture, gconstpointer unused)
{
    g_assert_cmpstr(hearth_usb_driver(&(HearthUsbTraits){.still_image = TRUE}), ==, "gphoto2");
    g_assert_cmpstr(hearth_usb_driver(&(HearthUsbTraits){.still_image = TRUE, .says_mtp = TRUE}),
                    ==, "mtp");
    g_assert_cmpstr(hearth_usb_driver(&(HearthUsbTraits){.udev_mtp = TRUE}), ==, "mtp");
    g_assert_cmpstr(hearth_usb_driver(&(HearthUsbTraits){
                        .still_image = TRUE, .udev_mtp = TRUE, .udev_gphoto = TRUE}),
                    ==, "gphoto2");
    g_assert_cmpstr(hearth_usb_driver(&(HearthUsbTraits){.udev_gphoto = TRUE}), ==, "gphoto2");
    g_assert_null(hearth_usb_driver(&(HearthUsbTraits){0}));
}

/* What libusb needs is refused to it, as some containers do. */
static void usb_that_is_forbidden_is_an_error_and_no_more(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    struct rlimit before, none;
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    none = (struct rlimit){0, before.rlim_max};
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    gboolean started = hearth_monitor_start_usb(fixture->monitor, &error);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    g_assert_false(started);
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, "USB"));
    g_clear_error(&error);
    g_assert_true(hearth_monitor_start_volumes(fixture->monitor, &error));
    g_assert_no_error(error);
}

#define ADD(path, func) g_test_add("/devices/monitor/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("mounted-folder-comes-and-goes", a_mounted_folder_of_pictures_is_announced);
    ADD("card-there-already-is-announced", a_card_that_is_there_already_is_announced);
    ADD("card-mounted-twice-is-announced-once", a_card_mounted_twice_is_announced_once);
    ADD("disk-without-pictures-is-not", a_disk_without_pictures_is_not_announced);
    ADD("nothing-comes-after-the-end", nothing_comes_after_the_end);
    ADD("mountinfo-lines-are-read", lines_of_mountinfo_are_read);
    ADD("driver-follows-from-what-is-known", the_driver_follows_from_what_is_known);
    ADD("forbidden-usb-is-only-an-error", usb_that_is_forbidden_is_an_error_and_no_more);
    return g_test_run();
}
