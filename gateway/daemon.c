#include "gateway/daemon.h"

#include "gateway/base/error.h"
#include "gateway/daemon-private.h"
#include "sprockets/host/vocabulary.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* A stop promises to be over within 2 s. What still runs after this is left to the next start,
 * which treats it like any crash. */
#define STOP_JOBS_MS 1200
#define UPKEEP_EVERY_S 3600
/* A batch of an import holds a descriptor for each file. */
#define WANTED_FILES 8192

HearthConfig *hearth_daemon_config(HearthDaemon *daemon)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&daemon->mutex);
    return hearth_config_ref(daemon->config);
}

void hearth_daemon_problem(HearthDaemon *daemon, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_warning("%s", sentence);
    g_mutex_lock(&daemon->mutex);
    g_ptr_array_add(daemon->problems, g_utf8_make_valid(sentence, -1));
    g_mutex_unlock(&daemon->mutex);
    g_free(sentence);
}

HearthDevice *hearth_daemon_attach(HearthDaemon *daemon, const char *port, GError **error)
{
    g_autoptr(HearthDevice) device = hearth_device_from_port(port, error);
    if (device)
        hearth_device_table_arrive(daemon->devices, device, TRUE);
    return g_steal_pointer(&device);
}

/* --- Configuration ----------------------------------------------------------------------------- */

static HearthConfig *read_config(const HearthDaemonOptions *options, GError **error)
{
    const char *path = options->config;
    if (!path && g_file_test(HEARTH_CONFIG_PATH, G_FILE_TEST_EXISTS))
        path = HEARTH_CONFIG_PATH;
    g_autoptr(HearthConfig) config = hearth_config_read(path, error);
    if (!config)
        return NULL;
    g_auto(GStrv) notes = hearth_config_notes(config);
    for (char **note = notes; *note; note++)
        g_warning("%s: %s", path, *note);
    return g_steal_pointer(&config);
}

/* A mode that this build or machine cannot have is one that runs in another process. */
static void apply_trust(HearthSprocketHost *sprockets, const HearthConfig *config)
{
    static const HearthSprocketMode MODES[] = {
        [HEARTH_TRUST_INSIDE] = HEARTH_SPROCKET_MODE_DEFAULT,
        [HEARTH_TRUST_PROCESS] = HEARTH_SPROCKET_MODE_PROCESS,
        [HEARTH_TRUST_FORK] = HEARTH_SPROCKET_MODE_FORK,
    };
    g_autoptr(GPtrArray) list = hearth_sprocket_host_list(sprockets);
    for (guint i = 0; i < list->len; i++) {
        const HearthSprocketStatus *status = list->pdata[i];
        if (!status->id)
            continue;
        HearthSprocketMode mode = MODES[hearth_config_trust(config, status->id)];
        if (!hearth_sprocket_host_set_mode(sprockets, status->id, mode, NULL))
            hearth_sprocket_host_set_mode(sprockets, status->id, HEARTH_SPROCKET_MODE_FORK, NULL);
    }
}

static const char *wanted_mount(const HearthDaemon *daemon)
{
    return daemon->options->mount ? daemon->options->mount : hearth_config_mount(daemon->config);
}

static const char *wanted_listen(const HearthDaemon *daemon)
{
    return daemon->options->listen ? daemon->options->listen : hearth_config_listen(daemon->config);
}

static gboolean reload(gpointer data)
{
    HearthDaemon *daemon = data;
    g_autoptr(GError) error = NULL;
    sd_notify(0, "RELOADING=1");
    g_autoptr(HearthConfig) config = read_config(daemon->options, &error);
    if (config) {
        g_autoptr(HearthConfig) old = daemon->config;
        gboolean restart = g_strcmp0(hearth_config_mount(old), hearth_config_mount(config)) != 0 ||
                           g_strcmp0(hearth_config_listen(old), hearth_config_listen(config)) != 0;
        g_mutex_lock(&daemon->mutex);
        daemon->config = hearth_config_ref(config);
        g_mutex_unlock(&daemon->mutex);
        hearth_device_table_set_config(daemon->devices, config);
        if (daemon->sprockets)
            apply_trust(daemon->sprockets, config);
        g_message("configuration read again%s",
                  restart ? "; mount and listen change with the next start" : "");
    } else {
        g_critical("the configuration stays as it was: %s", error->message);
    }
    sd_notify(0, "READY=1");
    return G_SOURCE_CONTINUE;
}

/* --- State ------------------------------------------------------------------------------------- */

