#include "tests/faults/fault-fixture.h"

#include <stdio.h>

/*
 * Pictures that are none, or half, or made to harm, read by the real photo sprocket on their way
 * in. Whatever it makes of them, each is imported, byte for byte; where it can say nothing, by the
 * file's own time.
 */

#define JULY 1784355124 /* 2026-07-18 06:12:04 UTC */
#define EXIF_AT 6       /* where "Exif" begins in a JPEG that starts with APP1 */

/* A JPEG of nothing but an APP1 segment with `size` bytes of TIFF, and an end. */
static GByteArray *jpeg_with_exif(const guint8 *tiff, gsize size)
{
    GByteArray *jpeg = g_byte_array_new();
    gsize length = size + 8;
    const guint8 head[] = {0xff, 0xd8, 0xff, 0xe1, (guint8)(length >> 8), (guint8)length, 'E', 'x',
                           'i',  'f',  0,    0};
    const guint8 end[] = {0xff, 0xd9};
    g_byte_array_append(jpeg, head, sizeof head);
    g_byte_array_append(jpeg, tiff, (guint)size);
    g_byte_array_append(jpeg, end, sizeof end);
    return jpeg;
}

/* TIFF data of the kinds that old readers fell over. */
static const struct {
    const char *name;
    guint8 tiff[64];
    gsize size;
} HOSTILE[] = {
    {"loop of directories", {'I', 'I', 42, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 0}, 14},
    {"directory far away", {'I', 'I', 42, 0, 0xff, 0xff, 0xff, 0x7f}, 8},
    {"65,535 entries", {'I', 'I', 42, 0, 8, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, 14},
    {"count that overflows",
     {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x0f, 0, 2, 0x40, 0, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0},
     26},
    {"maker note that is itself",
     {'I', 'I',  42,   0, 8, 0, 0, 0, 1, 0, 0x7c, 0x92, 7,
      0,   0xff, 0xff, 0, 0, 8, 0, 0, 0, 0, 0,    0,    0},
     26},
    {"sub-directory that is its parent",
     {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x69, 0x87, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0},
     26},
    {"nothing", {0}, 0},
};

static guint64 write_hostile(Fault *f)
{
    for (gsize i = 0; i < G_N_ELEMENTS(HOSTILE); i++) {
        g_autoptr(GByteArray) jpeg = jpeg_with_exif(HOSTILE[i].tiff, HOSTILE[i].size);
        g_autofree char *name = g_strdup_printf("DCIM/1/BAD_%zu.JPG", i);
        files_write_bytes(f->card, name, JULY, jpeg->data, jpeg->len);
    }
    return G_N_ELEMENTS(HOSTILE);
}

static HearthStore *open_store(Fault *f)
{
    g_autoptr(GError) error = NULL;
    HearthStoreOptions options = {.state = f->state, .engine = "sqlite"};
    HearthStore *store = hearth_store_open(&options, &error);
    g_assert_no_error(error);
    return store;
}

static void check_there(HearthStore *store, const char *path)
{
    HearthObject object;
    g_autoptr(GError) error = NULL;
    g_assert_true(hearth_store_walk(store, path, &object, &error));
    g_assert_no_error(error);
}

static void import_all(Fault *f, guint64 files)
{
    test_daemon_start(f->daemon);
    g_autofree char *id = test_daemon_attach(f->daemon, f->port);
    g_assert_true(test_daemon_settle(f->daemon, 60));
    g_autoptr(GVariant) job = test_daemon_job(f->daemon, "import");
    g_assert_cmpstr(test_text(job, "state"), ==, "done");
    g_assert_cmpint(test_number(job, "imported"), ==, (gint64)files);
    test_daemon_stop(f->daemon, 10);
}

static void hostile_exif_is_imported_by_file_time(Fault *f, gconstpointer data)
{
    guint64 files = write_hostile(f);
    import_all(f, files);
    g_autoptr(HearthStore) store = open_store(f);
    for (guint64 i = 0; i < files; i++) {
        g_autofree char *path =
            g_strdup_printf("/Photos/2026/2026-07-18/BAD_%" G_GUINT64_FORMAT ".JPG", i);
        check_there(store, path);
    }
}

/* The picture of the demo that was taken on 2026-07-18 by the camera "Hearth". */
static GBytes *sample(Fault *f)
{
    g_autofree char *program = g_build_filename(g_getenv("HEARTH_BIN"), "hearth-demo", NULL);
    g_autofree char *folder = g_build_filename(f->top, "demo", NULL);
    g_autofree char *path = g_build_filename(folder, "DCIM/100HEART/IMG_0001.JPG", NULL);
    const char *argv[] = {program, folder, NULL};
    g_autoptr(GError) error = NULL;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, NULL,
                 NULL, &error);
    g_assert_no_error(error);
    char *bytes;
    gsize size;
    g_assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    return g_bytes_new_take(bytes, size);
}

