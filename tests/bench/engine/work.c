#include "tests/bench/engine/work.h"

#include <dlfcn.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/engine/content.h"

#define PICTURE_WIDTH 4000 /* by 3000: 12 megapixels */
#define SOUND_SECONDS 30

double work_scale(void)
{
    const char *text = g_getenv("HEARTH_BENCH_SCALE");
    double scale = text ? g_ascii_strtod(text, NULL) : 1;
    return scale > 0 && scale <= 1 ? scale : 1;
}

guint work_scaled(guint count, guint least)
{
    return MAX(least, (guint)(count * work_scale()));
}

static WorkFunction find(const char *object, const char *function)
{
    g_autofree char *path = g_strdup_printf("%s/%s.so", HEARTH_BENCH_GUESTS, object);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *address = handle ? dlsym(handle, function) : NULL;
    if (!address)
        g_error("%s", dlerror());
    return (WorkFunction)address;
}

static void give_bytes(Work *work, GBytes *bytes)
{
    gsize size;
    work->first = (guint64)g_bytes_get_data(bytes, &size);
    work->second = size;
}

/* --- What is measured -------------------------------------------------------------------------- */

static char *folder; /* with the file that a work is given by path */
static char *file;

static void remove_file(void)
{
    (void)g_unlink(file);
    (void)g_rmdir(folder);
}

/* Children that were forked to run a call leave by _exit, so this is done once. */
static void give_file(Work *work, GBytes *bytes)
{
    static const char *folders[2];
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    folder = g_dir_make_tmp("hearth-bench-XXXXXX", NULL);
    file = g_build_filename(folder, "a.mp3", NULL);
    if (!g_file_set_contents(file, data, (gssize)size, NULL))
        g_error("cannot write %s", file);
    (void)atexit(remove_file);
    folders[0] = folder;
    work->first = (guint64)file;
    work->policy.folders = folders;
    g_bytes_unref(bytes);
}

static void prepare_exif(Work *work)
{
    work->function = find("exif", "list_exif");
    give_bytes(work, content_exif_jpeg());
}

static void prepare_taglib(Work *work)
{
    work->function = find("taglib", "read_tags");
    give_file(work, content_mp3());
}

static void prepare_picture(Work *work)
{
    work->function = find("compute", "decode_large");
    give_bytes(work, content_picture(work_scaled(PICTURE_WIDTH / 8, 20) * 8));
}

static void prepare_sound(Work *work)
{
    work->function = find("compute", "convert_sound");
    give_bytes(work, content_flac(work_scaled(SOUND_SECONDS, 1)));
}

/* The encoder fills tables that are its library's own variables: here they are the call's own, as those of an object
 * that holds all it needs would be. */
static void prepare_sound_own(Work *work)
{
    prepare_sound(work);
    void *encoder = dlopen("libmp3lame.so.0", RTLD_NOW | RTLD_NOLOAD);
    void *address = encoder ? dlsym(encoder, "lame_init") : NULL;
    work->instance = address ? hearth_engine_instance_new(address) : NULL;
    if (!work->instance)
        g_error("no data of the encoder's own");
}

static void prepare_empty(Work *work)
{
    work->function = find("empty", "do_nothing");
}

static const struct {
    const char *name;
    void (*prepare)(Work *work);
    guint turns;
    guint group;
} WORKS[] = {
    {"exif", prepare_exif, 500, 4},         {"taglib", prepare_taglib, 500, 4},
    {"picture", prepare_picture, 9, 1},     {"sound", prepare_sound, 5, 1},
    {"sound-own", prepare_sound_own, 5, 1}, {"empty", prepare_empty, 200, 4},
};

Work *work_new(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(WORKS); i++) {
        if (!g_str_equal(WORKS[i].name, name))
            continue;
        Work *work = g_new0(Work, 1);
        work->name = WORKS[i].name;
        work->turns = work_scaled(WORKS[i].turns, 3);
        work->group = WORKS[i].group;
        work->limits = (HearthEngineLimits){.cpu_ms = 60000, .wall_ms = 120000};
        WORKS[i].prepare(work);
        return work;
    }
    g_error("no such work: %s", name);
}

/* --- Running it -------------------------------------------------------------------------------- */

void *work_area_new(void)
{
    return g_malloc0(HEARTH_ENGINE_AREA_SIZE);
}

guint64 work_run_native(const Work *work, void *area)
{
    return work->function(area, work->first, work->second, 0);
}

/* Runs it; ends the program if it does not return. The area, which is as the call left it. */
static const void *run(const Work *work, HearthEngineResult *ret_result)
{
    void *area = hearth_engine_area();
    const HearthEngineCall call = {.entry = (guint64)work->function,
                                   .arguments = {(guint64)area, work->first, work->second, 0},
                                   .limits = &work->limits,
                                   .policy = &work->policy,
                                   .instance = work->instance};
    if (!area)
        g_error("no memory for a call");
    hearth_engine_run(&call, ret_result);
    if (ret_result->outcome != HEARTH_ENGINE_RETURNED)
        g_error("%s: %s, rule \"%s\", at %s", work->name,
                hearth_engine_outcome_word(ret_result->outcome), ret_result->rule,
                ret_result->symbol);
    return area;
}

guint64 work_run_engine(const Work *work, HearthEngineStats *ret_stats)
{
    static _Thread_local HearthEngineResult result;
    (void)run(work, &result);
    if (ret_stats)
        *ret_stats = result.stats;
    return result.value;
}

void work_verify(const Work *work)
{
    HearthEngineResult result;
    g_autofree void *native = work_area_new();
    guint64 value = work_run_native(work, native);
    const void *area = run(work, &result);
    if (result.value != value || memcmp(area, native, HEARTH_ENGINE_AREA_SIZE) != 0)
        g_error("%s: another result than natively: %#lx, natively %#lx", work->name, result.value,
                value);
}
