#include "tests/unit/sprockets/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define ENTRY_SIZE 12

typedef struct {
    guint16 tag;
    guint16 type;
    guint32 count;
    GBytes *value;
} Entry;

struct ExifMaker {
    gboolean little;
    guint16 magic;
    GArray *folders[EXIF_MAKER_FOLDERS]; /* Entry */
    GBytes *thumbnail;
};

static void clear_entry(Entry *entry)
{
    g_bytes_unref(entry->value);
}

ExifMaker *exif_maker_new(gboolean little, guint16 magic)
{
    ExifMaker *maker = g_new0(ExifMaker, 1);
    maker->little = little;
    maker->magic = magic;
    for (guint i = 0; i < EXIF_MAKER_FOLDERS; i++) {
        maker->folders[i] = g_array_new(FALSE, FALSE, sizeof(Entry));
        g_array_set_clear_func(maker->folders[i], (GDestroyNotify)clear_entry);
    }
    return maker;
}

static guint16 order16(const ExifMaker *maker, guint16 value)
{
    return maker->little ? GUINT16_TO_LE(value) : GUINT16_TO_BE(value);
}

static guint32 order32(const ExifMaker *maker, guint32 value)
{
    return maker->little ? GUINT32_TO_LE(value) : GUINT32_TO_BE(value);
}

void exif_maker_raw(ExifMaker *maker, ExifFolder folder, guint16 tag, guint16 type, guint32 count,
                    const void *data, gsize size)
{
    const Entry entry = {tag, type, count, g_bytes_new(data, size)};
    g_array_append_val(maker->folders[folder], entry);
}

void exif_maker_text(ExifMaker *maker, ExifFolder folder, guint16 tag, const char *text)
{
    exif_maker_raw(maker, folder, tag, 2, (guint32)strlen(text) + 1, text, strlen(text) + 1);
}

void exif_maker_short(ExifMaker *maker, ExifFolder folder, guint16 tag, guint16 value)
{
    guint16 ordered = order16(maker, value);
    exif_maker_raw(maker, folder, tag, 3, 1, &ordered, sizeof ordered);
}

void exif_maker_long(ExifMaker *maker, ExifFolder folder, guint16 tag, guint32 value)
{
    guint32 ordered = order32(maker, value);
    exif_maker_raw(maker, folder, tag, 4, 1, &ordered, sizeof ordered);
}

void exif_maker_ratios(ExifMaker *maker, ExifFolder folder, guint16 tag, const guint32 *pairs,
                       guint count)
{
    g_autofree guint32 *ordered = g_new(guint32, 2 * count);
    for (guint i = 0; i < 2 * count; i++)
        ordered[i] = order32(maker, pairs[i]);
    exif_maker_raw(maker, folder, tag, 5, count, ordered, 8 * count);
}

void exif_maker_wide(ExifMaker *maker, guint16 tag, const char *text)
{
    glong units;
    g_autofree gunichar2 *wide = g_utf8_to_utf16(text, -1, NULL, &units, NULL);
    gsize size = ((gsize)units + 1) * 2;
    exif_maker_raw(maker, EXIF_MAKER_ROOT, tag, 1, (guint32)size, wide, size);
}

void exif_maker_thumbnail(ExifMaker *maker, GBytes *jpeg)
{
    maker->thumbnail = g_bytes_ref(jpeg);
}

static void put16(const ExifMaker *maker, GByteArray *out, guint16 value)
{
    value = order16(maker, value);
    g_byte_array_append(out, (const guint8 *)&value, 2);
}

static void put32(const ExifMaker *maker, GByteArray *out, guint32 value)
{
    value = order32(maker, value);
    g_byte_array_append(out, (const guint8 *)&value, 4);
}

static gsize values_size(const GArray *folder)
{
    gsize size = 0;
    for (guint i = 0; i < folder->len; i++) {
        gsize value = g_bytes_get_size(g_array_index(folder, Entry, i).value);
        size += value > 4 ? (value + 1) / 2 * 2 : 0;
    }
    return size;
}

static gsize folder_size(const GArray *folder)
{
    return folder->len ? 2 + folder->len * ENTRY_SIZE + 4 + values_size(folder) : 0;
}

/* The folder at the end of `out`, its values right behind it. */
static void put_folder(const ExifMaker *maker, GByteArray *out, const GArray *folder, guint32 next)
{
    static const guint8 ZERO[4] = {0};
    gsize value_at = out->len + 2 + folder->len * ENTRY_SIZE + 4;
    put16(maker, out, (guint16)folder->len);
    for (guint i = 0; i < folder->len; i++) {
        const Entry *entry = &g_array_index(folder, Entry, i);
        gsize size;
        const guint8 *data = g_bytes_get_data(entry->value, &size);
        put16(maker, out, entry->tag);
        put16(maker, out, entry->type);
        put32(maker, out, entry->count);
        if (size > 4) {
            put32(maker, out, (guint32)value_at);
            value_at += (size + 1) / 2 * 2;
        } else {
            g_byte_array_append(out, data, (guint)size);
            g_byte_array_append(out, ZERO, (guint)(4 - size));
        }
    }
    put32(maker, out, next);
    for (guint i = 0; i < folder->len; i++) {
        gsize size;
        const guint8 *data = g_bytes_get_data(g_array_index(folder, Entry, i).value, &size);
        if (size > 4) {
            g_byte_array_append(out, data, (guint)size);
            g_byte_array_append(out, ZERO, size % 2);
        }
    }
}

