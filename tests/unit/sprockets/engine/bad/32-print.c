/*
 * Row 32: writes to standard output and error. RETURNED; what it wrote is in the log, up to
 * its limit, and nowhere else.
 */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    if (write(1, "printed out\n", 12) != 12)
        return 1;
    if (write(2, "printed err\n", 12) != 12)
        return 2;
    return 0;
}

uint64_t misbehave_stream(uint64_t *area, Victim *victim)
{
    printf("printed out\n");
    fflush(stdout);
    fprintf(stderr, "printed err\n");
    return 0;
}

uint64_t misbehave_vector(uint64_t *area, Victim *victim)
{
    struct iovec parts[2] = {{"printed out\n", 12}, {"printed err\n", 12}};
    return writev(2, parts, 2) == 24 ? 0 : 1;
}

uint64_t misbehave_flood(uint64_t *area, Victim *victim)
{
    char line[1000];
    memset(line, 'y', sizeof line);
    for (int i = 0; i < 100; i++)
        write(1, line, sizeof line);
    return 0;
}
