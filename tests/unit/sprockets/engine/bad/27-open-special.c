/*
 * Row 27: opens what is no regular file, or is not in the policy. RETURNED: each is EACCES, at
 * once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static uint64_t denied(const char *path)
{
    errno = 0;
    return open(path, O_RDONLY) == -1 && errno == EACCES ? 0 : 1;
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    return denied(victim->fifo);
}

uint64_t misbehave_device(uint64_t *area, Victim *victim)
{
    return denied("/dev/zero");
}

uint64_t misbehave_memory(uint64_t *area, Victim *victim)
{
    return denied("/proc/self/mem");
}

uint64_t misbehave_outside(uint64_t *area, Victim *victim)
{
    return denied(victim->outside);
}

uint64_t misbehave_climb(uint64_t *area, Victim *victim)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/../../../../../../../../etc/passwd", victim->folder);
    return denied(path);
}

uint64_t misbehave_link(uint64_t *area, Victim *victim)
{
    char path[1024]; /* a symbolic link to the file outside, made by the host */
    snprintf(path, sizeof path, "%s/link", victim->folder);
    return denied(path);
}
