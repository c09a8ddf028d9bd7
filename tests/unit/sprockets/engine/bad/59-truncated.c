/* Row 59: reads a page of a file that was cut short. FAULTED, SIGBUS. */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return victim->truncated[0];
}
