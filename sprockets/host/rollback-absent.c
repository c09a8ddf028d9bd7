#include "sprockets/host/rollback-private.h"

#include "gateway/base/error.h"

/* For builds without the engine: those with sanitizers, and other processors than x86-64. */

#define REASON "this build is without the rollback engine"

gboolean hearth_rollback_available(const char **ret_reason)
{
    if (ret_reason)
        *ret_reason = REASON;
    return FALSE;
}

HearthRollback *hearth_rollback_load(const char *path, GError **error)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "%s: %s", path, REASON);
    return NULL;
}

gboolean hearth_rollback_call(HearthRollback *rollback, const HearthJob *job,
                              HearthAnswer *ret_answer, GError **error)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED, "%s", REASON);
    return FALSE;
}

void hearth_rollback_rest(void)
{
}

glong hearth_rollback_warm(const char *path)
{
    return 0;
}

void hearth_rollback_translate(HearthRollback *rollback)
{
}

gboolean hearth_rollback_keep(const char *path, GError **error)
{
    return TRUE;
}
