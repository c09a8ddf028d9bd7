/*
 * Row 9: a function overwrites its return address: with other code, which then runs
 * (RETURNED), and with data (ESCAPED).
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

void tamper(void *target);
uint64_t tamper_with_code(void);

asm(".text\n"
    ".type tamper, @function\n"
    "tamper: mov %rdi, (%rsp)\n"
    "ret\n"
    ".type tamper_with_code, @function\n"
    "tamper_with_code: lea 1f(%rip), %rdi\n"
    "call tamper\n"
    "mov $1, %eax\n"
    "ret\n"
    "1: xor %eax, %eax\n"
    "ret\n");

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return tamper_with_code();
}

uint64_t misbehave_data(uint64_t *area, Victim *victim)
{
    tamper(victim->heap);
    return 1;
}

uint64_t misbehave_nothing(uint64_t *area, Victim *victim)
{
    tamper(victim->nothing);
    return 1;
}
