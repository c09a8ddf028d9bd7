#include "tests/rigs/rig-fixture.h"

#include "gateway/base/error.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    RigFixture *fixture;
    guint delay_ms;
    char *line;
} Later;

static const char *const way_names[RIG_WAY_LAST] = {"ptp-usb", "mtp-usb", "ptpip"};

/* Threads of rig_tell_later; joined before the device they speak to goes. */
static GPtrArray *later_threads;

static void setup(RigFixture *fixture, gconstpointer way)
{
    SimIdentity identity = {.model = "Simulated", .serial = "RIG001"};
    g_autoptr(GError) error = NULL;

    later_threads = g_ptr_array_new();
    fixture->way = GPOINTER_TO_UINT(way);
    fixture->folder = g_dir_make_tmp("hearth-rig-XXXXXX", NULL);
    fixture->objects = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_device_object_free);
    rig_make_file(fixture, "DCIM/100TEST/IMG_0001.JPG", 40000);
    rig_make_file(fixture, "DCIM/100TEST/IMG_0002.JPG", 70001);
    rig_make_file(fixture, "DCIM/100TEST/MVI_0003.MOV", 4 * 1024 * 1024 + 17);
    identity.persona = fixture->way == RIG_MTP_USB ? SIM_PERSONA_MTP : SIM_PERSONA_PTP;
    /* Always: whoever remembers a handle is found out by any test. */
    identity.moving_handles = TRUE;
    fixture->device = sim_device_new(&identity, fixture->folder);
    if (fixture->way == RIG_PTP_PTPIP) {
        fixture->server = sim_ptpip_new(fixture->device, NULL, &error);
    } else {
        fixture->bus = sim_usb_bus_new();
        sim_usb_bus_attach(fixture->bus, fixture->device);
    }
    g_assert_no_error(error);
    sim_device_plug(fixture->device, &error);
    g_assert_no_error(error);
    rig_new_shadow(fixture, NULL);
}

static void teardown(RigFixture *fixture, gconstpointer way)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->folder);

    for (guint i = 0; i < later_threads->len; i++)
        g_thread_join(later_threads->pdata[i]);
    g_clear_pointer(&later_threads, g_ptr_array_unref);
    hearth_shadow_unref(fixture->shadow);
    sim_ptpip_free(fixture->server);
    sim_usb_bus_free(fixture->bus);
    sim_device_free(fixture->device);
    g_ptr_array_unref(fixture->objects);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(fixture->folder);
}

void rig_add(const char *name, RigWay way, void (*test)(RigFixture *, gconstpointer))
{
    g_autofree char *path = g_strdup_printf("/rigs/%s/%s", name, way_names[way]);

    g_test_add(path, RigFixture, GUINT_TO_POINTER(way), setup, test, teardown);
}

void rig_add_all(const char *name, void (*test)(RigFixture *, gconstpointer))
{
    for (RigWay way = 0; way < RIG_WAY_LAST; way++)
        rig_add(name, way, test);
}

void rig_make_file(RigFixture *fixture, const char *name, gsize size)
{
    g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree guint8 *data = g_malloc(size + 1);

    sim_pattern_fill(g_str_hash(name), 0, data, size);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, (const char *)data, size, NULL));
}

void rig_tell(RigFixture *fixture, const char *line)
{
    g_autoptr(GError) error = NULL;

    sim_device_command(fixture->device, line, &error);
    g_assert_no_error(error);
}

static gpointer tell_later(gpointer data)
{
    Later *later = data;

    g_usleep(later->delay_ms * 1000);
    rig_tell(later->fixture, later->line);
    g_free(later->line);
    g_free(later);
    return NULL;
}

void rig_tell_later(RigFixture *fixture, guint delay_ms, const char *line)
{
    Later *later = g_new(Later, 1);

    *later = (Later){fixture, delay_ms, g_strdup(line)};
    g_ptr_array_add(later_threads, g_thread_new("later", tell_later, later));
}

void rig_options(HearthShadowOptions *options)
{
    hearth_shadow_options_init(options);
    options->open_timeout_ms = 4000;
    options->idle_timeout_ms = 2000;
    options->retry_first_ms = 50;
    options->retry_last_ms = 200;
    options->wait_until_free = FALSE;
}

static char *port_of(RigFixture *fixture, SimDevice *device)
{
    char *port = NULL;

    if (fixture->server != NULL)
        return g_strconcat("ptpip:", sim_ptpip_host(fixture->server), NULL);
    port = sim_usb_bus_port_of(fixture->bus, device);
    return port ? port : g_strdup("usb:001,099");
}

HearthShadow *rig_shadow_for(RigFixture *fixture, SimDevice *device,
                             const HearthShadowOptions *options)
{
    g_autofree char *port = port_of(fixture, device);
    gboolean mtp = sim_device_identity(device)->persona == SIM_PERSONA_MTP;
    HearthDevice described = {.id = (char *)"rig",
                              .driver = (char *)(mtp ? "mtp" : "gphoto2"),
                              .port = port,
                              .vendor = (char *)"Hearth",
                              .model = (char *)"Simulated",
                              .serial = (char *)""};
    HearthShadowOptions usual;

    rig_options(&usual);
    return hearth_shadow_new(&described, options ? options : &usual);
}

void rig_new_shadow(RigFixture *fixture, const HearthShadowOptions *options)
{
    g_clear_pointer(&fixture->shadow, hearth_shadow_unref);
    fixture->shadow = rig_shadow_for(fixture, fixture->device, options);
}

static gboolean collect(const HearthDeviceObject *object, gpointer user_data)
{
    if (!object->is_folder)
        g_ptr_array_add(user_data, hearth_device_object_copy(object));
    return TRUE;
}

gboolean rig_try_list(RigFixture *fixture, GError **error)
{
    g_ptr_array_set_size(fixture->objects, 0);
    return hearth_shadow_list(fixture->shadow, collect, fixture->objects, NULL, error);
}

void rig_list(RigFixture *fixture)
{
    g_autoptr(GError) error = NULL;

    rig_try_list(fixture, &error);
    g_assert_no_error(error);
}

const HearthDeviceObject *rig_find(RigFixture *fixture, const char *end)
{
    for (guint i = 0; i < fixture->objects->len; i++) {
        const HearthDeviceObject *object = fixture->objects->pdata[i];

        if (g_str_has_suffix(object->path, end))
            return object;
    }
    return NULL;
}

static gboolean append(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    g_byte_array_append(user_data, data, size);
    return TRUE;
}

GByteArray *rig_fetch_object(RigFixture *fixture, const HearthDeviceObject *object, guint64 offset,
                             GError **error)
{
    g_autoptr(GByteArray) got = g_byte_array_new();

    if (!hearth_shadow_fetch(fixture->shadow, object, offset, append, got, NULL, error))
        return NULL;
    return g_steal_pointer(&got);
}

GByteArray *rig_fetch(RigFixture *fixture, const char *end, guint64 offset, GError **error)
{
    const HearthDeviceObject *object = rig_find(fixture, end);

    if (object == NULL)
        g_error("%s was not listed", end);
    return rig_fetch_object(fixture, object, offset, error);
}

void rig_assert_same(RigFixture *fixture, const char *name, guint64 offset)
{
    g_autofree char *path = g_build_filename(fixture->folder, name, NULL);
    g_autofree char *wanted = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) got = rig_fetch(fixture, name, offset, &error);
    gsize size;

    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &wanted, &size, NULL));
    g_assert_cmpmem(got->data, got->len, wanted + offset, size - offset);
}
