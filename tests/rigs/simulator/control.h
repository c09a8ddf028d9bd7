#pragma once

#include "tests/rigs/simulator/device.h"

#include <glib.h>

/**
 * The control socket: a stream socket in the file system that takes one command a line (README.md)
 * and answers each with "ok" or "error: REASON". "@N COMMAND" is for device N, counted from 0,
 * which is also the one meant without "@N".
 *
 * Served by a thread of its own until freed.
 */
typedef struct SimControl SimControl;

/** `devices` (element-type SimDevice) stays the caller's and does not change meanwhile. */
SimControl *sim_control_new(const char *path, GPtrArray *devices, GError **error);
void sim_control_free(SimControl *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimControl, sim_control_free)

/** The other end: sends `line` to the simulator at `path` and waits until it was carried out. */
gboolean sim_control_tell(const char *path, const char *line, GError **error);
