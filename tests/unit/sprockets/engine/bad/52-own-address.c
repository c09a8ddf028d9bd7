/*
 * Row 52: looks at its return address and its instruction pointer for traces of translation.
 * RETURNED: it sees its own.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t where(void);
uint64_t after(void);

asm(".text\n"
    ".type where, @function\n"
    "where: mov (%rsp), %rax\n"
    "ret\n"
    ".type after, @function\n"
    "after: call where\n"
    "1: lea 1b(%rip), %rcx\n"
    "sub %rcx, %rax\n"
    "ret\n");

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    uint64_t pointer;
    if (after() != 0)
        return 1;
    asm volatile("call 1f\n1: pop %0\nlea 1b(%%rip), %%rcx\nsub %%rcx, %0"
                 : "=r"(pointer)
                 :
                 : "rcx", "memory");
    return pointer == 0 ? 0 : 2;
}
