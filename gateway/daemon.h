#pragma once

#include <glib.h>

/**
 * hearthd itself: puts the parts together, keeps one state for itself, runs until told to stop.
 */
typedef struct {
    const char *config; /* (nullable): the file; NULL: HEARTH_CONFIG_PATH if it exists */
    const char *state;  /* folder */
    const char *mount;  /* (nullable): over the configuration's */
    const char *listen; /* (nullable): the same */
} HearthDaemonOptions;

/**
 * Starts, serves until TERM or INT, stops. Returns the exit status: 0 after a clean stop, 1 when it
 * could not start, having logged why. Uses the default main context and takes the signals.
 */
int hearth_daemon_run(const HearthDaemonOptions *options);
