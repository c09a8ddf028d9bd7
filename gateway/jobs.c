#include "gateway/base/error.h"
#include "gateway/base/id.h"
#include "gateway/base/io.h"
#include "gateway/job-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The table of jobs, the threads that run them, and the files that outlive the daemon.
 *
 *   FOLDER/last     the number of the newest job, so that a number is never used twice
 *   FOLDER/NUMBER   one unfinished job: a GKeyFile with kind, device, port and paths (hexadecimal,
 *                   they are bytes). Replaced whole; removed when the job is over
 *
 * A job's way:   start ─► WAITING ─► RUNNING ─► DONE | FAILED | CANCELLED
 *                            ▲          │ stopped with the daemon: the file stays
 *                            └──────────┘ resume, or wake when the device is back
 */

#define MAX_THREADS 8
#define KEPT_FINISHED 100 /* jobs that are over and still shown */
#define STOP_POLL_US 5000

struct HearthJobs {
    char *folder;
    HearthWebEvents *events; /* borrowed */
    HearthJobRun run;
    gpointer data;
    GThreadPool *pool;

    GMutex mutex;    /* protects what follows; never held while a job runs */
    GPtrArray *jobs; /* element-type HearthJob, oldest first */
    gint64 last;     /* number of the newest */
    guint active;    /* jobs a thread has or will have */
    gboolean stopping;
};

/* --- Files ------------------------------------------------------------------------------------- */

static char *job_file(const HearthJobs *jobs, const HearthJob *job)
{
    return g_build_filename(jobs->folder, job->id, NULL);
}

static char *hex_of(const char *bytes)
{
    gsize size = strlen(bytes);
    char *text = g_malloc(2 * size + 1);
    hearth_hex_encode((const guint8 *)bytes, size, text);
    return text;
}

/* A full disk must not keep a person from freeing space, so a job that cannot be written down runs
 * all the same. */
static void write_down(const HearthJobs *jobs, const HearthJob *job)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_string(file, "job", "kind", job->kind);
    if (job->device)
        g_key_file_set_string(file, "job", "device", job->device);
    if (job->port) {
        g_autofree char *port = hex_of(job->port);
        g_key_file_set_string(file, "job", "port", port);
    }
    guint count = job->paths ? g_strv_length(job->paths) : 0;
    g_auto(GStrv) paths = g_new0(char *, count + 1);
    for (guint i = 0; i < count; i++)
        paths[i] = hex_of(job->paths[i]);
    if (job->paths)
        g_key_file_set_string_list(file, "job", "paths", (const char *const *)paths, count);

    gsize size;
    g_autofree char *text = g_key_file_to_data(file, &size, NULL);
    g_autofree char *path = job_file(jobs, job);
    g_autofree char *last = g_build_filename(jobs->folder, "last", NULL);
    g_autoptr(GError) error = NULL;
    if (!hearth_replace_file(last, job->id, strlen(job->id), 0600, &error) ||
        !hearth_replace_file(path, text, size, 0600, &error))
        g_warning("job %s would be forgotten by a restart: %s", job->id, error->message);
}

static void forget(const HearthJobs *jobs, const HearthJob *job)
{
    g_autofree char *path = job_file(jobs, job);
    if (unlink(path) != 0 && errno != ENOENT)
        g_warning("cannot remove %s: %s", path, g_strerror(errno));
}

static char *bytes_of(const char *hex)
{
    gsize length = hex ? strlen(hex) : 0;
    if (!hex || length % 2 != 0)
        return NULL;
    char *bytes = g_malloc0(length / 2 + 1);
    if (hearth_hex_decode(hex, (guint8 *)bytes, length / 2))
        return bytes;
    g_free(bytes);
    return NULL;
}

static char **read_paths(GKeyFile *file)
{
    gsize count;
    g_auto(GStrv) coded = g_key_file_get_string_list(file, "job", "paths", &count, NULL);
    if (!coded)
        return NULL;
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (gsize i = 0; i < count; i++) {
        g_autofree char *path = bytes_of(coded[i]);
        if (path)
            g_strv_builder_add(builder, path);
    }
    return g_strv_builder_end(builder);
}

