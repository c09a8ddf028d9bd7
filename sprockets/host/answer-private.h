#pragma once

#include <glib.h>

#include "sprockets/host/host.h"
#include "sprockets/host/wire-private.h"

/** What is handed to a call, whatever way it is run. Borrowed for the call. */
typedef struct {
    guint slot;
    const char *hook;
    int fd;               /* of the input */
    gsize input_size;     /* bytes */
    const guint8 *params; /* a record */
    gsize params_size;
    HearthSprocketLimits limits; /* no zeros */
    HearthSprocketTrace trace;   /* NULL: nobody */
    gpointer trace_data;
} HearthJob;

/** What came back, copied out of anything the sprocket could reach, but not yet believed. */
typedef struct {
    HearthShared head; /* sizes are within bounds */
    HearthWireEnded ended;
    guint8 *result;  /* head.result_size bytes */
    GBytes *emitted; /* NULL: nothing */
    char *log;       /* valid UTF-8; NULL: nothing */
    gboolean again;  /* the server died under the first try */
} HearthAnswer;

void hearth_answer_clear(HearthAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthAnswer, hearth_answer_clear)

/** Takes result and log out of `shared` (HEARTH_SHARED_SIZE bytes), whatever its head claims. */
void hearth_answer_copy(HearthAnswer *answer, const guint8 *shared, const HearthJob *job);

/**
 * What the answer means. TRUE: the hook returned and `ret_values` is the validated result. Else
 * `error` has the reason (without the names of sprocket and hook) and `report` outcome and rule.
 */
gboolean hearth_answer_judge(const HearthAnswer *answer, const HearthJob *job, guint edge,
                             HearthSprocketReport *report, GVariant **ret_values, GError **error);
