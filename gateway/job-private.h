#pragma once

#include "gateway/job.h"

/**
 * A job as the table of jobs sees it. `mutex` protects all that changes; it is held for moments
 * only and never while another lock is taken.
 */

/** Sentences kept of what was skipped or failed, each. */
#define HEARTH_JOB_NOTES 200

struct HearthJob {
    gatomicrefcount references;
    HearthWebEvents *events; /* borrowed */

    /* Set at construction. */
    char *id;
    char *kind;
    char *device; /* (nullable) */
    char *port;   /* (nullable) */
    char **paths; /* (nullable) */
    gint64 number;

    GMutex mutex;
    HearthJobState state;
    GCancellable *cancellable;   /* of this run; a new one at each start */
    gboolean queued;             /* a thread has it, or will */
    gboolean leaving;            /* stopped with the daemon: to be resumed, not cancelled */
    char *message;               /* (nullable) */
    char *current;               /* (nullable): bytes */
    char *error;                 /* (nullable) */
    gint64 started_us, ended_us; /* wall clock; 0: not yet */

    guint64 files_total, bytes_total, bytes_done, bytes_freed;
    guint64 counts[HEARTH_JOB_OUTCOMES];
    GPtrArray *notes;    /* element-type GVariant: a{sv} of path, reason, what */
    GPtrArray *findings; /* element-type char * */

    gint64 measured_us;     /* monotonic: when the rate was last brought up to date */
    guint64 measured_bytes; /* and what had come in then */
    gint64 told_us;         /* monotonic: the last event */
    double rate;            /* bytes a second, smoothed */
};

HearthJob *hearth_job_new(HearthWebEvents *events, gint64 number, const HearthJobSpec *spec);
/** Sends the event now. */
void hearth_job_tell(HearthJob *job);
/** Ready for a (new) run: counts and error are forgotten. */
void hearth_job_reset(HearthJob *job);
gboolean hearth_job_is_over(HearthJob *job);
