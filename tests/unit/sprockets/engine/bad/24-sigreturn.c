/* Row 24: returns from a signal that never was, with a forged frame. REFUSED by name. */
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    memset(area, 0x41, 4096);
    asm volatile("syscall" : : "a"(15) : "rcx", "r11", "memory");
    return 1;
}
