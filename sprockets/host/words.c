#include "sprockets/host/host.h"

#include <string.h>

static const char *const MODES[] = {"default", "fork", "direct", "rollback", "process"};
static const char *const OUTCOMES[HEARTH_SPROCKET_OUTCOMES] = {
    "not-run",       "returned", "declined", "refused", "faulted",    "timed-out",
    "out-of-memory", "invalid",  "conflict", "escaped", "unsupported"};

const char *hearth_sprocket_mode_word(HearthSprocketMode mode)
{
    return MODES[mode];
}

gboolean hearth_sprocket_mode_parse(const char *word, HearthSprocketMode *ret_mode)
{
    for (guint i = HEARTH_SPROCKET_MODE_DEFAULT + 1; i < G_N_ELEMENTS(MODES); i++) {
        if (strcmp(MODES[i], word) == 0) {
            *ret_mode = (HearthSprocketMode)i;
            return TRUE;
        }
    }
    return FALSE;
}

const char *hearth_sprocket_outcome_word(HearthSprocketOutcome outcome)
{
    return OUTCOMES[outcome];
}

void hearth_sprocket_report_clear(HearthSprocketReport *report)
{
    g_clear_pointer(&report->sprocket, g_free);
    g_clear_pointer(&report->rule, g_free);
    g_clear_pointer(&report->symbol, g_free);
    g_clear_pointer(&report->log, g_free);
}
