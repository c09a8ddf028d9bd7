#include "gateway/base/error.h"
#include "tests/rigs/rig-fixture.h"
#include "tests/rigs/simulator/scenes.h"

#include <string.h>
#include <sys/stat.h>
#include <utime.h>

/* What devices hold and say of it that is large, strange or untrue. Run with TZ=Asia/Tokyo. */

#define FILM "DCIM/100TEST/MVI_0003.MOV"
#define PICTURE "DCIM/100TEST/IMG_0001.JPG"
#define TAIL_BYTES 3000000
/* 2026-03-29 02:30:00 as if it were UTC: an hour that half of Europe's clocks never showed. */
#define WALL_CLOCK 1774751400

static void assert_tail_of_film(RigFixture *fixture, guint64 size)
{
    guint64 offset = size - TAIL_BYTES;
    g_autofree guint8 *wanted = g_malloc(TAIL_BYTES);
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = rig_fetch(fixture, "BIG_0001.MOV", offset, &error);

    g_assert_no_error(error);
    sim_pattern_fill(SIM_SCENE_BIG_SEED, offset, wanted, TAIL_BYTES);
    g_assert_cmpmem(got->data, got->len, wanted, TAIL_BYTES);
}

static void a_player_gives_files_over_4_gib_to_the_last_byte(RigFixture *fixture, gconstpointer way)
{
    rig_tell(fixture, "scene big");
    rig_list(fixture);
    g_assert_cmpint(rig_find(fixture, "BIG_0001.MOV")->size, ==, SIM_SCENE_BIG_BYTES);
    assert_tail_of_film(fixture, SIM_SCENE_BIG_BYTES);
}

/* PTP's offsets have 32 bits: no camera can give more, and none may be cut at that in silence. */
static void a_camera_with_a_file_over_4_gib_is_told_so(RigFixture *fixture, gconstpointer way)
{
    const guint64 limit = (guint64)1 << 32;
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = NULL;

    rig_tell(fixture, "scene big");
    rig_list(fixture);
    g_assert_cmpint(rig_find(fixture, "BIG_0001.MOV")->size, ==, HEARTH_SIZE_UNKNOWN);
    got = rig_fetch(fixture, "BIG_0001.MOV", limit - TAIL_BYTES, &error);
    g_assert_null(got);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT);
}

static void objects_of_no_format_are_fetched(RigFixture *fixture, gconstpointer way)
{
    rig_tell(fixture, "undefined 1");
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, 3);
    rig_assert_same(fixture, PICTURE, 0);
    rig_assert_same(fixture, FILM, 0);
}

static void times_are_those_of_the_cameras_wall(RigFixture *fixture, gconstpointer way)
{
    g_autofree char *path = g_build_filename(fixture->folder, PICTURE, NULL);
    struct utimbuf times = {WALL_CLOCK, WALL_CLOCK};

    g_assert_cmpstr(g_getenv("TZ"), ==, "Asia/Tokyo");
    g_assert_cmpint(utime(path, &times), ==, 0);
    rig_tell(fixture, "rescan");
    rig_list(fixture);
    g_assert_cmpint(rig_find(fixture, PICTURE)->mtime, ==, WALL_CLOCK);
    g_assert_false(rig_find(fixture, PICTURE)->mtime_is_utc);
}

static void handles_may_move_between_sessions(RigFixture *fixture, gconstpointer way)
{
    rig_list(fixture);
    for (guint i = 0; i < 3; i++) {
        hearth_shadow_rest(fixture->shadow);
        rig_assert_same(fixture, PICTURE, 0);
        rig_assert_same(fixture, "DCIM/100TEST/IMG_0002.JPG", 1000);
    }
}

static void a_picture_replaced_by_another_is_a_conflict(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = NULL;

    rig_list(fixture);
    rig_make_file(fixture, PICTURE, 12345);
    rig_tell(fixture, "rescan");
    hearth_shadow_rest(fixture->shadow);
    got = rig_fetch(fixture, PICTURE, 0, &error);
    g_assert_null(got);
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT);
}

