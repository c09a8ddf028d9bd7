#include "namespace/store-private.h"

/* Records fetched under one hold of the lock. */
#define LOG_CHUNK 256

static gboolean log_chunk(HearthStore *store, guint64 after, guint limit, GArray *rows,
                          GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    g_array_set_size(rows, 0);
    return store->engine->log(store->metadata, after, limit, rows, error);
}

/* The pointers of a row go to its own buffers, wherever it was copied to. */
static const HearthChange *log_row_change(HearthLogRow *row)
{
    HearthChange *change = &row->change;
    gboolean moved = change->kind == HEARTH_CHANGE_MOVED || change->kind == HEARTH_CHANGE_TRASHED;
    change->name = row->name;
    change->old_name = moved ? row->old_name : NULL;
    return change;
}

gboolean hearth_store_log(HearthStore *store, guint64 after, guint limit, HearthChangeFunc func,
                          gpointer data, GError **error)
{
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(HearthLogRow));
    guint left = limit ? limit : G_MAXUINT;
    guint chunk;
    do {
        chunk = MIN(left, LOG_CHUNK);
        if (!log_chunk(store, after, chunk, rows, error))
            return FALSE;
        for (guint i = 0; i < rows->len; i++) {
            HearthLogRow *row = &g_array_index(rows, HearthLogRow, i);
            after = row->change.sequence;
            if (!func(log_row_change(row), data))
                return TRUE;
        }
        left -= limit ? rows->len : 0;
    } while (rows->len == chunk && left > 0);
    return TRUE;
}

/* --- Watchers --- */

typedef struct {
    guint id;
    HearthChangeFunc func;
    gpointer data;
    GDestroyNotify destroy;
    gboolean cancelled;
} Watcher;

/*
 * One thread calls all watchers. Records wait in a queue as long as somebody watches; it is not
 * bounded, since a change must never wait for a callback that may itself wait for a change.
 */
struct HearthWatchers {
    GMutex lock; /* all below; not held during callbacks */
    GCond wake;  /* of the thread */
    GCond idle;  /* no callback is under way */
    GQueue queue;
    GPtrArray *list; /* of Watcher (owned) */
    Watcher *calling;
    GThread *thread; /* made with the first watcher */
    guint last_id;
    gboolean closing;
};

static void watcher_free(gpointer data)
{
    Watcher *watcher = data;
    if (watcher->destroy)
        watcher->destroy(watcher->data);
    g_free(watcher);
}

HearthWatchers *hearth_watchers_new(void)
{
    HearthWatchers *watchers = g_new0(HearthWatchers, 1);
    g_mutex_init(&watchers->lock);
    g_cond_init(&watchers->wake);
    g_cond_init(&watchers->idle);
    g_queue_init(&watchers->queue);
    watchers->list = g_ptr_array_new();
    return watchers;
}

void hearth_watchers_free(HearthWatchers *watchers)
{
    g_mutex_lock(&watchers->lock);
    watchers->closing = TRUE;
    g_cond_signal(&watchers->wake);
    g_mutex_unlock(&watchers->lock);
    if (watchers->thread)
        g_thread_join(watchers->thread);
    g_queue_clear_full(&watchers->queue, g_free);
    g_ptr_array_foreach(watchers->list, (GFunc)(void (*)(void))watcher_free, NULL);
    g_ptr_array_unref(watchers->list);
    g_mutex_clear(&watchers->lock);
    g_cond_clear(&watchers->wake);
    g_cond_clear(&watchers->idle);
    g_free(watchers);
}

void hearth_watchers_announce(HearthWatchers *watchers, const HearthLogRow *rows, guint count)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watchers->lock);
    if (watchers->list->len == 0)
        return;
    /* Where there is something to deliver already, the thread is awake. */
    if (g_queue_is_empty(&watchers->queue))
        g_cond_signal(&watchers->wake);
    for (guint i = 0; i < count; i++)
        g_queue_push_tail(&watchers->queue, g_memdup2(&rows[i], sizeof rows[i]));
}

/* Called with the lock held, which is let go during the callback. */
static void call(HearthWatchers *watchers, Watcher *watcher, const HearthChange *change)
{
    watchers->calling = watcher;
    g_mutex_unlock(&watchers->lock);
    gboolean again = watcher->func(change, watcher->data);
    g_mutex_lock(&watchers->lock);
    watchers->calling = NULL;
    if (!again)
        watcher->cancelled = TRUE;
    g_cond_broadcast(&watchers->idle);
}

static void deliver(HearthWatchers *watchers, HearthLogRow *row)
{
    const HearthChange *change = log_row_change(row);
    for (guint i = 0; i < watchers->list->len; i++) {
        Watcher *watcher = watchers->list->pdata[i];
        if (!watcher->cancelled)
            call(watchers, watcher, change);
    }
}

/* Frees what was cancelled; user code runs without the lock. */
static void sweep(HearthWatchers *watchers)
{
    for (guint i = watchers->list->len; i > 0; i--) {
        Watcher *watcher = watchers->list->pdata[i - 1];
        if (!watcher->cancelled)
            continue;
        g_ptr_array_remove_index(watchers->list, i - 1);
        g_mutex_unlock(&watchers->lock);
        watcher_free(watcher);
        g_mutex_lock(&watchers->lock);
    }
}

static gpointer watch(gpointer data)
{
    HearthWatchers *watchers = data;
    g_mutex_lock(&watchers->lock);
    while (!watchers->closing) {
        g_autofree HearthLogRow *row = g_queue_pop_head(&watchers->queue);
        if (row)
            deliver(watchers, row);
        else
            g_cond_wait(&watchers->wake, &watchers->lock);
        sweep(watchers);
    }
    g_mutex_unlock(&watchers->lock);
    return NULL;
}

guint hearth_store_watch(HearthStore *store, HearthChangeFunc func, gpointer data,
                         GDestroyNotify destroy)
{
    HearthWatchers *watchers = store->watchers;
    Watcher *watcher = g_new0(Watcher, 1);
    *watcher = (Watcher){.func = func, .data = data, .destroy = destroy};
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watchers->lock);
    watcher->id = ++watchers->last_id;
    g_ptr_array_add(watchers->list, watcher);
    if (!watchers->thread)
        watchers->thread = g_thread_new("store-watch", watch, watchers);
    return watcher->id;
}

static Watcher *find_watcher(HearthWatchers *watchers, guint id)
{
    for (guint i = 0; i < watchers->list->len; i++) {
        Watcher *watcher = watchers->list->pdata[i];
        if (watcher->id == id)
            return watcher;
    }
    return NULL;
}

void hearth_store_unwatch(HearthStore *store, guint id)
{
    HearthWatchers *watchers = store->watchers;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watchers->lock);
    Watcher *watcher = find_watcher(watchers, id);
    if (!watcher)
        return;
    watcher->cancelled = TRUE;
    g_cond_signal(&watchers->wake);
    /* From within the callback itself there is nobody to wait for. */
    if (g_thread_self() == watchers->thread)
        return;
    /* The thread frees it once it is neither called nor listed. */
    while (find_watcher(watchers, id) && watchers->calling == watcher)
        g_cond_wait(&watchers->idle, &watchers->lock);
}
