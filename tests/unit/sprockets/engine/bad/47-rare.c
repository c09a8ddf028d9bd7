/* Row 47: instructions whose stores a decoder misjudges. UNSUPPORTED, or done right. */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile("clzero" : : "a"(victim->heap) : "memory");
    return 1;
}

uint64_t misbehave_enter(uint64_t *area, Victim *victim)
{
    asm volatile("enter $16, $3\nleave" : : : "memory");
    return 1;
}

uint64_t misbehave_far(uint64_t *area, Victim *victim)
{
    asm volatile("lcall *(%0)" : : "r"(victim->heap) : "memory");
    return 1;
}

uint64_t misbehave_scatter(uint64_t *area, Victim *victim)
{
    asm volatile("kxnorw %%k1, %%k1, %%k1\n"
                 "vpxord %%zmm1, %%zmm1, %%zmm1\n"
                 "vpscatterdd %%zmm1, (%0, %%zmm1, 4) %{%%k1%}"
                 :
                 : "r"(victim->heap)
                 : "memory");
    return 1;
}

uint64_t misbehave_bit(uint64_t *area, Victim *victim)
{
    uint64_t bit = 64 * 1000 + 5;
    victim->heap[1000] = 0;
    asm volatile("bts %1, (%0)" : : "r"(victim->heap), "r"(bit) : "memory", "cc");
    return victim->heap[1000] == 32 && victim->heap[0] != 32 ? 0 : 1;
}

uint64_t misbehave_bit_back(uint64_t *area, Victim *victim)
{
    int64_t bit = -64 * 10 + 3;
    victim->heap[90] = 0;
    asm volatile("bts %1, (%0)" : : "r"(victim->heap + 100), "r"(bit) : "memory", "cc");
    return victim->heap[90] == 8 ? 0 : 1;
}

uint64_t misbehave_short_address(uint64_t *area, Victim *victim)
{
    /* mov %cl, 0x10000 with a 32-bit address and REX.B: there is no base register in it. */
    asm volatile("mov %0, %%r13\n.byte 0x67, 0x41, 0x88, 0x0c, 0x25, 0x00, 0x00, 0x01, 0x00"
                 :
                 : "r"(area)
                 : "r13", "memory");
    return 1;
}

uint64_t misbehave_save(uint64_t *area, Victim *victim)
{
    uint64_t at = ((uint64_t)area + 63) & ~(uint64_t)63;
    asm volatile("xsave64 (%0)" : : "r"(at), "a"(7), "d"(0) : "memory");
    return 0;
}

uint64_t misbehave_save_foreign(uint64_t *area, Victim *victim)
{
    uint64_t at = ((uint64_t)victim->heap + 63) & ~(uint64_t)63;
    asm volatile("xsave64 (%0)" : : "r"(at), "a"(7), "d"(0) : "memory");
    return 0;
}

uint64_t misbehave_transaction(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0xc7, 0xf8, 0, 0, 0, 0" : : : "rax", "memory");
    return 1;
}

uint64_t misbehave_push_memory(uint64_t *area, Victim *victim)
{
    /* push (%rsp) reads before the pointer moves, pop 8(%rsp) stores after. */
    uint64_t value;
    asm volatile("push $0\npush $7\npush (%%rsp)\npop 8(%%rsp)\npop %0\npop %0"
                 : "=r"(value)
                 :
                 : "memory");
    return value == 7 ? 0 : 1;
}