static void put_thumbnail(const ExifMaker *maker, GByteArray *out)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(maker->thumbnail, &size);
    put16(maker, out, 2);
    put16(maker, out, 0x0201);
    put16(maker, out, 4);
    put32(maker, out, 1);
    put32(maker, out, out->len + 4 + ENTRY_SIZE + 4);
    put16(maker, out, 0x0202);
    put16(maker, out, 4);
    put32(maker, out, 1);
    put32(maker, out, (guint32)size);
    put32(maker, out, 0);
    g_byte_array_append(out, data, (guint)size);
}

GBytes *exif_maker_end(ExifMaker *maker)
{
    GByteArray *out = g_byte_array_new();
    GArray **folders = maker->folders;
    gsize root_size = folder_size(folders[EXIF_MAKER_ROOT]);
    for (guint i = EXIF_MAKER_EXIF; i <= EXIF_MAKER_GPS; i++)
        root_size += folders[i]->len ? ENTRY_SIZE : 0;
    gsize at = 8 + root_size;
    if (folders[EXIF_MAKER_EXIF]->len)
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x8769, (guint32)at);
    at += folder_size(folders[EXIF_MAKER_EXIF]);
    if (folders[EXIF_MAKER_GPS]->len)
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x8825, (guint32)at);
    at += folder_size(folders[EXIF_MAKER_GPS]);
    g_byte_array_append(out, (const guint8 *)(maker->little ? "II" : "MM"), 2);
    put16(maker, out, maker->magic);
    put32(maker, out, 8);
    put_folder(maker, out, folders[EXIF_MAKER_ROOT], maker->thumbnail ? (guint32)at : 0);
    for (guint i = EXIF_MAKER_EXIF; i <= EXIF_MAKER_GPS; i++)
        if (folders[i]->len)
            put_folder(maker, out, folders[i], 0);
    if (maker->thumbnail)
        put_thumbnail(maker, out);
    for (guint i = 0; i < EXIF_MAKER_FOLDERS; i++)
        g_array_unref(folders[i]);
    g_clear_pointer(&maker->thumbnail, g_bytes_unref);
    g_free(maker);
    return g_byte_array_free_to_bytes(out);
}

GBytes *exif_of_a_camera(gboolean little)
{
    static const guint32 SHUTTER[] = {1, 250}, APERTURE[] = {28, 10}, FOCAL[] = {35, 1};
    static const guint32 NORTH[] = {48, 1, 12, 1, 3060, 100}, WEST[] = {16, 1, 22, 1, 1200, 100};
    static const guint32 HEIGHT[] = {1715, 10};
    ExifMaker *maker = exif_maker_new(little, 42);
    exif_maker_text(maker, EXIF_MAKER_ROOT, 0x010e, "A dog on the shore");
    exif_maker_text(maker, EXIF_MAKER_ROOT, 0x010f, "Hearthcam ");
    exif_maker_text(maker, EXIF_MAKER_ROOT, 0x0110, "HC-1");
    exif_maker_short(maker, EXIF_MAKER_ROOT, 0x0112, 6);
    exif_maker_text(maker, EXIF_MAKER_ROOT, 0x0132, "2026:11:21 09:00:00");
    exif_maker_short(maker, EXIF_MAKER_ROOT, 0x4746, 4);
    exif_maker_wide(maker, 0x9c9b, "Hund am Strand \xf0\x9f\x90\x95");
    exif_maker_wide(maker, 0x9c9e, "dog; sea ;;Ärger");
    exif_maker_ratios(maker, EXIF_MAKER_EXIF, 0x829a, SHUTTER, 1);
    exif_maker_ratios(maker, EXIF_MAKER_EXIF, 0x829d, APERTURE, 1);
    exif_maker_short(maker, EXIF_MAKER_EXIF, 0x8827, 400);
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0x9003, "2026:11:20 10:20:30");
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0x9010, "-05:00");
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0x9011, "+01:00");
    exif_maker_ratios(maker, EXIF_MAKER_EXIF, 0x920a, FOCAL, 1);
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0x9290, "99");
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0x9291, "045 ");
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0xa431, "SN 0042");
    exif_maker_text(maker, EXIF_MAKER_EXIF, 0xa434, "HC 35mm F2.8");
    exif_maker_text(maker, EXIF_MAKER_GPS, 1, "N");
    exif_maker_ratios(maker, EXIF_MAKER_GPS, 2, NORTH, 3);
    exif_maker_text(maker, EXIF_MAKER_GPS, 3, "W");
    exif_maker_ratios(maker, EXIF_MAKER_GPS, 4, WEST, 3);
    exif_maker_raw(maker, EXIF_MAKER_GPS, 5, 1, 1, "\1", 1);
    exif_maker_ratios(maker, EXIF_MAKER_GPS, 6, HEIGHT, 1);
    return exif_maker_end(maker);
}

