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

static gboolean repeat_call(HearthSprocketHost *host, const HearthSprocketRequest *request,
                            guint repeat, gint64 start, GVariant **ret_values, GBytes **ret_bytes,
                            HearthSprocketRunStats *stats, GError **error)
{
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(guint64));
    for (guint i = 0; i < MAX(repeat, 1); i++) {
        g_clear_pointer(ret_values, g_variant_unref);
        g_clear_pointer(ret_bytes, g_bytes_unref);
        hearth_sprocket_report_clear(&stats->report);
        gboolean done = hearth_sprocket_host_run(host, request, ret_values, ret_bytes,
                                                 &stats->report, NULL, error);
        if (i == 0)
            stats->cold_ns = (guint64)(g_get_monotonic_time() - start) * 1000;
        if (!done)
            return FALSE;
        if (i > 0 || repeat <= 1)
            g_array_append_val(times, stats->report.wall_ns);
    }
    g_array_sort(times, compare_ns);
    stats->median_ns = g_array_index(times, guint64, times->len / 2);
    return TRUE;
}

gboolean hearth_sprocket_run_file(HearthSprocketHost *host, const char *sprocket, const char *hook,
                                  const char *file, GVariant *params, HearthSprocketMode mode,
                                  guint repeat, GVariant **ret_values, GBytes **ret_bytes,
                                  HearthSprocketRunStats *ret_stats, GError **error)
{
    gint64 start = g_get_monotonic_time();
    g_autoptr(HearthSprocketHost) own = NULL;
    g_autofree char *id = NULL, *name = g_path_get_basename(file);
    g_autoptr(GVariant) given = params ? g_variant_ref_sink(params) : NULL, values = NULL;
    g_autoptr(GBytes) bytes = NULL;
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
    const HearthSprocketRequest request = {
        .hook = hook, .sprocket = id, .fd = fd, .name = name, .params = given, .mode = &mode};
    if (!repeat_call(own ? own : host, &request, repeat, start, &values, &bytes, ret_stats, error))
        return FALSE;
    if (ret_values)
        *ret_values = g_steal_pointer(&values);
    if (ret_bytes)
        *ret_bytes = g_steal_pointer(&bytes);
    return TRUE;
}
