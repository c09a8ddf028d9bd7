#include "sprockets/engine/wall-private.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sprockets/engine/state-private.h"

/*
 * One thread that watches how long calls take.
 *
 * Calls say nothing of when they began, which would cost them a look at the clock: the monitor sees that a new one is in
 * progress, at most one tick late. Without calls for a while it sleeps until one wakes it.
 */

#define TICK_NS 5000000                 /* between two looks */
#define STACK_SIZE ((size_t)128 * 1024) /* bytes */
#define IDLE_TICKS 100                  /* without a call, before it sleeps */

static HEARTH_STATE _Atomic int asleep;
static HEARTH_STATE void *stack; /* of the thread */

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The kernel's name for the processor time of a thread. */
static clockid_t cpu_clock(pid_t thread)
{
    return (clockid_t)((~(unsigned)thread << 3) | 6);
}

/* True if a call is in progress there. */
static bool look(HearthSlot *slot)
{
    uint64_t sequence = atomic_load(&slot->sequence);
    if (!atomic_load(&slot->running))
        return false;
    if (sequence != slot->watched) {
        slot->watched = sequence;
        slot->started_ns = now_ns(CLOCK_MONOTONIC);
        slot->started_cpu_ns = now_ns(cpu_clock(slot->thread));
        return true;
    }
    uint64_t wall = (now_ns(CLOCK_MONOTONIC) - slot->started_ns) / 1000000;
    uint64_t cpu = (now_ns(cpu_clock(slot->thread)) - slot->started_cpu_ns) / 1000000;
    int expired = wall >= slot->limits.wall_ms ? 1 : cpu >= slot->limits.cpu_ms ? 2 : 0;
    if (!expired || atomic_load(&slot->sequence) != sequence)
        return true;
    if (!slot->expired)
        atomic_store(&slot->expired, expired);
    syscall(SYS_tgkill, getpid(), slot->thread, hearth_wall_signal());
    return true;
}

static void sleep_until_woken(void)
{
    atomic_store(&asleep, 1);
    /* A call that began before it could see the flag is seen here. */
    for (HearthSlot *slot = hearth_slot_first(); slot; slot = slot->next)
        if (atomic_load(&slot->running))
            atomic_store(&asleep, 0);
    while (atomic_load(&asleep))
        syscall(SYS_futex, &asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

static void *watch(void *data)
{
    const struct timespec tick = {.tv_nsec = TICK_NS};
    unsigned idle = 0;
    for (;;) {
        bool busy = false;
        for (HearthSlot *slot = hearth_slot_first(); slot; slot = slot->next)
            busy = look(slot) || busy || atomic_load(&slot->sequence) != slot->seen;
        for (HearthSlot *slot = hearth_slot_first(); slot; slot = slot->next)
            slot->seen = atomic_load(&slot->sequence);
        idle = busy ? 0 : idle + 1;
        if (idle > IDLE_TICKS)
            sleep_until_woken();
        nanosleep(&tick, NULL);
    }
    return NULL;
}

bool hearth_monitor_start(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (!stack)
        stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) {
        stack = NULL;
        return false;
    }
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    errno = failure;
    return failure == 0;
}

bool hearth_monitor_owns(uint64_t address)
{
    return stack && address - (uint64_t)stack < STACK_SIZE;
}

void hearth_monitor_wake(void)
{
    if (!atomic_load(&asleep))
        return;
    atomic_store(&asleep, 0);
    syscall(SYS_futex, &asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
