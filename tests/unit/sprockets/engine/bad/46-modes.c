/*
 * Row 46: leaves the processor's modes changed: direction, rounding, alignment, a full
 * register stack. RETURNED, restored. Single step ends the call.
 */
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile("std");
    return 0;
}

uint64_t misbehave_rounding(uint64_t *area, Victim *victim)
{
    unsigned mxcsr = 0x7f80;
    unsigned short control = 0x0f7f;
    asm volatile("ldmxcsr %0\nfldcw %1" : : "m"(mxcsr), "m"(control));
    return 0;
}

uint64_t misbehave_stack(uint64_t *area, Victim *victim)
{
    asm volatile("fld1\nfld1\nfld1\nfld1\nfld1\nfld1\nfld1\nfld1");
    return 0;
}

uint64_t misbehave_unmasked(uint64_t *area, Victim *victim)
{
    unsigned mxcsr = 0;
    unsigned short control = 0x0340;
    asm volatile("ldmxcsr %0\nfldcw %1" : : "m"(mxcsr), "m"(control));
    return 0;
}

uint64_t misbehave_alignment(uint64_t *area, Victim *victim)
{
    asm volatile("pushfq\norl $0x40000, (%rsp)\npopfq");
    return 0;
}

uint64_t misbehave_step(uint64_t *area, Victim *victim)
{
    asm volatile("pushfq\norl $0x100, (%rsp)\npopfq\nnop\nnop");
    return 0;
}

uint64_t misbehave_backwards(uint64_t *area, Victim *victim)
{
    char *to = (char *)(victim->heap + 8) - 1, *from = (char *)(area + 8) - 1;
    uint64_t count = 64;
    memset(area, 0x5a, 64);
    asm volatile("std\nrep movsb\ncld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return victim->heap[0] == 0x5a5a5a5a5a5a5a5a && victim->heap[7] == victim->heap[0] ? 0 : 1;
}
