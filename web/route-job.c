#include "web/reply-private.h"
#include "web/route-private.h"

/* What is being done: list, look, cancel, and the upkeep that runs as a job. */

static gboolean get_jobs(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->jobs)
        return hearth_reply_unsupported(error, "jobs");
    return hearth_reply_host_value(reply, MHD_HTTP_OK, "jobs",
                                   options->host->jobs(options->data, error));
}

static gboolean get_job(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->job)
        return hearth_reply_unsupported(error, "jobs");
    const char *id = hearth_request_argument(request);
    return hearth_reply_host_value(reply, MHD_HTTP_OK, NULL,
                                   options->host->job(options->data, id, error));
}

static gboolean delete_job(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    if (!options->host->cancel)
        return hearth_reply_unsupported(error, "jobs that can be cancelled");
    return options->host->cancel(options->data, hearth_request_argument(request), error) &&
           hearth_reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

/* The last word of the address is the kind. */
static gboolean post_upkeep(HearthRequest *request, HearthReply *reply, GError **error)
{
    const HearthWebOptions *options = request->options;
    const char *kind = g_ptr_array_index(request->segments, request->segments->len - 1);
    if (!options->host->upkeep)
        return hearth_reply_unsupported(error, "upkeep");
    return hearth_reply_host_value(reply, MHD_HTTP_ACCEPTED, NULL,
                                   options->host->upkeep(options->data, kind, error));
}

const HearthRoute HEARTH_ROUTES_JOB[] = {
    {"GET", "/api/v1/jobs", get_jobs, NULL},
    {"GET", "/api/v1/jobs/*", get_job, NULL},
    {"DELETE", "/api/v1/jobs/*", delete_job, NULL},
    {"POST", "/api/v1/scrub", post_upkeep, NULL},
    {"POST", "/api/v1/fsck", post_upkeep, NULL},
    {"POST", "/api/v1/gc", post_upkeep, NULL},
    {NULL},
};
