/* The sprockets that Hearth ships: after a call of theirs no byte of the process differs. */
#include "sprockets/host/rolled-private.h"

#include <dlfcn.h>
#include <glib.h>
#include <string.h>

#include "tests/unit/sprockets/engine/memory-oracle.h"
#include "tests/unit/sprockets/pictures.h"

#define PARAMS_MAX 4096 /* bytes */
#define CALLS 5         /* of each: the first translates, the last finds everything made */

typedef struct {
    guint8 bytes[1 << 20];
    gsize used;
} Emitted;

static Emitted emitted;

static bool append(void *data, const void *bytes, size_t length)
{
    Emitted *to = data;
    if (length > sizeof to->bytes - to->used)
        return false;
    memcpy(to->bytes + to->used, bytes, length);
    to->used += length;
    return true;
}

static void restart(void *data)
{
    ((Emitted *)data)->used = 0;
}

static SprocketRun hook_of(const char *name)
{
    g_autofree char *path =
        g_build_filename(g_getenv("HEARTH_BIN"), "..", "lib/hearth/sprockets/photo.so", NULL);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    g_assert_nonnull(object);
    SprocketRun hook = hearth_call_find_hook(dlsym(object, "sprocket_descriptor"), name);
    g_assert_nonnull(hook);
    return hook;
}

static gsize params_of(guint8 *params)
{
    HearthRecordWriter writer;
    hearth_record_begin(&writer, params, PARAMS_MAX);
    hearth_record_put_string(&writer, HEARTH_CALL_PARAM_NAME, "picture.jpg");
    hearth_record_put_string(&writer, HEARTH_CALL_PARAM_TYPE, "image/jpeg");
    hearth_record_put_uint(&writer, "edge", 160);
    return hearth_record_end(&writer);
}

/* `status`: what the hook is to return, SPROCKET_FAILED meaning anything but SPROCKET_OK. */
static void call_watched(const char *hook, GBytes *picture, SprocketStatus status)
{
    static char difference[512];
    static guint8 params[PARAMS_MAX];
    static HearthWireEnded ended;
    gsize size;
    const void *input = g_bytes_get_data(picture, &size);
    const HearthRolledCall call = {
        .run = hook_of(hook),
        .input = input,
        .input_size = size,
        .params = params,
        .params_size = params_of(params),
        .limits = {.memory = 64 << 20, .emit_size = sizeof emitted.bytes, .log_size = 1024},
        .result_size = 16384,
        .emit = append,
        .restart = restart,
        .data = &emitted,
    };
    memory_oracle_ignore(&emitted, sizeof emitted);
    memory_oracle_ignore(&ended, sizeof ended);
    /* What the host makes at a thread's first call is not the sprocket's doing. */
    g_assert_nonnull(hearth_engine_area());
    for (int i = 0; i < CALLS; i++) {
        memory_oracle_take(__builtin_frame_address(0));
        const guint8 *left = hearth_rolled_call(&call, &ended);
        bool same =
            memory_oracle_compare(__builtin_frame_address(0), difference, sizeof difference);
        g_assert_cmpstr(same ? "" : difference, ==, "");
        g_assert_cmpint(ended.outcome, ==, HEARTH_ENGINE_RETURNED);
        const HearthShared *shared = (const HearthShared *)left;
        g_assert_true((shared->status == SPROCKET_OK) == (status == SPROCKET_OK));
    }
}

static GBytes *picture(void)
{
    g_autoptr(GBytes) exif = exif_of_a_camera(TRUE);
    const Picture made = {.width = 640, .height = 480, .exif = exif};
    return picture_jpeg(&made);
}

static void metadata_leaves_nothing(void)
{
    g_autoptr(GBytes) good = picture();
    call_watched("metadata", good, SPROCKET_OK);
}

static void preview_leaves_nothing(void)
{
    g_autoptr(GBytes) good = picture();
    call_watched("preview", good, SPROCKET_OK);
    g_assert_cmpuint(emitted.used, >, 100);
}

static void damaged_pictures_leave_nothing(void)
{
    g_autoptr(GBytes) whole = picture();
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(whole, 0, 300);
    call_watched("preview", cut, SPROCKET_DAMAGED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/standard/metadata", metadata_leaves_nothing);
    g_test_add_func("/engine/standard/preview", preview_leaves_nothing);
    g_test_add_func("/engine/standard/damaged", damaged_pictures_leave_nothing);
    return g_test_run();
}
