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

static const HearthSprocketMode MODES[] = {HEARTH_SPROCKET_MODE_FORK, HEARTH_SPROCKET_MODE_PROCESS,
                                           HEARTH_SPROCKET_MODE_ROLLBACK,
                                           HEARTH_SPROCKET_MODE_DIRECT};

typedef struct {
    HearthSprocketHost *host;
    const char *hook;
    int fd;
    HearthSprocketMode mode; /* of threads */
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
    printf("%-8s %-8s 10%% %6ld us, median %6ld us, 90%% %6ld us\n", work->hook,
           hearth_sprocket_mode_word(mode), (long)times[calls / 10], (long)times[calls / 2],
           (long)times[calls * 9 / 10]);
}

static gpointer run_thread(gpointer data)
{
    const Work *work = data;
    for (guint i = 0; i < CALLS; i++)
        call(work, work->mode);
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
    printf("%-8s %-8s %d threads: %.0f calls/s\n", work->hook,
           hearth_sprocket_mode_word(work->mode), THREADS, THREADS * CALLS / seconds);
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
    Work work = {.host = host, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    for (gsize i = 0; i < G_N_ELEMENTS(MODES); i++) {
        if (!hearth_sprocket_mode_available(MODES[i], NULL))
            continue;
        work.mode = MODES[i];
        work.hook = "metadata";
        measure(&work, MODES[i], CALLS);
        measure_threads(&work);
        work.hook = "preview";
        measure(&work, MODES[i], CALLS / 4);
    }
    close(work.fd);
    unlink(path);
    rmdir(folder);
    return 0;
}
