#include "sprockets/host/vocabulary.h"

#include <string.h>

#include "gateway/base/error.h"

static void times_have_the_published_form(void)
{
    static const char *const GOOD[] = {
        "2026-11-20T10:20:30",       "2026-11-20T10:20:30.5",
        "2024-02-29T23:59:59Z",      "2026-11-20T10:20:30.123456789+14:00",
        "0001-01-01T00:00:00-00:30",
    };
    static const char *const BAD[] = {
        "",
        "2026-11-20",
        "2026-11-20 10:20:30",
        "2026:11:20T10:20:30",
        "0000-00-00T00:00:00",
        "2026-02-29T10:20:30",
        "2026-13-01T10:20:30",
        "2026-11-20T24:00:00",
        "2026-11-20T10:60:30",
        "2026-11-20T10:20:60",
        "2026-11-20T10:20:30.",
        "2026-11-20T10:20:30.1234567890",
        "2026-11-20T10:20:30+1:00",
        "2026-11-20T10:20:30+01:00x",
        "2026-11-20T10:20:30+01:60",
        "2026-11-20T10:20:30Zz",
        "-026-11-20T10:20:30",
        "2026-11-20T10:20:30\xc2\xa0",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(GOOD); i++)
        g_assert_true(hearth_vocabulary_is_time(GOOD[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++)
        g_assert_false(hearth_vocabulary_is_time(BAD[i]));
}

typedef struct {
    const char *key;
    const char *value; /* as g_variant_parse reads it */
    gboolean good;
} Row;

static const Row ROWS[] = {
    {"image.orientation", "uint32 1", TRUE},
    {"image.orientation", "uint32 8", TRUE},
    {"image.orientation", "uint32 0", FALSE},
    {"image.orientation", "uint32 9", FALSE},
    {"image.orientation", "int32 1", FALSE},
    {"image.orientation", "'1'", FALSE},
    {"image.rating", "uint32 0", TRUE},
    {"image.rating", "uint32 5", TRUE},
    {"image.rating", "uint32 6", FALSE},
    {"image.width", "uint32 0", FALSE},
    {"image.width", "uint64 10", FALSE},
    {"gps.latitude", "-90.0", TRUE},
    {"gps.latitude", "90.001", FALSE},
    {"gps.latitude", "nan", FALSE},
    {"gps.longitude", "-180.0", TRUE},
    {"gps.longitude", "180.5", FALSE},
    {"gps.longitude", "inf", FALSE},
    {"gps.altitude", "8848.0", TRUE},
    {"exposure.time", "0.0", FALSE},
    {"exposure.time", "0.004", TRUE},
    {"exposure.iso", "uint32 102400", TRUE},
    {"time.taken", "'2026-11-20T10:20:30.5+01:00'", TRUE},
    {"time.taken", "'2026:11:20 10:20:30'", FALSE},
    {"media.type", "'image/jpeg'", TRUE},
    {"media.type", "'image/svg+xml'", TRUE},
    {"media.type", "'image'", FALSE},
    {"media.type", "'Image/JPEG'", FALSE},
    {"media.type", "'image/jpeg; x=y'", FALSE},
    {"camera.make", "'Hearthcam'", TRUE},
    {"camera.make", "''", FALSE},
    {"camera.make", "'a\\u0007b'", FALSE},
    {"text.description", "'two\\nlines'", TRUE},
    {"text.keywords", "['a', 'b']", TRUE},
    {"text.keywords", "@as []", TRUE},
    {"text.keywords", "['a', '']", FALSE},
    {"text.keywords", "'a'", FALSE},
    {"audio.track", "uint32 1", TRUE},
    {"video.framerate", "29.97", TRUE},
    {"image.weight", "uint32 1", FALSE},
    {"", "uint32 1", FALSE},
};

static void every_key_has_its_type_and_range(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) value = g_variant_parse(NULL, ROWS[i].value, NULL, NULL, &error);
        g_assert_no_error(error);
        g_test_message("%s %s", ROWS[i].key, ROWS[i].value);
        g_assert_cmpint(hearth_vocabulary_check(ROWS[i].key, value, &error), ==, ROWS[i].good);
        if (!ROWS[i].good) {
            g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID);
            g_assert_true(g_str_has_prefix(error->message, ROWS[i].key));
        }
    }
}

static void a_text_has_a_greatest_length(void)
{
    static const struct {
        const char *key;
        gsize most;
    } LENGTHS[] = {{"camera.model", 256}, {"text.title", 1024}, {"text.description", 16383}};
    for (gsize i = 0; i < G_N_ELEMENTS(LENGTHS); i++) {
        g_autofree char *text = g_strnfill(LENGTHS[i].most + 1, 'x');
        g_autoptr(GVariant) over = g_variant_ref_sink(g_variant_new_string(text));
        g_autoptr(GVariant) full =
            g_variant_ref_sink(g_variant_new_take_string(g_strndup(text, LENGTHS[i].most)));
        g_assert_true(hearth_vocabulary_check(LENGTHS[i].key, full, NULL));
        g_assert_false(hearth_vocabulary_check(LENGTHS[i].key, over, NULL));
    }
}

static void the_published_keys_are_all_there(void)
{
    static const char PUBLISHED[] =
        "media.type image.width image.height image.orientation time.taken camera.make camera.model "
        "camera.serial lens.model exposure.time exposure.fnumber exposure.iso exposure.focal "
        "gps.latitude gps.longitude gps.altitude image.rating text.title text.description "
        "text.keywords audio.title audio.artist audio.album audio.albumartist audio.genre "
        "audio.composer audio.track audio.disc audio.year audio.duration audio.bitrate "
        "audio.samplerate audio.channels video.width video.height video.codec audio.codec "
        "video.duration video.framerate";
    g_auto(GStrv) keys = g_strsplit(PUBLISHED, " ", -1);
    gsize count;
    hearth_vocabulary_keys(&count);
    g_assert_cmpuint(count, ==, g_strv_length(keys));
    for (char **key = keys; *key; key++)
        g_assert_nonnull(hearth_vocabulary_find(*key));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sprockets/vocabulary/times", times_have_the_published_form);
    g_test_add_func("/sprockets/vocabulary/types-and-ranges", every_key_has_its_type_and_range);
    g_test_add_func("/sprockets/vocabulary/lengths", a_text_has_a_greatest_length);
    g_test_add_func("/sprockets/vocabulary/published-keys", the_published_keys_are_all_there);
    return g_test_run();
}
