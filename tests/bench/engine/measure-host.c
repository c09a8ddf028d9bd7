/* By way of the host of sprockets, as Hearth calls them. */
#include "tests/bench/engine/measure.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "sprockets/host/host.h"
#include "tests/bench/engine/content.h"
#include "tests/bench/engine/series.h"

#define TURNS 500
#define GROUP 4
#define WARM_CALLS 20
#define EDGE 160

/* A file without a name. */
static int file_of(const void *bytes, gsize size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("hearth-bench-XXXXXX", &path, &error);
    if (fd < 0 || write(fd, bytes, size) != (gssize)size)
        g_error("no file to work on");
    (void)g_unlink(path);
    return fd;
}

static void call(HearthSprocketHost *host, const char *hook, int fd, const char *name,
                 HearthSprocketMode mode)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GVariant) params =
        g_str_equal(hook, "preview")
            ? g_variant_ref_sink(g_variant_new_parsed("{'edge': <%u>}", (guint)EDGE))
            : NULL;
    const HearthSprocketRequest request = {
        .hook = hook, .fd = fd, .name = name, .params = params, .mode = &mode, .in_a_row = TRUE};
    if (!hearth_sprocket_host_run(host, &request, &values, &bytes, NULL, NULL, &error))
        g_error("%s: %s", hook, error->message);
}

static void add_group(Series *series, HearthSprocketHost *host, int fd, HearthSprocketMode mode)
{
    call(host, "metadata", fd, "a.empty", mode);
    for (guint i = 0; i < GROUP; i++) {
        gint64 start = series_now();
        call(host, "metadata", fd, "a.empty", mode);
        series_add(series, (double)(series_now() - start));
    }
}

void measure_host(void)
{
    g_autoptr(GError) error = NULL;
    const HearthSprocketOptions options = {.folder = HEARTH_BENCH_SPROCKETS};
    g_autoptr(HearthSprocketHost) host = hearth_sprocket_host_new(&options, &error);
    g_autoptr(Series) direct = series_new("direct", "ns");
    g_autoptr(Series) rollback = series_new("rollback", "ns");
    g_autoptr(Series) forked = series_new("fork", "ns");
    int fd = file_of("empty", 5);
    if (!host)
        g_error("%s", error->message);
    for (guint i = 0; i < work_scaled(TURNS, 5); i++) {
        add_group(rollback, host, fd, HEARTH_SPROCKET_MODE_ROLLBACK);
        hearth_engine_rest();
        add_group(direct, host, fd, HEARTH_SPROCKET_MODE_DIRECT);
        if (i % 5 == 0)
            add_group(forked, host, fd, HEARTH_SPROCKET_MODE_FORK);
    }
    (void)close(fd);
    series_print(direct);
    series_print(rollback);
    series_print(forked);
}

static void print_code(const char *name)
{
    gsize code = 0, blocks = 0;
    g_autofree char *count = g_strconcat(name, "-blocks", NULL);
    hearth_engine_usage(&code, &blocks);
    series_print_value(name, "B", (double)code);
    series_print_value(count, "", (double)blocks);
}

void measure_code(void)
{
    static const char *const WORKS[] = {"exif", "taglib", "picture", "sound"};
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthSprocketHost) host = hearth_sprocket_host_new(NULL, &error);
    g_autoptr(GBytes) jpeg = content_exif_jpeg();
    gsize size;
    const void *bytes = g_bytes_get_data(jpeg, &size);
    int fd = file_of(bytes, size);
    if (!host)
        g_error("%s", error->message);
    for (guint i = 0; i < WARM_CALLS; i++) {
        call(host, "metadata", fd, "a.jpg", HEARTH_SPROCKET_MODE_ROLLBACK);
        call(host, "preview", fd, "a.jpg", HEARTH_SPROCKET_MODE_ROLLBACK);
    }
    (void)close(fd);
    print_code("sprockets");
    for (gsize i = 0; i < G_N_ELEMENTS(WORKS); i++)
        work_verify(work_new(WORKS[i]));
    print_code("works");
}
