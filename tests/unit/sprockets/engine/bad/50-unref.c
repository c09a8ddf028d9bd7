/*
 * Row 50: drops the host's last reference, so that the host's own finaliser runs. RETURNED;
 * nothing is finalised.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    if (__atomic_sub_fetch(&victim->references, 1, __ATOMIC_SEQ_CST) == 0)
        victim->finalise(victim);
    return victim->references == 0 && victim->heap == NULL ? 0 : 1;
}