/* The kinds of EXIF that have brought libexif down: counts, loops, offsets. */
GBytes *exif_hostile(guint kind)
{
    ExifMaker *maker = exif_maker_new(TRUE, 42);
    switch (kind) {
    case 0: /* a text of 4 GiB */
        exif_maker_raw(maker, EXIF_MAKER_ROOT, 0x010f, 2, 0xffffffff, "\x08\0\0\0", 4);
        break;
    case 1: /* a count that overflows when it is multiplied */
        exif_maker_raw(maker, EXIF_MAKER_ROOT, 0x829a, 5, 0x20000001, "\x08\0\0\0", 4);
        break;
    case 2: /* a folder that holds itself */
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x8769, 8);
        break;
    case 3: /* folders past the end */
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x8769, 0xfffffffe);
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x8825, 0x7fffffff);
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x014a, 0xffffffff);
        break;
    case 4: /* a type that does not exist */
        exif_maker_raw(maker, EXIF_MAKER_ROOT, 0x010f, 0, 1, "abcd", 4);
        exif_maker_raw(maker, EXIF_MAKER_ROOT, 0x0110, 999, 1, "abcd", 4);
        break;
    case 5: /* the wrong type for each tag */
        exif_maker_short(maker, EXIF_MAKER_ROOT, 0x010f, 1);
        exif_maker_text(maker, EXIF_MAKER_ROOT, 0x0112, "6");
        exif_maker_short(maker, EXIF_MAKER_EXIF, 0x9003, 1);
        exif_maker_text(maker, EXIF_MAKER_EXIF, 0x829a, "1/250");
        exif_maker_text(maker, EXIF_MAKER_GPS, 2, "48");
        break;
    case 6: /* a maker's note that claims to be Canon's, with a huge count */
        exif_maker_raw(maker, EXIF_MAKER_EXIF, 0x927c, 7, 0x7fffffff, "\x08\0\0\0", 4);
        break;
    default: /* a thumbnail that overlaps the structure */
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x0201, 0);
        exif_maker_long(maker, EXIF_MAKER_ROOT, 0x0202, 0xffffffff);
        break;
    }
    return exif_maker_end(maker);
}

static void fill_row(const Picture *picture, guint y, guint8 *row)
{
    static const guint8 COLOURS[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    static guint32 seed = 1;
    guint channels = picture->grey ? 1 : 3;
    for (guint x = 0; x < picture->width; x++) {
        guint quarter = (y >= picture->height / 2) * 2 + (x >= picture->width / 2);
        for (guint i = 0; i < channels; i++) {
            seed = seed * 1664525u + 1013904223u;
            *row++ = picture->noise ? (guint8)(seed >> 24) : COLOURS[quarter][i];
        }
    }
}

static void put_exif(struct jpeg_compress_struct *codec, GBytes *exif)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(exif, &size);
    g_autoptr(GByteArray) marker = g_byte_array_new();
    g_byte_array_append(marker, (const guint8 *)"Exif\0", 6);
    g_byte_array_append(marker, data, (guint)size);
    jpeg_write_marker(codec, JPEG_APP0 + 1, marker->data, marker->len);
}

GBytes *picture_jpeg(const Picture *picture)
{
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    codec.err = jpeg_std_error(&errors);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &data, &size);
    codec.image_width = picture->width;
    codec.image_height = picture->height;
    codec.input_components = picture->grey ? 1 : 3;
    codec.in_color_space = picture->grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, picture->quality ? picture->quality : 75, TRUE);
    if (picture->progressive)
        jpeg_simple_progression(&codec);
    jpeg_start_compress(&codec, TRUE);
    if (picture->exif)
        put_exif(&codec, picture->exif);
    g_autofree guint8 *row = g_malloc((gsize)picture->width * 3);
    for (guint y = 0; y < picture->height; y++) {
        fill_row(picture, y, row);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    GBytes *jpeg = g_bytes_new(data, size);
    free(data);
    return jpeg;
}

void picture_colour(GBytes *jpeg, guint x_percent, guint y_percent, guint8 colour[3])
{
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    gsize size;
    const guint8 *data = g_bytes_get_data(jpeg, &size);
    codec.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, data, size);
    jpeg_read_header(&codec, TRUE);
    codec.out_color_space = JCS_RGB;
    jpeg_start_decompress(&codec);
    guint wanted = codec.output_height * y_percent / 100;
    g_autofree guint8 *row = g_malloc((gsize)codec.output_width * 3);
    while (codec.output_scanline < codec.output_height) {
        gboolean here = codec.output_scanline == wanted;
        jpeg_read_scanlines(&codec, &row, 1);
        if (here)
            memcpy(colour, row + (gsize)codec.output_width * x_percent / 100 * 3, 3);
    }
    jpeg_finish_decompress(&codec);
    jpeg_destroy_decompress(&codec);
}

char *picture_save(GBytes *bytes, const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
    return path;
}
