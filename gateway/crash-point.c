#include "gateway/crash-point.h"

#ifdef HEARTH_TEST_HOOKS
#include <signal.h>
#include <string.h>

void hearth_crash_point(const char *name)
{
    static gint passages;
    const char *wanted = g_getenv("HEARTH_CRASH_POINT");
    gsize length = strlen(name);
    if (!wanted || strncmp(wanted, name, length) != 0 || wanted[length] != ':')
        return;
    gint64 count = g_ascii_strtoll(wanted + length + 1, NULL, 10);
    if (g_atomic_int_add(&passages, 1) + 1 == count)
        raise(SIGKILL);
}
#endif
