/* Row 31: sockets. REFUSED by the name of the system call. */
#include <sys/socket.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

uint64_t misbehave_local(uint64_t *area, Victim *victim)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

uint64_t misbehave_pair(uint64_t *area, Victim *victim)
{
    return socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)area);
}

uint64_t misbehave_send(uint64_t *area, Victim *victim)
{
    return sendto(victim->descriptor, area, 8, 0, NULL, 0);
}
