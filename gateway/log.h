#pragma once

#include <glib.h>

/**
 * Where log lines go: to the journal, with their fields, when systemd started us; else one line
 * each, with the time, on standard error. Debug lines only with HEARTH_DEBUG set.
 */
void hearth_log_init(gboolean foreground);
