/*
 * Row 5: stores into the thread's control block, its table of modules and the kernel's rseq
 * area. No effect, whether it RETURNED or was ended.
 */
#include <string.h>
#include <sys/rseq.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    char *thread = __builtin_thread_pointer();
    struct rseq *area_of_kernel = (struct rseq *)(thread + __rseq_offset);
    area_of_kernel->rseq_cs = (uint64_t)victim->heap;
    return 0;
}

uint64_t misbehave_thread(uint64_t *area, Victim *victim)
{
    char *thread = (char *)pthread_self();
    memset(thread + 0x2c0, 0x41, 64);
    return 0;
}

uint64_t misbehave_modules(uint64_t *area, Victim *victim)
{
    asm volatile("movq $0, %fs:8");
    return 0;
}
