/* Row 56: stores into a file that the host has mapped shared. RETURNED; the file is as it was. */
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    memset(victim->mapped, 0x42, 4096);
    return victim->mapped[511] == 0x4242424242424242 ? 0 : 1;
}

uint64_t misbehave_sync(uint64_t *area, Victim *victim)
{
    msync(victim->mapped, 4096, MS_SYNC);
    return 0;
}
