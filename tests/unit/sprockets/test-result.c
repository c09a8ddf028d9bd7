#include "sprockets/host/jpeg-header-private.h"
#include "sprockets/host/result-private.h"

#include <string.h>

#include "gateway/base/error.h"
#include "tests/unit/sprockets/pictures.h"

static gboolean validates(const char *hook, const char *values, GBytes *emitted, guint edge)
{
    const HearthResultContext context = {emitted, edge};
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) decoded =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, values, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GVariant) got = hearth_result_validate(hook, decoded, &context, &error);
    g_assert_true((got == NULL) == (error != NULL));
    return got != NULL;
}

static void metadata_is_of_the_vocabulary_and_narrow(void)
{
    const HearthResultContext context = {0};
    g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
    g_autoptr(GVariant) wide = g_variant_ref_sink(
        g_variant_new_parsed("{'image.width': <uint64 4000>, 'camera.make': <'A'>}"));
    g_autoptr(GVariant) got = hearth_result_validate("metadata", wide, &context, NULL);
    guint width;
    g_assert_true(g_variant_lookup(got, "image.width", "u", &width));
    g_assert_cmpuint(width, ==, 4000);
    g_assert_false(validates("metadata", "{'image.width': <uint64 4294967296>}", NULL, 0));
    g_assert_false(validates("metadata", "{'image.weight': <uint64 1>}", NULL, 0));
    g_assert_false(validates("metadata", "{'camera.make': <true>}", NULL, 0));
    g_assert_false(validates("metadata", "{'camera.make': <'A'>}", bytes, 0));
    g_assert_true(validates("metadata", "@a{sv} {}", NULL, 0));
    g_assert_false(validates("convert", "@a{sv} {}", NULL, 0));
}

static void a_preview_is_what_its_bytes_say(void)
{
    g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 160, .height = 120});
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(jpeg, 0, g_bytes_get_size(jpeg) - 10);
    static const char TYPE[] = "{'media.type': <'image/jpeg'>}";
    g_assert_true(validates("preview", TYPE, jpeg, 160));
    g_assert_true(validates(
        "preview", "{'media.type': <'image/jpeg'>, 'image.width': <uint64 160>}", jpeg, 160));
    g_assert_false(validates(
        "preview", "{'media.type': <'image/jpeg'>, 'image.width': <uint64 161>}", jpeg, 160));
    g_assert_false(validates("preview", TYPE, jpeg, 159));
    g_assert_false(validates("preview", TYPE, cut, 160));
    g_assert_false(validates("preview", TYPE, NULL, 160));
    g_assert_false(validates("preview", "{'media.type': <'text/html'>}", jpeg, 160));
    g_assert_false(validates("preview", "@a{sv} {}", jpeg, 160));
}

static void a_header_is_read_or_refused_at_any_length(void)
{
    g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 33, .height = 21});
    gsize size;
    const guint8 *data = g_bytes_get_data(jpeg, &size);
    HearthJpegHeader header = {0};
    g_assert_true(hearth_jpeg_header_read(data, size, &header, NULL));
    g_assert_cmpuint(header.width, ==, 33);
    g_assert_cmpuint(header.height, ==, 21);
    g_assert_cmpuint(header.components, ==, 3);
    for (gsize length = 0; length < size; length++) {
        g_autofree guint8 *copy = g_memdup2(data, length);
        g_assert_false(hearth_jpeg_header_read(copy, length, &header, NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sprockets/result/metadata", metadata_is_of_the_vocabulary_and_narrow);
    g_test_add_func("/sprockets/result/preview", a_preview_is_what_its_bytes_say);
    g_test_add_func("/sprockets/result/jpeg-header", a_header_is_read_or_refused_at_any_length);
    return g_test_run();
}
