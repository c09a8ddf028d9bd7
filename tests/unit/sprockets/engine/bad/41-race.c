/*
 * Row 41: reads twice what another thread keeps changing. With reads validated: RETURNED with
 * one value, or CONFLICT.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    uint64_t first = *(volatile uint64_t *)victim->racing;
    for (volatile int i = 0; i < 100000; i++)
        ;
    return *(volatile uint64_t *)victim->racing == first ? 0 : 1;
}
