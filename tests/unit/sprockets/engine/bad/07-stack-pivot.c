/*
 * Row 7: the stack pointer is set to memory of the host, to the area, or walked out of the
 * stack; then something is pushed. ESCAPED or FAULTED.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

static void push_at(void *top)
{
    asm volatile("mov %%rsp, %%rbx\n"
                 "mov %0, %%rsp\n"
                 "push %%rax\n"
                 "call 1f\n"
                 "1: add $16, %%rsp\n"
                 "mov %%rbx, %%rsp"
                 :
                 : "r"(top)
                 : "rbx", "memory");
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    push_at(victim->heap + VICTIM_WORDS / 2);
    return 1;
}

uint64_t misbehave_area(uint64_t *area, Victim *victim)
{
    push_at(area + 4096);
    return 1;
}

uint64_t misbehave_walk_down(uint64_t *area, Victim *victim)
{
    asm volatile("mov %%rsp, %%rbx\n"
                 "mov $20000, %%ecx\n"
                 "1: sub $0x400, %%rsp\n"
                 "dec %%ecx\n"
                 "jnz 1b\n"
                 "push %%rax\n"
                 "mov %%rbx, %%rsp"
                 :
                 :
                 : "rbx", "rcx", "memory");
    return 1;
}

uint64_t misbehave_walk_up(uint64_t *area, Victim *victim)
{
    asm volatile("mov %%rsp, %%rbx\n"
                 "mov $20000, %%ecx\n"
                 "1: add $0x400, %%rsp\n"
                 "dec %%ecx\n"
                 "jnz 1b\n"
                 "push %%rax\n"
                 "mov %%rbx, %%rsp"
                 :
                 :
                 : "rbx", "rcx", "memory");
    return 1;
}

uint64_t misbehave_pop_up(uint64_t *area, Victim *victim)
{
    asm volatile("mov %%rsp, %%rbx\n"
                 "mov $4000000, %%ecx\n"
                 "1: pop %%rax\n"
                 "dec %%ecx\n"
                 "jnz 1b\n"
                 "push %%rax\n"
                 "mov %%rbx, %%rsp"
                 :
                 :
                 : "rax", "rbx", "rcx", "memory");
    return 1;
}

uint64_t misbehave_exchange(uint64_t *area, Victim *victim)
{
    uint64_t top = (uint64_t)(victim->data + VICTIM_WORDS / 2);
    asm volatile("xchg %%rsp, %0\n"
                 "push %%rax\n"
                 "pop %%rax\n"
                 "xchg %%rsp, %0"
                 : "+r"(top)
                 :
                 : "rax", "memory");
    return 1;
}
