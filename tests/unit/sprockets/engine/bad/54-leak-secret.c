/* Row 54: reads what is the host's and hands it over. RETURNED: reads are not confined. */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    area[0] = victim->secret;
    return 0;
}
