/* The photo sprocket as the importer sees it: through the host, by every way there is. */
#include "sprockets/host/host.h"
#include "sprockets/standard/photo-private.h"
#include "tests/unit/sprockets/pictures.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"

typedef struct {
    HearthSprocketHost *host;
    char *folder;
    char *path; /* of the last file saved */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    const HearthSprocketOptions options = {.mode = (HearthSprocketMode)GPOINTER_TO_INT(data)};
    fixture->host = hearth_sprocket_host_new(&options, &error);
    g_assert_no_error(error);
    fixture->folder = g_dir_make_tmp("hearth-photo-XXXXXX", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    if (fixture->path)
        g_unlink(fixture->path);
    g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
    g_free(fixture->path);
    g_free(fixture->folder);
    hearth_sprocket_host_free(fixture->host);
}

/* Saves `bytes` as NAME, in place of the file before; an open descriptor. */
static int save(Fixture *fixture, GBytes *bytes, const char *name)
{
    if (fixture->path)
        g_unlink(fixture->path);
    g_free(fixture->path);
    fixture->path = picture_save(bytes, fixture->folder, name);
    int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static GVariant *metadata(Fixture *fixture, GBytes *bytes, const char *name, GError **error)
{
    hearth_autofd int fd = save(fixture, bytes, name);
    return hearth_sprocket_host_metadata(fixture->host, fd, name, NULL, NULL, error);
}

static void assert_values(GVariant *got, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) wanted = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);
    g_assert_no_error(error);
    GVariantIter iter;
    const char *key;
    GVariant *child;
    g_variant_iter_init(&iter, wanted);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) value = child;
        g_autoptr(GVariant) other = g_variant_lookup_value(got, key, NULL);
        g_autofree char *a = g_variant_print(value, FALSE);
        g_autofree char *b = other ? g_variant_print(other, FALSE) : g_strdup("nothing");
        g_test_message("%s: %s", key, b);
        g_assert_cmpstr(a, ==, b);
    }
    g_assert_cmpuint(g_variant_n_children(got), ==, g_variant_n_children(wanted));
}

#define TAGS                                                                                       \
    "'image.orientation': <uint32 6>, 'image.rating': <uint32 4>,"                                 \
    "'time.taken': <'2026-11-20T10:20:30.045+01:00'>, 'camera.make': <'Hearthcam'>,"               \
    "'camera.model': <'HC-1'>, 'camera.serial': <'SN 0042'>, 'lens.model': <'HC 35mm F2.8'>,"      \
    "'exposure.time': <0.004>, 'exposure.fnumber': <2.8>, 'exposure.iso': <uint32 400>,"           \
    "'exposure.focal': <35.0>, 'gps.latitude': <48.208500000000001>,"                              \
    "'gps.longitude': <-16.37>, 'gps.altitude': <-171.5>,"                                         \
    "'text.title': <'Hund am Strand \xf0\x9f\x90\x95'>,"                                           \
    "'text.description': <'A dog on the shore'>, 'text.keywords': <['dog', 'sea', 'Ärger']>"

static void every_attribute_of_a_jpeg_is_read(Fixture *fixture, gconstpointer data)
{
    for (gboolean little = FALSE; little <= TRUE; little++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) exif = exif_of_a_camera(little);
        g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 64, .height = 48, .exif = exif});
        g_autoptr(GVariant) got = metadata(fixture, jpeg, "IMG_0001.JPG", &error);
        g_assert_no_error(error);
        assert_values(got, "{'media.type': <'image/jpeg'>, 'image.width': <uint32 64>,"
                           "'image.height': <uint32 48>, " TAGS "}");
    }
}

static GBytes *raw_of_a_camera(guint16 magic, GBytes *preview)
{
    ExifMaker *maker = exif_maker_new(TRUE, magic);
    exif_maker_long(maker, EXIF_MAKER_ROOT, 0x0100, 6000);
    exif_maker_long(maker, EXIF_MAKER_ROOT, 0x0101, 4000);
    exif_maker_text(maker, EXIF_MAKER_ROOT, 0x0110, "HC-RAW");
    exif_maker_short(maker, EXIF_MAKER_ROOT, 0x0112, 8);
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0x9003, "2026:11:20 10:20:30");
    if (preview)
        exif_maker_thumbnail(maker, preview);
    return exif_maker_end(maker);
}