static HearthJob *read_job(const HearthJobs *jobs, const char *name, gint64 number)
{
    g_autofree char *path = g_build_filename(jobs->folder, name, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *kind = NULL;
    if (g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error))
        kind = g_key_file_get_string(file, "job", "kind", &error);
    if (!kind) {
        g_warning("unfinished job %s cannot be read and is dropped: %s", path, error->message);
        unlink(path);
        return NULL;
    }
    g_autofree char *device = g_key_file_get_string(file, "job", "device", NULL);
    g_autofree char *coded = g_key_file_get_string(file, "job", "port", NULL);
    g_autofree char *port = bytes_of(coded);
    g_auto(GStrv) paths = read_paths(file);
    HearthJobSpec spec = {
        .kind = kind, .device = device, .port = port, .paths = (const char *const *)paths};
    return hearth_job_new(jobs->events, number, &spec);
}

static int compare_numbers(gconstpointer a, gconstpointer b)
{
    const HearthJob *x = *(HearthJob *const *)a, *y = *(HearthJob *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static gboolean read_folder(HearthJobs *jobs, GError **error)
{
    if (g_mkdir_with_parents(jobs->folder, 0700) != 0)
        return hearth_set_errno(error, errno, "cannot make the folder %s", jobs->folder);
    g_autofree char *last = g_build_filename(jobs->folder, "last", NULL);
    g_autofree char *text = NULL;
    if (g_file_get_contents(last, &text, NULL, NULL))
        jobs->last = g_ascii_strtoll(text, NULL, 10);

    g_autoptr(GError) reason = NULL;
    g_autoptr(GDir) folder = g_dir_open(jobs->folder, 0, &reason);
    if (!folder) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_IO, "cannot read the folder of jobs: %s",
                    reason->message);
        return FALSE;
    }
    const char *name;
    while ((name = g_dir_read_name(folder))) {
        guint64 number;
        if (!g_ascii_string_to_unsigned(name, 10, 1, G_MAXINT64, &number, NULL))
            continue;
        HearthJob *job = read_job(jobs, name, (gint64)number);
        if (job)
            g_ptr_array_add(jobs->jobs, job);
        jobs->last = MAX(jobs->last, (gint64)number);
    }
    g_ptr_array_sort(jobs->jobs, compare_numbers);
    return TRUE;
}

/* --- Running ----------------------------------------------------------------------------------- */

/* What became of a run; `error` is NULL when it went well. TRUE when the job is over for good. */
static gboolean settle(HearthJob *job, const GError *error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    gboolean cancelled = error && hearth_error_to_errno(error) == ECANCELED;
    gboolean leaving = job->leaving && cancelled;
    g_clear_pointer(&job->message, g_free);
    g_clear_pointer(&job->current, g_free);
    if (leaving)
        job->state = HEARTH_JOB_WAITING;
    else if (!error)
        job->state = HEARTH_JOB_DONE;
    else
        job->state = cancelled ? HEARTH_JOB_CANCELLED : HEARTH_JOB_FAILED;
    if (job->state == HEARTH_JOB_FAILED)
        job->error = g_utf8_make_valid(error->message, -1);
    if (!leaving)
        job->ended_us = g_get_real_time();
    job->queued = FALSE;
    return !leaving;
}

static gboolean begin(HearthJob *job)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    if (g_cancellable_is_cancelled(job->cancellable))
        return FALSE;
    job->state = HEARTH_JOB_RUNNING;
    if (job->started_us == 0)
        job->started_us = g_get_real_time();
    return TRUE;
}

static void log_end(HearthJob *job)
{
    const char *of = job->device ? job->device : "";
    if (job->state == HEARTH_JOB_FAILED)
        g_warning("job %s (%s %s) failed: %s", job->id, job->kind, of, job->error);
    else
        g_message("job %s (%s %s) is %s", job->id, job->kind, of,
                  hearth_job_state_word(job->state));
}

