#pragma once

#include <glib.h>

/**
 * Named places where a test lets the daemon die by SIGKILL, to see that nothing is lost there.
 *
 * Only in builds with the CMake option HEARTH_TEST_HOOKS; the environment variable
 * HEARTH_CRASH_POINT is then NAME:COUNT, and the process kills itself at the COUNTth passage of
 * NAME. Otherwise a place costs nothing. The names, in the order of an import:
 *
 * import-listed, import-fetched (a file is in the spool), import-staged (a batch is whole),
 * import-published, import-filed (a file has its record), import-synced, import-counted,
 * import-proven (before a file is taken off the device), import-removed, import-done.
 */
#ifdef HEARTH_TEST_HOOKS
void hearth_crash_point(const char *name);
#else
static inline void hearth_crash_point(const char *name G_GNUC_UNUSED)
{
}
#endif
