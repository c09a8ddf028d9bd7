/*
 * Row 33: the folder, the mask of modes, the locale, the environment, the time zone. The
 * system calls are REFUSED, the rest RETURNED and discarded.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return chdir("/");
}

uint64_t misbehave_umask(uint64_t *area, Victim *victim)
{
    return umask(0);
}

uint64_t misbehave_environment(uint64_t *area, Victim *victim)
{
    if (setenv("HEARTH_MISBEHAVED", "yes", 1) != 0 || setenv("PATH", "/nowhere", 1) != 0)
        return 1;
    return strcmp(getenv("HEARTH_MISBEHAVED"), "yes");
}

uint64_t misbehave_locale(uint64_t *area, Victim *victim)
{
    setlocale(LC_ALL, "C.UTF-8");
    setlocale(LC_NUMERIC, "POSIX");
    return 0;
}

uint64_t misbehave_zone(uint64_t *area, Victim *victim)
{
    setenv("TZ", "XYZ-3:21", 1);
    tzset();
    return timezone == -12060 ? 0 : 1;
}

uint64_t misbehave_random(uint64_t *area, Victim *victim)
{
    unsigned seed = 7;
    srandom(victim->pid);
    return random() >= 0 && rand_r(&seed) >= 0 ? 0 : 1;
}
