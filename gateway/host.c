#include "gateway/base/error.h"
#include "gateway/daemon-private.h"
#include "gateway/importer.h"

#include <string.h>

/* What the web server asks of the daemon: web/server.h says what each answers. */

/* Bytes: with less an import of a card would soon fail. */
#define LOW_SPACE (G_GUINT64_CONSTANT(64) << 20)

static void add_low_space(HearthDaemon *daemon, GVariantBuilder *problems)
{
    guint64 room, total;
    if (!hearth_contents_space(hearth_store_contents(daemon->store), &room, &total, NULL) ||
        room >= LOW_SPACE)
        return;
    g_autofree char *size = g_format_size(room);
    g_autofree char *state = g_utf8_make_valid(daemon->state, -1);
    g_autofree char *text = g_strdup_printf(
        "the disk of %s is nearly full (%s free): nothing can be imported until there is room",
        state, size);
    g_variant_builder_add(problems, "s", text);
}

/* What went wrong last time, until it has gone well: each device's, and each kind of upkeep's. */
static void add_failed_jobs(HearthDaemon *daemon, GVariantBuilder *problems)
{
    g_autoptr(GPtrArray) jobs = hearth_jobs_list(daemon->jobs);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < jobs->len; i++) {
        HearthJob *job = jobs->pdata[i];
        const char *device = hearth_job_device(job), *reason = NULL;
        char *what = g_strconcat(hearth_job_kind(job), device ? " of " : "", device, NULL);
        g_autoptr(GVariant) value = g_variant_ref_sink(hearth_job_to_variant(job));
        if (!g_hash_table_add(seen, what) || hearth_job_state(job) != HEARTH_JOB_FAILED ||
            !g_variant_lookup(value, "error", "&s", &reason))
            continue;
        g_autofree char *text = g_strdup_printf("the last %s failed: %s", what, reason);
        g_variant_builder_add(problems, "s", text);
    }
}

static GVariant *list_problems(HearthDaemon *daemon)
{
    GVariantBuilder problems;
    g_variant_builder_init(&problems, G_VARIANT_TYPE("as"));
    g_mutex_lock(&daemon->mutex);
    for (guint i = 0; i < daemon->problems->len; i++)
        g_variant_builder_add(&problems, "s", g_ptr_array_index(daemon->problems, i));
    g_mutex_unlock(&daemon->mutex);
    add_low_space(daemon, &problems);
    add_failed_jobs(daemon, &problems);
    return g_variant_builder_end(&problems);
}

static GVariant *host_status(gpointer data, GError **error)
{
    HearthDaemon *daemon = data;
    g_autoptr(HearthConfig) config = hearth_daemon_config(daemon);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    gint64 uptime = (g_get_monotonic_time() - daemon->started_us) / G_USEC_PER_SEC;
    g_variant_dict_insert(&dict, "version", "s", HEARTH_VERSION);
    g_variant_dict_insert(&dict, "name", "s", hearth_config_name(config));
    g_variant_dict_insert_value(&dict, "state", g_variant_new_bytestring(daemon->state));
    if (daemon->mount_path)
        g_variant_dict_insert_value(&dict, "mount", g_variant_new_bytestring(daemon->mount_path));
    g_variant_dict_insert(&dict, "uptime_s", "t", (guint64)uptime);
    g_variant_dict_insert_value(&dict, "problems", list_problems(daemon));
    return g_variant_dict_end(&dict);
}

/* --- Devices ----------------------------------------------------------------------------------- */

static GVariant *host_devices(gpointer data, GError **error)
{
    HearthDaemon *daemon = data;
    return hearth_device_table_list(daemon->devices);
}

static GVariant *host_attach(gpointer data, const char *port, GError **error)
{
    HearthDaemon *daemon = data;
    g_autoptr(HearthDevice) device = hearth_daemon_attach(daemon, port, error);
    return device ? hearth_device_table_describe(daemon->devices, device->id, error) : NULL;
}

static gboolean host_detach(gpointer data, const char *id, GError **error)
{
    HearthDaemon *daemon = data;
    return hearth_device_table_detach(daemon->devices, id, error);
}

