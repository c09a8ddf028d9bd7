/* Row 22: signals to the process and its threads. REFUSED by the name of the system call. */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return kill(victim->pid, SIGKILL);
}

uint64_t misbehave_thread(uint64_t *area, Victim *victim)
{
    return syscall(SYS_tgkill, victim->pid, victim->pid, SIGTERM);
}

uint64_t misbehave_all(uint64_t *area, Victim *victim)
{
    return kill(-1, SIGTERM);
}

uint64_t misbehave_queue(uint64_t *area, Victim *victim)
{
    return syscall(SYS_rt_sigqueueinfo, victim->pid, SIGTERM, area);
}