static void raw_files_are_read_by_the_same_tags(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *name;
        guint16 magic;
        const char *media_type;
    } ROWS[] = {
        {"a.NEF", 42, "image/x-nikon-nef"},
        {"a.arw", 42, "image/x-sony-arw"},
        {"a.dng", 42, "image/x-adobe-dng"},
        {"a.pef", 42, "image/x-pentax-pef"},
        {"a.srw", 42, "image/x-samsung-srw"},
        {"a.orf", 0x4f52, "image/x-olympus-orf"},
        {"a.rw2", 0x0055, "image/x-panasonic-rw2"},
        {"a.tif", 42, "image/tiff"},
        {"without", 42, "image/tiff"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) raw = raw_of_a_camera(ROWS[i].magic, NULL);
        g_autoptr(GVariant) got = metadata(fixture, raw, ROWS[i].name, &error);
        g_assert_no_error(error);
        g_autofree char *wanted = g_strdup_printf(
            "{'media.type': <'%s'>, 'image.width': <uint32 6000>, 'image.height': <uint32 4000>,"
            "'image.orientation': <uint32 8>, 'camera.model': <'HC-RAW'>,"
            "'time.taken': <'2026-11-20T10:20:30'>}",
            ROWS[i].media_type);
        assert_values(got, wanted);
    }
}

typedef struct {
    const char *original, *fraction, *offset;
    const char *digitized, *changed, *other_offset;
    const char *wanted; /* NULL: no time */
} TimeRow;

static const TimeRow TIMES[] = {
    {"2026:11:20 10:20:30", "5", "+01:00", NULL, NULL, NULL, "2026-11-20T10:20:30.5+01:00"},
    {"2026:11:20 10:20:30", "  ", "   :  ", NULL, NULL, NULL, "2026-11-20T10:20:30"},
    {"2026:11:20 10:20:30", NULL, NULL, NULL, NULL, "+09:00", "2026-11-20T10:20:30"},
    {"0000:00:00 00:00:00", NULL, NULL, "2025:01:02 03:04:05", NULL, NULL, "2025-01-02T03:04:05"},
    {"    :  :     :  :  ", "5", "+01:00", NULL, "2024:01:02 03:04:05", "-03:30",
     "2024-01-02T03:04:05-03:30"},
    {"2026:02:30 10:20:30", NULL, NULL, NULL, NULL, NULL, NULL},
    {"2026:11:20 25:20:30", NULL, NULL, NULL, NULL, NULL, NULL},
    {"2026:11:20", NULL, NULL, NULL, NULL, NULL, NULL},
    {"", NULL, NULL, NULL, NULL, NULL, NULL},
    {"2026-11-20T10:20:30", NULL, "Z", NULL, NULL, NULL, "2026-11-20T10:20:30Z"},
};

static GBytes *exif_with_times(const TimeRow *row)
{
    const struct {
        ExifFolder folder;
        guint16 tag;
        const char *text;
    } TEXTS[] = {
        {EXIF_MAKER_ROOT, 0x0132, row->changed},   {EXIF_MAKER_EXIF, 0x9003, row->original},
        {EXIF_MAKER_EXIF, 0x9004, row->digitized}, {EXIF_MAKER_EXIF, 0x9010, row->other_offset},
        {EXIF_MAKER_EXIF, 0x9011, row->offset},    {EXIF_MAKER_EXIF, 0x9291, row->fraction},
    };
    ExifMaker *maker = exif_maker_new(TRUE, 42);
    exif_maker_short(maker, EXIF_MAKER_ROOT, 0x0112, 1);
    for (gsize i = 0; i < G_N_ELEMENTS(TEXTS); i++)
        if (TEXTS[i].text)
            exif_maker_text(maker, TEXTS[i].folder, TEXTS[i].tag, TEXTS[i].text);
    return exif_maker_end(maker);
}

static void the_time_is_the_best_that_can_be(Fixture *fixture, gconstpointer data)
{
    for (gsize i = 0; i < G_N_ELEMENTS(TIMES); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) exif = exif_with_times(&TIMES[i]);
        g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 8, .height = 8, .exif = exif});
        g_autoptr(GVariant) got = metadata(fixture, jpeg, "a.jpg", &error);
        const char *time = NULL;
        g_assert_no_error(error);
        g_variant_lookup(got, "time.taken", "&s", &time);
        g_assert_cmpstr(time, ==, TIMES[i].wanted);
    }
}

/* Runs a tool and returns its lines; NULL if it is not installed. */
static char **lines_of(const char *const *argv)
{
    g_autofree char *program = g_find_program_in_path(argv[0]);
    g_autofree char *output = NULL;
    int status = 1;
    if (!program)
        return NULL;
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                               NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    return g_strsplit(g_strchomp(output), "\n", -1);
}

