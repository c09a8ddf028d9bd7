/*
 * Row 1: stores through NULL, to what is not mapped and to what is no address. FAULTED,
 * SIGSEGV.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    *(volatile int *)victim->nothing = 1;
    return 1;
}

uint64_t misbehave_unmapped(uint64_t *area, Victim *victim)
{
    *(volatile char *)victim->edge = 1;
    return 1;
}

uint64_t misbehave_not_canonical(uint64_t *area, Victim *victim)
{
    *(volatile int *)((uint64_t)area | 0x8000000000000000) = 1;
    return 1;
}

/* Address 0 is what free places of a table have. */
uint64_t misbehave_call(uint64_t *area, Victim *victim)
{
    uint64_t (*volatile function)(void) = NULL;
    return function();
}
