#include "sprockets/host/host-private.h"

#include <errno.h>
#include <fcntl.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"

static int compare_ns(gconstpointer a, gconstpointer b)
{
    guint64 left = *(const guint64 *)a, right = *(const guint64 *)b;
    return left < right ? -1 : left > right;
}

/* The id of the one sprocket of `host`, which was made for the path alone; NULL: why not. */
static char *sole_id(HearthSprocketHost *host, GError **error)
{
    g_autoptr(GPtrArray) list = hearth_sprocket_host_list(host);
    const HearthSprocketStatus *status = g_ptr_array_index(list, 0);
    if (!status->id)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s", status->last_error);
    return g_strdup(status->id);
}

typedef struct {
    HearthSprocketHost *host;
    HearthSprocketRequest request;
    guint repeat;
    GVariant *values;
    GBytes *bytes;
    HearthSprocketRunStats *stats;
    GError *error;
} Run;

static void run_clear(Run *run)
{
    g_clear_pointer(&run->values, g_variant_unref);
    g_clear_pointer(&run->bytes, g_bytes_unref);
    g_clear_error(&run->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* A GThreadFunc. */
static gpointer repeat_call(gpointer data)
{
    Run *run = data;
    HearthSprocketReport *report = &run->stats->report;
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(guint64));
    for (guint i = 0; i < MAX(run->repeat, 1); i++) {
        g_clear_pointer(&run->values, g_variant_unref);
        g_clear_pointer(&run->bytes, g_bytes_unref);
        hearth_sprocket_report_clear(report);
        *report = (HearthSprocketReport){0};
        gboolean done = hearth_sprocket_host_run(run->host, &run->request, &run->values,
                                                 &run->bytes, report, NULL, &run->error);
        if (i == 0) {
            run->stats->cold_ns = report->wall_ns;
            run->stats->cold = report->engine;
        }
        if (!done)
            return NULL;
        if (i > 0 || run->repeat <= 1)
            g_array_append_val(times, report->wall_ns);
    }
    g_array_sort(times, compare_ns);
    run->stats->median_ns = g_array_index(times, guint64, times->len / 2);
    return NULL;
}

/* In a thread of its own, which the engine bars from signals: Ctrl-C still reaches this one. */
static gboolean repeat_aside(Run *run, GVariant **ret_values, GBytes **ret_bytes, GError **error)
{
    g_thread_join(g_thread_new("sprocket-run", repeat_call, run));
    if (run->error) {
        g_propagate_error(error, g_steal_pointer(&run->error));
        return FALSE;
    }
    if (ret_values)
        *ret_values = g_steal_pointer(&run->values);
    if (ret_bytes)
        *ret_bytes = g_steal_pointer(&run->bytes);
    return TRUE;
}

gboolean hearth_sprocket_run_file(HearthSprocketHost *host, const char *sprocket, const char *hook,
                                  const char *file, GVariant *params, HearthSprocketMode mode,
                                  guint repeat, HearthSprocketTrace trace, GVariant **ret_values,
                                  GBytes **ret_bytes, HearthSprocketRunStats *ret_stats,
                                  GError **error)
{
    g_autoptr(HearthSprocketHost) own = NULL;
    g_autofree char *id = NULL, *name = g_path_get_basename(file);
    g_autoptr(GVariant) given = params ? g_variant_ref_sink(params) : NULL;
    *ret_stats = (HearthSprocketRunStats){0};
    hearth_autofd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return hearth_set_errno(error, errno, "%s", file);
    if (g_str_has_suffix(sprocket, ".so")) {
        const HearthSprocketOptions options = {.mode = mode};
        g_autofree char *path = g_canonicalize_filename(sprocket, NULL);
        const char *const paths[] = {path, NULL};
        own = hearth_sprocket_host_new_for_paths(&options, paths, error);
        id = own ? sole_id(own, error) : NULL;
    } else if (host) {
        id = g_strdup(sprocket);
    } else {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no sprocket %s",
                    sprocket);
    }
    if (!id)
        return FALSE;
    g_auto(Run) run = {
        .host = own ? own : host,
        .request = {.hook = hook,
                    .sprocket = id,
                    .fd = fd,
                    .name = name,
                    .params = given,
                    .mode = &mode,
                    .in_a_row = TRUE,
                    .trace = trace},
        .repeat = repeat,
        .stats = ret_stats,
    };
    return repeat_aside(&run, ret_values, ret_bytes, error);
}