static void exiftool_reads_the_same(Fixture *fixture, gconstpointer data)
{
    static const char *const KEYS[] = {"image.width",      "image.height", "exposure.iso",
                                       "exposure.fnumber", "gps.latitude", "camera.model"};
    g_autoptr(GBytes) exif = exif_of_a_camera(FALSE);
    g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 64, .height = 48, .exif = exif});
    g_autoptr(GVariant) got = metadata(fixture, jpeg, "a.jpg", NULL);
    const char *const argv[] = {"exiftool",     "-n",          "-s3",      "-ImageWidth",
                                "-ImageHeight", "-ISO",        "-FNumber", "-GPSLatitude",
                                "-Model",       fixture->path, NULL};
    g_auto(GStrv) lines = lines_of(argv);
    if (!lines) {
        g_test_skip("exiftool is not installed");
        return;
    }
    g_assert_cmpuint(g_strv_length(lines), ==, G_N_ELEMENTS(KEYS));
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(got, KEYS[i], NULL);
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
            g_assert_cmpstr(lines[i], ==, g_variant_get_string(value, NULL));
        else if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
            g_assert_cmpuint(g_ascii_strtoull(lines[i], NULL, 10), ==, g_variant_get_uint32(value));
        else
            g_assert_cmpfloat_with_epsilon(g_ascii_strtod(lines[i], NULL),
                                           g_variant_get_double(value), 1e-9);
    }
}

/* The colour that stands where, as a letter: r, g, b, w. */
static char colour_at(GBytes *jpeg, guint x_percent, guint y_percent)
{
    guint8 colour[3];
    picture_colour(jpeg, x_percent, y_percent, colour);
    guint bright = (colour[0] > 128) + (colour[1] > 128) + (colour[2] > 128);
    if (bright == 3)
        return 'w';
    return colour[0] > 128 ? 'r' : colour[1] > 128 ? 'g' : 'b';
}

static void previews_are_upright(Fixture *fixture, gconstpointer data)
{
    /* Left top, right top, left bottom, right bottom of what is stored as r g / b w. */
    static const char *const UPRIGHT[] = {"rgbw", "rgbw", "grwb", "wbgr", "bwrg",
                                          "rbgw", "brwg", "wgbr", "gwrb"};
    for (guint orientation = 1; orientation <= 8; orientation++) {
        g_auto(HearthSprocketPreview) preview = {0};
        g_autoptr(GError) error = NULL;
        ExifMaker *maker = exif_maker_new(TRUE, 42);
        exif_maker_short(maker, EXIF_MAKER_ROOT, 0x0112, (guint16)orientation);
        g_autoptr(GBytes) exif = exif_maker_end(maker);
        g_autoptr(GBytes) jpeg =
            picture_jpeg(&(Picture){.width = 640, .height = 320, .exif = exif});
        hearth_autofd int fd = save(fixture, jpeg, "a.jpg");
        hearth_sprocket_host_preview(fixture->host, fd, "a.jpg", NULL, 100, &preview, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(preview.width, ==, orientation < 5 ? 100 : 50);
        g_assert_cmpuint(preview.height, ==, orientation < 5 ? 50 : 100);
        g_assert_cmpstr(preview.media_type, ==, "image/jpeg");
        const char seen[] = {colour_at(preview.data, 20, 20), colour_at(preview.data, 80, 20),
                             colour_at(preview.data, 20, 80), colour_at(preview.data, 80, 80),
                             '\0'};
        g_assert_cmpstr(seen, ==, UPRIGHT[orientation]);
    }
}

typedef struct {
    Picture picture;
    guint edge;
    guint width;
    guint height;
} SizeRow;

static void previews_have_the_size_asked_for(Fixture *fixture, gconstpointer data)
{
    static const SizeRow ROWS[] = {
        {{.width = 1000, .height = 750}, 320, 320, 240},
        {{.width = 750, .height = 1000}, 320, 240, 320},
        {{.width = 1000, .height = 750, .progressive = TRUE}, 320, 320, 240},
        {{.width = 1000, .height = 750, .grey = TRUE}, 320, 320, 240},
        {{.width = 100, .height = 80}, 320, 100, 80}, /* never enlarged */
        {{.width = 3000, .height = 3}, 320, 320, 1},
        {{.width = 1, .height = 1}, 16, 1, 1},
        {{.width = 641, .height = 481}, 640, 640, 480},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_auto(HearthSprocketPreview) preview = {0};
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) jpeg = picture_jpeg(&ROWS[i].picture);
        hearth_autofd int fd = save(fixture, jpeg, "a.jpg");
        hearth_sprocket_host_preview(fixture->host, fd, "a.jpg", NULL, ROWS[i].edge, &preview, NULL,
                                     &error);
        g_assert_no_error(error);
        g_assert_cmpuint(preview.width, ==, ROWS[i].width);
        g_assert_cmpuint(preview.height, ==, ROWS[i].height);
    }
}

