/* Row 13: jumps into translated code: ESCAPED; into the engine: nothing comes of it. */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    ((void (*)(void))victim->cache)();
    return 1;
}

uint64_t misbehave_middle(uint64_t *area, Victim *victim)
{
    ((void (*)(void))(victim->cache + 5))();
    return 1;
}

uint64_t misbehave_engine(uint64_t *area, Victim *victim)
{
    ((void (*)(void *, void *))victim->engine)(area, area + 64);
    return 0;
}
