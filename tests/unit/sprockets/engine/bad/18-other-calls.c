/*
 * Row 18: the other ways into the kernel. UNSUPPORTED or REFUSED; the page of vsyscalls is not
 * code of a file.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    asm volatile("int $0x80" : : "a"(20) : "memory");
    return 1;
}

uint64_t misbehave_sysenter(uint64_t *area, Victim *victim)
{
    asm volatile("sysenter" : : "a"(20) : "memory");
    return 1;
}

uint64_t misbehave_vsyscall(uint64_t *area, Victim *victim)
{
    ((long (*)(long *))0xffffffffff600400)((long *)area);
    return 0;
}
