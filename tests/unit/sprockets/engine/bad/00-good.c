/* No misbehaviour: what a well-behaved call does, run after each of the others. RETURNED. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

static int by_value(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    int numbers[64];
    char *copy = malloc(100);
    for (int i = 0; i < 64; i++)
        numbers[i] = i * 37 % 64;
    qsort(numbers, 64, sizeof numbers[0], by_value);
    for (int i = 0; i < 64; i++)
        if (numbers[i] != i)
            return 1;
    snprintf(copy, 100, "%s %d %.3f", "well", 42, 1.5);
    strcpy((char *)(area + 1), copy);
    free(copy);
    area[0] = victim->heap[0];
    return strcmp((char *)(area + 1), "well 42 1.500") != 0 ? 2 : 0;
}
