/*
 * Row 35: one instruction or one call of libc that would store or read without end. FAULTED,
 * OUT_OF_MEMORY or TIMED_OUT.
 */
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    void *to = area;
    uint64_t count = (uint64_t)1 << 62;
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
    return 1;
}

uint64_t misbehave_memset(uint64_t *area, Victim *victim)
{
    memset(victim->heap, 0, (size_t)1 << 46);
    return 1;
}

uint64_t misbehave_copy(uint64_t *area, Victim *victim)
{
    void *to = area, *from = victim->heap;
    uint64_t count = (uint64_t)1 << 46;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return 1;
}

uint64_t misbehave_scan(uint64_t *area, Victim *victim)
{
    for (;;) {
        void *at = area;
        uint64_t count = 524288;
        asm volatile("repe scasb" : "+D"(at), "+c"(count) : "a"(0) : "cc", "memory");
    }
}
