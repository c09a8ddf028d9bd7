#include "gateway/config.h"
#include "gateway/plan.h"

#include <string.h>

#define JULY 1784355124 /* 2026-07-18 06:12:04 on the device's wall */
#define DAY 86400

typedef struct {
    HearthTemplate *template, *music;
    HearthPlanRules rules;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->template = hearth_template_parse(HEARTH_CONFIG_TEMPLATE, NULL);
    f->music = hearth_template_parse(HEARTH_CONFIG_TEMPLATE_MUSIC, NULL);
    f->rules = (HearthPlanRules){.template = f->template, .music = f->music, .device = "d"};
}

static void tear_down(Fixture *f, gconstpointer data)
{
    hearth_template_free(f->template);
    hearth_template_free(f->music);
}

/* A plan of files without facts, all of one time. */
static HearthPlan *plan_of(const Fixture *f, const char *const *paths)
{
    gsize count = g_strv_length((char **)paths);
    g_autofree HearthDeviceObject *objects = g_new0(HearthDeviceObject, count);
    g_autofree HearthPlanInput *inputs = g_new0(HearthPlanInput, count);
    for (gsize i = 0; i < count; i++) {
        objects[i].path = (char *)paths[i];
        objects[i].mtime = JULY;
        inputs[i].object = &objects[i];
    }
    return hearth_plan_make(&f->rules, inputs, count);
}

static char *path_of(const HearthPlan *plan, gsize i)
{
    g_autofree char *name = hearth_plan_name(&plan->items[i], 1);
    return g_build_path("/", plan->items[i].folder, name, NULL);
}

static void companions_are_one_group(Fixture *f, gconstpointer data)
{
    /* Each row is one group. */
    static const char *const rows[][7] = {
        {"/DCIM/1/IMG_1.CR2", "/DCIM/1/IMG_1.JPG", "/DCIM/1/IMG_1.xmp", "/DCIM/1/IMG_1.CR2.xmp"},
        {"/DCIM/1/IMG_1.JPG", "/DCIM/1/img_1.jpg.XMP"},
        {"/DCIM/1/MVI_2.AVI", "/DCIM/1/MVI_2.THM"},
        {"/DCIM/1/IMG_3.HEIC", "/DCIM/1/IMG_3.MOV", "/DCIM/1/IMG_3.AAE"},
        {"/DCIM/1/IMG_0003.HEIC", "/DCIM/1/IMG_E0003.HEIC", "/DCIM/1/IMG_O0003.AAE",
         "/DCIM/1/IMG_0003.AAE", "/DCIM/1/IMG_E0003.MOV"},
        {"/DCIM/1/DSC_4.NEF", "/DCIM/1/DSC_4.WAV"},
        {"/DCIM/1/00000IMG_00000_BURST20260101120000123_COVER.jpg",
         "/DCIM/1/00001IMG_00001_BURST20260101120000123.jpg"},
        {"/DCIM/1/PXL_20260101_120000000.RAW-01.COVER.jpg",
         "/DCIM/1/PXL_20260101_120000000.RAW-02.ORIGINAL.dng"},
        {"/DCIM/1/C0001.MP4", "/DCIM/1/C0001M01.XML"},
        {"/DCIM/1/GX010001.MP4", "/DCIM/1/GX010001.THM", "/DCIM/1/GL010001.LRV"},
        {"/DCIM/1/IMG_5.jpg", "/DCIM/1/IMG_5.jpg.json"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(HearthPlan) plan = plan_of(f, rows[i]);
        for (guint k = 0; k < plan->count; k++) {
            g_test_message("%s", rows[i][k]);
            g_assert_true(plan->items[k].take);
            g_assert_cmpuint(plan->items[k].group, ==, plan->items[0].group);
            g_assert_cmpstr(plan->items[k].folder, ==, "/Photos/2026/2026-07-18");
        }
    }
}

static void strangers_are_groups_of_their_own(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/DCIM/1/IMG_1.JPG",  "/DCIM/1/IMG_11.JPG",
                                        "/DCIM/1/IMG_2.JPG",  "/DCIM/1/IMG_1 (2).JPG",
                                        "/DCIM/1/IMG_01.JPG", NULL};
    g_autoptr(HearthPlan) plan = plan_of(f, paths);
    g_assert_cmpuint(plan->groups, ==, 5);
}

static void two_objects_of_one_name_are_two_pictures(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/DCIM/1/IMG_1.JPG", "/DCIM/1/IMG_1.JPG",
                                        "/DCIM/1/IMG_1.CR2", NULL};
    g_autoptr(HearthPlan) plan = plan_of(f, paths);
    g_assert_cmpuint(plan->items[0].group, !=, plan->items[1].group);
    g_assert_cmpuint(plan->items[0].group, ==, plan->items[2].group);
}

