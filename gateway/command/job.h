#pragma once

#include "gateway/command/call.h"

/** Waiting for jobs of the daemon. */

/** Shows a bar until the job is over; the job as it then is, or NULL. */
GVariant *hearth_job_wait(HearthClient *client, const char *id, GError **error);

/** TRUE if the job is done; else `error` says how it ended. */
gboolean hearth_job_succeeded(GVariant *job, GError **error);
