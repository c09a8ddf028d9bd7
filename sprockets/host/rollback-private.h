#pragma once

#include "sprockets/host/answer-private.h"

/**
 * Calls in the caller's own thread by the rollback engine (engine.h), which undoes all they do. In
 * builds without the engine (rollback-absent.c) nothing is available.
 *
 * A sprocket with static variables of its own gets a copy of its object for each call at the same
 * time, made when it is needed: the engine lets one call at a time store there. One without (a few bytes
 * are the compiler's) is shared by all.
 *
 * Threads: all functions from any thread. Objects are loaded for good, once in a process for a path: a
 * HearthRollback belongs to nobody and is never freed.
 */
typedef struct HearthRollback HearthRollback;

/** FALSE: `ret_reason`, which may be NULL, says what this build or this machine lacks. */
gboolean hearth_rollback_available(const char **ret_reason);

/**
 * Loads `path`. Its constructors run as they are: who calls has seen them end well elsewhere. NULL
 * with INVALID.
 */
HearthRollback *hearth_rollback_load(const char *path, GError **error);

/** Runs `job`. TRUE: `ret_answer` is filled; a bad end is an answer too. */
gboolean hearth_rollback_call(HearthRollback *rollback, const HearthJob *job,
                              HearthAnswer *ret_answer, GError **error);

/** This thread makes no call for a while: its system calls are quick again. */
void hearth_rollback_rest(void);

/** Takes over the translations kept in `path`, of what is loaded; how many blocks. */
glong hearth_rollback_warm(const char *path);
/** Translates what the hooks lead to, as far as that is not done, so that a first call need not. */
void hearth_rollback_translate(HearthRollback *rollback);
/** Keeps all translations in `path`. */
gboolean hearth_rollback_keep(const char *path, GError **error);
