#include "gateway/base/error.h"
#include "tests/rigs/rig-fixture.h"

#include <string.h>

/* Hearth's worker and shadow on devices that are pulled, hang, stall and are held by others. */

#define FILM "DCIM/100TEST/MVI_0003.MOV"
#define PICTURE "DCIM/100TEST/IMG_0001.JPG"

static void everything_arrives_byte_for_byte(RigFixture *fixture, gconstpointer way)
{
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, 3);
    rig_assert_same(fixture, PICTURE, 0);
    rig_assert_same(fixture, "DCIM/100TEST/IMG_0002.JPG", 0);
    rig_assert_same(fixture, FILM, 0);
    rig_assert_same(fixture, FILM, 3000001);
    rig_assert_same(fixture, PICTURE, 39999);
}

static void a_fetch_goes_on_where_the_cable_was_pulled(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GByteArray) got = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    const guint64 before = 1500000;

    rig_list(fixture);
    rig_tell(fixture, "failafter 1500000");
    g_clear_pointer(&got, g_byte_array_unref);
    got = rig_fetch(fixture, FILM, 0, &error);
    g_assert_null(got);
    g_assert_nonnull(error);
    /* A device that is not there has not deleted anything. */
    g_assert_false(g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND));
    g_assert_false(g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT));
    rig_tell(fixture, "plug");
    rig_new_shadow(fixture, NULL);
    rig_assert_same(fixture, FILM, before - before % 4096);
}

static void file_not_found_of_a_device_that_is_gone_is_no_deletion(RigFixture *fixture,
                                                                   gconstpointer way)
{
    g_autoptr(GByteArray) got = NULL;
    g_autoptr(GError) error = NULL;

    rig_list(fixture);
    rig_assert_same(fixture, PICTURE, 0);
    rig_tell(fixture, "unplug");
    got = rig_fetch(fixture, "IMG_0002.JPG", 0, &error);
    g_assert_null(got);
    g_assert_nonnull(error);
    g_assert_false(g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND));
    g_assert_false(g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT));
}

static void a_device_that_is_gone_is_not_listed_from_a_cache(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;

    rig_list(fixture);
    rig_tell(fixture, "unplug");
    g_assert_false(rig_try_list(fixture, &error));
    g_assert_nonnull(error);
}

static void a_new_picture_is_seen_in_the_next_listing(RigFixture *fixture, gconstpointer way)
{
    rig_list(fixture);
    rig_make_file(fixture, "DCIM/100TEST/NEW_0004.JPG", 5000);
    rig_tell(fixture, "rescan");
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, 4);
    rig_assert_same(fixture, "DCIM/100TEST/NEW_0004.JPG", 0);
}

static void a_hung_device_is_given_up_at_its_deadline(RigFixture *fixture, gconstpointer way)
{
    HearthShadowOptions options;
    g_autoptr(GByteArray) got = NULL;
    g_autoptr(GError) error = NULL;
    gint64 begin;

    rig_options(&options);
    options.idle_timeout_ms = 1000;
    options.open_timeout_ms = 1500;
    options.attempts = 2;
    rig_new_shadow(fixture, &options);
    rig_list(fixture);
    rig_tell(fixture, "hang 1");
    begin = g_get_monotonic_time();
    got = rig_fetch(fixture, FILM, 0, &error);
    g_assert_null(got);
    g_assert_nonnull(error);
    g_assert_false(g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND));
    /* The libraries alone wait 20 s in each call and 20 s more to let go. */
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
    /* Once it answers again everything is as before. */
    rig_tell(fixture, "hang 0");
    rig_assert_same(fixture, FILM, 0);
}

static void a_device_that_wakes_up_again_is_read_to_the_end(RigFixture *fixture, gconstpointer way)
{
    HearthShadowOptions options;

    rig_options(&options);
    options.idle_timeout_ms = 700;
    options.attempts = 5;
    rig_new_shadow(fixture, &options);
    rig_list(fixture);
    rig_tell(fixture, "hang 1");
    rig_tell_later(fixture, 1000, "hang 0");
    rig_assert_same(fixture, FILM, 0);
}

static void a_stalled_pipe_does_not_end_a_fetch(RigFixture *fixture, gconstpointer way)
{
    rig_list(fixture);
    rig_tell(fixture, "stall");
    rig_assert_same(fixture, FILM, 0);
}

static void a_device_held_by_another_program_is_busy(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthDevice) device = NULL;

    rig_tell(fixture, "busy 1");
    g_assert_false(rig_try_list(fixture, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY);
    device = hearth_shadow_dup_device(fixture->shadow);
    g_assert_cmpint(device->state, ==, HEARTH_DEVICE_BUSY);
    g_assert_nonnull(device->message);
}

static void a_device_is_read_once_the_other_program_lets_go(RigFixture *fixture, gconstpointer way)
{
    HearthShadowOptions options;

    rig_options(&options);
    options.wait_until_free = TRUE;
    rig_new_shadow(fixture, &options);
    rig_tell(fixture, "busy 1");
    rig_tell_later(fixture, 600, "busy 0");
    rig_list(fixture);
    rig_assert_same(fixture, PICTURE, 0);
}

