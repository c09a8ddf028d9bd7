#pragma once

#include <glib.h>

/** What a process has beside its memory: handlers, mask, modes, descriptors. */
typedef struct ProcessWatch ProcessWatch;

ProcessWatch *process_watch_new(void);
/** Asserts that all is as it was, and frees `watch`. */
void process_watch_end(ProcessWatch *watch);

/** Gives the processor its modes of the start back, so that one failure does not make others. */
void process_watch_reset_modes(void);
