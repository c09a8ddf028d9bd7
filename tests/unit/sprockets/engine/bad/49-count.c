/*
 * Row 49: counts up and down in counters of the host. RETURNED; the call sees its count, the
 * host's is as it was.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    uint64_t before = victim->counter;
    for (int i = 0; i < 1000; i++)
        __atomic_add_fetch(&victim->counter, 3, __ATOMIC_SEQ_CST);
    return victim->counter == before + 3000 ? 0 : 1;
}

uint64_t misbehave_compare(uint64_t *area, Victim *victim)
{
    uint64_t before = victim->counter;
    if (!__sync_bool_compare_and_swap(&victim->counter, before, before + 9))
        return 1;
    if (__sync_bool_compare_and_swap(&victim->counter, before, before + 10))
        return 2;
    return victim->counter == before + 9 ? 0 : 3;
}

uint64_t misbehave_wide(uint64_t *area, Victim *victim)
{
    uint64_t low = victim->pair[0], high = victim->pair[1];
    unsigned char done;
    asm volatile("lock cmpxchg16b %1\nsete %0"
                 : "=q"(done), "+m"(victim->pair), "+a"(low), "+d"(high)
                 : "b"((uint64_t)1), "c"((uint64_t)2)
                 : "memory", "cc");
    return done && victim->pair[0] == 1 && victim->pair[1] == 2 ? 0 : 1;
}
