/*
 * Row 29: closes, reads and moves descriptors of the host. RETURNED: EBADF for what it was not
 * given, a position of its own for what it was.
 */
#include <errno.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    char byte;
    if (close(victim->descriptor) != -1 || errno != EBADF)
        return 1;
    if (read(victim->descriptor, &byte, 1) != -1 || errno != EBADF)
        return 2;
    if (lseek(victim->descriptor, 0, SEEK_SET) != -1 || errno != EBADF)
        return 3;
    return 0;
}

uint64_t misbehave_given(uint64_t *area, Victim *victim)
{
    char bytes[512];
    if (lseek(victim->given, 4000, SEEK_SET) != 4000)
        return 1;
    if (read(victim->given, bytes, sizeof bytes) != sizeof bytes || bytes[0] != 'x')
        return 2;
    return lseek(victim->given, 0, SEEK_CUR) == 4512 ? 0 : 3;
}

uint64_t misbehave_close_given(uint64_t *area, Victim *victim)
{
    close(victim->given);
    return 0;
}

uint64_t misbehave_close_all(uint64_t *area, Victim *victim)
{
    for (int i = 0; i < 64; i++)
        close(i);
    return 0;
}
