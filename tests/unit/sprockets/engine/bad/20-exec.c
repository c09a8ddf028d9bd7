/* Row 20: becomes another program. REFUSED by the name of the system call. */
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    execl("/bin/true", "true", NULL);
    return 1;
}

uint64_t misbehave_at(uint64_t *area, Victim *victim)
{
    return syscall(SYS_execveat, -100, "/bin/true", 0, 0, 0);
}