static void a_locked_phone_says_so(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthDevice) device = NULL;

    rig_tell(fixture, "locked 1");
    g_assert_false(rig_try_list(fixture, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY);
    device = hearth_shadow_dup_device(fixture->shadow);
    g_assert_true(device->state == HEARTH_DEVICE_NO_STORAGE ||
                  device->state == HEARTH_DEVICE_LOCKED);
    g_assert_nonnull(device->message);
}

static void a_phone_is_read_once_it_is_unlocked(RigFixture *fixture, gconstpointer way)
{
    HearthShadowOptions options;

    rig_options(&options);
    options.wait_until_free = TRUE;
    rig_new_shadow(fixture, &options);
    rig_tell(fixture, "locked 1");
    rig_tell_later(fixture, 600, "locked 0");
    rig_list(fixture);
    rig_assert_same(fixture, PICTURE, 0);
}

static gpointer fetch_film(gpointer data)
{
    rig_assert_same(data, FILM, 0);
    return NULL;
}

static void two_devices_are_read_at_once(RigFixture *fixture, gconstpointer way)
{
    SimIdentity identity = {.persona = SIM_PERSONA_MTP, .model = "Second", .serial = "RIG002"};
    g_autoptr(SimDevice) second = sim_device_new(&identity, fixture->folder);
    RigFixture other = *fixture;
    g_autoptr(GError) error = NULL;
    GThread *thread;

    sim_usb_bus_attach(fixture->bus, second);
    g_assert_true(sim_device_plug(second, &error));
    g_assert_no_error(error);
    other.device = second;
    other.objects = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_device_object_free);
    other.shadow = rig_shadow_for(fixture, second, NULL);
    rig_list(fixture);
    rig_list(&other);
    thread = g_thread_new("second", fetch_film, &other);
    rig_assert_same(fixture, FILM, 0);
    g_thread_join(thread);
    hearth_shadow_unref(other.shadow);
    g_ptr_array_unref(other.objects);
    sim_device_unplug(second);
    /* The bus is freed before the fixture's device, but after this one. */
    g_clear_pointer(&fixture->shadow, hearth_shadow_unref);
    g_clear_pointer(&fixture->bus, sim_usb_bus_free);
    fixture->shadow = hearth_shadow_new(&(HearthDevice){.id = (char *)"rig",
                                                        .driver = (char *)"gphoto2",
                                                        .port = (char *)"usb:001,099",
                                                        .vendor = (char *)"",
                                                        .model = (char *)"",
                                                        .serial = (char *)""},
                                        NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig_add_all("everything-arrives-byte-for-byte", everything_arrives_byte_for_byte);
    rig_add_all("a-fetch-goes-on-where-the-cable-was-pulled",
                a_fetch_goes_on_where_the_cable_was_pulled);
    rig_add_all("file-not-found-of-a-device-that-is-gone-is-no-deletion",
                file_not_found_of_a_device_that_is_gone_is_no_deletion);
    rig_add_all("a-device-that-is-gone-is-not-listed-from-a-cache",
                a_device_that_is_gone_is_not_listed_from_a_cache);
    rig_add_all("a-new-picture-is-seen-in-the-next-listing",
                a_new_picture_is_seen_in_the_next_listing);
    rig_add_all("a-hung-device-is-given-up-at-its-deadline",
                a_hung_device_is_given_up_at_its_deadline);
    rig_add_all("a-device-that-wakes-up-again-is-read-to-the-end",
                a_device_that_wakes_up_again_is_read_to_the_end);
    rig_add("a-stalled-pipe-does-not-end-a-fetch", RIG_PTP_USB,
            a_stalled_pipe_does_not_end_a_fetch);
    rig_add("a-stalled-pipe-does-not-end-a-fetch", RIG_MTP_USB,
            a_stalled_pipe_does_not_end_a_fetch);
    rig_add("a-device-held-by-another-program-is-busy", RIG_PTP_USB,
            a_device_held_by_another_program_is_busy);
    rig_add("a-device-held-by-another-program-is-busy", RIG_MTP_USB,
            a_device_held_by_another_program_is_busy);
    rig_add("a-device-is-read-once-the-other-program-lets-go", RIG_PTP_USB,
            a_device_is_read_once_the_other_program_lets_go);
    rig_add("a-device-is-read-once-the-other-program-lets-go", RIG_MTP_USB,
            a_device_is_read_once_the_other_program_lets_go);
    rig_add_all("a-locked-phone-says-so", a_locked_phone_says_so);
    rig_add_all("a-phone-is-read-once-it-is-unlocked", a_phone_is_read_once_it_is_unlocked);
    rig_add("two-devices-are-read-at-once", RIG_PTP_USB, two_devices_are_read_at_once);
    return g_test_run();
}
