/* Real libraries give under the engine what they give natively, byte for byte. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/sprockets/engine/runner.h"
#include "tests/unit/sprockets/pictures.h"

#define GUESTS "HEARTH_ENGINE_GUESTS"
#define FRAME_SIZE 417 /* bytes of a frame of MPEG 1 layer 3 at 128 kbit/s and 44.1 kHz */

static RunnerFunction find(const char *object, const char *function)
{
    return runner_find(runner_load(GUESTS, object, FALSE), function);
}

static void zlib_squeezes_as_natively(void)
{
    RunnerFunction squeeze = find("libs-zlib", "squeeze");
    for (guint level = 1; level <= 9; level += 4)
        runner_assert_as_native(squeeze, level, 0, NULL);
    runner_assert_as_native(find("libs-zlib", "squeeze_spoilt"), 0, 0, NULL);
}

static void assert_picture(const Picture *picture)
{
    g_autoptr(GBytes) jpeg = picture_jpeg(picture);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(jpeg, &size);
    RunnerFunction decode = find("libs-jpeg", "decode_picture");
    runner_assert_as_native(decode, (guint64)bytes, size, NULL);
    runner_assert_as_native(decode, (guint64)bytes, size / 2, NULL); /* cut short: warnings */
    runner_assert_as_native(decode, (guint64)bytes + 20, size - 20,
                            NULL); /* an error: a long jump */
}

static void libjpeg_decodes_as_natively(void)
{
    const Picture pictures[] = {{.width = 320, .height = 200},
                                {.width = 333, .height = 111, .noise = TRUE},
                                {.width = 160, .height = 120, .progressive = TRUE, .quality = 90},
                                {.width = 64, .height = 64, .grey = TRUE}};
    for (gsize i = 0; i < G_N_ELEMENTS(pictures); i++)
        assert_picture(&pictures[i]);
}

static void libjpeg_encodes_as_natively(void)
{
    runner_assert_as_native(find("libs-jpeg", "encode_picture"), 301, 199, NULL);
}

static void assert_exif(GBytes *exif)
{
    const Picture picture = {.width = 32, .height = 32, .exif = exif};
    g_autoptr(GBytes) jpeg = picture_jpeg(&picture);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(jpeg, &size);
    runner_assert_as_native(find("libs-exif", "list_exif"), (guint64)bytes, size, NULL);
}

static void libexif_reads_as_natively(void)
{
    for (guint little = 0; little < 2; little++) {
        g_autoptr(GBytes) exif = exif_of_a_camera(little != 0);
        assert_exif(exif);
    }
    for (guint kind = 0; kind < EXIF_HOSTILE_KINDS; kind++) {
        g_autoptr(GBytes) exif = exif_hostile(kind);
        assert_exif(exif);
    }
}

/* --- TagLib ------------------------------------------------------------------------------------ */

static void append(GByteArray *to, const char *bytes, gsize length)
{
    g_byte_array_append(to, (const guint8 *)bytes, (guint)length);
}

static void append_frame(GByteArray *tag, const char *id, const char *text, gsize length)
{
    const char size[] = {0, 0, (char)(length >> 8), (char)length, 0, 0};
    append(tag, id, 4);
    append(tag, size, sizeof size);
    append(tag, text, length);
}

static GByteArray *make_tag(void)
{
    GByteArray *tag = g_byte_array_new();
    append(tag, "ID3\3\0\0\0\0\0\0", 10);
#define FRAME(id, text) append_frame(tag, id, text, sizeof(text) - 1)
    FRAME("TIT2", "\0A title");
    FRAME("TPE1", "\1\xff\xfeK\0\xf6\0l\0n\0"); /* UTF-16 */
    FRAME("TALB", "\0An album of some length");
    FRAME("TRCK", "\0"
                  "7/12");
    FRAME("TYER", "\0"
                  "2019");
    FRAME("TCON", "\0(17)");
    FRAME("COMM", "\0eng\0A comment");
    FRAME("APIC", "\0image/png\0\3\0\x89PNG\r\n\x1a\n");
    FRAME("WXXX", "\0\0http://example.org/");
    FRAME("XYZW", "unknown");
#undef FRAME
    guint size = tag->len - 10;
    tag->data[8] = (guint8)(size >> 7 & 0x7f);
    tag->data[9] = (guint8)(size & 0x7f);
    return tag;
}