static void work(gpointer item, gpointer data)
{
    g_autoptr(HearthJob) job = item;
    HearthJobs *jobs = data;
    g_autoptr(GError) error = NULL;
    if (begin(job)) {
        hearth_job_tell(job);
        jobs->run(job, job->cancellable, jobs->data, &error);
    } else {
        g_set_error(&error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "stopped");
    }
    if (settle(job, error)) {
        forget(jobs, job);
        log_end(job);
    }
    hearth_job_tell(job);
    g_mutex_lock(&jobs->mutex);
    jobs->active--;
    g_mutex_unlock(&jobs->mutex);
}

/* Called with the table locked. */
static void launch(HearthJobs *jobs, HearthJob *job)
{
    hearth_job_reset(job);
    g_mutex_lock(&job->mutex);
    job->queued = TRUE;
    job->state = HEARTH_JOB_WAITING;
    job->ended_us = 0;
    g_mutex_unlock(&job->mutex);
    jobs->active++;
    g_thread_pool_push(jobs->pool, hearth_job_ref(job), NULL);
}

HearthJobs *hearth_jobs_new(const char *folder, HearthWebEvents *events, HearthJobRun run,
                            gpointer data, GError **error)
{
    HearthJobs *jobs = g_new0(HearthJobs, 1);
    g_mutex_init(&jobs->mutex);
    jobs->folder = g_strdup(folder);
    jobs->events = events;
    jobs->run = run;
    jobs->data = data;
    jobs->jobs = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_job_unref);
    jobs->pool = g_thread_pool_new(work, jobs, MAX_THREADS, FALSE, NULL);
    if (read_folder(jobs, error))
        return jobs;
    hearth_jobs_free(jobs);
    return NULL;
}

gboolean hearth_jobs_stop(HearthJobs *jobs, guint timeout_ms)
{
    gint64 until = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    g_mutex_lock(&jobs->mutex);
    jobs->stopping = TRUE;
    for (guint i = 0; i < jobs->jobs->len; i++) {
        HearthJob *job = g_ptr_array_index(jobs->jobs, i);
        g_mutex_lock(&job->mutex);
        job->leaving = job->queued && !g_cancellable_is_cancelled(job->cancellable);
        g_autoptr(GCancellable) cancellable = g_object_ref(job->cancellable);
        g_mutex_unlock(&job->mutex);
        g_cancellable_cancel(cancellable);
    }
    while (jobs->active > 0 && g_get_monotonic_time() < until) {
        g_mutex_unlock(&jobs->mutex);
        g_usleep(STOP_POLL_US);
        g_mutex_lock(&jobs->mutex);
    }
    gboolean idle = jobs->active == 0;
    g_mutex_unlock(&jobs->mutex);
    return idle;
}

void hearth_jobs_free(HearthJobs *jobs)
{
    if (!jobs)
        return;
    g_thread_pool_free(jobs->pool, FALSE, TRUE);
    g_ptr_array_unref(jobs->jobs);
    g_mutex_clear(&jobs->mutex);
    g_free(jobs->folder);
    g_free(jobs);
}

/* --- The table --------------------------------------------------------------------------------- */

/* The unfinished job that a new one of `spec` would meet. Called with the table locked. */
static HearthJob *find_rival(const HearthJobs *jobs, const char *kind, const char *device)
{
    for (guint i = 0; i < jobs->jobs->len; i++) {
        HearthJob *job = g_ptr_array_index(jobs->jobs, i);
        if (hearth_job_is_over(job))
            continue;
        if (device ? g_strcmp0(job->device, device) == 0 : g_str_equal(job->kind, kind))
            return job;
    }
    return NULL;
}

/* Called with the table locked. */
static void drop_oldest(HearthJobs *jobs)
{
    guint over = 0;
    for (guint i = jobs->jobs->len; i > 0; i--)
        if (hearth_job_is_over(g_ptr_array_index(jobs->jobs, i - 1)) && ++over > KEPT_FINISHED)
            g_ptr_array_remove_index(jobs->jobs, i - 1);
}

