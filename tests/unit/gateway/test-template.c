#include "gateway/base/error.h"
#include "gateway/config.h"
#include "gateway/template.h"

#include <string.h>

static const HearthTemplateFields PICTURE = {.has_time = TRUE,
                                             .year = 2026,
                                             .month = 7,
                                             .day = 4,
                                             .hour = 9,
                                             .minute = 8,
                                             .second = 5,
                                             .camera = "Lumen X1",
                                             .stem = "IMG_0001",
                                             .ext = "JPG",
                                             .device = "disk-1"};

typedef struct {
    const char *template;
    HearthTemplateFields fields;
    guint number;
    const char *tail;
    const char *path; /* folder and name as they must come out */
} Row;

#define WITH(...)                                                                                  \
    {                                                                                              \
        .stem = "x", .ext = "mp3", __VA_ARGS__                                                     \
    }

static void check(const char *text, const HearthTemplateFields *fields, guint number,
                  const char *tail, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthTemplate) template = hearth_template_parse(text, &error);
    g_assert_no_error(error);
    g_autofree char *folder = hearth_template_folder(template, fields);
    g_autofree char *stem = hearth_template_stem(template, fields);
    g_autofree char *name = hearth_template_join(stem, number, tail);
    g_autofree char *path = g_build_path("/", folder, name, NULL);
    g_assert_cmpstr(path, ==, expected);
}

static void pictures_go_by_date(void)
{
    check(HEARTH_CONFIG_TEMPLATE, &PICTURE, 1, ".JPG", "/Photos/2026/2026-07-04/IMG_0001.JPG");
    check(HEARTH_CONFIG_TEMPLATE, &PICTURE, 2, ".JPG", "/Photos/2026/2026-07-04/IMG_0001 (2).JPG");
    check(HEARTH_CONFIG_TEMPLATE, &PICTURE, 3, ".CR2.xmp",
          "/Photos/2026/2026-07-04/IMG_0001 (3).CR2.xmp");
    check("/{camera}/{hour}{minute}{second}", &PICTURE, 1, ".JPG", "/Lumen X1/090805.JPG");
    check("/{device}/{name}.{ext}", &PICTURE, 1, ".JPG", "/disk-1/IMG_0001.JPG");
    check("/{name}", &PICTURE, 1, "", "/IMG_0001");
}

static void music_goes_by_artist_and_album(void)
{
    const Row rows[] = {
        {.fields = WITH(.artist = "A", .album = "B", .title = "T", .track = 3),
         .path = "/Music/A/B/03 T.mp3"},
        {.fields = WITH(.artist = "A"), .path = "/Music/A/Unknown album/x.mp3"},
        {.fields = WITH(.title = "T"), .path = "/Music/Unknown artist/Unknown album/T.mp3"},
        {.fields = WITH(.artist = "AC/DC", .album = "a:b?", .title = "..", .track = 12),
         .path = "/Music/AC_DC/a_b_/12 ...mp3"},
        {.fields = WITH(.artist = "..", .album = ".", .title = "T"), .path = "/Music/_/_/T.mp3"},
        {.fields = WITH(.artist = "  ", .album = "", .title = "\x01\x7f"),
         .path = "/Music/Unknown artist/Unknown album/__.mp3"},
        {.fields = WITH(.artist = "\xff\xfe", .album = "ok", .title = "\xc3\x84"),
         .path = "/Music/\xef\xbf\xbd\xef\xbf\xbd/ok/\xc3\x84.mp3"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        check(HEARTH_CONFIG_TEMPLATE_MUSIC, &rows[i].fields, 1, ".mp3", rows[i].path);
}

static void without_a_date_all_goes_to_one_folder(void)
{
    HearthTemplateFields fields = {.stem = "IMG_1", .ext = "JPG"};
    check(HEARTH_CONFIG_TEMPLATE, &fields, 1, ".JPG", "/Photos/Undated/IMG_1.JPG");
    check("/{year}/x/{month}/{name}", &fields, 1, ".JPG", "/Undated/x/IMG_1.JPG");
    check("/{hour}{minute}", &fields, 2, ".JPG", "/Undated (2).JPG");
}

static void no_field_leads_out_of_its_part(void)
{
    HearthTemplateFields fields = PICTURE;
    fields.camera = "../../etc";
    check("/{camera}/{name}", &fields, 1, "", "/.._.._etc/IMG_0001");
    fields.camera = "..";
    check("/{camera}/{name}", &fields, 1, "", "/_/IMG_0001");
    fields.stem = "..";
    check("/{camera}/{name}", &fields, 1, "", "/_/_");
    fields.stem = "a\nb";
    check("/x/{name}", &fields, 1, "", "/x/a\nb"); /* a name stays as it was given */
}

static void a_long_name_keeps_its_extension(void)
{
    g_autofree char *stem = g_strnfill(255, 'a');
    g_autofree char *joined = hearth_template_join(stem, 12, ".JPG");
    g_assert_cmpuint(strlen(joined), ==, 255);
    g_assert_true(g_str_has_suffix(joined, "a (12).JPG"));

    g_autoptr(GString) umlauts = g_string_new("x");
    for (guint i = 0; i < 127; i++)
        g_string_append(umlauts, "\xc3\xa4");
    g_autofree char *cut = hearth_template_join(umlauts->str, 1, ".jpeg");
    g_assert_cmpuint(strlen(cut), <=, 255);
    g_assert_true(g_utf8_validate(cut, -1, NULL));
    g_assert_true(g_str_has_suffix(cut, "\xc3\xa4.jpeg"));

    g_autofree char *bytes = g_strnfill(300, '\x80');
    g_autofree char *raw = hearth_template_join(bytes, 1, ".x");
    g_assert_cmpuint(strlen(raw), ==, 255);

    g_autofree char *tail = g_strdup_printf(".%s", bytes);
    g_autofree char *odd = hearth_template_join("a", 2, tail);
    g_assert_cmpuint(strlen(odd), <=, 255);
    g_assert_true(g_str_has_suffix(odd, " (2)"));

    HearthTemplateFields fields = PICTURE;
    g_autofree char *camera = g_strnfill(5000, 'c');
    fields.camera = camera;
    g_autoptr(HearthTemplate) template =
        hearth_template_parse("/{camera}{camera}{camera}/{name}", NULL);
    g_autofree char *folder = hearth_template_folder(template, &fields);
    g_assert_cmpuint(strlen(folder), <=, 256);
}

static void a_template_that_cannot_work_is_refused(void)
{
    static const char *const bad[] = {"",           "x",      "Photos/{name}", "/{nome}",
                                      "/{name",     "/name}", "/a//{name}",    "/./{name}",
                                      "/../{name}", "/fixed", "/{name}/fixed", "/{name}/",
                                      "/\xff{name}"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", bad[i]);
        g_assert_null(hearth_template_parse(bad[i], &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gateway/template/pictures go by date", pictures_go_by_date);
    g_test_add_func("/gateway/template/music goes by artist and album",
                    music_goes_by_artist_and_album);
    g_test_add_func("/gateway/template/without a date all goes to one folder",
                    without_a_date_all_goes_to_one_folder);
    g_test_add_func("/gateway/template/no field leads out of its part",
                    no_field_leads_out_of_its_part);
    g_test_add_func("/gateway/template/a long name keeps its extension",
                    a_long_name_keeps_its_extension);
    g_test_add_func("/gateway/template/a template that cannot work is refused",
                    a_template_that_cannot_work_is_refused);
    return g_test_run();
}
