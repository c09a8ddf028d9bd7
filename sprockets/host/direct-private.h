#pragma once

#include "sprockets/host/answer-private.h"
#include "sprockets/sdk/sprocket.h"

/**
 * Calls in the caller's own thread, with nothing contained: a sprocket that crashes takes the
 * process along. For tests, benchmarks and fuzzing. Of the limits, result, emit and log hold.
 */

/** Loads `path` for good (it is never unloaded); NULL with INVALID. */
const SprocketDescriptor *hearth_direct_load(const char *path, GError **error);

/** The table of `sprocket` as a record. */
GBytes *hearth_direct_describe(const SprocketDescriptor *sprocket, GError **error);

gboolean hearth_direct_call(const SprocketDescriptor *sprocket, const HearthJob *job,
                            HearthAnswer *ret_answer, GError **error);