static void a_suffix_is_the_same_for_the_whole_group(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/DCIM/1/IMG_0003.HEIC", "/DCIM/1/IMG_E0003.HEIC",
                                        "/DCIM/1/IMG_0003.HEIC.xmp", NULL};
    static const char *const names[] = {"IMG_0003 (2).HEIC", "IMG_E0003 (2).HEIC",
                                        "IMG_0003 (2).HEIC.xmp"};
    g_autoptr(HearthPlan) plan = plan_of(f, paths);
    for (gsize i = 0; i < plan->count; i++) {
        g_autofree char *name = hearth_plan_name(&plan->items[i], 2);
        g_assert_cmpstr(name, ==, names[i]);
    }
}

static void what_systems_keep_for_themselves_is_skipped(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {
        "/DCIM/1/._IMG_1.JPG",      "/DCIM/.DS_Store",          "/.Trashes/501/IMG_1.JPG",
        "/.Trash-1000/files/a.jpg", "/DCIM/.thumbnails/1.jpg",  "/DCIM/1/Thumbs.db",
        "/MISC/AUTPRINT.MRK",       "/DCIM/CANONMSC/M0100.CTG", "/PRIVATE/AVCHD/BDMV/INDEX.BDM",
        "/Android/data/app/x.jpg",  "/LOST.DIR/x.jpg",          "/DCIM/1/desktop.ini"};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        const char *const one[] = {paths[i], NULL};
        g_autoptr(HearthPlan) plan = plan_of(f, one);
        g_test_message("%s", paths[i]);
        g_assert_false(plan->items[0].take);
        g_assert_nonnull(plan->items[0].reason);
    }
}

static void other_files_are_taken_under_dcim_or_when_all_is_meant(Fixture *f, gconstpointer data)
{
    static const char *const inside[] = {"/DCIM/1/notes.txt", NULL};
    static const char *const outside[] = {"/Documents/notes.txt", NULL};
    static const char *const video[] = {"/PRIVATE/M4ROOT/CLIP/C0001.MP4", NULL};
    g_autoptr(HearthPlan) first = plan_of(f, inside);
    g_autoptr(HearthPlan) second = plan_of(f, outside);
    g_autoptr(HearthPlan) third = plan_of(f, video);
    g_assert_true(first->items[0].take);
    g_assert_false(second->items[0].take);
    g_assert_true(third->items[0].take);
    f->rules.everything = TRUE;
    g_autoptr(HearthPlan) fourth = plan_of(f, outside);
    g_assert_true(fourth->items[0].take);
}

static void a_filter_takes_words_and_patterns(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/DCIM/1/A.CR2",
                                        "/DCIM/1/A.JPG",
                                        "/DCIM/1/A.XMP",
                                        "/DCIM/1/B.MOV",
                                        "/DCIM/1/B.XMP",
                                        "/DCIM/1/C.TXT",
                                        NULL};
    static const struct {
        const char *filter[4];
        const char *taken; /* 1: yes, for each path */
    } rows[] = {
        {{NULL}, "111111"},
        {{"raw", NULL}, "101000"},
        {{"photos", "video", NULL}, "011110"},
        {{"!raw", NULL}, "011111"},
        {{"!sidecars", NULL}, "110101"},
        {{"*.mov", "other", NULL}, "000111"},
        {{"photos", "!a*", NULL}, "000000"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        f->rules.filter = rows[i].filter;
        g_autoptr(HearthPlan) plan = plan_of(f, paths);
        for (gsize k = 0; k < plan->count; k++) {
            g_test_message("row %zu %s", i, paths[k]);
            g_assert_cmpint(plan->items[k].take, ==, rows[i].taken[k] == '1');
        }
    }
}

static void a_group_goes_by_what_its_picture_says(Fixture *f, gconstpointer data)
{
    HearthDeviceObject objects[] = {{.path = (char *)"/DCIM/1/I.XMP", .mtime = JULY + 9 * DAY},
                                    {.path = (char *)"/DCIM/1/I.CR2", .mtime = JULY},
                                    {.path = (char *)"/DCIM/1/I.JPG", .mtime = JULY + DAY}};
    HearthPlanFacts facts = {.taken = hearth_moment_from_text("2025-12-31T23:59:59.5")};
    HearthPlanInput inputs[] = {{&objects[0], NULL}, {&objects[1], NULL}, {&objects[2], &facts}};
    g_autoptr(HearthPlan) plan = hearth_plan_make(&f->rules, inputs, 3);
    for (gsize i = 0; i < 3; i++)
        g_assert_cmpstr(plan->items[i].folder, ==, "/Photos/2025/2025-12-31");
    /* The time of each file is still its own. */
    g_assert_cmpint(plan->items[2].moment.nanosecond, ==, 500000000);
    g_assert_cmpint(plan->items[0].moment.day, ==, 27);

    /* Nobody reads it: the picture's file time, not the sidecar's. */
    inputs[2].facts = NULL;
    g_autoptr(HearthPlan) by_file = hearth_plan_make(&f->rules, inputs, 3);
    g_assert_cmpstr(by_file->items[0].folder, ==, "/Photos/2026/2026-07-19");
}