static void a_large_thumbnail_saves_decoding_the_picture(Fixture *fixture, gconstpointer data)
{
    /* The thumbnail is grey, so that one sees which was used. */
    static const struct {
        guint width, height, edge;
        gboolean used;
    } ROWS[] = {{160, 120, 128, TRUE}, {160, 120, 320, FALSE}, {160, 90, 128, FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_auto(HearthSprocketPreview) preview = {0};
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) thumbnail = picture_jpeg(
            &(Picture){.width = ROWS[i].width, .height = ROWS[i].height, .grey = TRUE});
        ExifMaker *maker = exif_maker_new(TRUE, 42);
        exif_maker_short(maker, EXIF_MAKER_ROOT, 0x0112, 1);
        exif_maker_thumbnail(maker, thumbnail);
        g_autoptr(GBytes) exif = exif_maker_end(maker);
        g_autoptr(GBytes) jpeg =
            picture_jpeg(&(Picture){.width = 800, .height = 600, .exif = exif});
        hearth_autofd int fd = save(fixture, jpeg, "a.jpg");
        hearth_sprocket_host_preview(fixture->host, fd, "a.jpg", NULL, ROWS[i].edge, &preview, NULL,
                                     &error);
        g_assert_no_error(error);
        guint8 colour[3];
        picture_colour(preview.data, 80, 20, colour);
        gboolean grey = ABS(colour[0] - colour[1]) < 10;
        g_assert_cmpint(grey, ==, ROWS[i].used);
    }
}

static void a_raw_file_shows_the_jpeg_in_it(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketPreview) preview = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) inside = picture_jpeg(&(Picture){.width = 600, .height = 400});
    g_autoptr(GBytes) raw = raw_of_a_camera(42, inside);
    hearth_autofd int fd = save(fixture, raw, "a.nef");
    hearth_sprocket_host_preview(fixture->host, fd, "a.nef", NULL, 300, &preview, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(preview.width, ==, 200); /* orientation 8 */
    g_assert_cmpuint(preview.height, ==, 300);
}

static void a_raw_file_without_a_jpeg_has_no_preview(Fixture *fixture, gconstpointer data)
{
    g_auto(HearthSprocketPreview) preview = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) raw = raw_of_a_camera(42, NULL);
    hearth_autofd int fd = save(fixture, raw, "a.nef");
    g_assert_false(hearth_sprocket_host_preview(fixture->host, fd, "a.nef", NULL, 300, &preview,
                                                NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED);
}

/* Not one call may have counted against the sprocket. */
static void assert_no_bad_call(Fixture *fixture)
{
    g_autoptr(GPtrArray) list = hearth_sprocket_host_list(fixture->host);
    for (guint i = 0; i < list->len; i++) {
        const HearthSprocketStatus *status = g_ptr_array_index(list, i);
        g_assert_cmpstr(status->last_error, ==, NULL);
        g_assert_false(status->quarantined);
    }
}

static void a_jpeg_cut_anywhere_does_no_harm(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GBytes) exif = exif_of_a_camera(TRUE);
    g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 64, .height = 48, .exif = exif});
    gsize size = g_bytes_get_size(jpeg);
    for (gsize length = 3; length < size; length += 1 + size / 40) {
        g_auto(HearthSprocketPreview) preview = {0};
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(jpeg, 0, length);
        g_autoptr(GVariant) got = metadata(fixture, cut, "a.jpg", NULL);
        hearth_autofd int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
        hearth_sprocket_host_preview(fixture->host, fd, "a.jpg", NULL, 32, &preview, NULL, NULL);
        if (length > size - 20) /* the tags come before the picture */
            g_assert_nonnull(got);
    }
    assert_no_bad_call(fixture);
}