static gboolean make_folder(const char *path, mode_t mode, GError **error)
{
    if (g_mkdir_with_parents(path, mode) != 0)
        return hearth_set_errno(error, errno, "cannot make the folder %s", path);
    return TRUE;
}

static gboolean make_state(HearthDaemon *daemon, GError **error)
{
    g_autofree char *keys = g_build_filename(daemon->state, "keys", NULL);
    g_autofree char *sprockets = g_build_filename(daemon->state, "sprockets", NULL);
    return make_folder(daemon->state, 0750, error) && make_folder(keys, 0700, error) &&
           make_folder(sprockets, 0750, error);
}

static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= WANTED_FILES)
        return;
    limit.rlim_cur = MIN(limit.rlim_max, WANTED_FILES);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        g_debug("cannot raise the limit of open files: %s", g_strerror(errno));
}

/* --- Parts ------------------------------------------------------------------------------------- */

static char *translations_path(const HearthDaemon *daemon)
{
    return g_build_filename(daemon->state, "sprockets", "translations", NULL);
}

static void start_sprockets(HearthDaemon *daemon)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = translations_path(daemon);
    daemon->sprockets = hearth_sprocket_host_new(NULL, &error);
    if (!daemon->sprockets) {
        hearth_daemon_problem(daemon, "pictures are filed by their file time: %s", error->message);
        return;
    }
    apply_trust(daemon->sprockets, daemon->config);
    g_debug("%ld translations of sprockets are known",
            hearth_sprocket_host_warm(daemon->sprockets, path));
}

/* What is lost here is made again, a little slower. */
static void keep_translations(HearthDaemon *daemon)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = translations_path(daemon);
    if (daemon->sprockets && !hearth_sprocket_host_keep(daemon->sprockets, path, &error))
        g_message("translations of sprockets are not kept: %s", error->message);
}

static void start_mount(HearthDaemon *daemon)
{
    const char *path = wanted_mount(daemon);
    g_autoptr(GError) error = NULL;
    if (!path)
        return;
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    HearthMountOptions options = {.path = absolute, .allow_other = hearth_mount_may_allow_other()};
    /* A dead mount of a killed daemon answers mkdir with ENOTCONN; the mount itself clears it. */
    g_mkdir_with_parents(absolute, 0755);
    daemon->mount = hearth_mount_start(daemon->store, &options, &error);
    if (!daemon->mount) {
        hearth_daemon_problem(daemon, "the tree is not mounted: %s", error->message);
        return;
    }
    daemon->mount_path = g_steal_pointer(&absolute);
    g_message("the tree is mounted at %s", daemon->mount_path);
}

static gboolean start_server(HearthDaemon *daemon, GError **error)
{
    g_autofree char *path = g_build_filename(daemon->state, "hearthd.sock", NULL);
    HearthWebOptions options = {
        .store = daemon->store,
        .events = daemon->events,
        .host = &HEARTH_DAEMON_HOST,
        .data = daemon,
        .origin = HEARTH_ORIGIN_WEB,
        .socket_path = path,
        .listen = wanted_listen(daemon),
    };
    daemon->server = hearth_web_server_start(&options, error);
    if (!daemon->server)
        return FALSE;
    g_message("listening at %s and, read-only, at %s (port %u)", path, options.listen,
              hearth_web_server_port(daemon->server));
    return TRUE;
}

/* What the monitor announced, on its way from the main loop to the thread that deals with it: a job
 * is written to the disk when it starts, and the main loop waits for no disk. */
typedef struct {
    HearthDevice *device;
    gboolean here;
} Plugged;

static void deal_with_plugged(gpointer item, gpointer data)
{
    HearthDaemon *daemon = data;
    Plugged *plugged = item;
    if (plugged->here)
        hearth_device_table_arrive(daemon->devices, plugged->device, FALSE);
    else
        hearth_device_table_leave(daemon->devices, plugged->device->id);
    hearth_device_free(plugged->device);
    g_free(plugged);
}

static void hand_over(HearthDaemon *daemon, const HearthDevice *device, gboolean here)
{
    Plugged *plugged = g_new0(Plugged, 1);
    plugged->device = hearth_device_copy(device);
    plugged->here = here;
    g_thread_pool_push(daemon->plugged, plugged, NULL);
}

static void device_arrived(const HearthDevice *device, gpointer data)
{
    hand_over(data, device, TRUE);
}

static void device_removed(const HearthDevice *device, gpointer data)
{
    hand_over(data, device, FALSE);
}

