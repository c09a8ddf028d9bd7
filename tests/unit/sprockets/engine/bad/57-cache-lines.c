/*
 * Row 57: prefetches and flushes lines of the cache: RETURNED. Waits for one, or reads
 * counters: UNSUPPORTED.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile("prefetcht0 (%0)\nprefetchnta (%0)\nclflush (%0)\nmfence\npause"
                 :
                 : "r"(victim->heap)
                 : "memory");
    asm volatile("prefetcht0 (%0)" : : "r"(victim->nothing));
    return 0;
}

uint64_t misbehave_rdpru(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0x0f, 0x01, 0xfd" : : "c"(0) : "rax", "rdx");
    return 1;
}

uint64_t misbehave_monitor(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0x0f, 0x01, 0xfa" : : "a"(victim->heap), "c"(0), "d"(0));
    return 1;
}

uint64_t misbehave_wait(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0x0f, 0x01, 0xfb" : : "a"(0), "b"(0), "c"(0));
    return 1;
}