static void assert_safe_path(const HearthDeviceObject *object)
{
    g_auto(GStrv) parts = g_strsplit(object->path + 1, "/", -1);

    g_assert_cmpint(object->path[0], ==, '/');
    for (guint i = 0; parts[i] != NULL; i++) {
        g_assert_cmpstr(parts[i], !=, "");
        g_assert_cmpstr(parts[i], !=, ".");
        g_assert_cmpstr(parts[i], !=, "..");
        g_assert_cmpuint(strlen(parts[i]), <=, HEARTH_DEVICE_MAX_NAME);
    }
}

static void hostile_names_stay_in_their_folder(RigFixture *fixture, gconstpointer way)
{
    rig_tell(fixture, "scene hostile");
    rig_list(fixture);
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];

        if (object->refusal == NULL)
            assert_safe_path(object);
        else
            g_assert_true(g_utf8_validate(object->path, -1, NULL));
    }
    rig_assert_same(fixture, PICTURE, 0);
    g_assert_nonnull(rig_find(fixture, "/666EVIL/GOOD.JPG"));
}

/** What pattern an object of the scene has is told by its size. */
static void assert_twin(RigFixture *fixture, const HearthDeviceObject *object)
{
    const guint32 seed = object->size == 500 ? 3 : object->size == 3000 ? 4 : object->size / 1000;
    g_autofree guint8 *wanted = g_malloc(object->size);
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = rig_fetch_object(fixture, object, 0, &error);

    /* It may not be had, but never may the other one be had for it. */
    if (got == NULL)
        return;
    sim_pattern_fill(seed, 0, wanted, object->size);
    g_assert_cmpmem(got->data, got->len, wanted, object->size);
}

static void two_objects_of_one_name_are_not_mistaken(RigFixture *fixture, gconstpointer way)
{
    rig_tell(fixture, "scene duplicates");
    rig_list(fixture);
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];

        if (strstr(object->path, "/100TWIN/") != NULL && object->refusal == NULL)
            assert_twin(fixture, object);
    }
    rig_assert_same(fixture, PICTURE, 0);
}

static void two_objects_of_one_name_are_both_had_from_a_player(RigFixture *fixture,
                                                               gconstpointer way)
{
    guint count = 0;

    rig_tell(fixture, "scene duplicates");
    rig_list(fixture);
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];

        count += g_str_has_suffix(object->path, "/SAME.JPG") && object->size <= 2000;
    }
    g_assert_cmpuint(count, >=, 2);
}

static void an_endless_tree_ends(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;

    rig_tell(fixture, "scene endless");
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, <, 200);
    rig_assert_same(fixture, PICTURE, 0);
}

static void a_folder_in_itself_ends(RigFixture *fixture, gconstpointer way)
{
    rig_tell(fixture, "scene loop");
    rig_list(fixture);
    g_assert_cmpuint(fixture->objects->len, <, 200);
    rig_assert_same(fixture, PICTURE, 0);
}

static void files_of_no_bytes_are_fetched(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = NULL;

    rig_tell(fixture, "scene zero");
    rig_list(fixture);
    got = rig_fetch(fixture, "ZERO.JPG", 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(got->len, ==, 0);
}

static void a_file_shorter_than_announced_is_no_success(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = NULL;

    rig_tell(fixture, "sizeerror 1000");
    rig_list(fixture);
    got = rig_fetch(fixture, PICTURE, 0, &error);
    g_assert_null(got);
    g_assert_nonnull(error);
    g_assert_false(g_error_matches(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND));
}

/* Short data may be asked for anew or be an error, but never end up as the file. */
static void data_that_end_early_are_never_taken_for_whole(RigFixture *fixture, gconstpointer way)
{
    static const char *const faults[] = {"short 101b 100", "short 1009 100", "short 95c1 100"};
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = NULL;
    HearthShadowOptions options;

    rig_options(&options);
    options.idle_timeout_ms = 1000;
    options.attempts = 2;
    rig_new_shadow(fixture, &options);
    rig_list(fixture);
    rig_tell(fixture, faults[fixture->way == RIG_MTP_USB ? 2 : 0]);
    got = rig_fetch(fixture, PICTURE, 0, &error);
    g_assert_true(got == NULL || got->len == 40000);
    rig_tell(fixture, "short 0 0");
    rig_assert_same(fixture, PICTURE, 0);
}

/** Lists with the operation's data as noise; whatever comes of it, afterwards all is well. */
static void assert_nonsense_survived(RigFixture *fixture, const char *operation)
{
    g_autofree char *line = g_strdup_printf("nonsense %s", operation);
    g_autoptr(GError) error = NULL;
    HearthShadowOptions options;

    rig_options(&options);
    options.idle_timeout_ms = 1500;
    options.attempts = 1;
    rig_new_shadow(fixture, &options);
    rig_tell(fixture, line);
    rig_try_list(fixture, &error);
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];

        if (object->refusal == NULL)
            assert_safe_path(object);
    }
    rig_tell(fixture, "nonsense 0");
    rig_new_shadow(fixture, NULL);
    rig_list(fixture);
    rig_assert_same(fixture, PICTURE, 0);
}

