#include "gateway/job.h"

#include "gateway/job-private.h"

#include <math.h>
#include <string.h>

#define TELL_EVERY_US (250 * 1000)    /* progress is for eyes */
#define MEASURE_EVERY_US (250 * 1000) /* shorter spans measure the scheduler */
#define RATE_SPAN_S 4.0               /* seconds over which the rate is smoothed */
#define MAX_FINDINGS 1000

HearthJob *hearth_job_new(HearthWebEvents *events, gint64 number, const HearthJobSpec *spec)
{
    HearthJob *job = g_new0(HearthJob, 1);
    g_atomic_ref_count_init(&job->references);
    g_mutex_init(&job->mutex);
    job->events = events;
    job->number = number;
    job->id = g_strdup_printf("%" G_GINT64_FORMAT, number);
    job->kind = g_strdup(spec->kind);
    job->device = g_strdup(spec->device);
    job->port = g_strdup(spec->port);
    job->paths = g_strdupv((char **)spec->paths);
    job->cancellable = g_cancellable_new();
    job->notes = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    job->findings = g_ptr_array_new_with_free_func(g_free);
    return job;
}

HearthJob *hearth_job_ref(HearthJob *job)
{
    g_atomic_ref_count_inc(&job->references);
    return job;
}

void hearth_job_unref(HearthJob *job)
{
    if (!job || !g_atomic_ref_count_dec(&job->references))
        return;
    g_object_unref(job->cancellable);
    g_ptr_array_unref(job->notes);
    g_ptr_array_unref(job->findings);
    g_strfreev(job->paths);
    g_free(job->id);
    g_free(job->kind);
    g_free(job->device);
    g_free(job->port);
    g_free(job->message);
    g_free(job->current);
    g_free(job->error);
    g_mutex_clear(&job->mutex);
    g_free(job);
}

const char *hearth_job_id(const HearthJob *job)
{
    return job->id;
}

const char *hearth_job_kind(const HearthJob *job)
{
    return job->kind;
}

const char *hearth_job_device(const HearthJob *job)
{
    return job->device;
}

const char *hearth_job_port(const HearthJob *job)
{
    return job->port;
}

const char *const *hearth_job_paths(const HearthJob *job)
{
    return (const char *const *)job->paths;
}

HearthJobState hearth_job_state(HearthJob *job)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    return job->state;
}

gboolean hearth_job_is_over(HearthJob *job)
{
    HearthJobState state = hearth_job_state(job);
    return state != HEARTH_JOB_WAITING && state != HEARTH_JOB_RUNNING;
}

const char *hearth_job_state_word(HearthJobState state)
{
    switch (state) {
    case HEARTH_JOB_WAITING:
        return "waiting";
    case HEARTH_JOB_RUNNING:
        return "running";
    case HEARTH_JOB_DONE:
        return "done";
    case HEARTH_JOB_FAILED:
        return "failed";
    case HEARTH_JOB_CANCELLED:
        return "cancelled";
    }
    return "failed";
}

/* --- Saying how it is -------------------------------------------------------------------------- */

static void add_time(GVariantDict *dict, const char *key, gint64 at_us)
{
    if (at_us == 0)
        return;
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at_us / G_USEC_PER_SEC);
    g_autofree char *text = g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
    g_variant_dict_insert(dict, key, "s", text);
}

static void add_text(GVariantDict *dict, const char *key, const char *text)
{
    if (text)
        g_variant_dict_insert(dict, key, "s", text);
}

static void add_strings(GVariantDict *dict, const char *key, const GPtrArray *strings)
{
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("as"));
    for (guint i = 0; i < strings->len; i++)
        g_variant_builder_add(&builder, "s", g_ptr_array_index(strings, i));
    g_variant_dict_insert_value(dict, key, g_variant_builder_end(&builder));
}

static guint64 files_done(const HearthJob *job)
{
    return job->counts[HEARTH_JOB_IMPORTED] + job->counts[HEARTH_JOB_LINKED] +
           job->counts[HEARTH_JOB_BROKEN];
}

