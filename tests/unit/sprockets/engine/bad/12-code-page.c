/* Row 12: stores into code: its own, libc's and the host's. FAULTED, SIGSEGV. */
#include <dlfcn.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    *(volatile char *)misbehave = 0xc3;
    return 1;
}

uint64_t misbehave_libc(uint64_t *area, Victim *victim)
{
    *(volatile char *)dlsym(victim->handle, "qsort") = 0xc3;
    return 1;
}

uint64_t misbehave_host(uint64_t *area, Victim *victim)
{
    *(volatile char *)victim->finalise = 0xc3;
    return 1;
}

uint64_t misbehave_string(uint64_t *area, Victim *victim)
{
    void *to = (void *)misbehave;
    uint64_t count = 16;
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0x90) : "memory");
    return 1;
}
