/*
 * Row 10: jumps into data: code that it wrote itself on the heap, on the stack and in its own
 * data, and the host's data. ESCAPED.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static unsigned char own[] = {0x31, 0xc0, 0xc3}; /* xor eax, eax; ret */

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    unsigned char *code = malloc(sizeof own);
    memcpy(code, own, sizeof own);
    return ((uint64_t(*)(void))code)();
}

uint64_t misbehave_stack(uint64_t *area, Victim *victim)
{
    unsigned char code[sizeof own];
    memcpy(code, own, sizeof own);
    return ((uint64_t(*)(void))code)();
}

uint64_t misbehave_own_data(uint64_t *area, Victim *victim)
{
    return ((uint64_t(*)(void))own)();
}

uint64_t misbehave_host_data(uint64_t *area, Victim *victim)
{
    return ((uint64_t(*)(void))victim->data)();
}

uint64_t misbehave_jump(uint64_t *area, Victim *victim)
{
    asm volatile("jmp *%0" : : "r"(victim->heap));
    return 1;
}
