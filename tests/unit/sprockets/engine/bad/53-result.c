/*
 * Row 53: hands over more than it may, and lays out the area beyond its end. REFUSED, emit;
 * nothing beyond the area is the host's.
 */
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    for (int i = 0; i < 100000; i++)
        victim->emit(area, 4096);
    return 1;
}

uint64_t misbehave_beyond(uint64_t *area, Victim *victim)
{
    memset((char *)area + 512 * 1024, 0x41, 4096);
    return 0;
}

uint64_t misbehave_bad_bytes(uint64_t *area, Victim *victim)
{
    return victim->emit(victim->nothing, 4096) ? 1 : 0;
}