static void a_truncated_picture_is_imported_whole_as_it_is(Fault *f, gconstpointer data)
{
    g_autoptr(GBytes) picture = sample(f);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(picture, &size);
    /* The file time is another day, so that the folder tells whose word was taken. */
    files_write_bytes(f->card, "DCIM/1/WHOLE.JPG", JULY + 7 * 86400, bytes, size);
    files_write_bytes(f->card, "DCIM/1/HALF.JPG", JULY + 7 * 86400, bytes, size / 2);
    files_write_bytes(f->card, "DCIM/1/STUB.JPG", JULY + 7 * 86400, bytes, 20);
    import_all(f, 3);
    g_autoptr(HearthStore) store = open_store(f);
    check_there(store, "/Photos/2026/2026-07-18/WHOLE.JPG");
    check_there(store, "/Photos/2026/2026-07-25/STUB.JPG");
    HearthObject object;
    gboolean by_exif = hearth_store_walk(store, "/Photos/2026/2026-07-18/HALF.JPG", &object, NULL);
    if (!by_exif)
        g_assert_true(hearth_store_walk(store, "/Photos/2026/2026-07-25/HALF.JPG", &object, NULL));
    g_assert_cmpint(object.size, ==, (gint64)(size / 2));
}

/* One bit after the other of the head is turned: each file is another way to be wrong. */
static void a_picture_with_any_bit_turned_is_imported(Fault *f, gconstpointer data)
{
    g_autoptr(GBytes) picture = sample(f);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(picture, &size);
    g_autofree guint8 *turned = g_memdup2(bytes, size);
    guint files = 0;
    for (gsize at = EXIF_AT; at < 600; at += 11, files++) {
        g_autofree char *name = g_strdup_printf("DCIM/1/T_%zu.JPG", at);
        turned[at] ^= (guint8)(1 << (at % 8));
        files_write_bytes(f->card, name, JULY, turned, size);
        turned[at] = bytes[at];
    }
    import_all(f, files);
}

static void odd_folders_come_in(Fault *f, gconstpointer data)
{
    g_autoptr(GString) deep = g_string_new("DCIM");
    for (guint i = 0; i < 30; i++)
        g_string_append(deep, "/d");
    g_string_append(deep, "/DEEP.JPG");
    files_write(f->card, deep->str, JULY, "deep");
    files_write(f->card, "DCIM/\xff\xfe/RAW.JPG", JULY, "no UTF-8");
    files_write(f->card, "dcim/100/LOWER.JPG", JULY, "lower");
    files_write(f->card, "DCIM/100/IMG (1).JPG", JULY, "brackets");
    files_write(f->card, "DCIM/100/.hidden.jpg", JULY, "hidden");
    import_all(f, 5);
    g_autoptr(HearthStore) store = open_store(f);
    check_there(store, "/Photos/2026/2026-07-18/DEEP.JPG");
    check_there(store, "/Photos/2026/2026-07-18/RAW.JPG");
    check_there(store, "/Photos/2026/2026-07-18/.hidden.jpg");
}

#define ADD(name, func)                                                                            \
    g_test_add("/faults/input/" name, Fault, NULL, fault_set_up, func, fault_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("hostile EXIF is imported by file time", hostile_exif_is_imported_by_file_time);
    ADD("a truncated picture is imported whole, as it is",
        a_truncated_picture_is_imported_whole_as_it_is);
    ADD("a picture with any bit turned is imported", a_picture_with_any_bit_turned_is_imported);
    ADD("odd folders come in", odd_folders_come_in);
    return g_test_run();
}
