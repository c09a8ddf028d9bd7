/*
 * What a call of a sprocket costs: `metadata` of a JPEG of 20 KB, by way of running.
 * Prints one line for each figure. Build with the release preset; the others measure sanitizers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sprockets/host/host.h"
#include "tests/unit/sprockets/pictures.h"

#define CALLS 2000
#define THREADS 2

typedef struct {
    HearthSprocketHost *host;
    const char *hook;
    int fd;
} Work;

static int compare(const void *a, const void *b)
{
    gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;
    return left < right ? -1 : left > right;
}

static void call(const Work *work, HearthSprocketMode mode)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) values = NULL;
    g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new_parsed("{'edge': <%u>}", 320u));
    const HearthSprocketRequest request = {
        .hook = work->hook, .fd = work->fd, .name = "a.jpg", .params = params, .mode = &mode};
    if (!hearth_sprocket_host_run(work->host, &request, &values, NULL, NULL, NULL, &error))
        g_error("%s", error->message);
}

static void measure(const Work *work, HearthSprocketMode mode, guint calls)
{
    g_autofree gint64 *times = g_new(gint64, calls);
    for (guint i = 0; i < calls; i++) {
        gint64 start = g_get_monotonic_time();
        call(work, mode);
        times[i] = g_get_monotonic_time() - start;
    }
    qsort(times, calls, sizeof *times, compare);
    printf("%-8s %-6s 10%% %6ld us, median %6ld us, 90%% %6ld us\n", work->hook,
           hearth_sprocket_mode_word(mode), (long)times[calls / 10], (long)times[calls / 2],
           (long)times[calls * 9 / 10]);
}

static gpointer run_thread(gpointer data)
{
    for (guint i = 0; i < CALLS; i++)
        call(data, HEARTH_SPROCKET_MODE_FORK);
    return NULL;
}

static void measure_threads(Work *work)
{
    GThread *threads[THREADS];
    gint64 start = g_get_monotonic_time();
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("bench", run_thread, work);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    printf("%-8s fork   %d threads: %.0f calls/s\n", work->hook, THREADS,
           THREADS * CALLS / seconds);
}

int main(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthSprocketHost) host = hearth_sprocket_host_new(NULL, &error);
    g_autoptr(GBytes) exif = exif_of_a_camera(TRUE);
    g_autoptr(GBytes) jpeg = picture_jpeg(
        &(Picture){.width = 160, .height = 120, .noise = TRUE, .quality = 85, .exif = exif});
    g_autofree char *folder = g_dir_make_tmp("hearth-bench-XXXXXX", NULL);
    g_autofree char *path = picture_save(jpeg, folder, "a.jpg");
    if (!host)
        g_error("%s", error->message);
    printf("a JPEG of %zu bytes\n", (size_t)g_bytes_get_size(jpeg));
    Work work = {host, "metadata", open(path, O_RDONLY | O_CLOEXEC)};
    measure(&work, HEARTH_SPROCKET_MODE_FORK, CALLS);
    measure(&work, HEARTH_SPROCKET_MODE_DIRECT, CALLS);
    measure_threads(&work);
    work.hook = "preview";
    measure(&work, HEARTH_SPROCKET_MODE_FORK, CALLS / 4);
    measure(&work, HEARTH_SPROCKET_MODE_DIRECT, CALLS / 4);
    close(work.fd);
    unlink(path);
    rmdir(folder);
    return 0;
}