static void a_bomb_is_refused_unexploded(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GBytes) jpeg =
        picture_jpeg(&(Picture){.width = 64, .height = 48, .progressive = TRUE});
    gsize size;
    g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(jpeg, NULL), g_bytes_get_size(jpeg));
    size = g_bytes_get_size(jpeg);
    for (gsize i = 0; i + 9 < size; i++) {
        if (copy[i] == 0xff && copy[i + 1] == 0xc2) {
            memset(copy + i + 5, 0xff, 4); /* 65,535 by 65,535 */
            break;
        }
    }
    g_autoptr(GBytes) bomb = g_bytes_new(copy, size);
    g_auto(HearthSprocketPreview) preview = {0};
    g_autoptr(GError) error = NULL;
    hearth_autofd int fd = save(fixture, bomb, "a.jpg");
    gint64 start = g_get_monotonic_time();
    g_assert_false(hearth_sprocket_host_preview(fixture->host, fd, "a.jpg", NULL, 320, &preview,
                                                NULL, &error));
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2 * G_USEC_PER_SEC);
    assert_no_bad_call(fixture);
}

static void hostile_exif_is_read_past(Fixture *fixture, gconstpointer data)
{
    for (guint kind = 0; kind < EXIF_HOSTILE_KINDS; kind++) {
        g_auto(HearthSprocketPreview) preview = {0};
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) exif = exif_hostile(kind);
        g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 64, .height = 48, .exif = exif});
        g_autoptr(GVariant) got = metadata(fixture, jpeg, "a.jpg", &error);
        g_assert_no_error(error);
        assert_values(got, "{'media.type': <'image/jpeg'>, 'image.width': <uint32 64>,"
                           "'image.height': <uint32 48>}");
        hearth_autofd int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
        hearth_sprocket_host_preview(fixture->host, fd, "a.jpg", NULL, 32, &preview, NULL, &error);
        g_assert_no_error(error);
        g_autoptr(GVariant) raw = metadata(fixture, exif, "a.tif", NULL);
    }
    assert_no_bad_call(fixture);
}

static void what_no_sprocket_knows_says_so(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *name;
        const char *content;
    } FILES[] = {{"a.txt", "text"}, {"a.jpg", "not a picture"}, {"empty.jpg", ""}};
    for (gsize i = 0; i < G_N_ELEMENTS(FILES); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = g_bytes_new_static(FILES[i].content, strlen(FILES[i].content));
        g_assert_null(metadata(fixture, bytes, FILES[i].name, &error));
        g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED);
        g_assert_nonnull(strstr(error->message, FILES[i].name));
    }
}

static void texts_of_any_encoding_become_utf8(void)
{
    static const struct {
        const char *value;
        const char *wanted; /* NULL: nothing is left */
    } ROWS[] = {
        {"plain", "plain"},
        {"  blanks \n", "blanks"},
        {"M\xfcller", "M\xc3\xbcller"},
        {"M\xc3\xbcller", "M\xc3\xbcller"},
        {"a\x01\x02z", "az"},
        {"   ", NULL},
        {"\xed\xa0\x80", "\xc3\xad\xc2\xa0"}, /* a surrogate is not UTF-8 */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        char text[64];
        bool left = photo_text_read((const uint8_t *)ROWS[i].value, strlen(ROWS[i].value), text,
                                    sizeof text);
        g_assert_cmpint(left, ==, ROWS[i].wanted != NULL);
        if (left)
            g_assert_cmpstr(text, ==, ROWS[i].wanted);
        g_assert_true(g_utf8_validate(text, -1, NULL));
    }
}

/* What came of it, and every byte emitted, as text. */
static char *outcome_of(Fixture *fixture, const char *hook, int fd, HearthSprocketMode mode)
{
    g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new_parsed("{'edge': <%u>}", 96u));
    const HearthSprocketRequest request = {
        .hook = hook, .fd = fd, .name = "a.jpg", .params = params, .mode = &mode};
    g_autoptr(GVariant) values = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(HearthSprocketReport) report = {0};
    hearth_sprocket_host_run(fixture->host, &request, &values, &bytes, &report, NULL, &error);
    g_assert_cmpint(report.mode, ==, mode);
    g_autofree char *printed = values ? g_variant_print(values, TRUE) : g_strdup(error->message);
    g_autofree char *sum =
        bytes ? g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes) : g_strdup("nothing");
    return g_strdup_printf("%s: %s: %s", hearth_sprocket_outcome_word(report.outcome), printed,
                           sum);
}

