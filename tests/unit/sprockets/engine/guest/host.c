/* Calls back into the host: hands over bytes, and lets it act in the middle of a call. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

typedef bool (*Emit)(const void *bytes, size_t length);

/* Hands over `third` blocks of `second` bytes of the area; how many were taken. */
GUEST(emit_blocks)
{
    uint64_t taken = 0;
    for (uint64_t i = 0; i < second; i++)
        area[i] = (char)(i * 7);
    for (uint64_t i = 0; i < third; i++)
        taken += ((Emit)first)(area, second);
    return taken;
}

/* The host may change the word in between. */
GUEST(read_twice)
{
    volatile uint64_t *word = (volatile uint64_t *)second;
    uint64_t before = *word;
    ((Emit)first)(area, 1);
    return *word == before ? before : 0;
}

GUEST(lock_and_tell)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)second;
    if (pthread_mutex_lock(mutex) != 0)
        return 1;
    ((Emit)first)(area, 1);
    return 0;
}

GUEST(lock_tell_unlock)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)second;
    for (uint64_t i = 0; i < third; i++) {
        if (pthread_mutex_lock(mutex) != 0)
            return 1;
        ((Emit)first)(area, 1);
        if (pthread_mutex_unlock(mutex) != 0)
            return 2;
    }
    return 0;
}

/* Opens the file named in the area until it may not; how many were open. */
GUEST(open_many)
{
    for (uint64_t i = 0; i < first; i++)
        if (open(area, O_RDONLY) < 0)
            return errno == EMFILE ? i : 1000 + (uint64_t)errno;
    return first;
}

/* Reads the whole of descriptor `first` into the area. */
GUEST(read_descriptor)
{
    uint64_t size = 0;
    for (ssize_t n; (n = read((int)first, area + size, 1000)) > 0;)
        size += (uint64_t)n;
    return size;
}
