#pragma once

#include "web/events.h"

#include <gio/gio.h>

/**
 * Long work: imports, scrubs, checks. Each is a job with an id, progress that anyone may look at,
 * and a thread while it runs.
 *
 * A device has one job at a time, and so has each kind of upkeep. What is not finished is written
 * down in a folder, a small file each, replaced whole; hearth_jobs_resume() takes it up in the next
 * run of the daemon. Every change is told as an event, progress at most a few times a second.
 *
 * All functions are safe from any thread. Jobs are reference counted.
 */
typedef struct HearthJobs HearthJobs;
typedef struct HearthJob HearthJob;

typedef enum {
    HEARTH_JOB_WAITING, /* for a thread, or for its device: the message says which */
    HEARTH_JOB_RUNNING,
    HEARTH_JOB_DONE,
    HEARTH_JOB_FAILED,
    HEARTH_JOB_CANCELLED,
} HearthJobState;

typedef struct {
    const char *kind;         /* "import", "scrub", "fsck", "gc" */
    const char *device;       /* id, (nullable) */
    const char *port;         /* (nullable): to find the device again in the next run */
    const char *const *paths; /* (nullable): a part of the device */
} HearthJobSpec;

/** Does the work, in a thread of its own. FALSE with HEARTH_ERROR_CANCELLED when stopped. */
typedef gboolean (*HearthJobRun)(HearthJob *job, GCancellable *cancellable, gpointer data,
                                 GError **error);

/** `folder` is made when missing; `events` is borrowed. `run` is called with `data`. */
HearthJobs *hearth_jobs_new(const char *folder, HearthWebEvents *events, HearthJobRun run,
                            gpointer data, GError **error);
/** Cancels what runs, leaving it to be resumed, and waits at most `timeout_ms`. TRUE when nothing
 * runs any more. */
gboolean hearth_jobs_stop(HearthJobs *jobs, guint timeout_ms);
/** Only after hearth_jobs_stop() returned TRUE. */
void hearth_jobs_free(HearthJobs *jobs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthJobs, hearth_jobs_free)

/**
 * Starts a job, or joins the one that is at it already: the same kind, and for a device no paths
 * in both. HEARTH_ERROR_BUSY when another job has the device. (transfer full)
 */
HearthJob *hearth_jobs_start(HearthJobs *jobs, const HearthJobSpec *spec, GError **error);

/** Called for each job that an earlier run left; TRUE starts it now, FALSE leaves it waiting. */
typedef gboolean (*HearthJobResume)(HearthJob *job, gpointer data);
/** Once, at start. */
void hearth_jobs_resume(HearthJobs *jobs, HearthJobResume func, gpointer data);
/** Starts the waiting or interrupted job of `device`, if there is one: it is here (again). */
gboolean hearth_jobs_wake(HearthJobs *jobs, const char *device);

/** Newest first; elements are jobs with a reference. */
GPtrArray *hearth_jobs_list(HearthJobs *jobs);
/** (transfer full); HEARTH_ERROR_NOT_FOUND. */
HearthJob *hearth_jobs_find(HearthJobs *jobs, const char *id, GError **error);
/** The unfinished job of a device; NULL: none. (transfer full) */
HearthJob *hearth_jobs_of_device(HearthJobs *jobs, const char *device);
gboolean hearth_jobs_cancel(HearthJobs *jobs, const char *id, GError **error);

HearthJob *hearth_job_ref(HearthJob *job);
void hearth_job_unref(HearthJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthJob, hearth_job_unref)

/* What does not change. */
const char *hearth_job_id(const HearthJob *job);
const char *hearth_job_kind(const HearthJob *job);
const char *hearth_job_device(const HearthJob *job);
const char *hearth_job_port(const HearthJob *job);
const char *const *hearth_job_paths(const HearthJob *job);

HearthJobState hearth_job_state(HearthJob *job);
const char *hearth_job_state_word(HearthJobState state);
/** As web/server.h says; floating. */
GVariant *hearth_job_to_variant(HearthJob *job);

/* --- From the work itself ---------------------------------------------------------------------- */

typedef enum {
    HEARTH_JOB_IMPORTED, /* stored and filed */
    HEARTH_JOB_LINKED,   /* its bytes are in the tree already */
    HEARTH_JOB_KNOWN,    /* imported in an earlier run */
    HEARTH_JOB_SKIPPED,  /* not wanted */
    HEARTH_JOB_BROKEN,   /* tried, and failed */
    HEARTH_JOB_REMOVED,  /* taken off the device after proof */
    HEARTH_JOB_OUTCOMES  /* count */
} HearthJobOutcome;

/** What there is to do; more may be found later. */
void hearth_job_set_total(HearthJob *job, guint64 files, guint64 bytes);
/** Bytes that came in. */
void hearth_job_add_bytes(HearthJob *job, guint64 bytes);
/** Sets both counts: work that knows how far it is, as scrub. */
void hearth_job_set_bytes(HearthJob *job, guint64 done, guint64 total);
/** One file is through. `path` (bytes) and `reason` are kept, up to a bound, when it is given. */
void hearth_job_count(HearthJob *job, HearthJobOutcome outcome, const char *path,
                      const char *reason);
/** The file at hand (bytes); NULL: none. */
void hearth_job_set_current(HearthJob *job, const char *path);
/** A sentence for a person; `waiting` while the job cannot go on. NULL: none. */
void hearth_job_set_message(HearthJob *job, const char *message, gboolean waiting);
/** A sentence that the work is for: what scrub or fsck found. */
void hearth_job_add_finding(HearthJob *job, const char *finding);
void hearth_job_set_freed(HearthJob *job, guint64 bytes);

guint64 hearth_job_counted(HearthJob *job, HearthJobOutcome outcome);
