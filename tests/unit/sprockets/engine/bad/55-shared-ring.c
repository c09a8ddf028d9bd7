/*
 * Row 55: stores into memory shared with the kernel or another process. RETURNED; the others
 * see nothing.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    victim->shared[0] += 1;
    __atomic_store_n(&victim->shared[1], 0x1234, __ATOMIC_RELEASE);
    return victim->shared[1] == 0x1234 ? 0 : 1;
}