static GVariant *host_import(gpointer data, const char *device, const char *const *paths,
                             GError **error)
{
    HearthDaemon *daemon = data;
    gboolean by_hand;
    g_autoptr(HearthShadow) shadow =
        hearth_device_table_shadow(daemon->devices, device, &by_hand, error);
    if (!shadow)
        return NULL;
    g_autoptr(HearthDevice) known = hearth_shadow_dup_device(shadow);
    HearthJobSpec spec = {
        .kind = "import", .device = device, .port = by_hand ? known->port : NULL, .paths = paths};
    g_autoptr(HearthJob) job = hearth_jobs_start(daemon->jobs, &spec, error);
    return job ? hearth_job_to_variant(job) : NULL;
}

static GVariant *host_plan(gpointer data, const char *device, const char *const *paths,
                           GError **error)
{
    HearthDaemon *daemon = data;
    gboolean by_hand;
    g_autoptr(HearthShadow) shadow =
        hearth_device_table_shadow(daemon->devices, device, &by_hand, error);
    if (!shadow)
        return NULL;
    g_autoptr(HearthConfig) config = hearth_daemon_config(daemon);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    HearthImport request = {
        .store = daemon->store,
        .shadow = shadow,
        .sprockets = daemon->sprockets,
        .config = config,
        .device = device,
        .everything = by_hand,
        .paths = paths,
        .spool = daemon->spool,
        .origin = HEARTH_ORIGIN_IMPORT,
    };
    return hearth_import_plan(&request, cancellable, error);
}

/* --- Jobs -------------------------------------------------------------------------------------- */

static GVariant *host_jobs(gpointer data, GError **error)
{
    HearthDaemon *daemon = data;
    g_autoptr(GPtrArray) list = hearth_jobs_list(daemon->jobs);
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < list->len; i++)
        g_variant_builder_add_value(&builder, hearth_job_to_variant(g_ptr_array_index(list, i)));
    return g_variant_builder_end(&builder);
}

static GVariant *host_job(gpointer data, const char *id, GError **error)
{
    HearthDaemon *daemon = data;
    g_autoptr(HearthJob) job = hearth_jobs_find(daemon->jobs, id, error);
    return job ? hearth_job_to_variant(job) : NULL;
}

static gboolean host_cancel(gpointer data, const char *id, GError **error)
{
    HearthDaemon *daemon = data;
    return hearth_jobs_cancel(daemon->jobs, id, error);
}

static GVariant *host_upkeep(gpointer data, const char *kind, GError **error)
{
    HearthDaemon *daemon = data;
    static const char *const kinds[] = {"scrub", "fsck", "gc", NULL};
    if (!g_strv_contains(kinds, kind)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no such upkeep: %s", kind);
        return NULL;
    }
    HearthJobSpec spec = {.kind = kind};
    g_autoptr(HearthJob) job = hearth_jobs_start(daemon->jobs, &spec, error);
    return job ? hearth_job_to_variant(job) : NULL;
}

/* --- Sprockets --------------------------------------------------------------------------------- */

static void insert_if(GVariantDict *dict, const char *key, const char *text)
{
    if (text)
        g_variant_dict_insert(dict, key, "s", text);
}

/* The words of the key `trust`, by what is in force. */
static const char *trust_word(HearthSprocketMode mode)
{
    switch (mode) {
    case HEARTH_SPROCKET_MODE_FORK:
        return "fork";
    case HEARTH_SPROCKET_MODE_PROCESS:
        return "process";
    default:
        return "inside";
    }
}

static GVariant *describe_sprocket(const HearthSprocketStatus *status)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    static const char *const none[] = {NULL};
    insert_if(&dict, "id", status->id);
    insert_if(&dict, "version", status->version);
    insert_if(&dict, "description", status->description);
    insert_if(&dict, "error", status->last_error);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(status->path));
    g_variant_dict_insert(&dict, "hooks", "^as", status->hooks ? status->hooks : (char **)none);
    g_variant_dict_insert(&dict, "types", "^as",
                          status->media_types ? status->media_types : (char **)none);
    g_variant_dict_insert(&dict, "enabled", "b", status->id && !status->quarantined);
    g_variant_dict_insert(&dict, "quarantined", "b", status->quarantined);
    g_variant_dict_insert(&dict, "trust", "s", trust_word(status->mode));
    g_variant_dict_insert(&dict, "calls", "t", status->calls);
    return g_variant_dict_end(&dict);
}

