/*
 * Row 14: stores into the engine's memory: its own, translated code, and by way of the kernel.
 * Whatever comes of it, the engine is as it was.
 */
#include <string.h>
#include <unistd.h>

#include "sprockets/engine/context-private.h"
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    memset((void *)victim->context, 0xff, 256);
    return 0;
}

uint64_t misbehave_cache(uint64_t *area, Victim *victim)
{
    *(volatile char *)victim->cache = 0xc3;
    return 1;
}

uint64_t misbehave_kernel(uint64_t *area, Victim *victim)
{
    read(victim->given, (void *)victim->context, 64);
    return 0;
}

uint64_t misbehave_kernel_host(uint64_t *area, Victim *victim)
{
    if (read(victim->given, victim->heap, 64) != 64)
        return 1;
    return victim->heap[0] == 0x7878787878787878 ? 0 : 2;
}

uint64_t misbehave_shadow(uint64_t *area, Victim *victim)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    memset((void *)(here + HEARTH_SLOT_SHADOW_OFFSET - 64), 0x41, 128);
    return 0;
}
