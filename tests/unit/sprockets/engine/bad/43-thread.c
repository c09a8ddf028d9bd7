/*
 * Row 43: starts a thread: REFUSED. Registers what is to run at the end of the thread or the
 * process: RETURNED, discarded.
 */
#include <stdlib.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *handle);
extern void *__dso_handle;

static void *run(void *data)
{
    *(volatile uint64_t *)data = 0xdead;
    return NULL;
}

static void destroy(void *data)
{
    abort();
}

static void leave(void)
{
    abort();
}

uint64_t misbehave(uint64_t *area, Victim *victim)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, victim->heap);
    return 1;
}

uint64_t misbehave_at_exit(uint64_t *area, Victim *victim)
{
    return atexit(leave);
}

uint64_t misbehave_at_thread_exit(uint64_t *area, Victim *victim)
{
    return __cxa_thread_atexit_impl(destroy, victim->heap, &__dso_handle);
}

uint64_t misbehave_key(uint64_t *area, Victim *victim)
{
    pthread_key_t key;
    if (pthread_key_create(&key, destroy) != 0)
        return 1;
    return pthread_setspecific(key, victim->heap);
}

uint64_t misbehave_at_fork(uint64_t *area, Victim *victim)
{
    return pthread_atfork(leave, leave, leave);
}
