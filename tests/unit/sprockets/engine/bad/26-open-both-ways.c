/*
 * Row 26: opens to read and write, as TagLib does, and to read when that fails. RETURNED: the
 * first is EACCES, the second works.
 */
#include <errno.h>
#include <stdio.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    char bytes[16];
    FILE *file = fopen(victim->file, "rb+");
    if (file || errno != EACCES)
        return 1;
    file = fopen(victim->file, "rb");
    if (!file)
        return 2;
    if (fread(bytes, 1, sizeof bytes, file) != sizeof bytes || bytes[0] != 'x')
        return 3;
    return 0;
}
