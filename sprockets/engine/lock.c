#include "sprockets/engine/special-private.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "sprockets/engine/region-private.h"

/*
 * Locks of the host are really taken, so that a call sees the host's data whole, and kept to the
 * end of the call, whatever the call does with them in between: what it read under them is still
 * true when it ends. They are only tried, for a while, as their owner may be waiting for something
 * that this call holds.
 *
 * A lock in the call's own memory is nobody else's: its word is set and cleared as libc would,
 * without effect.
 */

#define TRY_NS 10000000 /* for how long */

typedef struct {
    int (*try)(void *lock); /* 0, or an error number; EBUSY: somebody holds it */
    void (*release)(void *lock);
    size_t size; /* bytes */
    bool shared;
} Kind;

/* --- Kinds ------------------------------------------------------------------------------------ */

static int (*glib_trylock)(void *mutex);
static void (*glib_unlock)(void *mutex);

bool hearth_lock_init(void)
{
    void *try = dlsym(RTLD_DEFAULT, "g_mutex_trylock");
    void *unlock = dlsym(RTLD_DEFAULT, "g_mutex_unlock");
    memcpy(&glib_trylock, &try, sizeof try);
    memcpy(&glib_unlock, &unlock, sizeof unlock);
    return try && unlock;
}

/* Robust and priority-inheriting mutexes hang in lists of the kernel's, which a call must not
 * touch. */
static int try_mutex(void *lock)
{
    const pthread_mutex_t *mutex = lock;
    return mutex->__data.__kind & 0x70 ? EINVAL : pthread_mutex_trylock(lock);
}

static void release_mutex(void *lock)
{
    pthread_mutex_unlock(lock);
}

static int try_read(void *lock)
{
    return pthread_rwlock_tryrdlock(lock);
}

static int try_write(void *lock)
{
    return pthread_rwlock_trywrlock(lock);
}

static void release_rwlock(void *lock)
{
    pthread_rwlock_unlock(lock);
}

static int try_spin(void *lock)
{
    return pthread_spin_trylock((pthread_spinlock_t *)lock);
}

static void release_spin(void *lock)
{
    pthread_spin_unlock((pthread_spinlock_t *)lock);
}

static int try_glib(void *lock)
{
    return glib_trylock(lock) ? 0 : EBUSY;
}

static void release_glib(void *lock)
{
    glib_unlock(lock);
}

static const Kind MUTEX = {try_mutex, release_mutex, sizeof(pthread_mutex_t), false};
static const Kind READ = {try_read, release_rwlock, sizeof(pthread_rwlock_t), true};
static const Kind WRITE = {try_write, release_rwlock, sizeof(pthread_rwlock_t), false};
static const Kind SPIN = {try_spin, release_spin, sizeof(pthread_spinlock_t), false};
static const Kind GLIB = {try_glib, release_glib, sizeof(void *), false};

/* --- The host's locks ------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static _Noreturn void time_out(HearthSlot *slot)
{
    hearth_slot_abort(slot, HEARTH_ENGINE_TIMED_OUT,
                      atomic_load(&slot->expired) == 2 ? "cpu-time" : "wall-time");
}

static HearthHeldLock *find_held(HearthSlot *slot, const void *lock)
{
    for (unsigned i = 0; i < slot->lock_count; i++)
        if (slot->locks[i].lock == lock)
            return &slot->locks[i];
    return NULL;
}

static int try_for_a_while(HearthSlot *slot, const Kind *kind, void *lock)
{
    int result = kind->try(lock);
    if (result != EBUSY)
        return result;
    uint64_t end = now_ns() + TRY_NS;
    do {
        if (atomic_load(&slot->expired))
            time_out(slot);
        sched_yield();
        result = kind->try(lock);
    } while (result == EBUSY && now_ns() < end);
    return result;
}

/* The call has read under this lock before; if a writer comes between now, that was for nothing. */
static void make_exclusive(HearthSlot *slot, HearthHeldLock *held)
{
    held->release(held->lock);
    if (WRITE.try(held->lock) == 0) {
        held->shared = false;
        return;
    }
    *held = slot->locks[--slot->lock_count];
    hearth_slot_abort(slot, HEARTH_ENGINE_CONFLICT, "lock");
}

