/* Row 15: sets the base of a segment, or loads one. UNSUPPORTED. */
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile("wrfsbase %0" : : "r"(victim->heap));
    return 1;
}

uint64_t misbehave_gs(uint64_t *area, Victim *victim)
{
    asm volatile("wrgsbase %0" : : "r"(victim->heap));
    return 1;
}

uint64_t misbehave_load(uint64_t *area, Victim *victim)
{
    asm volatile("mov %%ax, %%fs" : : "a"(0));
    return 1;
}

uint64_t misbehave_swap(uint64_t *area, Victim *victim)
{
    asm volatile("swapgs");
    return 1;
}

uint64_t misbehave_key(uint64_t *area, Victim *victim)
{
    asm volatile(".byte 0x0f, 0x01, 0xee" : : "c"(0) : "rax", "rdx");
    return 1; /* rdpkru */
}

uint64_t misbehave_call(uint64_t *area, Victim *victim)
{
    return syscall(SYS_arch_prctl, 0x1002, victim->heap);
}