static void assert_tags(const char *folder, const char *name, GByteArray *content)
{
    const char *folders[] = {folder, NULL};
    const HearthEnginePolicy policy = {.folders = folders};
    g_autofree char *path = g_build_filename(folder, name, NULL);
    RunnerFunction read_tags = find("libs-tag", "read_tags");
    g_assert_true(g_file_set_contents(path, (char *)content->data, content->len, NULL));
    runner_assert_as_native(read_tags, (guint64)path, 0, &policy);
    g_assert_cmpint(g_unlink(path), ==, 0);
    runner_assert_as_native(read_tags, (guint64)path, 0, &policy); /* there is none */
}

static void taglib_reads_as_natively(void)
{
    g_autofree char *folder = g_dir_make_tmp("hearth-libraries-XXXXXX", NULL);
    g_autoptr(GByteArray) with_frames = make_tag(), without = make_tag(),
                          only_frames = g_byte_array_new();
    char frame[FRAME_SIZE] = "\xff\xfb\x90\x00";
    for (guint i = 0; i < 200; i++) {
        append(with_frames, frame, sizeof frame);
        append(only_frames, frame, sizeof frame);
    }
    assert_tags(folder, "whole.mp3", with_frames);
    assert_tags(folder, "no-frames.mp3", without);
    assert_tags(folder, "no-tag.mp3", only_frames);
    g_byte_array_set_size(with_frames, 90);
    assert_tags(folder, "cut.mp3", with_frames);
    assert_tags(folder, "not-a.flac", without);
    assert_tags(folder, "not-an.ogg", without);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void taglib_gives_the_tags_that_are_there(void)
{
    static HearthEngineResult result;
    g_autofree char *folder = g_dir_make_tmp("hearth-libraries-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "whole.mp3", NULL);
    g_autoptr(GByteArray) tag = make_tag();
    const char *folders[] = {folder, NULL};
    const HearthEnginePolicy policy = {.folders = folders};
    g_assert_true(g_file_set_contents(path, (char *)tag->data, tag->len, NULL));
    const char *area =
        runner_run(find("libs-tag", "read_tags"), (guint64)path, 0, NULL, &policy, &result);
    g_assert_cmpint(result.outcome, ==, HEARTH_ENGINE_RETURNED);
    g_assert_true(g_str_has_prefix(
        area, "A title|K\xc3\xb6ln|An album of some length|A comment|Rock|2019|7\n"));
    g_unlink(path);
    g_rmdir(folder);
}

static void sqlite_answers_as_natively(void)
{
    runner_assert_as_native(find("libs-sqlite", "query_rows"), 500, 0, NULL);
}

static void lua_runs_as_natively(void)
{
    runner_assert_as_native(find("libs-lua", "run_script"), 0, 0, NULL);
}

static void libavformat_probes_as_natively(void)
{
    RunnerFunction probe = find("libs-avformat", "probe_formats");
    runner_assert_as_native(probe, 0, 0, NULL);
    runner_assert_as_native(probe, 4000, 0, NULL);
}

static void glibc_computes_as_natively(void)
{
    static const char *const FUNCTIONS[] = {
        "sort_numbers", "format_text",   "scan_text", "handle_strings", "match_expressions",
        "convert_text", "write_streams", "tell_time", "classify",       "search_trees"};
    for (gsize i = 0; i < G_N_ELEMENTS(FUNCTIONS); i++)
        runner_assert_as_native(find("engine-guest", FUNCTIONS[i]), 100, 0, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!runner_available())
        return 77;
    g_test_add_func("/engine/libraries/zlib", zlib_squeezes_as_natively);
    g_test_add_func("/engine/libraries/jpeg/decode", libjpeg_decodes_as_natively);
    g_test_add_func("/engine/libraries/jpeg/encode", libjpeg_encodes_as_natively);
    g_test_add_func("/engine/libraries/exif", libexif_reads_as_natively);
    g_test_add_func("/engine/libraries/taglib/native", taglib_reads_as_natively);
    g_test_add_func("/engine/libraries/taglib/tags", taglib_gives_the_tags_that_are_there);
    g_test_add_func("/engine/libraries/sqlite", sqlite_answers_as_natively);
    g_test_add_func("/engine/libraries/lua", lua_runs_as_natively);
    g_test_add_func("/engine/libraries/avformat", libavformat_probes_as_natively);
    g_test_add_func("/engine/libraries/glibc", glibc_computes_as_natively);
    return g_test_run();
}
