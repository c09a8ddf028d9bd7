#include "devices/device-private.h"
#include "devices/device.h"
#include "gateway/base/error.h"

#include <glib/gstdio.h>
#include <string.h>

static void a_folder_is_a_device_with_one_id(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("Hearth Card-XXXXXX", NULL);
    g_autofree char *port = g_strconcat("volume:", folder, NULL);
    g_autofree char *longer = g_strconcat("volume:", folder, "/.", NULL);
    g_autoptr(HearthDevice) a = hearth_device_from_port(port, &error);
    g_assert_no_error(error);
    g_autoptr(HearthDevice) b = hearth_device_from_port(longer, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(a->id, ==, b->id);
    g_assert_cmpstr(a->port, ==, port);
    g_assert_cmpstr(a->driver, ==, "volume");
    for (const char *at = a->id; *at; at++)
        g_assert_true(g_ascii_islower(*at) || g_ascii_isdigit(*at) || strchr("-._", *at));
    g_rmdir(folder);
}

static void the_ports_of_the_manual_are_understood(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthDevice) disk = hearth_device_from_port("disk:/tmp", &error);
    g_assert_no_error(error);
    g_autoptr(HearthDevice) network = hearth_device_from_port("ptpip:192.168.1.1", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(disk->driver, ==, "gphoto2");
    g_assert_cmpstr(network->driver, ==, "gphoto2");
    g_assert_cmpstr(network->port, ==, "ptpip:192.168.1.1");
}

static void text_that_is_no_port_is_refused(void)
{
    static const char *const BAD[] = {"",         "/tmp",      "volume:",    "disk:",
                                      "ptpip:",   "usb:",      "usb:x",      "usb:1,2,3",
                                      "http://x", "ptpip:a b", "ptpip:a\nb", "usb:99999,1"};
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(hearth_device_from_port(BAD[i], &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

static void a_place_that_is_not_there_is_not_found(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(hearth_device_from_port("volume:/nowhere/at/all", &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
}

static void what_a_device_says_of_itself_becomes_plain_text(void)
{
    g_autofree char *escape = hearth_device_clean_text("EOS\033[2J 5D\r\n", -1);
    g_autofree char *broken = hearth_device_clean_text("\xff\xfe model", -1);
    g_autofree char *turned = hearth_device_clean_text("a\u202eb", -1);
    g_autofree char *flood = g_strnfill(10000, 'x');
    g_autofree char *bounded = hearth_device_clean_text(flood, -1);
    g_assert_cmpstr(escape, ==, "EOS?[2J 5D??");
    g_assert_true(g_utf8_validate(broken, -1, NULL));
    g_assert_null(strstr(turned, "\u202e"));
    g_assert_cmpuint(strlen(bounded), <=, 120);
}

static void an_id_is_safe_as_a_file_name(void)
{
    g_autofree char *hostile =
        hearth_device_make_id((const char *const[]){"usb", "../../etc", "pass wd/\n", NULL});
    g_autofree char *flood = g_strnfill(10000, 'x');
    g_autofree char *bounded = hearth_device_make_id((const char *const[]){"usb", flood, NULL});
    g_assert_null(strchr(hostile, '/'));
    g_assert_cmpstr(hostile, ==, "usb-..-..-etc-pass-wd");
    g_assert_cmpuint(strlen(bounded), <=, 100);
}

static void paths_that_lead_elsewhere_are_refused(void)
{
    static const char *const BAD[] = {"", "/", "a", "/..", "/.", "/a/../b", "//", "/a//b", "/a/"};
    g_autofree char *name = g_strnfill(256, 'x');
    g_autofree char *longest = g_strconcat("/", name, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++)
        g_assert_nonnull(hearth_device_check_path(BAD[i], strlen(BAD[i])));
    g_assert_nonnull(hearth_device_check_path("/a\0b", 4));
    g_assert_nonnull(hearth_device_check_path(longest, strlen(longest)));
    g_assert_null(hearth_device_check_path(longest, strlen(longest) - 1));
    /* Ugly, but a name all the same. */
    g_assert_null(hearth_device_check_path("/\xff\n\t...", 7));
}

#define ADD(path, func) g_test_add_func("/devices/device/" path, func)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("folder-has-one-id", a_folder_is_a_device_with_one_id);
    ADD("ports-are-understood", the_ports_of_the_manual_are_understood);
    ADD("bad-ports-are-refused", text_that_is_no_port_is_refused);
    ADD("missing-place-is-not-found", a_place_that_is_not_there_is_not_found);
    ADD("device-text-becomes-plain", what_a_device_says_of_itself_becomes_plain_text);
    ADD("id-is-a-safe-file-name", an_id_is_safe_as_a_file_name);
    ADD("bad-paths-are-refused", paths_that_lead_elsewhere_are_refused);
    return g_test_run();
}
