#include "devices/shadow-private.h"
#include "devices/shadow.h"
#include "gateway/base/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The whole way through on a volume: shadow, process, driver. Faults are in test-shadow-faults. */

typedef struct {
    char *folder;
    HearthDevice *device;
    HearthShadow *shadow;
    GPtrArray *objects; /* of HearthDeviceObject* */
} Fixture;

static void make_file(const Fixture *fixture, const char *name, gsize size)
{
    g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *data = g_malloc(size + 1);
    for (gsize i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / 251);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

static void setup(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *port = NULL;
    g_autoptr(GError) error = NULL;
    fixture->folder = g_dir_make_tmp("hearth-shadow-XXXXXX", NULL);
    port = g_strconcat("volume:", fixture->folder, NULL);
    fixture->device = hearth_device_from_port(port, &error);
    g_assert_no_error(error);
    fixture->shadow = hearth_shadow_new(fixture->device, NULL);
    fixture->objects = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_device_object_free);
}

static void teardown(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->folder);
    hearth_shadow_unref(fixture->shadow);
    hearth_device_free(fixture->device);
    g_ptr_array_unref(fixture->objects);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(fixture->folder);
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
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];
        if (strcmp(object->path, path) == 0)
            return object;
    }
    g_error("%s was not listed", path);
}

static gboolean append(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    g_byte_array_append(user_data, data, (guint)size);
    return TRUE;
}

static void assert_fetched(Fixture *fixture, const char *path, guint64 offset)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = g_byte_array_new();
    g_autofree char *file = g_build_filename(fixture->folder, path, NULL), *wanted = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(file, &wanted, &size, NULL));
    g_assert_true(hearth_shadow_fetch(fixture->shadow, find(fixture, path), offset, append, got,
                                      NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(got->data, got->len, wanted + offset, size - offset);
}

static void files_come_as_they_are(Fixture *fixture, gconstpointer unused)
{
    make_file(fixture, "DCIM/100CANON/IMG_0001.JPG", 20 * 1024);
    make_file(fixture, "DCIM/100CANON/MVI_0002.MP4", 5 * 1024 * 1024 + 17);
    make_file(fixture, "empty", 0);
    list(fixture);
    g_assert_cmpuint(fixture->objects->len, ==, 5);
    g_assert_true(find(fixture, "/DCIM")->is_folder);
    assert_fetched(fixture, "/DCIM/100CANON/IMG_0001.JPG", 0);
    assert_fetched(fixture, "/DCIM/100CANON/MVI_0002.MP4", 0);
    assert_fetched(fixture, "/DCIM/100CANON/MVI_0002.MP4", 3000001);
    assert_fetched(fixture, "/empty", 0);
}

static void what_is_expected_comes_too(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GPtrArray) expected = g_ptr_array_new();
    for (int i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("IMG_%04d.JPG", i);
        make_file(fixture, name, i % 10 == 0 ? 300000 : (gsize)i * 100);
    }
    list(fixture);
    for (guint i = 0; i < fixture->objects->len; i++)
        g_ptr_array_add(expected, fixture->objects->pdata[i]);
    hearth_shadow_expect(fixture->shadow, (const HearthDeviceObject *const *)expected->pdata,
                         expected->len);
    for (guint i = 0; i < expected->len; i++) {
        const HearthDeviceObject *object = expected->pdata[i];
        /* One out of turn must not disturb the others. */
        if (i == 30)
            assert_fetched(fixture, "/IMG_0090.JPG", 7);
        assert_fetched(fixture, object->path, 0);
    }
}

