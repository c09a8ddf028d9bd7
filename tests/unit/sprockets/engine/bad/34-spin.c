/*
 * Row 34: loops without end: with a jump to itself, through functions, and in the stores that
 * are redirected. TIMED_OUT, cpu-time.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static uint64_t step(uint64_t number)
{
    return number * 3 + 1;
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile("1: jmp 1b");
    return 1;
}

uint64_t misbehave_calls(uint64_t *area, Victim *victim)
{
    uint64_t (*volatile next)(uint64_t) = step;
    for (uint64_t number = 1;;)
        number = next(number);
}

uint64_t misbehave_stores(uint64_t *area, Victim *victim)
{
    for (volatile uint64_t *word = victim->heap;;)
        *word += 1;
}

uint64_t misbehave_system_calls(uint64_t *area, Victim *victim)
{
    char byte;
    for (;;)
        pread(victim->given, &byte, 1, 0);
}

uint64_t misbehave_allocations(uint64_t *area, Victim *victim)
{
    for (;;)
        free(malloc(100));
}
