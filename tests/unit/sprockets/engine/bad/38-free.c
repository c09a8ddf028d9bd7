/*
 * Row 38: frees what the host allocated, and twice what it allocated itself. The host's heap
 * is as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    free(victim->heap);
    char *block = malloc(VICTIM_WORDS * 8);
    memset(block, 0x55, VICTIM_WORDS * 8);
    return 0;
}

uint64_t misbehave_resize(uint64_t *area, Victim *victim)
{
    uint64_t first = victim->heap[0];
    uint64_t *larger = realloc(victim->heap, VICTIM_WORDS * 16);
    return larger && larger[0] == first ? 0 : 1;
}

uint64_t misbehave_twice(uint64_t *area, Victim *victim)
{
    char *block = malloc(100);
    free(block);
    free(block);
    return 0;
}

uint64_t misbehave_inside(uint64_t *area, Victim *victim)
{
    char *block = malloc(100);
    free(block + 16);
    return 0;
}
