/*
 * Row 36: waits. REFUSED by the name of the system call; to wait for a word that another
 * thread would change is a CONFLICT.
 */
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return usleep(10000000);
}

uint64_t misbehave_wait(uint64_t *area, Victim *victim)
{
    return syscall(SYS_futex, victim->heap, 0 /* FUTEX_WAIT */, (int)victim->heap[0], NULL, NULL,
                   0);
}

uint64_t misbehave_poll(uint64_t *area, Victim *victim)
{
    struct pollfd none = {.fd = -1};
    return poll(&none, 1, 10000);
}

uint64_t misbehave_pause(uint64_t *area, Victim *victim)
{
    return pause();
}

uint64_t misbehave_select(uint64_t *area, Victim *victim)
{
    return select(0, NULL, NULL, NULL, NULL);
}

uint64_t misbehave_child(uint64_t *area, Victim *victim)
{
    return waitpid(-1, NULL, 0) == -1 ? 0 : 1;
}
