/*
 * Row 37: allocates without end. malloc returns NULL, and the call can go on; if it does not
 * look, it is FAULTED or OUT_OF_MEMORY.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    uint64_t blocks = 0;
    for (char *block; (block = malloc(1 << 20)); blocks++)
        memset(block, 1, 1 << 20);
    return blocks >= 8 && blocks < 16 ? 0 : 1;
}

uint64_t misbehave_touch(uint64_t *area, Victim *victim)
{
    for (;;)
        memset(malloc(1 << 20), 1, 1 << 20);
}

uint64_t misbehave_large(uint64_t *area, Victim *victim)
{
    return malloc((size_t)1 << 40) == NULL ? 0 : 1;
}

uint64_t misbehave_map(uint64_t *area, Victim *victim)
{
    for (int i = 0; i < 100000; i++)
        if (mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED)
            return 0;
    return 1;
}

uint64_t misbehave_break(uint64_t *area, Victim *victim)
{
    return sbrk(1 << 30) == (void *)-1 ? 0 : 1;
}

uint64_t misbehave_pages(uint64_t *area, Victim *victim)
{
    for (uint64_t at = 0;; at += 4096)
        ((volatile char *)victim->pages)[at] = 1;
}
