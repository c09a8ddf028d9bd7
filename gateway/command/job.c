#include "gateway/command/job.h"

#include "gateway/base/error.h"
#include "gateway/command/client.h"
#include "gateway/command/output.h"
#include "gateway/command/progress.h"
#include "web/uri.h"

#include <string.h>

/* Time between two looks at a job: a share of what it took so far, so that its end is never noticed
 * much later than it came. */
#define LOOK_SHARE 16
#define LOOK_MIN_MS 5
#define LOOK_MAX_MS 250

static gboolean is_over(GVariant *job)
{
    const char *state = hearth_lookup_text(job, "state", "");
    return strcmp(state, "waiting") != 0 && strcmp(state, "running") != 0;
}

static void show(HearthProgress *bar, GVariant *job)
{
    HearthProgressState state = {
        .files_done = hearth_lookup_count(job, "files_done"),
        .files_total = hearth_lookup_count(job, "files_total"),
        .bytes_done = hearth_lookup_count(job, "bytes_done"),
        .bytes_total = hearth_lookup_count(job, "bytes_total"),
        .rate = hearth_lookup_number(job, "rate", 0),
        .remaining = hearth_lookup_number(job, "remaining_s", 0),
    };
    hearth_progress_show(bar, &state);
}

GVariant *hearth_job_wait(HearthClient *client, const char *id, GError **error)
{
    g_autoptr(HearthProgress) bar = NULL;
    g_autofree char *encoded = hearth_uri_encode(id);
    g_autofree char *target = g_strconcat("jobs/", encoded, NULL);
    gint64 begin = g_get_monotonic_time();
    for (;;) {
        g_autoptr(GVariant) job = hearth_client_get(client, target, error);
        if (!job || is_over(job))
            return g_steal_pointer(&job);
        if (!bar)
            bar = hearth_progress_new(hearth_lookup_text(job, "kind", ""));
        show(bar, job);
        gint64 so_far_ms = (g_get_monotonic_time() - begin) / 1000;
        g_usleep((gulong)CLAMP(so_far_ms / LOOK_SHARE, LOOK_MIN_MS, LOOK_MAX_MS) * 1000);
    }
}

gboolean hearth_job_succeeded(GVariant *job, GError **error)
{
    const char *state = hearth_lookup_text(job, "state", "");
    if (strcmp(state, "done") == 0)
        return TRUE;
    g_set_error(
        error, HEARTH_ERROR, HEARTH_ERROR_FAILED, "%s %s: %s",
        hearth_lookup_text(job, "kind", "job"), state,
        hearth_lookup_text(job, "error", hearth_lookup_text(job, "message", "no reason given")));
    return FALSE;
}