/* Seconds left by the bytes still to come, or by the files when nobody knows their sizes. */
static double remaining_s(const HearthJob *job)
{
    if (job->bytes_total > job->bytes_done && job->rate > 0)
        return (double)(job->bytes_total - job->bytes_done) / job->rate;
    guint64 done = files_done(job);
    double spent = (double)(g_get_real_time() - job->started_us) / G_USEC_PER_SEC;
    if (done > 0 && job->files_total > done)
        return spent / (double)done * (double)(job->files_total - done);
    return -1;
}

static void add_counts(GVariantDict *dict, const HearthJob *job)
{
    static const char *const words[] = {
        [HEARTH_JOB_IMPORTED] = "imported", [HEARTH_JOB_LINKED] = "linked",
        [HEARTH_JOB_KNOWN] = "known",       [HEARTH_JOB_SKIPPED] = "skipped",
        [HEARTH_JOB_BROKEN] = "failed",     [HEARTH_JOB_REMOVED] = "removed",
    };
    for (guint i = 0; i < HEARTH_JOB_OUTCOMES; i++)
        g_variant_dict_insert(dict, words[i], "t", job->counts[i]);
}

static void add_notes(GVariantDict *dict, const HearthJob *job)
{
    if (job->notes->len == 0)
        return;
    GVariantBuilder builder;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < job->notes->len; i++)
        g_variant_builder_add_value(&builder, g_ptr_array_index(job->notes, i));
    g_variant_dict_insert_value(dict, "notes", g_variant_builder_end(&builder));
}

/* `whole`: with the sentences on single files, which an event need not carry each time. */
static GVariant *describe(HearthJob *job, gboolean whole)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    g_variant_dict_insert(&dict, "id", "s", job->id);
    g_variant_dict_insert(&dict, "kind", "s", job->kind);
    g_variant_dict_insert(&dict, "state", "s", hearth_job_state_word(job->state));
    add_text(&dict, "device", job->device);
    add_text(&dict, "message", job->message);
    add_text(&dict, "error", job->error);
    add_time(&dict, "started", job->started_us);
    add_time(&dict, "ended", job->ended_us);
    g_variant_dict_insert(&dict, "files_done", "t", files_done(job));
    g_variant_dict_insert(&dict, "files_total", "t", job->files_total);
    g_variant_dict_insert(&dict, "bytes_done", "t", job->bytes_done);
    g_variant_dict_insert(&dict, "bytes_total", "t", job->bytes_total);
    add_counts(&dict, job);
    if (job->state == HEARTH_JOB_RUNNING) {
        double remaining = remaining_s(job);
        g_variant_dict_insert(&dict, "rate", "d", job->rate);
        if (remaining >= 0)
            g_variant_dict_insert(&dict, "remaining_s", "d", remaining);
        if (job->current)
            g_variant_dict_insert_value(&dict, "current", g_variant_new_bytestring(job->current));
    }
    if (g_str_equal(job->kind, "gc"))
        g_variant_dict_insert(&dict, "bytes_freed", "t", job->bytes_freed);
    if (g_str_equal(job->kind, "scrub") || g_str_equal(job->kind, "fsck"))
        add_strings(&dict, "findings", job->findings);
    if (whole)
        add_notes(&dict, job);
    return g_variant_dict_end(&dict);
}

GVariant *hearth_job_to_variant(HearthJob *job)
{
    return describe(job, TRUE);
}

void hearth_job_tell(HearthJob *job)
{
    g_mutex_lock(&job->mutex);
    job->told_us = g_get_monotonic_time();
    g_mutex_unlock(&job->mutex);
    hearth_web_events_add(job->events, "job", job->id, describe(job, FALSE));
}

static void tell_sometimes(HearthJob *job)
{
    g_mutex_lock(&job->mutex);
    gboolean due = g_get_monotonic_time() - job->told_us >= TELL_EVERY_US;
    g_mutex_unlock(&job->mutex);
    if (due)
        hearth_job_tell(job);
}

/* --- Progress ---------------------------------------------------------------------------------- */

void hearth_job_reset(HearthJob *job)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    g_clear_pointer(&job->error, g_free);
    g_clear_pointer(&job->message, g_free);
    g_clear_pointer(&job->current, g_free);
    memset(job->counts, 0, sizeof job->counts);
    job->files_total = job->bytes_total = job->bytes_done = job->bytes_freed = 0;
    job->measured_us = 0;
    job->rate = 0;
    g_ptr_array_set_size(job->notes, 0);
    g_ptr_array_set_size(job->findings, 0);
    g_object_unref(job->cancellable);
    job->cancellable = g_cancellable_new();
}

