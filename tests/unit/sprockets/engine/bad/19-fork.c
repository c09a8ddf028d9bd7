/* Row 19: new processes. REFUSED by the name of the system call. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    fork();
    return 1;
}

uint64_t misbehave_vfork(uint64_t *area, Victim *victim)
{
    return syscall(SYS_vfork);
}

uint64_t misbehave_spawn(uint64_t *area, Victim *victim)
{
    char *arguments[] = {"true", NULL};
    pid_t pid;
    posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ);
    return 1;
}

uint64_t misbehave_clone(uint64_t *area, Victim *victim)
{
    return syscall(SYS_clone, 0x11, 0, 0, 0, 0);
}

uint64_t misbehave_clone3(uint64_t *area, Victim *victim)
{
    return syscall(SYS_clone3, area, 88);
}

uint64_t misbehave_system(uint64_t *area, Victim *victim)
{
    system("true");
    return 1;
}