static GVariant *host_sprockets(gpointer data, GError **error)
{
    HearthDaemon *daemon = data;
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    if (daemon->sprockets) {
        g_autoptr(GPtrArray) list = hearth_sprocket_host_list(daemon->sprockets);
        for (guint i = 0; i < list->len; i++)
            g_variant_builder_add_value(&builder, describe_sprocket(g_ptr_array_index(list, i)));
    }
    return g_variant_builder_end(&builder);
}

/* A reader's descriptor is good for the ranges that were checked; a preview may read all of it. */
static GBytes *draw(HearthDaemon *daemon, const HearthObject *object, guint edge, char **ret_type,
                    GError **error)
{
    g_autoptr(HearthContentReader) reader =
        hearth_contents_read(hearth_store_contents(daemon->store), &object->content, error);
    if (!reader || !hearth_content_reader_check(reader, 0, (gsize)object->size, error))
        return NULL;
    g_autofree char *path = hearth_store_path(daemon->store, object->ino, NULL);
    const char *slash = path ? strrchr(path, '/') : NULL;
    g_auto(HearthSprocketPreview) preview = {0};
    if (!hearth_sprocket_host_preview(daemon->sprockets, hearth_content_reader_fd(reader),
                                      slash ? slash + 1 : NULL, NULL, edge, &preview, NULL, error))
        return NULL;
    *ret_type = g_steal_pointer(&preview.media_type);
    return g_steal_pointer(&preview.data);
}

static GBytes *host_preview(gpointer data, const HearthObject *object, guint edge, char **ret_type,
                            GError **error)
{
    HearthDaemon *daemon = data;
    if (daemon->sprockets && object->size > 0)
        return draw(daemon, object, edge, ret_type, error);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "nothing here can draw it");
    return NULL;
}

/* --- Metrics ----------------------------------------------------------------------------------- */

static void add_metric(GVariantBuilder *builder, const char *name, const char *kind,
                       const char *help, double value)
{
    g_variant_builder_add(builder, "(sssd)", name, kind, help, value);
}

static void add_job_metrics(GVariantBuilder *builder, HearthJobs *jobs)
{
    g_autoptr(GPtrArray) list = hearth_jobs_list(jobs);
    guint running = 0, waiting = 0, failed = 0;
    for (guint i = 0; i < list->len; i++) {
        HearthJobState state = hearth_job_state(g_ptr_array_index(list, i));
        running += state == HEARTH_JOB_RUNNING;
        waiting += state == HEARTH_JOB_WAITING;
        failed += state == HEARTH_JOB_FAILED;
    }
    add_metric(builder, "jobs_running", "gauge", "Jobs at work", running);
    add_metric(builder, "jobs_waiting", "gauge", "Jobs that wait", waiting);
    add_metric(builder, "jobs_failed", "gauge", "Jobs that failed, of those remembered", failed);
}

static GVariant *host_metrics(gpointer data, GError **error)
{
    HearthDaemon *daemon = data;
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sssd)"));
    double uptime = (double)(g_get_monotonic_time() - daemon->started_us) / G_USEC_PER_SEC;
    add_metric(&builder, "uptime_seconds", "gauge", "Since the daemon started", uptime);
    add_metric(&builder, "devices", "gauge", "Devices that are here",
               hearth_device_table_count(daemon->devices));
    add_job_metrics(&builder, daemon->jobs);
    return g_variant_builder_end(&builder);
}

const HearthWebHost HEARTH_DAEMON_HOST = {
    .status = host_status,
    .devices = host_devices,
    .attach = host_attach,
    .detach = host_detach,
    .import = host_import,
    .plan = host_plan,
    .jobs = host_jobs,
    .job = host_job,
    .cancel = host_cancel,
    .upkeep = host_upkeep,
    .sprockets = host_sprockets,
    .preview = host_preview,
    .metrics = host_metrics,
};