static void a_changed_file_is_not_taken_for_the_listed_one(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = g_byte_array_new();
    make_file(fixture, "IMG_0001.JPG", 1000);
    list(fixture);
    make_file(fixture, "IMG_0001.JPG", 1001);
    g_assert_false(hearth_shadow_fetch(fixture->shadow, find(fixture, "/IMG_0001.JPG"), 0, append,
                                       got, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT);
    g_assert_cmpuint(got->len, ==, 0);
}

static void a_deleted_file_is_not_found(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = g_byte_array_new();
    g_autofree char *path = g_build_filename(fixture->folder, "IMG_0001.JPG", NULL);
    make_file(fixture, "IMG_0001.JPG", 1000);
    make_file(fixture, "IMG_0002.JPG", 1000);
    list(fixture);
    g_unlink(path);
    g_assert_false(hearth_shadow_fetch(fixture->shadow, find(fixture, "/IMG_0001.JPG"), 0, append,
                                       got, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND);
    assert_fetched(fixture, "/IMG_0002.JPG", 0);
}

static void a_file_is_removed_only_if_it_is_the_listed_one(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(fixture->folder, "a/IMG_0001.JPG", NULL);
    make_file(fixture, "a/IMG_0001.JPG", 1000);
    list(fixture);
    make_file(fixture, "a/IMG_0001.JPG", 999);
    g_assert_false(
        hearth_shadow_remove(fixture->shadow, find(fixture, "/a/IMG_0001.JPG"), NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_CONFLICT);
    g_clear_error(&error);
    list(fixture);
    g_assert_true(
        hearth_shadow_remove(fixture->shadow, find(fixture, "/a/IMG_0001.JPG"), NULL, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_file_is_put_whole_and_never_over_another(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(fixture->folder, "song", NULL);
    guint64 free_bytes, total;
    make_file(fixture, "song", 3 * 1024 * 1024 + 5);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_true(hearth_shadow_put(fixture->shadow, "/Music/x/song", fd, NULL, &error));
    g_assert_no_error(error);
    list(fixture);
    g_assert_cmpint(find(fixture, "/Music/x/song")->size, ==, 3 * 1024 * 1024 + 5);
    assert_fetched(fixture, "/Music/x/song", 0);
    g_assert_false(hearth_shadow_put(fixture->shadow, "/Music/x/song", fd, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_EXISTS);
    g_clear_error(&error);
    close(fd);
    g_assert_true(hearth_shadow_space(fixture->shadow, &free_bytes, &total, NULL, &error));
    g_assert_cmpuint(free_bytes, <=, total);
}

static void a_resting_shadow_holds_nothing(Fixture *fixture, gconstpointer unused)
{
    make_file(fixture, "IMG_0001.JPG", 1000);
    list(fixture);
    int pid = hearth_shadow_worker_pid(fixture->shadow);
    g_assert_cmpint(pid, >, 0);
    hearth_shadow_rest(fixture->shadow);
    g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_cmpint(hearth_shadow_worker_pid(fixture->shadow), ==, 0);
    assert_fetched(fixture, "/IMG_0001.JPG", 0);
}

static void an_unplugged_device_is_gone(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    make_file(fixture, "IMG_0001.JPG", 1000);
    list(fixture);
    hearth_shadow_unplug(fixture->shadow);
    g_assert_false(hearth_shadow_open(fixture->shadow, NULL, &error));
    g_assert_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE);
    g_autoptr(HearthDevice) device = hearth_shadow_dup_device(fixture->shadow);
    g_assert_cmpint(device->state, ==, HEARTH_DEVICE_GONE);
}

/* Runs a shadow, tells the process id of its process, and waits to be killed. */
static void be_a_daemon(const Fixture *fixture, int told)
{
    HearthShadow *shadow = hearth_shadow_new(fixture->device, NULL);
    int pid = hearth_shadow_open(shadow, NULL, NULL) ? hearth_shadow_worker_pid(shadow) : 0;
    if (write(told, &pid, sizeof pid) == (ssize_t)sizeof pid)
        pause();
    _exit(1);
}

static gboolean is_running(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
    /* Whoever takes over orphans here may be slow to reap them. */
    return g_file_get_contents(path, &text, NULL, NULL) && !strstr(text, ") Z ");
}

static void a_process_ends_with_its_daemon(Fixture *fixture, gconstpointer unused)
{
    int ends[2], worker = 0;
    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t daemon_pid = fork();
    if (daemon_pid == 0)
        be_a_daemon(fixture, ends[1]);
    g_assert_cmpint(read(ends[0], &worker, sizeof worker), ==, sizeof worker);
    g_assert_cmpint(worker, >, 0);
    g_assert_true(is_running(worker));
    g_assert_cmpint(kill(daemon_pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(daemon_pid, NULL, 0), ==, daemon_pid);
    gint64 until = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
    while (is_running(worker) && g_get_monotonic_time() < until)
        g_usleep(10000);
    g_assert_false(is_running(worker));
    close(ends[0]);
    close(ends[1]);
}

#define ADD(path, func) g_test_add("/devices/shadow/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("files-come-as-they-are", files_come_as_they_are);
    ADD("what-is-expected-comes-too", what_is_expected_comes_too);
    ADD("changed-file-is-not-taken", a_changed_file_is_not_taken_for_the_listed_one);
    ADD("deleted-file-is-not-found", a_deleted_file_is_not_found);
    ADD("only-the-listed-file-is-removed", a_file_is_removed_only_if_it_is_the_listed_one);
    ADD("put-is-whole-and-never-over-another", a_file_is_put_whole_and_never_over_another);
    ADD("resting-shadow-holds-nothing", a_resting_shadow_holds_nothing);
    ADD("process-ends-with-its-daemon", a_process_ends_with_its_daemon);
    ADD("unplugged-device-is-gone", an_unplugged_device_is_gone);
    return g_test_run();
}