static void every_mode_gives_the_same(Fixture *fixture, gconstpointer data)
{
    static const HearthSprocketMode MODES[] = {
        HEARTH_SPROCKET_MODE_DIRECT, HEARTH_SPROCKET_MODE_ROLLBACK, HEARTH_SPROCKET_MODE_PROCESS};
    static const char *const HOOKS[] = {"metadata", "preview"};
    g_autoptr(GBytes) exif = exif_of_a_camera(TRUE);
    g_autoptr(GBytes) jpeg = picture_jpeg(
        &(Picture){.width = 400, .height = 300, .noise = TRUE, .quality = 90, .exif = exif});
    for (guint cut = 0; cut < 8; cut++) {
        gsize size = g_bytes_get_size(jpeg);
        g_autoptr(GBytes) part = g_bytes_new_from_bytes(jpeg, 0, size - size * cut / 8);
        hearth_autofd int fd = save(fixture, part, "a.jpg");
        for (gsize i = 0; i < G_N_ELEMENTS(HOOKS); i++) {
            g_autofree char *forked = outcome_of(fixture, HOOKS[i], fd, HEARTH_SPROCKET_MODE_FORK);
            for (gsize j = 0; j < G_N_ELEMENTS(MODES); j++) {
                if (!hearth_sprocket_mode_available(MODES[j], NULL))
                    continue;
                g_autofree char *other = outcome_of(fixture, HOOKS[i], fd, MODES[j]);
                g_assert_cmpstr(other, ==, forked);
            }
        }
    }
}

typedef struct {
    HearthSprocketHost *host;
    const char *path;
    char *wanted; /* of the first call */
} Reading;

static gpointer read_many(gpointer data)
{
    const Reading *reading = data;
    hearth_autofd int fd = open(reading->path, O_RDONLY | O_CLOEXEC);
    for (guint i = 0; i < 50; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) got =
            hearth_sprocket_host_metadata(reading->host, fd, "a.jpg", NULL, NULL, &error);
        g_assert_no_error(error);
        g_autofree char *printed = g_variant_print(got, TRUE);
        g_assert_cmpstr(printed, ==, reading->wanted);
    }
    return NULL;
}

static void four_threads_read_the_same(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GBytes) exif = exif_of_a_camera(TRUE);
    g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 64, .height = 48, .exif = exif});
    g_autoptr(GVariant) got = metadata(fixture, jpeg, "a.jpg", NULL);
    g_autofree char *wanted = g_variant_print(got, TRUE);
    Reading reading = {fixture->host, fixture->path, wanted};
    GThread *threads[4];
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("read", read_many, &reading);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

static void add(HearthSprocketMode mode, const char *name,
                void (*function)(Fixture *fixture, gconstpointer data))
{
    g_autofree char *path =
        g_strdup_printf("/sprockets/photo/%s/%s", hearth_sprocket_mode_word(mode), name);
    g_test_add(path, Fixture, GINT_TO_POINTER(mode), set_up, function, tear_down);
}

static void add_all(HearthSprocketMode mode)
{
    add(mode, "jpeg", every_attribute_of_a_jpeg_is_read);
    add(mode, "raw", raw_files_are_read_by_the_same_tags);
    add(mode, "time", the_time_is_the_best_that_can_be);
    add(mode, "preview-upright", previews_are_upright);
    add(mode, "preview-size", previews_have_the_size_asked_for);
    add(mode, "preview-thumbnail", a_large_thumbnail_saves_decoding_the_picture);
    add(mode, "preview-raw", a_raw_file_shows_the_jpeg_in_it);
    add(mode, "preview-none", a_raw_file_without_a_jpeg_has_no_preview);
    add(mode, "cut", a_jpeg_cut_anywhere_does_no_harm);
    add(mode, "bomb", a_bomb_is_refused_unexploded);
    add(mode, "hostile-exif", hostile_exif_is_read_past);
    add(mode, "unknown", what_no_sprocket_knows_says_so);
    add(mode, "threads", four_threads_read_the_same);
}

int main(int argc, char **argv)
{
    static const HearthSprocketMode MODES[] = {
        HEARTH_SPROCKET_MODE_FORK, HEARTH_SPROCKET_MODE_ROLLBACK, HEARTH_SPROCKET_MODE_PROCESS};
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(MODES); i++)
        if (hearth_sprocket_mode_available(MODES[i], NULL))
            add_all(MODES[i]);
    add(HEARTH_SPROCKET_MODE_DEFAULT, "exiftool", exiftool_reads_the_same);
    add(HEARTH_SPROCKET_MODE_FORK, "every-mode", every_mode_gives_the_same);
    g_test_add_func("/sprockets/photo/texts", texts_of_any_encoding_become_utf8);
    return g_test_run();
}