static HearthJob *join(HearthJobs *jobs, HearthJob *rival, const HearthJobSpec *spec,
                       GError **error)
{
    if (g_str_equal(rival->kind, spec->kind) && !rival->paths && !spec->paths) {
        g_mutex_lock(&rival->mutex);
        gboolean queued = rival->queued;
        g_mutex_unlock(&rival->mutex);
        if (!queued)
            launch(jobs, rival);
        return hearth_job_ref(rival);
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY,
                "%s is at work already: job %s (%s) must end first",
                spec->device ? spec->device : spec->kind, rival->id, rival->kind);
    return NULL;
}

HearthJob *hearth_jobs_start(HearthJobs *jobs, const HearthJobSpec *spec, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&jobs->mutex);
    if (jobs->stopping) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "the gateway is stopping");
        return NULL;
    }
    HearthJob *rival = find_rival(jobs, spec->kind, spec->device);
    if (rival)
        return join(jobs, rival, spec, error);
    HearthJob *job = hearth_job_new(jobs->events, ++jobs->last, spec);
    g_ptr_array_add(jobs->jobs, job);
    drop_oldest(jobs);
    write_down(jobs, job);
    launch(jobs, job);
    return hearth_job_ref(job);
}

void hearth_jobs_resume(HearthJobs *jobs, HearthJobResume func, gpointer data)
{
    g_autoptr(GPtrArray) list = hearth_jobs_list(jobs);
    for (guint i = list->len; i > 0; i--) {
        HearthJob *job = g_ptr_array_index(list, i - 1);
        if (!func(job, data))
            continue;
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&jobs->mutex);
        if (!job->queued && !jobs->stopping)
            launch(jobs, job);
    }
}

gboolean hearth_jobs_wake(HearthJobs *jobs, const char *device)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&jobs->mutex);
    HearthJob *job = find_rival(jobs, "", device);
    if (!job || jobs->stopping)
        return FALSE;
    g_mutex_lock(&job->mutex);
    gboolean queued = job->queued;
    g_mutex_unlock(&job->mutex);
    if (!queued)
        launch(jobs, job);
    return TRUE;
}

GPtrArray *hearth_jobs_list(HearthJobs *jobs)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)hearth_job_unref);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&jobs->mutex);
    for (guint i = jobs->jobs->len; i > 0; i--)
        g_ptr_array_add(list, hearth_job_ref(g_ptr_array_index(jobs->jobs, i - 1)));
    return list;
}

HearthJob *hearth_jobs_find(HearthJobs *jobs, const char *id, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&jobs->mutex);
    for (guint i = 0; i < jobs->jobs->len; i++) {
        HearthJob *job = g_ptr_array_index(jobs->jobs, i);
        if (g_str_equal(job->id, id))
            return hearth_job_ref(job);
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "there is no job %s", id);
    return NULL;
}

HearthJob *hearth_jobs_of_device(HearthJobs *jobs, const char *device)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&jobs->mutex);
    HearthJob *job = find_rival(jobs, "", device);
    return job ? hearth_job_ref(job) : NULL;
}

/* A job that no thread has ends here and now. */
static gboolean cancel_idle(HearthJob *job)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    if (job->queued || job->state != HEARTH_JOB_WAITING)
        return FALSE;
    job->state = HEARTH_JOB_CANCELLED;
    job->ended_us = g_get_real_time();
    return TRUE;
}

gboolean hearth_jobs_cancel(HearthJobs *jobs, const char *id, GError **error)
{
    g_autoptr(HearthJob) job = hearth_jobs_find(jobs, id, error);
    if (!job)
        return FALSE;
    if (cancel_idle(job)) {
        forget(jobs, job);
        hearth_job_tell(job);
        return TRUE;
    }
    g_mutex_lock(&job->mutex);
    g_autoptr(GCancellable) cancellable = g_object_ref(job->cancellable);
    g_mutex_unlock(&job->mutex);
    g_cancellable_cancel(cancellable);
    return TRUE;
}