static void noise_for_a_list_of_objects_is_survived(RigFixture *fixture, gconstpointer way)
{
    assert_nonsense_survived(fixture, "1007");
}

static void noise_for_an_object_is_survived(RigFixture *fixture, gconstpointer way)
{
    assert_nonsense_survived(fixture, "1008");
    if (fixture->way == RIG_MTP_USB)
        assert_nonsense_survived(fixture, "9805");
}

static void noise_for_the_storages_is_survived(RigFixture *fixture, gconstpointer way)
{
    assert_nonsense_survived(fixture, "1004");
    assert_nonsense_survived(fixture, "1005");
}

static void noise_for_the_device_is_survived(RigFixture *fixture, gconstpointer way)
{
    assert_nonsense_survived(fixture, "1001");
}

static void a_broken_object_does_not_stop_the_others(RigFixture *fixture, gconstpointer way)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = NULL;

    rig_tell(fixture, "broken IMG_0002.JPG");
    rig_list(fixture);
    got = rig_fetch(fixture, "IMG_0002.JPG", 0, &error);
    g_assert_null(got);
    g_assert_nonnull(error);
    rig_assert_same(fixture, PICTURE, 0);
    rig_assert_same(fixture, FILM, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rig_add("a-player-gives-files-over-4-gib-to-the-last-byte", RIG_MTP_USB,
            a_player_gives_files_over_4_gib_to_the_last_byte);
    rig_add("a-camera-with-a-file-over-4-gib-is-told-so", RIG_PTP_USB,
            a_camera_with_a_file_over_4_gib_is_told_so);
    rig_add_all("objects-of-no-format-are-fetched", objects_of_no_format_are_fetched);
    rig_add_all("times-are-those-of-the-cameras-wall", times_are_those_of_the_cameras_wall);
    rig_add_all("handles-may-move-between-sessions", handles_may_move_between_sessions);
    rig_add_all("a-picture-replaced-by-another-is-a-conflict",
                a_picture_replaced_by_another_is_a_conflict);
    rig_add_all("hostile-names-stay-in-their-folder", hostile_names_stay_in_their_folder);
    rig_add_all("two-objects-of-one-name-are-not-mistaken",
                two_objects_of_one_name_are_not_mistaken);
    rig_add("two-objects-of-one-name-are-both-had-from-a-player", RIG_MTP_USB,
            two_objects_of_one_name_are_both_had_from_a_player);
    rig_add_all("an-endless-tree-ends", an_endless_tree_ends);
    rig_add_all("a-folder-in-itself-ends", a_folder_in_itself_ends);
    rig_add_all("files-of-no-bytes-are-fetched", files_of_no_bytes_are_fetched);
    rig_add_all("a-file-shorter-than-announced-is-no-success",
                a_file_shorter_than_announced_is_no_success);
    rig_add_all("data-that-end-early-are-never-taken-for-whole",
                data_that_end_early_are_never_taken_for_whole);
    rig_add_all("noise-for-a-list-of-objects-is-survived", noise_for_a_list_of_objects_is_survived);
    rig_add_all("noise-for-an-object-is-survived", noise_for_an_object_is_survived);
    rig_add_all("noise-for-the-storages-is-survived", noise_for_the_storages_is_survived);
    rig_add_all("noise-for-the-device-is-survived", noise_for_the_device_is_survived);
    rig_add_all("a-broken-object-does-not-stop-the-others",
                a_broken_object_does_not_stop_the_others);
    return g_test_run();
}
