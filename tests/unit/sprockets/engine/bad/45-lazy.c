/*
 * Row 45: calls functions that are bound at their first call. RETURNED; the table of addresses
 * is as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    char text[32];
    snprintf(text, sizeof text, "%d", atoi("42") + abs(-8) + (int)strtoul("50", NULL, 10));
    return strcmp(text, "100");
}