static void start_monitor(HearthDaemon *daemon)
{
    HearthMonitorFuncs funcs = {
        .arrived = device_arrived, .removed = device_removed, .user_data = daemon};
    g_autoptr(GError) usb = NULL, volumes = NULL;
    /* One thread: what was plugged in and out again comes in that order. */
    daemon->plugged = g_thread_pool_new(deal_with_plugged, daemon, 1, FALSE, NULL);
    daemon->monitor = hearth_monitor_new(NULL, &funcs);
    if (!hearth_monitor_start_usb(daemon->monitor, &usb))
        g_message("USB devices are not seen by themselves: %s", usb->message);
    if (!hearth_monitor_start_volumes(daemon->monitor, &volumes))
        g_message("cards are not seen by themselves: %s", volumes->message);
}

/* A job of an earlier run starts when its device is here: one that a person named is looked for at
 * its port now, others announce themselves. */
static gboolean resume_job(HearthJob *job, gpointer data)
{
    HearthDaemon *daemon = data;
    const char *id = hearth_job_device(job), *port = hearth_job_port(job);
    if (!id)
        return TRUE;
    g_autoptr(GError) error = NULL;
    g_autoptr(HearthDevice) device = port ? hearth_daemon_attach(daemon, port, &error) : NULL;
    if (device) {
        g_message("job %s goes on", hearth_job_id(job));
        return TRUE;
    }
    gboolean by_hand;
    g_autoptr(HearthShadow) shadow =
        hearth_device_table_shadow(daemon->devices, id, &by_hand, NULL);
    if (shadow)
        return TRUE;
    hearth_job_set_message(job, error ? error->message : "goes on when the device is plugged in",
                           TRUE);
    return FALSE;
}

/* --- Upkeep ------------------------------------------------------------------------------------ */

static gpointer empty_trash(gpointer data)
{
    HearthDaemon *daemon = data;
    g_autoptr(HearthConfig) config = hearth_daemon_config(daemon);
    gint64 age_us = (gint64)hearth_config_trash_days(config) * G_TIME_SPAN_DAY;
    gint64 before_ns = (g_get_real_time() - age_us) * 1000;
    guint64 count = 0;
    g_autoptr(GError) error = NULL;
    if (!hearth_store_trash_empty(daemon->store, before_ns, &count, &error)) {
        g_warning("the trash was not emptied: %s", error->message);
        return NULL;
    }
    if (count == 0)
        return NULL;
    g_message("%" G_GUINT64_FORMAT " objects left the trash after %u days", count,
              hearth_config_trash_days(config));
    HearthJobSpec spec = {.kind = "gc"};
    g_autoptr(HearthJob) job = hearth_jobs_start(daemon->jobs, &spec, &error);
    return NULL;
}

static gboolean upkeep(gpointer data)
{
    /* The disk may be slow to answer, and the main loop must not wait for it. */
    HearthDaemon *daemon = data;
    if (daemon->trash_thread)
        g_thread_join(daemon->trash_thread);
    daemon->trash_thread = g_thread_new("trash", empty_trash, daemon);
    return G_SOURCE_CONTINUE;
}