static void a_burst_over_midnight_stays_in_one_folder(Fixture *f, gconstpointer data)
{
    HearthDeviceObject objects[] = {
        {.path = (char *)"/DCIM/1/002_BURST20260718235959.jpg", .mtime = JULY + DAY},
        {.path = (char *)"/DCIM/1/001_BURST20260718235959.jpg", .mtime = JULY}};
    HearthPlanInput inputs[] = {{&objects[0], NULL}, {&objects[1], NULL}};
    g_autoptr(HearthPlan) plan = hearth_plan_make(&f->rules, inputs, 2);
    g_assert_cmpstr(plan->items[0].folder, ==, "/Photos/2026/2026-07-18");
    g_assert_cmpstr(plan->items[1].folder, ==, "/Photos/2026/2026-07-18");
}

static void an_impossible_time_is_no_date(Fixture *f, gconstpointer data)
{
    HearthDeviceObject object = {.path = (char *)"/DCIM/1/I.JPG", .mtime = 0};
    HearthPlanInput input = {&object, NULL};
    g_autoptr(HearthPlan) plan = hearth_plan_make(&f->rules, &input, 1);
    g_autofree char *path = path_of(plan, 0);
    g_assert_cmpstr(path, ==, "/Photos/Undated/I.JPG");
}

static void music_goes_to_music_but_a_voice_note_to_its_picture(Fixture *f, gconstpointer data)
{
    static const char *const paths[] = {"/Music/Abba/Gold/01 Queen.mp3",
                                        "/Music/Abba/Gold/DSC_1.JPG", "/Music/Abba/Gold/DSC_1.WAV",
                                        NULL};
    g_autoptr(HearthPlan) plan = plan_of(f, paths);
    g_autofree char *song = path_of(plan, 0);
    g_autofree char *note = path_of(plan, 2);
    g_assert_cmpstr(song, ==, "/Music/Abba/Gold/01 Queen.mp3");
    g_assert_cmpstr(note, ==, "/Photos/2026/2026-07-18/DSC_1.WAV");
}

static void the_camera_is_named_once(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *make, *model, *folder;
    } rows[] = {
        {"Canon", "Canon EOS R5", "/Canon EOS R5"},
        {"NIKON CORPORATION", "NIKON D750", "/NIKON D750"},
        {"SONY", "ILCE-7M3", "/SONY ILCE-7M3"},
        {"FUJIFILM", NULL, "/FUJIFILM"},
        {NULL, "X100", "/X100"},
        {NULL, NULL, "/Unknown camera"},
    };
    g_autoptr(HearthTemplate) template = hearth_template_parse("/{camera}/{name}", NULL);
    f->rules.template = template;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        HearthDeviceObject object = {.path = (char *)"/DCIM/1/I.JPG", .mtime = JULY};
        HearthPlanFacts facts = {.make = rows[i].make, .model = rows[i].model};
        HearthPlanInput input = {&object, &facts};
        g_autoptr(HearthPlan) plan = hearth_plan_make(&f->rules, &input, 1);
        g_assert_cmpstr(plan->items[0].folder, ==, rows[i].folder);
    }
}

#define ADD(name, func) g_test_add("/gateway/plan/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("companions are one group", companions_are_one_group);
    ADD("strangers are groups of their own", strangers_are_groups_of_their_own);
    ADD("two objects of one name are two pictures", two_objects_of_one_name_are_two_pictures);
    ADD("a suffix is the same for the whole group", a_suffix_is_the_same_for_the_whole_group);
    ADD("what systems keep for themselves is skipped", what_systems_keep_for_themselves_is_skipped);
    ADD("other files are taken under DCIM or when all is meant",
        other_files_are_taken_under_dcim_or_when_all_is_meant);
    ADD("a filter takes words and patterns", a_filter_takes_words_and_patterns);
    ADD("a group goes by what its picture says", a_group_goes_by_what_its_picture_says);
    ADD("a burst over midnight stays in one folder", a_burst_over_midnight_stays_in_one_folder);
    ADD("an impossible time is no date", an_impossible_time_is_no_date);
    ADD("music goes to music but a voice note to its picture",
        music_goes_to_music_but_a_voice_note_to_its_picture);
    ADD("the camera is named once", the_camera_is_named_once);
    return g_test_run();
}
