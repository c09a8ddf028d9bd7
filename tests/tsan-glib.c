/*
 * Makes GLib's locks visible to ThreadSanitizer.
 *
 * Debian's GLib is not built with it and locks through futexes of its own, so every access that such
 * a lock orders looks like a race. These functions stand before GLib's in programs built with the
 * tsan preset, call them, and say what they order.
 */
#include <dlfcn.h>
#include <gio/gio.h>

#include <sanitizer/tsan_interface.h>

/* Finds GLib's own function of the same name, once. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    __typeof__(&name) found = __atomic_load_n(&real, __ATOMIC_ACQUIRE);                            \
    if (!found) {                                                                                  \
        found = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                        \
        __atomic_store_n(&real, found, __ATOMIC_RELEASE);                                          \
    }

#define LOCKS(name, Type)                                                                          \
    void name(Type *lock)                                                                          \
    {                                                                                              \
        REAL(name)                                                                                 \
        found(lock);                                                                               \
        __tsan_acquire(lock);                                                                      \
    }

#define TRIES(name, Type)                                                                          \
    gboolean name(Type *lock)                                                                      \
    {                                                                                              \
        REAL(name)                                                                                 \
        gboolean got = found(lock);                                                                \
        if (got)                                                                                   \
            __tsan_acquire(lock);                                                                  \
        return got;                                                                                \
    }

#define UNLOCKS(name, Type)                                                                        \
    void name(Type *lock)                                                                          \
    {                                                                                              \
        REAL(name)                                                                                 \
        __tsan_release(lock);                                                                      \
        found(lock);                                                                               \
    }

LOCKS(g_mutex_lock, GMutex)
TRIES(g_mutex_trylock, GMutex)
UNLOCKS(g_mutex_unlock, GMutex)
LOCKS(g_rec_mutex_lock, GRecMutex)
TRIES(g_rec_mutex_trylock, GRecMutex)
UNLOCKS(g_rec_mutex_unlock, GRecMutex)
LOCKS(g_rw_lock_writer_lock, GRWLock)
UNLOCKS(g_rw_lock_writer_unlock, GRWLock)
LOCKS(g_rw_lock_reader_lock, GRWLock)
UNLOCKS(g_rw_lock_reader_unlock, GRWLock)

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    REAL(g_cond_wait)
    __tsan_release(mutex);
    found(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    REAL(g_cond_wait_until)
    __tsan_release(mutex);
    gboolean woken = found(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return woken;
}

void g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    REAL(g_async_queue_push)
    __tsan_release(queue);
    found(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue *queue)
{
    REAL(g_async_queue_pop)
    gpointer data = found(queue);
    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_try_pop(GAsyncQueue *queue)
{
    REAL(g_async_queue_try_pop)
    gpointer data = found(queue);
    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_timeout_pop(GAsyncQueue *queue, guint64 timeout)
{
    REAL(g_async_queue_timeout_pop)
    gpointer data = found(queue, timeout);
    __tsan_acquire(queue);
    return data;
}

#undef g_once_init_leave
void g_once_init_leave(volatile void *location, gsize result)
{
    REAL(g_once_init_leave)
    __tsan_release((void *)location);
    found(location, result);
}

void(g_atomic_ref_count_inc)(gatomicrefcount *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
    return __atomic_fetch_sub(count, 1, __ATOMIC_SEQ_CST) == 1;
}

/* One worker of a pool, and what a job handed to it must be ordered with. */
typedef struct {
    GFunc func;
    gpointer user_data;
} Pooled;

static void run_pooled(gpointer data, gpointer user_data)
{
    Pooled *pooled = user_data;
    __tsan_acquire(data);
    pooled->func(data, pooled->user_data);
    __tsan_release(pooled);
}

GThreadPool *g_thread_pool_new(GFunc func, gpointer user_data, gint max_threads, gboolean exclusive,
                               GError **error)
{
    REAL(g_thread_pool_new)
    Pooled *pooled = g_new(Pooled, 1); /* lives as long as the program: pools are few */
    *pooled = (Pooled){func, user_data};
    return found(run_pooled, pooled, max_threads, exclusive, error);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
    REAL(g_thread_pool_push)
    __tsan_release(data);
    return found(pool, data, error);
}

void g_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
    REAL(g_thread_pool_free)
    gpointer pooled = pool->user_data;
    found(pool, immediate, wait);
    if (wait)
        __tsan_acquire(pooled);
}

/* What is handed to a main loop as a source is ordered with the calls the source makes there. */
typedef struct {
    GSourceFunc func;
    gpointer data;
    GDestroyNotify notify;
} Sourced;

static gboolean run_sourced(gpointer data)
{
    Sourced *sourced = data;
    __tsan_acquire(sourced);
    return sourced->func(sourced->data);
}

static void free_sourced(gpointer data)
{
    Sourced *sourced = data;
    if (sourced->notify)
        sourced->notify(sourced->data);
    g_free(sourced);
}

static Sourced *sourced_new(GSourceFunc func, gpointer data, GDestroyNotify notify)
{
    Sourced *sourced = g_new(Sourced, 1);
    *sourced = (Sourced){func, data, notify};
    __tsan_release(sourced);
    return sourced;
}

void g_main_context_invoke_full(GMainContext *context, gint priority, GSourceFunc func,
                                gpointer data, GDestroyNotify notify)
{
    REAL(g_main_context_invoke_full)
    found(context, priority, run_sourced, sourced_new(func, data, notify), free_sourced);
}

void g_main_context_invoke(GMainContext *context, GSourceFunc func, gpointer data)
{
    g_main_context_invoke_full(context, G_PRIORITY_DEFAULT, func, data, NULL);
}

guint g_idle_add_full(gint priority, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
    REAL(g_idle_add_full)
    return found(priority, run_sourced, sourced_new(func, data, notify), free_sourced);
}

guint g_idle_add(GSourceFunc func, gpointer data)
{
    return g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, func, data, NULL);
}
