/* Row 40: takes a lock that another thread of the host holds. CONFLICT, within its time. */
#include <errno.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return pthread_mutex_lock(victim->held);
}

uint64_t misbehave_try(uint64_t *area, Victim *victim)
{
    return pthread_mutex_trylock(victim->held) == EBUSY ? 0 : 1;
}
