/*
 * Row 21: ends the process in each of the ways there are. REFUSED, exit; abort is FAULTED,
 * SIGABRT. No handler of atexit runs.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    exit(3);
    return 1;
}

uint64_t misbehave_now(uint64_t *area, Victim *victim)
{
    _exit(3);
    return 1;
}

uint64_t misbehave_quick(uint64_t *area, Victim *victim)
{
    quick_exit(3);
    return 1;
}

uint64_t misbehave_call(uint64_t *area, Victim *victim)
{
    return syscall(SYS_exit_group, 3);
}

uint64_t misbehave_thread(uint64_t *area, Victim *victim)
{
    return syscall(SYS_exit, 3);
}

uint64_t misbehave_abort(uint64_t *area, Victim *victim)
{
    abort();
    return 1;
}

uint64_t misbehave_pthread(uint64_t *area, Victim *victim)
{
    pthread_exit(NULL);
    return 1;
}
