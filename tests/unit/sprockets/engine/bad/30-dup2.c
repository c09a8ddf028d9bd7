/* Row 30: puts another file at the number of a descriptor of the host. EBADF, or REFUSED. */
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return dup2(victim->given, victim->descriptor) == -1 ? 0 : 1;
}

uint64_t misbehave_dup3(uint64_t *area, Victim *victim)
{
    return dup3(victim->given, 1, 0) == -1 ? 0 : 1;
}
