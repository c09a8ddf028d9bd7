/*
 * Row 51: asks for clocks, randomness and identity, and leaves the answers in the area.
 * RETURNED; two calls get the same.
 */
#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    unsigned low, high, *brand = (unsigned *)(area + 100);
    uint64_t random;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    area[0] = low | (uint64_t)high << 32;
    area[1] = getpid();
    area[2] = syscall(SYS_gettid);
    clock_gettime(CLOCK_REALTIME, (struct timespec *)(area + 3));
    clock_gettime(CLOCK_MONOTONIC, (struct timespec *)(area + 5));
    gettimeofday((struct timeval *)(area + 7), NULL);
    area[9] = time(NULL);
    area[10] = syscall(SYS_getrandom, area + 11, 32, 0);
    area[15] = clock();
    uname((struct utsname *)(area + 20));
    for (int i = 0; i < 3; i++)
        __cpuid(0x80000002 + i, brand[i * 4], brand[i * 4 + 1], brand[i * 4 + 2], brand[i * 4 + 3]);
    __cpuid(1, brand[12], brand[13], brand[14], brand[15]);
    brand[14] = brand[15] = 0;
    area[16] = getuid();
    area[17] = getppid();
    return area[1] == victim->pid ? 1 : 0;
}

uint64_t misbehave_random(uint64_t *area, Victim *victim)
{
    unsigned char carry;
    asm volatile("rdrand %0\nsetc %1" : "=r"(area[0]), "=q"(carry));
    return 0;
}

uint64_t misbehave_serial(uint64_t *area, Victim *victim)
{
    unsigned low, high, aux;
    asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    area[0] = low | (uint64_t)high << 32;
    area[1] = aux;
    area[2] = sched_getcpu();
    return 0;
}
