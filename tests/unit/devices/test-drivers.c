#include "devices/device-private.h"
#include "devices/shadow.h"
#include "gateway/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Odd trees, as a volume and as libgphoto2's folder camera, through the real processes. USB and
 * network devices are in tests/rigs. */

typedef struct {
    char *folder;
    HearthShadow *shadow;
    GPtrArray *objects; /* of HearthDeviceObject* */
} Fixture;

static void start(Fixture *fixture, const char *scheme)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *port = g_strconcat(scheme, fixture->folder, NULL);
    g_autoptr(HearthDevice) device = hearth_device_from_port(port, &error);
    HearthShadowOptions options;
    g_assert_no_error(error);
    hearth_shadow_options_init(&options);
    options.retry_first_ms = 10;
    fixture->shadow = hearth_shadow_new(device, &options);
}

static void setup(Fixture *fixture, gconstpointer scheme)
{
    fixture->folder = g_dir_make_tmp("hearth-drivers-XXXXXX", NULL);
    fixture->objects = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_device_object_free);
    start(fixture, scheme);
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->folder);
    hearth_shadow_unref(fixture->shadow);
    g_ptr_array_unref(fixture->objects);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(fixture->folder);
}

static void make_file(const Fixture *fixture, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static gboolean collect(const HearthDeviceObject *object, gpointer user_data)
{
    g_ptr_array_add(user_data, hearth_device_object_copy(object));
    return TRUE;
}

static void list(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_ptr_array_set_size(fixture->objects, 0);
    g_assert_true(hearth_shadow_list(fixture->shadow, collect, fixture->objects, NULL, &error));
    g_assert_no_error(error);
}

static const HearthDeviceObject *find(const Fixture *fixture, const char *path)
{
    for (guint i = 0; i < fixture->objects->len; i++)
        if (strcmp(((HearthDeviceObject *)fixture->objects->pdata[i])->path, path) == 0)
            return fixture->objects->pdata[i];
    return NULL;
}

static gboolean append(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    g_string_append_len(user_data, (const char *)data, (gssize)size);
    return TRUE;
}

static void assert_text(Fixture *fixture, const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    GString *got = g_string_new(NULL);
    g_assert_nonnull(find(fixture, path));
    g_assert_true(
        hearth_shadow_fetch(fixture->shadow, find(fixture, path), 0, append, got, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(got->str, ==, text);
    g_string_free(got, TRUE);
}

static void names_come_as_they_are(Fixture *fixture, gconstpointer unused)
{
    static const char *const NAMES[] = {"IMG 1.JPG",     "\xff\xfe.JPG", "a\nb.JPG", "\xc3\xa4.JPG",
                                        "a\xcc\x88.JPG", "-rf.JPG",      "*?.JPG",   "a...JPG"};
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
        make_file(fixture, NAMES[i], NAMES[i]);
    list(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autofree char *path = g_strconcat("/", NAMES[i], NULL);
        if (!find(fixture, path))
            g_error("\"%s\" was not listed", NAMES[i]);
        assert_text(fixture, path, NAMES[i]);
    }
}

static void list_links(Fixture *fixture)
{
    g_autofree char *file = g_build_filename(fixture->folder, "PASSWD.JPG", NULL);
    g_autofree char *folder = g_build_filename(fixture->folder, "etc", NULL);
    g_autofree char *self = g_build_filename(fixture->folder, "self", NULL);
    g_assert_cmpint(symlink("/etc/passwd", file), ==, 0);
    g_assert_cmpint(symlink("/etc", folder), ==, 0);
    g_assert_cmpint(symlink(".", self), ==, 0);
    make_file(fixture, "IMG_0001.JPG", "picture");
    list(fixture);
    assert_text(fixture, "/IMG_0001.JPG", "picture");
}

static void a_link_is_named_and_not_followed(Fixture *fixture, gconstpointer unused)
{
    list_links(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, 4);
    g_assert_nonnull(find(fixture, "/PASSWD.JPG")->refusal);
    g_assert_nonnull(find(fixture, "/etc")->refusal);
    g_assert_nonnull(find(fixture, "/self")->refusal);
}

static void a_file_that_became_a_link_is_not_read(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(fixture->folder, "a/IMG_0001.JPG", NULL);
    g_autofree char *folder = g_build_filename(fixture->folder, "a", NULL);
    g_autofree char *moved = g_build_filename(fixture->folder, "b", NULL);
    GString *got = g_string_new(NULL);
    make_file(fixture, "a/IMG_0001.JPG", "picture");
    list(fixture);
    g_assert_cmpint(g_rename(folder, moved), ==, 0);
    g_assert_cmpint(symlink("b", folder), ==, 0);
    g_assert_false(hearth_shadow_fetch(fixture->shadow, find(fixture, "/a/IMG_0001.JPG"), 0, append,
                                       got, NULL, &error));
    g_assert_nonnull(error);
    g_assert_cmpuint(got->len, ==, 0);
    g_string_free(got, TRUE);
    g_assert_cmpint(g_unlink(folder), ==, 0);
    g_assert_cmpint(g_unlink(path), ==, -1);
}

static void a_fifo_is_named_and_blocks_nothing(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = g_build_filename(fixture->folder, "pipe", NULL);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    make_file(fixture, "IMG_0001.JPG", "picture");
    list(fixture);
    g_assert_nonnull(find(fixture, "/pipe")->refusal);
    assert_text(fixture, "/IMG_0001.JPG", "picture");
}

/* Made through descriptors, since no path is long enough for it. */
static void make_deep(const Fixture *fixture, guint depth)
{
    int at = open(fixture->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (guint i = 0; i < depth; i++) {
        g_assert_cmpint(mkdirat(at, "deeper", 0700), ==, 0);
        int next = openat(at, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
}

static void folders_without_end_end_with_a_reason(Fixture *fixture, gconstpointer unused)
{
    make_deep(fixture, HEARTH_DEVICE_MAX_DEPTH + 20);
    make_file(fixture, "IMG_0001.JPG", "picture");
    list(fixture);
    guint refused = 0;
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];
        refused += object->refusal && strstr(object->refusal, "deep");
    }
    g_assert_cmpuint(refused, ==, 1);
    assert_text(fixture, "/IMG_0001.JPG", "picture");
}

static void the_bin_of_a_system_is_not_entered(Fixture *fixture, gconstpointer unused)
{
    make_file(fixture, ".Trash-1000/files/OLD.JPG", "deleted");
    make_file(fixture, "$RECYCLE.BIN/OLD.JPG", "deleted");
    make_file(fixture, "DCIM/IMG_0001.JPG", "picture");
    list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, 2);
}

static void a_file_over_four_gigabytes_has_its_size(Fixture *fixture, gconstpointer scheme)
{
    const gboolean from_end_is_quick = strcmp(scheme, "volume:") == 0;
    g_autoptr(GError) error = NULL;
    const gint64 SIZE = G_GINT64_CONSTANT(4831838208) + 5; /* 4.5 GiB and a bit; holes */
    g_autofree char *path = g_build_filename(fixture->folder, "MVI_0001.MP4", NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    g_assert_cmpint(pwrite(fd, "end", 3, SIZE - 3), ==, 3);
    close(fd);
    list(fixture);
    g_assert_cmpint(find(fixture, "/MVI_0001.MP4")->size, ==, SIZE);
    /* libgphoto2 reads a folder's file from its beginning: 4 GiB take too long for a quick test. */
    if (!g_test_slow() && !from_end_is_quick)
        return;
    GString *got = g_string_new(NULL);
    g_assert_true(hearth_shadow_fetch(fixture->shadow, find(fixture, "/MVI_0001.MP4"),
                                      (guint64)SIZE - 3, append, got, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(got->str, ==, "end");
    g_string_free(got, TRUE);
}

static void the_time_is_the_file_s(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = g_build_filename(fixture->folder, "IMG_0001.JPG", NULL);
    const struct timespec TIMES[2] = {{1234567890, 0}, {1234567890, 0}};
    make_file(fixture, "IMG_0001.JPG", "picture");
    g_assert_cmpint(utimensat(AT_FDCWD, path, TIMES, 0), ==, 0);
    list(fixture);
    g_assert_cmpint(find(fixture, "/IMG_0001.JPG")->mtime, ==, 1234567890);
    g_assert_true(find(fixture, "/IMG_0001.JPG")->mtime_is_utc);
}

static void new_pictures_are_seen_by_the_next_list(Fixture *fixture, gconstpointer unused)
{
    make_file(fixture, "DCIM/IMG_0001.JPG", "one");
    list(fixture);
    g_assert_null(find(fixture, "/DCIM/IMG_0002.JPG"));
    make_file(fixture, "DCIM/IMG_0002.JPG", "two");
    list(fixture);
    assert_text(fixture, "/DCIM/IMG_0002.JPG", "two");
}

static void what_no_library_knows_is_listed_too(Fixture *fixture, gconstpointer unused)
{
    static const char *const NAMES[] = {"/DCIM/IMG_0001.JPG", "/DCIM/IMG_0001.XMP", "/NOTES",
                                        "/.hidden/IMG_0002.JPG", "/strange.xyz"};
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++)
        make_file(fixture, NAMES[i] + 1, NAMES[i]);
    list(fixture);
    /* Each once, and the two folders. */
    g_assert_cmpuint(fixture->objects->len, ==, G_N_ELEMENTS(NAMES) + 2);
    for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_assert_nonnull(find(fixture, NAMES[i]));
        assert_text(fixture, NAMES[i], NAMES[i]);
    }
}

static void an_empty_file_is_a_file(Fixture *fixture, gconstpointer unused)
{
    make_file(fixture, "EMPTY.JPG", "");
    list(fixture);
    assert_text(fixture, "/EMPTY.JPG", "");
}

static void a_folder_that_went_is_gone(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    make_file(fixture, "IMG_0001.JPG", "picture");
    list(fixture);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->folder);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    GString *got = g_string_new(NULL);
    g_assert_false(hearth_shadow_fetch(fixture->shadow, find(fixture, "/IMG_0001.JPG"), 0, append,
                                       got, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE);
    g_string_free(got, TRUE);
}

#define ADD_VOLUME(path, func)                                                                     \
    g_test_add("/devices/driver-volume/" path, Fixture, "volume:", setup, func, teardown)
#define ADD_DISK(path, func)                                                                       \
    g_test_add("/devices/driver-gphoto2/" path, Fixture, "disk:", setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_VOLUME("names-come-as-they-are", names_come_as_they_are);
    ADD_VOLUME("link-is-not-followed", a_link_is_named_and_not_followed);
    ADD_VOLUME("file-that-became-a-link-is-not-read", a_file_that_became_a_link_is_not_read);
    ADD_VOLUME("fifo-blocks-nothing", a_fifo_is_named_and_blocks_nothing);
    ADD_VOLUME("endless-folders-end-with-a-reason", folders_without_end_end_with_a_reason);
    ADD_VOLUME("bin-is-not-entered", the_bin_of_a_system_is_not_entered);
    ADD_VOLUME("over-four-gigabytes-has-its-size", a_file_over_four_gigabytes_has_its_size);
    ADD_VOLUME("time-is-the-files", the_time_is_the_file_s);
    ADD_VOLUME("new-pictures-are-seen", new_pictures_are_seen_by_the_next_list);
    ADD_VOLUME("unknown-types-are-listed", what_no_library_knows_is_listed_too);
    ADD_VOLUME("empty-file-is-a-file", an_empty_file_is_a_file);
    ADD_VOLUME("folder-that-went-is-gone", a_folder_that_went_is_gone);
    ADD_DISK("names-come-as-they-are", names_come_as_they_are);
    ADD_DISK("link-is-not-followed", a_link_is_named_and_not_followed);
    ADD_DISK("unknown-types-are-listed", what_no_library_knows_is_listed_too);
    ADD_DISK("fifo-blocks-nothing", a_fifo_is_named_and_blocks_nothing);
    ADD_DISK("bin-is-not-entered", the_bin_of_a_system_is_not_entered);
    ADD_DISK("endless-folders-end-with-a-reason", folders_without_end_end_with_a_reason);
    ADD_DISK("over-four-gigabytes-has-its-size", a_file_over_four_gigabytes_has_its_size);
    ADD_DISK("time-is-the-files", the_time_is_the_file_s);
    ADD_DISK("new-pictures-are-seen", new_pictures_are_seen_by_the_next_list);
    ADD_DISK("empty-file-is-a-file", an_empty_file_is_a_file);
    ADD_DISK("folder-that-went-is-gone", a_folder_that_went_is_gone);
    return g_test_run();
}
