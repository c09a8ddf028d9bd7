#include "gateway/daemon-private.h"

#include "gateway/base/error.h"
#include "gateway/importer.h"

/* What the jobs do: imports, and the upkeep of the store. */

/* --- Imports ----------------------------------------------------------------------------------- */

/* The device of a job; one that a person named once is found again by its port. */
static HearthShadow *find_shadow(HearthDaemon *daemon, HearthJob *job, gboolean *ret_by_hand,
                                 GError **error)
{
    const char *id = hearth_job_device(job), *port = hearth_job_port(job);
    HearthShadow *shadow = hearth_device_table_shadow(daemon->devices, id, ret_by_hand, NULL);
    if (shadow)
        return shadow;
    g_autoptr(HearthDevice) device = port ? hearth_device_from_port(port, NULL) : NULL;
    if (device && g_str_equal(device->id, id))
        hearth_device_table_arrive(daemon->devices, device, TRUE);
    return hearth_device_table_shadow(daemon->devices, id, ret_by_hand, error);
}

static gboolean import(HearthDaemon *daemon, HearthJob *job, GCancellable *cancellable,
                       GError **error)
{
    gboolean by_hand = FALSE;
    g_autoptr(HearthShadow) shadow = find_shadow(daemon, job, &by_hand, error);
    if (!shadow)
        return FALSE;
    g_autoptr(HearthConfig) config = hearth_daemon_config(daemon);
    HearthImport request = {
        .store = daemon->store,
        .shadow = shadow,
        .sprockets = daemon->sprockets,
        .config = config,
        .device = hearth_job_device(job),
        .everything = by_hand,
        .paths = hearth_job_paths(job),
        .spool = daemon->spool,
        .origin = HEARTH_ORIGIN_IMPORT,
        .job = job,
    };
    g_autoptr(GError) reason = NULL;
    gboolean done = hearth_import_run(&request, cancellable, &reason);
    hearth_device_table_note_end(daemon->devices, job, reason);
    if (done)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

/* --- Upkeep ------------------------------------------------------------------------------------ */

typedef struct {
    HearthJob *job;
    GCancellable *cancellable;
} Upkeep;

static gboolean progress(guint64 done, guint64 total, gpointer data)
{
    const Upkeep *upkeep = data;
    hearth_job_set_bytes(upkeep->job, done, total);
    return !g_cancellable_is_cancelled(upkeep->cancellable);
}

static void finding(const char *sentence, gpointer data)
{
    const Upkeep *upkeep = data;
    hearth_job_add_finding(upkeep->job, sentence);
    g_warning("%s found: %s", hearth_job_kind(upkeep->job), sentence);
}

static gboolean collect_garbage(HearthDaemon *daemon, Upkeep *upkeep, GError **error)
{
    guint64 freed = 0;
    if (!hearth_store_gc(daemon->store, progress, upkeep, &freed, error))
        return FALSE;
    hearth_job_set_freed(upkeep->job, freed);
    return TRUE;
}

gboolean hearth_daemon_work(HearthJob *job, GCancellable *cancellable, gpointer data,
                            GError **error)
{
    HearthDaemon *daemon = data;
    Upkeep upkeep = {.job = job, .cancellable = cancellable};
    const char *kind = hearth_job_kind(job);
    if (g_str_equal(kind, "import"))
        return import(daemon, job, cancellable, error);
    if (g_str_equal(kind, "scrub"))
        return hearth_store_scrub(daemon->store, progress, finding, &upkeep, error);
    if (g_str_equal(kind, "fsck"))
        return hearth_store_fsck(daemon->store, progress, finding, &upkeep, error);
    if (g_str_equal(kind, "gc"))
        return collect_garbage(daemon, &upkeep, error);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "there is no job of the kind %s", kind);
    return FALSE;
}
