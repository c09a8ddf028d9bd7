/*
 * Row 60: times a load from the cache against one from memory. Side channels are not closed by
 * the engine, but its clock stands still. RETURNED.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

static uint64_t now(void)
{
    unsigned low, high;
    asm volatile("mfence\nrdtsc\nlfence" : "=a"(low), "=d"(high) : : "memory");
    return low | (uint64_t)high << 32;
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    uint64_t start, first, second;
    asm volatile("clflush (%0)\nmfence" : : "r"(&victim->secret) : "memory");
    start = now();
    first = *(volatile uint64_t *)&victim->secret;
    first = now() - start;
    start = now();
    second = *(volatile uint64_t *)&victim->secret;
    second = now() - start;
    return first == second ? 0 : 1;
}
