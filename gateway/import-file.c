#include "gateway/import-private.h"

#include "gateway/base/error.h"
#include "gateway/crash-point.h"

/*
 * The filer: groups come in from the fetcher, have their metadata read by threads of their own,
 * and are filed in batches, in the order in which they came.
 *
 * A batch is what shares the flushes of the disk: large enough that small files do not wait for a
 * flush each, small enough that a crash, which loses it, costs little, and that the first picture
 * is seen soon. The order within a batch is that of docs/architecture.md: contents durable, then
 * records, then (after the sync) the news.
 */
#define BATCH_FILES 512
#define BATCH_BYTES (G_GINT64_CONSTANT(192) << 20)
#define BATCH_AGE_US (1000 * 1000)
/* The first batch of a run does not wait: a person is looking. */
#define FIRST_AGE_US (200 * 1000)
/* What may lie fetched and not taken up: each file holds a descriptor and its place in the spool. */
#define QUEUE_FILES 1024
#define QUEUE_BYTES (G_GINT64_CONSTANT(512) << 20)

/* Threads that read metadata: each mostly waits for a sprocket's process. */
#define READERS 2

/* A group between fetcher and filer. */
typedef struct {
    HearthImportGroup *group;
    guint files;    /* that were fetched */
    gint64 bytes;   /* of them */
    gboolean ready; /* its metadata was read */
} Waiting;

struct HearthImportFiler {
    HearthImportRun *run;
    GThread *thread;
    GThreadPool *readers; /* each takes a Waiting that stays in the queue */

    GMutex mutex; /* protects what follows; held for moments */
    GCond changed;
    GQueue queue; /* element-type Waiting, in the order of the fetcher */
    guint files;  /* in the queue */
    gint64 bytes; /* in the queue */
    gboolean ending;
    GError *error; /* (nullable): why the filer gave up */

    /* The thread's own. */
    GPtrArray *batch; /* element-type HearthImportGroup */
    guint batch_files;
    gint64 batch_bytes;
    gint64 batch_since_us;
    gboolean filed_any;
};

/* --- Batches ----------------------------------------------------------------------------------- */

static gboolean publish_batch(HearthImportFiler *filer, GError **error)
{
    g_autoptr(GPtrArray) staged = g_ptr_array_new();
    for (guint i = 0; i < filer->batch->len; i++) {
        const HearthImportGroup *group = g_ptr_array_index(filer->batch, i);
        for (guint k = 0; k < group->len; k++) {
            const HearthImportMember *member = g_ptr_array_index(group, k);
            if (member->staged && hearth_staged_content_size(member->staged) > 0)
                g_ptr_array_add(staged, member->staged);
        }
    }
    return staged->len == 0 ||
           hearth_contents_publish(hearth_store_contents(filer->run->import->store),
                                   (HearthStagedContent *const *)staged->pdata, staged->len, error);
}

/* Only what is durable counts as done. */
static void count_batch(const HearthImportFiler *filer)
{
    for (guint i = 0; i < filer->batch->len; i++) {
        const HearthImportGroup *group = g_ptr_array_index(filer->batch, i);
        for (guint k = 0; k < group->len; k++) {
            const HearthImportMember *member = g_ptr_array_index(group, k);
            if (member->outcome != HEARTH_JOB_OUTCOMES)
                hearth_job_count(filer->run->import->job, member->outcome, NULL, NULL);
        }
    }
}

static gboolean commit_batch(HearthImportFiler *filer, GError **error)
{
    if (filer->batch->len == 0)
        return TRUE;
    hearth_crash_point("import-staged");
    if (!publish_batch(filer, error))
        return FALSE;
    hearth_crash_point("import-published");
    guint64 losses = hearth_store_losses(filer->run->import->store);
    for (guint i = 0; i < filer->batch->len; i++)
        if (!hearth_import_file_group(filer->run, g_ptr_array_index(filer->batch, i), error))
            return FALSE;
    if (!hearth_store_sync_since(filer->run->import->store, losses, error))
        return FALSE;
    hearth_crash_point("import-synced");
    count_batch(filer);
    g_ptr_array_set_size(filer->batch, 0);
    filer->batch_files = 0;
    filer->batch_bytes = 0;
    filer->filed_any = TRUE;
    hearth_crash_point("import-counted");
    return TRUE;
}

static guint staged_files(const HearthImportGroup *group, gint64 *ret_bytes)
{
    guint files = 0;
    *ret_bytes = 0;
    for (guint i = 0; i < group->len; i++) {
        const HearthImportMember *member = g_ptr_array_index(group, i);
        if (!member->staged)
            continue;
        files++;
        *ret_bytes += hearth_staged_content_size(member->staged);
    }
    return files;
}

static void add_to_batch(HearthImportFiler *filer, Waiting *waiting)
{
    if (filer->batch->len == 0)
        filer->batch_since_us = g_get_monotonic_time();
    filer->batch_files += waiting->files;
    filer->batch_bytes += waiting->bytes;
    g_ptr_array_add(filer->batch, g_steal_pointer(&waiting->group));
}

static gint64 batch_due_us(const HearthImportFiler *filer)
{
    return filer->batch_since_us + (filer->filed_any ? BATCH_AGE_US : FIRST_AGE_US);
}

