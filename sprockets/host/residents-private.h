#pragma once

#include <gio/gio.h>

#include "sprockets/host/answer-private.h"

/**
 * Processes that stay, each with one sprocket, which it calls by the rollback engine (the mode
 * `process`): quick as `rollback`, and what gets past the engine gets into a process without files, network or
 * anything of the user's.
 *
 * One is started when a call finds none idle, up to the number of processors for a sprocket; beyond that calls
 * wait. One that dies or has to be killed is replaced by the next call.
 *
 * Threads: all functions from any thread, but for new and free.
 */
typedef struct HearthResidents HearthResidents;

/** `runner` is the path of hearth-sprocket. Starts nothing yet. */
HearthResidents *hearth_residents_new(const char *runner);
/** Kills them. No call may be in progress. */
void hearth_residents_free(HearthResidents *residents);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthResidents, hearth_residents_free)

/**
 * Runs `job` in a process that has `path` loaded. TRUE: `ret_answer` is filled; that the process died,
 * twice, is an answer too. FALSE: CANCELLED, INVALID (it cannot be loaded), or our own failure.
 */
gboolean hearth_residents_call(HearthResidents *residents, const char *path, const HearthJob *job,
                               HearthAnswer *ret_answer, GCancellable *cancellable, GError **error);
