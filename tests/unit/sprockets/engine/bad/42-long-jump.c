/* Row 42: jumps into a frame of the host. ESCAPED. */
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    longjmp(*victim->jump, 1);
    return 1;
}

uint64_t misbehave_forged(uint64_t *area, Victim *victim)
{
    jmp_buf own;
    if (setjmp(own) != 0)
        return 1;
    memset(own, 0x41, 64);
    longjmp(own, 1);
    return 1;
}