static gboolean batch_is_ripe(const HearthImportFiler *filer)
{
    return filer->batch_files >= BATCH_FILES || filer->batch_bytes >= BATCH_BYTES ||
           (filer->batch->len > 0 && g_get_monotonic_time() >= batch_due_us(filer));
}

static gboolean head_is_ready(HearthImportFiler *filer)
{
    const Waiting *head = g_queue_peek_head(&filer->queue);
    return head && head->ready;
}

/* The next group; NULL when there is none for now (the batch is due) or none will come. */
static Waiting *next_waiting(HearthImportFiler *filer, gboolean *ret_ended)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&filer->mutex);
    while (!head_is_ready(filer) && !(filer->ending && g_queue_is_empty(&filer->queue))) {
        if (filer->batch->len == 0)
            g_cond_wait(&filer->changed, &filer->mutex);
        else if (!g_cond_wait_until(&filer->changed, &filer->mutex, batch_due_us(filer)))
            break;
    }
    Waiting *waiting = head_is_ready(filer) ? g_queue_pop_head(&filer->queue) : NULL;
    *ret_ended = filer->ending && !waiting && g_queue_is_empty(&filer->queue);
    if (waiting) {
        filer->files -= waiting->files;
        filer->bytes -= waiting->bytes;
        g_cond_broadcast(&filer->changed);
    }
    return waiting;
}

static void waiting_free(Waiting *waiting)
{
    if (!waiting)
        return;
    g_clear_pointer(&waiting->group, g_ptr_array_unref);
    g_free(waiting);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Waiting, waiting_free)

static gboolean file_until_end(HearthImportFiler *filer, GError **error)
{
    for (gboolean ended = FALSE; !ended;) {
        g_autoptr(Waiting) waiting = next_waiting(filer, &ended);
        if (g_cancellable_is_cancelled(filer->run->cancellable)) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "stopped");
            return FALSE;
        }
        if (waiting)
            add_to_batch(filer, waiting);
        if ((ended || batch_is_ripe(filer)) && !commit_batch(filer, error))
            return FALSE;
    }
    return TRUE;
}

static void read_group(gpointer item, gpointer data)
{
    HearthImportFiler *filer = data;
    Waiting *waiting = item;
    for (guint i = 0; i < waiting->group->len; i++) {
        HearthImportMember *member = g_ptr_array_index(waiting->group, i);
        if (member->staged)
            hearth_import_read_facts(filer->run, member, hearth_staged_content_fd(member->staged));
    }
    g_mutex_lock(&filer->mutex);
    waiting->ready = TRUE;
    g_cond_broadcast(&filer->changed);
    g_mutex_unlock(&filer->mutex);
}

static gpointer filer_thread(gpointer data)
{
    HearthImportFiler *filer = data;
    GError *error = NULL;
    if (!file_until_end(filer, &error)) {
        g_mutex_lock(&filer->mutex);
        filer->error = error;
        g_cond_broadcast(&filer->changed);
        g_mutex_unlock(&filer->mutex);
        /* The fetcher may be in the middle of a long file. */
        g_cancellable_cancel(filer->run->cancellable);
    }
    return NULL;
}

HearthImportFiler *hearth_import_filer_start(HearthImportRun *run)
{
    HearthImportFiler *filer = g_new0(HearthImportFiler, 1);
    filer->run = run;
    g_mutex_init(&filer->mutex);
    g_cond_init(&filer->changed);
    g_queue_init(&filer->queue);
    filer->batch = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    filer->readers = g_thread_pool_new(read_group, filer, READERS, FALSE, NULL);
    filer->thread = g_thread_new("filer", filer_thread, filer);
    return filer;
}

gboolean hearth_import_filer_push(HearthImportFiler *filer, HearthImportGroup *group)
{
    g_autoptr(Waiting) waiting = g_new0(Waiting, 1);
    waiting->group = group;
    waiting->files = staged_files(group, &waiting->bytes);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&filer->mutex);
    while (!filer->error && filer->files > 0 &&
           (filer->files + waiting->files > QUEUE_FILES ||
            filer->bytes + waiting->bytes > QUEUE_BYTES))
        g_cond_wait(&filer->changed, &filer->mutex);
    if (filer->error)
        return FALSE;
    filer->files += waiting->files;
    filer->bytes += waiting->bytes;
    g_thread_pool_push(filer->readers, waiting, NULL);
    g_queue_push_tail(&filer->queue, g_steal_pointer(&waiting));
    return TRUE;
}

gboolean hearth_import_filer_finish(HearthImportFiler *filer, GError **error)
{
    g_mutex_lock(&filer->mutex);
    filer->ending = TRUE;
    g_cond_broadcast(&filer->changed);
    g_mutex_unlock(&filer->mutex);
    g_thread_join(filer->thread);
    /* What is queued still is queued because the run failed; nobody needs its metadata. */
    g_thread_pool_free(filer->readers, TRUE, TRUE);
    g_queue_clear_full(&filer->queue, (GDestroyNotify)waiting_free);
    g_ptr_array_unref(filer->batch);
    gboolean done = filer->error == NULL;
    if (filer->error)
        g_propagate_error(error, filer->error);
    g_mutex_clear(&filer->mutex);
    g_cond_clear(&filer->changed);
    g_free(filer);
    return done;
}
