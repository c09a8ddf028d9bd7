/*
 * Row 3: stores into libc's own state: a stream, the environment, the locale. RETURNED; libc
 * is as it was.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    memset(stdout, 0xff, 64);
    memset(stderr, 0, 64);
    environ = NULL;
    opterr = 12;
    return getenv("PATH") == NULL ? 0 : 1;
}

uint64_t misbehave_environment(uint64_t *area, Victim *victim)
{
    environ[0][0] = '#';
    environ[1] = NULL;
    return environ[0][0] == '#' && !environ[1] ? 0 : 1;
}

uint64_t misbehave_locale(uint64_t *area, Victim *victim)
{
    struct lconv *conventions = localeconv();
    conventions->decimal_point = "#";
    return conventions->decimal_point[0] == '#' ? 0 : 1;
}
