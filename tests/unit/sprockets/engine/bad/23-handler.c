/*
 * Row 23: sets handlers and the stack they run on: fails, as if it was not allowed; a
 * signal that is ignored ends the call all the same: FAULTED, SIGSEGV.
 */
#include <signal.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    signal(SIGSEGV, SIG_IGN);
    *(volatile int *)victim->nothing = 1;
    return 1;
}

uint64_t misbehave_stack(uint64_t *area, Victim *victim)
{
    stack_t stack = {.ss_sp = area, .ss_size = 65536};
    return sigaltstack(&stack, NULL) == 0 ? 1 : 0;
}

uint64_t misbehave_ask(uint64_t *area, Victim *victim)
{
    struct sigaction action;
    return sigaction(SIGSEGV, NULL, &action) == 0 ? 0 : 1;
}

uint64_t misbehave_mask(uint64_t *area, Victim *victim)
{
    sigset_t all, before;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) != 0)
        return 1;
    return 0;
}