/* An average that forgets: what came in RATE_SPAN_S ago counts a third of what comes in now. */
static void measure(HearthJob *job)
{
    gint64 now = g_get_monotonic_time();
    if (job->measured_us == 0) {
        job->measured_us = now;
        job->measured_bytes = job->bytes_done;
        return;
    }
    gint64 span = now - job->measured_us;
    if (span < MEASURE_EVERY_US)
        return;
    double seconds = (double)span / G_USEC_PER_SEC;
    double seen = (double)(job->bytes_done - job->measured_bytes) / seconds;
    double weight = job->rate > 0 ? 1 - exp(-seconds / RATE_SPAN_S) : 1;
    job->rate += weight * (seen - job->rate);
    job->measured_us = now;
    job->measured_bytes = job->bytes_done;
}

void hearth_job_set_total(HearthJob *job, guint64 files, guint64 bytes)
{
    g_mutex_lock(&job->mutex);
    job->files_total = files;
    job->bytes_total = bytes;
    g_mutex_unlock(&job->mutex);
    tell_sometimes(job);
}

void hearth_job_add_bytes(HearthJob *job, guint64 bytes)
{
    g_mutex_lock(&job->mutex);
    job->bytes_done += bytes;
    measure(job);
    g_mutex_unlock(&job->mutex);
    tell_sometimes(job);
}

void hearth_job_set_bytes(HearthJob *job, guint64 done, guint64 total)
{
    g_mutex_lock(&job->mutex);
    job->bytes_done = done;
    job->bytes_total = total;
    measure(job);
    g_mutex_unlock(&job->mutex);
    tell_sometimes(job);
}

static void add_note(HearthJob *job, HearthJobOutcome outcome, const char *path, const char *reason)
{
    if (job->notes->len >= HEARTH_JOB_NOTES)
        return;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autofree char *text = g_utf8_make_valid(reason, -1);
    g_variant_dict_insert_value(&dict, "path", g_variant_new_bytestring(path));
    g_variant_dict_insert(&dict, "reason", "s", text);
    g_variant_dict_insert(&dict, "what", "s", outcome == HEARTH_JOB_BROKEN ? "failed" : "skipped");
    g_ptr_array_add(job->notes, g_variant_ref_sink(g_variant_dict_end(&dict)));
}

void hearth_job_count(HearthJob *job, HearthJobOutcome outcome, const char *path,
                      const char *reason)
{
    g_mutex_lock(&job->mutex);
    job->counts[outcome]++;
    if (path && reason)
        add_note(job, outcome, path, reason);
    g_mutex_unlock(&job->mutex);
    tell_sometimes(job);
}

guint64 hearth_job_counted(HearthJob *job, HearthJobOutcome outcome)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    return job->counts[outcome];
}

static void replace_text(char **at, const char *text)
{
    g_free(*at);
    *at = g_strdup(text);
}

void hearth_job_set_current(HearthJob *job, const char *path)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    replace_text(&job->current, path);
}

void hearth_job_set_message(HearthJob *job, const char *message, gboolean waiting)
{
    g_mutex_lock(&job->mutex);
    if (job->state == HEARTH_JOB_RUNNING || job->state == HEARTH_JOB_WAITING)
        job->state = waiting ? HEARTH_JOB_WAITING : HEARTH_JOB_RUNNING;
    replace_text(&job->message, message);
    g_mutex_unlock(&job->mutex);
    hearth_job_tell(job);
}

void hearth_job_add_finding(HearthJob *job, const char *finding)
{
    g_mutex_lock(&job->mutex);
    if (job->findings->len < MAX_FINDINGS)
        g_ptr_array_add(job->findings, g_utf8_make_valid(finding, -1));
    g_mutex_unlock(&job->mutex);
    tell_sometimes(job);
}

void hearth_job_set_freed(HearthJob *job, guint64 bytes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mutex);
    job->bytes_freed = bytes;
}
