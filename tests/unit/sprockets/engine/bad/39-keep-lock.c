/*
 * Row 39: takes a lock of the host and never releases it. RETURNED; the lock is free
 * afterwards.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return pthread_mutex_lock(victim->free);
}

uint64_t misbehave_word(uint64_t *area, Victim *victim)
{
    while (__atomic_exchange_n(&victim->heap[5], 1, __ATOMIC_ACQUIRE) == 1)
        ;
    return 0;
}

uint64_t misbehave_fault(uint64_t *area, Victim *victim)
{
    pthread_mutex_lock(victim->free);
    *(volatile int *)victim->nothing = 1;
    return 1;
}
