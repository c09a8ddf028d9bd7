/*
 * Row 17: a system call hidden in the immediate of another instruction, reached by a jump into
 * its middle. REFUSED by name.
 */
#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t hidden(void);

asm(".text\n"
    ".type hidden, @function\n"
    "hidden: mov $41, %eax\n" /* socket */
    "mov $1, %edi\n"
    "mov $1, %esi\n"
    "xor %edx, %edx\n"
    "jmp 1f + 1\n"
    "1: .byte 0xb9, 0x0f, 0x05, 0xc3, 0x90\n" /* mov $0x90c3050f, %ecx; inside: syscall; ret */
    "ret\n");

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return hidden();
}
