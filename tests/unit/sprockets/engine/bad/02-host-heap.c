/*
 * Row 2: stores into the host's heap and its .data. RETURNED; the call sees what it stored,
 * nobody else does.
 */
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    memset(victim->heap, 0xab, VICTIM_WORDS * 8);
    for (int i = 0; i < VICTIM_WORDS; i++)
        victim->data[i] = i;
    for (int i = 0; i < VICTIM_WORDS; i++)
        if (victim->heap[i] != 0xabababababababab || victim->data[i] != i)
            return 1;
    victim->counter = 77;
    return victim->counter == 77 ? 0 : 2;
}
