/* Row 8: stores below the stack pointer, as leaf functions make them. RETURNED. */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    uint64_t near, far;
    asm volatile("movq $11, -8(%%rsp)\n"
                 "movq $12, -128(%%rsp)\n"
                 "movq $13, -4096(%%rsp)\n"
                 "mov -8(%%rsp), %0\n"
                 "add -128(%%rsp), %0\n"
                 "mov -4096(%%rsp), %1"
                 : "=&r"(near), "=&r"(far)
                 :
                 : "memory");
    return near == 23 && far == 13 ? 0 : 1;
}
