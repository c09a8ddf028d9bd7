/*
 * Row 6: recursion without end, and one block of stack larger than the stack. FAULTED,
 * OUT_OF_MEMORY or ESCAPED.
 */
#include <alloca.h>
#include <stddef.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static uint64_t deeper(uint64_t *area, uint64_t depth)
{
    volatile char block[4096];
    block[0] = (char)depth;
    return deeper(area, depth + 1) + block[0];
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return deeper(area, 0);
}

uint64_t misbehave_block(uint64_t *area, Victim *victim)
{
    size_t size = (size_t)64 << 20;
    volatile char *block = alloca(size);
    block[0] = 1;
    return block[0];
}
