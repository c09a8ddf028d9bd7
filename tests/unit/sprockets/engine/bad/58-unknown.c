/*
 * Row 58: instructions that are in no table, and bytes that are none. UNSUPPORTED; those that
 * fault by purpose may be FAULTED.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0x0f, 0x01, 0xd8" : : "a"(0)); /* vmrun */
    return 1;
}

uint64_t misbehave_tile(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0xc4, 0xe2, 0x7b, 0x49, 0xc0"); /* tilezero */
    return 1;
}

uint64_t misbehave_rex2(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0xd5, 0x10, 0x89, 0xc0"); /* a prefix of APX */
    return 1;
}

uint64_t misbehave_none(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0x06");
    return 1;
}

uint64_t misbehave_trap(uint64_t *area, Victim *victim)
{
    __builtin_trap();
}

uint64_t misbehave_break(uint64_t *area, Victim *victim)
{
    asm volatile("int3");
    return 1;
}

uint64_t misbehave_halt(uint64_t *area, Victim *victim)
{
    asm volatile("hlt");
    return 1;
}

uint64_t misbehave_divide(uint64_t *area, Victim *victim)
{
    volatile int zero = 0;
    return 1000 / zero;
}
