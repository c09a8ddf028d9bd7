/* Writes the examples for the four fuzz targets of sprockets: make-photo-corpus tests/fuzz/corpus */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "sprockets/host/record-private.h"
#include "tests/unit/sprockets/pictures.h"

static const char *root;

static void write_example(const char *target, const char *name, GBytes *bytes)
{
    g_autofree char *folder = g_build_filename(root, target, NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    g_free(picture_save(bytes, folder, name));
}

static void write_picture(const char *name, const Picture *picture)
{
    g_autoptr(GBytes) jpeg = picture_jpeg(picture);
    g_autofree char *cut_name = g_strconcat("cut-", name, NULL);
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(jpeg, 0, g_bytes_get_size(jpeg) * 2 / 3);
    write_example("photo-metadata", name, jpeg);
    write_example("photo-metadata", cut_name, cut);
    write_example("photo-preview", name, jpeg);
    write_example("photo-preview", cut_name, cut);
    write_example("jpeg-header", name, jpeg);
}

static void write_hostile(void)
{
    for (guint kind = 0; kind < EXIF_HOSTILE_KINDS; kind++) {
        g_autoptr(GBytes) exif = exif_hostile(kind);
        g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 8, .height = 8, .exif = exif});
        g_autofree char *name = g_strdup_printf("hostile-%u.jpg", kind);
        g_autofree char *raw = g_strdup_printf("hostile-%u.tif", kind);
        write_example("photo-metadata", name, jpeg);
        write_example("photo-metadata", raw, exif);
        write_example("photo-preview", name, jpeg);
        write_example("photo-preview", raw, exif);
    }
}

static void write_cameras(void)
{
    for (gboolean little = FALSE; little <= TRUE; little++) {
        g_autoptr(GBytes) exif = exif_of_a_camera(little);
        write_picture(little ? "little.jpg" : "big.jpg",
                      &(Picture){.width = 16, .height = 16, .exif = exif});
        write_example("photo-metadata", little ? "little.tif" : "big.tif", exif);
    }
}

static void write_raw(void)
{
    g_autoptr(GBytes) inside = picture_jpeg(&(Picture){.width = 24, .height = 16});
    ExifMaker *maker = exif_maker_new(TRUE, 42);
    exif_maker_short(maker, EXIF_MAKER_ROOT, 0x0112, 8);
    exif_maker_thumbnail(maker, inside);
    g_autoptr(GBytes) raw = exif_maker_end(maker);
    g_autoptr(GBytes) jpeg = picture_jpeg(&(Picture){.width = 48, .height = 32, .exif = raw});
    write_example("photo-preview", "raw.tif", raw);
    write_example("photo-preview", "thumbnail.jpg", jpeg);
}

static void write_result(void)
{
    static const char *const WORDS[] = {"one", "two"};
    guint8 buffer[1024];
    HearthRecordWriter writer;
    hearth_record_begin(&writer, buffer, sizeof buffer);
    g_autoptr(GBytes) empty = g_bytes_new(buffer, hearth_record_end(&writer));
    hearth_record_put_string(&writer, "time.taken", "2026-11-20T10:20:30.5+01:00");
    hearth_record_put_string(&writer, "media.type", "image/jpeg");
    hearth_record_put_uint(&writer, "image.orientation", 6);
    hearth_record_put_double(&writer, "gps.latitude", 48.2);
    hearth_record_put_strv(&writer, "text.keywords", WORDS, G_N_ELEMENTS(WORDS));
    g_autoptr(GBytes) full = g_bytes_new(buffer, hearth_record_end(&writer));
    hearth_record_put_bool(&writer, "yes", true);
    g_autoptr(GBytes) odd = g_bytes_new(buffer, hearth_record_end(&writer));
    write_example("sprocket-result", "empty", empty);
    write_example("sprocket-result", "full", full);
    write_example("sprocket-result", "unknown-key", odd);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make-photo-corpus tests/fuzz/corpus\n");
        return 2;
    }
    root = argv[1];
    write_cameras();
    write_hostile();
    write_raw();
    write_result();
    write_picture("progressive.jpg", &(Picture){.width = 16, .height = 16, .progressive = TRUE});
    write_picture("grey.jpg", &(Picture){.width = 16, .height = 16, .grey = TRUE});
    return 0;
}