static gboolean feed_watchdog(gpointer data)
{
    sd_notify(0, "WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

/* --- The run ----------------------------------------------------------------------------------- */

/* What queries may name: the metadata vocabulary, which the namespace does not know. */
static const char *attribute_type(const char *key)
{
    static const char *const TYPES[] = {[HEARTH_VOCABULARY_STRING] = "s",
                                        [HEARTH_VOCABULARY_UINT] = "u",
                                        [HEARTH_VOCABULARY_DOUBLE] = "d",
                                        [HEARTH_VOCABULARY_STRV] = "as"};
    const HearthVocabularyKey *row = hearth_vocabulary_find(key);
    return row ? TYPES[row->type] : NULL;
}

/* The store's lock is the daemon's too: one of us for one state, however the last one ended. */
static gboolean open_store(HearthDaemon *daemon, GError **error)
{
    HearthStoreOptions options = {
        .state = daemon->state, .engine = "sqlite", .attribute_type = attribute_type};
    daemon->store = hearth_store_open(&options, error);
    if (error && g_error_matches(*error, HEARTH_ERROR, HEARTH_ERROR_BUSY))
        g_prefix_error(error, "another hearthd is at work here: ");
    return daemon->store != NULL;
}

static gboolean open_jobs(HearthDaemon *daemon, GError **error)
{
    g_autofree char *folder = g_build_filename(daemon->state, "jobs", NULL);
    daemon->events = hearth_web_events_new();
    daemon->jobs = hearth_jobs_new(folder, daemon->events, hearth_daemon_work, daemon, error);
    if (!daemon->jobs)
        return FALSE;
    daemon->devices = hearth_device_table_new(daemon->jobs, daemon->events, daemon->config);
    return TRUE;
}

static gboolean start(HearthDaemon *daemon, GError **error)
{
    daemon->config = read_config(daemon->options, error);
    if (!daemon->config || !make_state(daemon, error) || !open_store(daemon, error) ||
        !open_jobs(daemon, error))
        return FALSE;
    start_sprockets(daemon);
    if (!start_server(daemon, error))
        return FALSE;
    start_mount(daemon);
    hearth_jobs_resume(daemon->jobs, resume_job, daemon);
    start_monitor(daemon);
    return TRUE;
}

/* Returns FALSE when something still runs, which only the end of the process ends. */
static gboolean stop(HearthDaemon *daemon)
{
    g_clear_pointer(&daemon->monitor, hearth_monitor_free);
    gboolean idle = !daemon->jobs || hearth_jobs_stop(daemon->jobs, STOP_JOBS_MS);
    if (daemon->plugged)
        g_thread_pool_free(g_steal_pointer(&daemon->plugged), FALSE, TRUE);
    g_clear_pointer(&daemon->server, hearth_web_server_stop);
    g_clear_pointer(&daemon->mount, hearth_mount_stop);
    if (daemon->trash_thread)
        g_thread_join(g_steal_pointer(&daemon->trash_thread));
    if (!idle) {
        g_autoptr(GError) error = NULL;
        if (!hearth_store_sync(daemon->store, &error))
            g_warning("%s", error->message);
        return FALSE;
    }
    g_clear_pointer(&daemon->devices, hearth_device_table_free);
    g_clear_pointer(&daemon->jobs, hearth_jobs_free);
    g_clear_pointer(&daemon->events, hearth_web_events_free);
    keep_translations(daemon);
    g_clear_pointer(&daemon->sprockets, hearth_sprocket_host_free);
    g_clear_pointer(&daemon->store, hearth_store_close);
    return TRUE;
}

static void clear(HearthDaemon *daemon)
{
    g_clear_pointer(&daemon->config, hearth_config_unref);
    g_ptr_array_unref(daemon->problems);
    g_mutex_clear(&daemon->mutex);
    g_free(daemon->mount_path);
    g_free(daemon->spool);
    g_free(daemon->state);
}

static gboolean quit(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_CONTINUE;
}

static void serve(HearthDaemon *daemon, GMainLoop *loop)
{
    guint64 watchdog_us = 0;
    guint sources[3] = {0};
    sources[0] = g_unix_signal_add(SIGHUP, reload, daemon);
    sources[1] = g_timeout_add_seconds(UPKEEP_EVERY_S, upkeep, daemon);
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        sources[2] = g_timeout_add((guint)(watchdog_us / 2000), feed_watchdog, NULL);
    upkeep(daemon);
    sd_notify(0, "READY=1");
    g_message("hearthd %s is ready, state %s", HEARTH_VERSION, daemon->state);
    g_main_loop_run(loop);
    sd_notify(0, "STOPPING=1");
    for (gsize i = 0; i < G_N_ELEMENTS(sources); i++)
        if (sources[i] != 0)
            g_source_remove(sources[i]);
}

int hearth_daemon_run(const HearthDaemonOptions *options)
{
    HearthDaemon daemon = {.options = options};
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GError) error = NULL;
    g_mutex_init(&daemon.mutex);
    daemon.problems = g_ptr_array_new_with_free_func(g_free);
    daemon.started_us = g_get_monotonic_time();
    daemon.state = g_canonicalize_filename(options->state, NULL);
    daemon.spool = g_build_filename(daemon.state, "spool", NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    /* From here on a signal finds us, also in the middle of starting. */
    guint term = g_unix_signal_add(SIGTERM, quit, loop);
    guint interrupt = g_unix_signal_add(SIGINT, quit, loop);

    gboolean started = start(&daemon, &error);
    if (started)
        serve(&daemon, loop);
    else
        g_critical("%s", error->message);
    gboolean clean = stop(&daemon);
    g_message("%s", clean ? "stopped" : "stopped; a job that could not end goes on next time");
    if (!clean)
        _exit(started ? 0 : 1);
    g_source_remove(term);
    g_source_remove(interrupt);
    clear(&daemon);
    return started ? 0 : 1;
}