/*
 * A wild pointer must fault in the call, not in the host that tries the lock. The engine's own locks are taken by
 * gates, which would wait for the call for ever.
 */
static void check_place(HearthSlot *slot, const Kind *kind, const void *lock)
{
    uint64_t address = (uint64_t)lock;
    if (address % sizeof(int) || hearth_engine_owns(address) || !hearth_writable(address) ||
        !hearth_writable(address + kind->size - 1))
        hearth_slot_abort(slot, HEARTH_ENGINE_FAULTED, "SIGSEGV");
}

static int take(HearthSlot *slot, const Kind *kind, bool wait)
{
    void *lock = (void *)slot->context->registers[HEARTH_RDI];
    HearthHeldLock *held = find_held(slot, lock);
    if (held && held->release != kind->release)
        return EINVAL;
    if (held) {
        if (held->shared && !kind->shared)
            make_exclusive(slot, held);
        held->depth++;
        return 0;
    }
    if (slot->lock_count == HEARTH_HELD_LOCKS_MAX)
        hearth_slot_abort(slot, HEARTH_ENGINE_REFUSED, "locks");
    check_place(slot, kind, lock);
    int result = wait ? try_for_a_while(slot, kind, lock) : kind->try(lock);
    if (result == 0) {
        slot->locks[slot->lock_count++] = (HearthHeldLock){
            .lock = lock, .release = kind->release, .depth = 1, .shared = kind->shared};
        hearth_slot_tell(slot, &(HearthEngineEvent){.kind = HEARTH_ENGINE_LOCKED,
                                                    .pc = slot->fault_pc,
                                                    .address = (uint64_t)lock});
    } else if (result == EBUSY && wait)
        hearth_slot_abort(slot, HEARTH_ENGINE_CONFLICT, "lock");
    return result;
}

static int give(HearthSlot *slot)
{
    HearthHeldLock *held = find_held(slot, (void *)slot->context->registers[HEARTH_RDI]);
    if (!held || held->depth == 0)
        return EPERM;
    held->depth--;
    return 0;
}

void hearth_lock_end(HearthSlot *slot)
{
    while (slot->lock_count > 0) {
        HearthHeldLock *held = &slot->locks[--slot->lock_count];
        held->release(held->lock);
    }
}

/* --- The call's own --------------------------------------------------------------------------- */

static bool is_own(const HearthSlot *slot, const Kind *kind)
{
    return hearth_slot_owns(slot, slot->context->registers[HEARTH_RDI], kind->size);
}

static void fault(HearthSlot *slot)
{
    hearth_slot_abort(slot, HEARTH_ENGINE_FAULTED, "SIGSEGV");
}

/* A call that waits for itself does so until its time is up. */
static _Noreturn void wait_for_ever(HearthSlot *slot)
{
    const struct timespec while_waiting = {.tv_nsec = 1000000};
    while (!atomic_load(&slot->expired))
        nanosleep(&while_waiting, NULL);
    time_out(slot);
}

static int take_own_mutex(HearthSlot *slot, bool wait)
{
    uint64_t address = slot->context->registers[HEARTH_RDI];
    pthread_mutex_t mutex;
    if (!hearth_call_read(slot, &mutex, address, sizeof mutex))
        fault(slot);
    int kind = mutex.__data.__kind & 3;
    if (mutex.__data.__lock && kind == PTHREAD_MUTEX_ERRORCHECK)
        return wait ? EDEADLK : EBUSY;
    if (mutex.__data.__lock && kind != PTHREAD_MUTEX_RECURSIVE) {
        if (wait)
            wait_for_ever(slot);
        return EBUSY;
    }
    mutex.__data.__count += kind == PTHREAD_MUTEX_RECURSIVE;
    mutex.__data.__lock = 1;
    if (!hearth_call_write(slot, address, &mutex, sizeof mutex))
        fault(slot);
    return 0;
}

