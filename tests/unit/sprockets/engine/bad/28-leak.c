/*
 * Row 28: leaves files open and mapped. RETURNED; they are closed and unmapped. More than its
 * limit is EMFILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    for (int i = 0; i < 8; i++) {
        int fd = open(victim->file, O_RDONLY);
        if (fd < 0)
            return 1;
        char *bytes = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED || bytes[8191] != 'x')
            return 2;
        if (mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED)
            return 3;
    }
    return 0;
}

uint64_t misbehave_many(uint64_t *area, Victim *victim)
{
    for (int i = 0; i < 100; i++)
        if (open(victim->file, O_RDONLY) < 0)
            return i > 0 && errno == EMFILE ? 0 : 1;
    return 2;
}
