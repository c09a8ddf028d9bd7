/*
 * Row 4: stores to errno and to thread-local storage of its own. RETURNED; the thread's
 * storage is as it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static __thread uint64_t own[16] = {3};

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    if (own[0] != 3)
        return 1;
    own[0] = 4;
    memset(own + 1, 0xee, sizeof own - sizeof own[0]);
    errno = 4711;
    if (strtol("99999999999999999999", NULL, 10) == 0 || errno != ERANGE)
        return 2;
    errno = 4711;
    return errno == 4711 && own[0] == 4 ? 0 : 3;
}