static int give_own_mutex(HearthSlot *slot)
{
    uint64_t address = slot->context->registers[HEARTH_RDI];
    pthread_mutex_t mutex;
    if (!hearth_call_read(slot, &mutex, address, sizeof mutex))
        fault(slot);
    int kind = mutex.__data.__kind & 3;
    if (!mutex.__data.__lock && kind != PTHREAD_MUTEX_NORMAL)
        return EPERM;
    if (kind == PTHREAD_MUTEX_RECURSIVE && mutex.__data.__count > 0)
        mutex.__data.__count--;
    if (mutex.__data.__count == 0 || kind != PTHREAD_MUTEX_RECURSIVE)
        mutex.__data.__lock = 0;
    if (!hearth_call_write(slot, address, &mutex, sizeof mutex))
        fault(slot);
    return 0;
}

static int take_own_glib(HearthSlot *slot, bool wait)
{
    uint64_t address = slot->context->registers[HEARTH_RDI];
    int32_t word;
    if (!hearth_call_read(slot, &word, address, sizeof word))
        fault(slot);
    if (word && wait)
        wait_for_ever(slot);
    if (word)
        return EBUSY;
    word = 1;
    if (!hearth_call_write(slot, address, &word, sizeof word))
        fault(slot);
    return 0;
}

/* --- Specials --------------------------------------------------------------------------------- */

static void answer(HearthSlot *slot, int result)
{
    slot->context->registers[HEARTH_RAX] = (uint64_t)result;
}

static void lock_mutex(HearthSlot *slot, bool wait)
{
    answer(slot, is_own(slot, &MUTEX) ? take_own_mutex(slot, wait) : take(slot, &MUTEX, wait));
}

/* For one thread alone its own spin and read-write locks are always free. */
static void lock_simple(HearthSlot *slot, const Kind *kind, bool wait)
{
    answer(slot, is_own(slot, kind) ? 0 : take(slot, kind, wait));
}

static void unlock_simple(HearthSlot *slot, const Kind *kind)
{
    answer(slot, is_own(slot, kind) ? 0 : give(slot));
}

void hearth_special_mutex_lock(HearthSlot *slot)
{
    lock_mutex(slot, true);
}

void hearth_special_mutex_trylock(HearthSlot *slot)
{
    lock_mutex(slot, false);
}

void hearth_special_mutex_unlock(HearthSlot *slot)
{
    answer(slot, is_own(slot, &MUTEX) ? give_own_mutex(slot) : give(slot));
}

void hearth_special_rwlock_read(HearthSlot *slot)
{
    lock_simple(slot, &READ, true);
}

void hearth_special_rwlock_tryread(HearthSlot *slot)
{
    lock_simple(slot, &READ, false);
}

void hearth_special_rwlock_write(HearthSlot *slot)
{
    lock_simple(slot, &WRITE, true);
}

void hearth_special_rwlock_trywrite(HearthSlot *slot)
{
    lock_simple(slot, &WRITE, false);
}

void hearth_special_rwlock_unlock(HearthSlot *slot)
{
    unlock_simple(slot, &WRITE);
}

void hearth_special_spin_lock(HearthSlot *slot)
{
    lock_simple(slot, &SPIN, true);
}

void hearth_special_spin_trylock(HearthSlot *slot)
{
    lock_simple(slot, &SPIN, false);
}

void hearth_special_spin_unlock(HearthSlot *slot)
{
    unlock_simple(slot, &SPIN);
}

void hearth_special_glib_lock(HearthSlot *slot)
{
    answer(slot, is_own(slot, &GLIB) ? take_own_glib(slot, true) : take(slot, &GLIB, true));
}

void hearth_special_glib_trylock(HearthSlot *slot)
{
    int result = is_own(slot, &GLIB) ? take_own_glib(slot, false) : take(slot, &GLIB, false);
    answer(slot, result == 0);
}

void hearth_special_glib_unlock(HearthSlot *slot)
{
    const int32_t free = 0;
    if (!is_own(slot, &GLIB))
        give(slot);
    else if (!hearth_call_write(slot, slot->context->registers[HEARTH_RDI], &free, sizeof free))
        fault(slot);
}

void hearth_special_condition_wait(HearthSlot *slot)
{
    hearth_slot_abort(slot, HEARTH_ENGINE_CONFLICT, "condition");
}
