#include "namespace/store-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Changes after which a group is committed without waiting for the clock. */
#define GROUP_CHANGES 2048
/* The keeper begins early enough that commit and flush fit in HEARTH_STORE_GROUP_MS. */
#define KEEPER_MS (HEARTH_STORE_GROUP_MS / 2)

gint64 hearth_store_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- Groups --- */

/* Puts what is in memory back to what was committed, and keeps the reason for the next sync. */
static void lose_group(HearthStore *store, const GError *reason)
{
    store->engine->rollback(store->metadata);
    g_clear_error(&store->lost);
    store->lost = reason ? g_error_copy(reason)
                         : g_error_new(HEARTH_ERROR, HEARTH_ERROR_IO, "a change failed midway");
    g_prefix_error(&store->lost, "changes of the last moments were given up: ");
    store->losses++;
    HearthMetadataState committed;
    /* If not even this can be read, what is in memory is still good for reading. */
    if (store->engine->load(store->metadata, &committed, NULL))
        store->now = committed;
    /* The clock stays: it may not go back. */
    g_hash_table_remove_all(store->touched);
    hearth_store_forget_paths(store);
    g_array_set_size(store->made, 0);
    store->pending = 0;
    store->stamped = FALSE;
    HearthLogRow row = {
        .change = {.kind = HEARTH_CHANGE_LOST, .sequence = store->now.counts.last_sequence}};
    hearth_watchers_announce(store->watchers, &row, 1);
}

static gboolean write_touched(HearthStore *store, GError **error)
{
    GHashTableIter iter;
    gpointer ino, ns;
    g_hash_table_iter_init(&iter, store->touched);
    while (g_hash_table_iter_next(&iter, &ino, &ns))
        if (!store->engine->touch(store->metadata, *(gint64 *)ino, *(gint64 *)ns, error))
            return FALSE;
    return TRUE;
}

gboolean hearth_store_commit(HearthStore *store, GError **error)
{
    if (store->pending == 0)
        return TRUE;
    g_autoptr(GError) reason = NULL;
    store->now.clock = store->clock.last;
    if (!write_touched(store, &reason) ||
        !store->engine->commit(store->metadata, &store->now, &reason)) {
        lose_group(store, reason);
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    g_hash_table_remove_all(store->touched);
    store->pending = 0;
    store->group++;
    return TRUE;
}

gboolean hearth_store_settle(HearthStore *store, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    return hearth_store_commit(store, error);
}

gboolean hearth_store_enter(HearthStore *store, GError **error)
{
    if (store->read_only) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_READ_ONLY, "%s is open for reading only",
                    store->state);
        return FALSE;
    }
    g_mutex_lock(&store->lock);
    return TRUE;
}

gboolean hearth_store_begin(HearthStore *store, GError **error)
{
    store->stamped = store->engine->begin(store->metadata, error);
    return store->stamped;
}

gboolean hearth_store_leave(HearthStore *store, gboolean done, GError **error)
{
    if (!done && store->stamped)
        lose_group(store, error ? *error : NULL);
    if (done && store->stamped) {
        hearth_watchers_announce(store->watchers, (HearthLogRow *)store->made->data,
                                 store->made->len);
        if (store->pending == 0)
            g_cond_signal(&store->wake);
        store->pending += MAX(store->made->len, 1);
    }
    g_array_set_size(store->made, 0);
    store->stamped = FALSE;
    if (done && store->pending >= GROUP_CHANGES)
        done = hearth_store_commit(store, error);
    g_mutex_unlock(&store->lock);
    return done;
}

gboolean hearth_store_stamp(HearthStore *store, HearthObjectRow *row, GError **error)
{
    guint64 clock = hearth_clock_next(&store->clock, hearth_store_now_ns() / 1000000);
    if (!hearth_version_vector_bump(&row->vector, store->node_short, clock)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT,
                    "object %" G_GINT64_FORMAT " was changed by too many nodes", row->object.ino);
        return FALSE;
    }
    if (!hearth_store_begin(store, error))
        return FALSE;
    row->sequence = ++store->now.counts.last_sequence;
    return TRUE;
}

gboolean hearth_store_record(HearthStore *store, HearthChangeKind kind, const HearthObjectRow *row,
                             gint64 old_parent, const char *old_name, HearthOrigin origin,
                             GError **error)
{
    HearthLogRow made = {.change = {.sequence = row->sequence,
                                    .clock = store->clock.last,
                                    .kind = kind,
                                    .object = row->object.id,
                                    .ino = row->object.ino,
                                    .object_kind = row->object.kind,
                                    .parent = row->object.parent,
                                    .name = row->name,
                                    .old_parent = old_parent,
                                    .old_name = old_name,
                                    .content = row->object.content,
                                    .size = row->object.size,
                                    .origin = origin}};
    g_strlcpy(made.name, row->name, sizeof made.name);
    g_strlcpy(made.old_name, old_name ? old_name : "", sizeof made.old_name);
    g_array_append_val(store->made, made);
    return store->engine->append(store->metadata, &made.change, &row->vector, error);
}

/* --- Durability --- */

/* Returns when every group up to `group` is durable. Who comes while another flushes waits for it
 * and then flushes for all that came meanwhile. */
static gboolean harden(HearthStore *store, guint64 group, GError **error)
{
    g_mutex_lock(&store->flush_lock);
    while (store->flushing && store->hardened < group)
        g_cond_wait(&store->flushed, &store->flush_lock);
    if (store->hardened < group && !store->sick) {
        store->flushing = TRUE;
        g_mutex_unlock(&store->flush_lock);
        g_mutex_lock(&store->lock);
        guint64 reached = store->group - 1;
        g_mutex_unlock(&store->lock);
        g_autoptr(GError) reason = NULL;
        gboolean done = store->engine->harden(store->metadata, &reason);
        g_mutex_lock(&store->flush_lock);
        /* The kernel forgets what it could not write: a second try would succeed and mean nothing. */
        if (!done)
            store->sick = g_steal_pointer(&reason);
        else
            store->hardened = MAX(store->hardened, reached);
        store->flushing = FALSE;
        g_cond_broadcast(&store->flushed);
    }
    gboolean durable = store->hardened >= group;
    if (!durable && error)
        *error = g_error_copy(store->sick);
    g_mutex_unlock(&store->flush_lock);
    return durable;
}

/* Fails if more than `losses` groups were given up, or with NULL if more than were told. */
static gboolean sync_since(HearthStore *store, const guint64 *losses, GError **error)
{
    if (store->read_only)
        return TRUE;
    g_mutex_lock(&store->lock);
    hearth_store_commit(store, NULL);
    guint64 group = store->group - 1;
    gboolean lost = store->losses > (losses != NULL ? *losses : store->told);
    if (lost) {
        store->told = store->losses;
        g_propagate_error(error, g_error_copy(store->lost));
    }
    g_mutex_unlock(&store->lock);
    return !lost && harden(store, group, error);
}

gboolean hearth_store_sync(HearthStore *store, GError **error)
{
    return sync_since(store, NULL, error);
}

gboolean hearth_store_sync_since(HearthStore *store, guint64 losses, GError **error)
{
    return sync_since(store, &losses, error);
}

guint64 hearth_store_losses(HearthStore *store)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    return store->losses;
}

/* One turn: what is pending becomes durable without anyone asking. A loss is kept for a sync. */
static void keep_once(HearthStore *store)
{
    hearth_store_commit(store, NULL);
    guint64 group = store->group - 1;
    g_mutex_unlock(&store->lock);
    harden(store, group, NULL);
    store->engine->tidy(store->metadata, NULL);
    g_mutex_lock(&store->lock);
}

static gpointer keep(gpointer data)
{
    HearthStore *store = data;
    g_mutex_lock(&store->lock);
    while (!store->closing) {
        while (store->pending == 0 && !store->closing)
            g_cond_wait(&store->wake, &store->lock);
        gint64 until = g_get_monotonic_time() + KEEPER_MS * G_TIME_SPAN_MILLISECOND;
        while (!store->closing && g_cond_wait_until(&store->wake, &store->lock, until))
            continue;
        if (!store->closing)
            keep_once(store);
    }
    g_mutex_unlock(&store->lock);
    return NULL;
}

/* --- Opening and closing --- */

static gboolean make_state(const char *state, GError **error)
{
    if (g_mkdir_with_parents(state, 0750) == 0)
        return TRUE;
    return hearth_set_errno(error, errno, "cannot make the state folder %s", state);
}

static void report_holder(int fd, const char *name, GError **error)
{
    char holder[32] = "";
    gssize got = hearth_pread_up_to(fd, holder, sizeof holder - 1, 0, name, NULL);
    holder[MAX(got, 0)] = '\0';
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_BUSY, "%s: already in use by process %s", name,
                *g_strstrip(holder) ? holder : "(unknown)");
}

/* One process per state. The file stays when we go: removing it would race with who comes next. */
static gboolean take_lock(HearthStore *store, GError **error)
{
    g_autofree char *name = g_build_filename(store->state, "lock", NULL);
    int flags = store->read_only ? O_RDONLY : O_RDWR | O_CREAT;
    store->lock_fd = open(name, flags | O_CLOEXEC, 0640);
    if (store->lock_fd < 0 && store->read_only && errno == ENOENT)
        return TRUE;
    if (store->lock_fd < 0)
        return hearth_set_errno(error, errno, "cannot open %s", name);
    if (flock(store->lock_fd, (store->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        report_holder(store->lock_fd, name, error);
        return FALSE;
    }
    if (store->read_only)
        return TRUE;
    g_autofree char *holder = g_strdup_printf("%d\n", (int)getpid());
    if (ftruncate(store->lock_fd, 0) != 0)
        return hearth_set_errno(error, errno, "cannot write %s", name);
    return hearth_pwrite_all(store->lock_fd, holder, strlen(holder), 0, name, error);
}

/* The root has the same id on every node, and no record: it was always there. */
static gboolean make_root(HearthStore *store, GError **error)
{
    gint64 now = hearth_store_now_ns();
    HearthObjectRow root = {.object = {.ino = HEARTH_ROOT_INO,
                                       .id = {.bytes = {[HEARTH_ID_SIZE - 1] = 1}},
                                       .parent = HEARTH_ROOT_INO,
                                       .kind = HEARTH_KIND_FOLDER,
                                       .mode = 0755,
                                       .uid = getuid(),
                                       .gid = getgid(),
                                       .mtime_ns = now,
                                       .ctime_ns = now,
                                       .birth_ns = now}};
    store->now.next_ino = HEARTH_ROOT_INO + 1;
    return store->engine->begin(store->metadata, error) &&
           store->engine->insert(store->metadata, &root, NULL, error) &&
           store->engine->commit(store->metadata, &store->now, error) &&
           store->engine->harden(store->metadata, error);
}

static gboolean open_metadata(HearthStore *store, const HearthStoreOptions *options, GError **error)
{
    if (options->engine && strcmp(options->engine, HEARTH_METADATA_SQLITE.name) != 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED,
                    "no metadata engine is called %s; there is: sqlite", options->engine);
        return FALSE;
    }
    store->engine = &HEARTH_METADATA_SQLITE;
    HearthMetadataOptions metadata = {store->state, store->read_only, options->cache_kib};
    store->metadata = store->engine->open(&metadata, &store->now, error);
    if (!store->metadata)
        return FALSE;
    store->node = store->now.node;
    store->incarnation = store->now.incarnation;
    store->clock.last = store->now.clock;
    memcpy(&store->node_short, store->now.node.bytes, sizeof store->node_short);
    store->node_short = GUINT64_FROM_BE(store->node_short);
    return store->now.next_ino > HEARTH_ROOT_INO || store->read_only || make_root(store, error);
}

static HearthStore *store_new(const HearthStoreOptions *options)
{
    HearthStore *store = g_new0(HearthStore, 1);
    store->state = g_strdup(options->state);
    store->read_only = options->read_only;
    store->attribute_type = options->attribute_type;
    store->lock_fd = -1;
    store->group = 1;
    store->made = g_array_new(FALSE, FALSE, sizeof(HearthLogRow));
    store->touched = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    store->paths = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    store->watchers = hearth_watchers_new();
    g_mutex_init(&store->drop_lock);
    g_mutex_init(&store->lock);
    g_cond_init(&store->wake);
    g_mutex_init(&store->flush_lock);
    g_cond_init(&store->flushed);
    return store;
}

static void store_free(HearthStore *store)
{
    g_clear_pointer(&store->watchers, hearth_watchers_free);
    if (store->metadata)
        store->engine->close(store->metadata);
    g_clear_pointer(&store->contents, hearth_contents_close);
    hearth_close_at(&store->lock_fd);
    g_array_unref(store->made);
    g_hash_table_destroy(store->touched);
    g_hash_table_destroy(store->paths);
    g_clear_error(&store->lost);
    g_clear_error(&store->sick);
    g_mutex_clear(&store->drop_lock);
    g_mutex_clear(&store->lock);
    g_cond_clear(&store->wake);
    g_mutex_clear(&store->flush_lock);
    g_cond_clear(&store->flushed);
    g_free(store->state);
    g_free(store);
}

HearthStore *hearth_store_open(const HearthStoreOptions *options, GError **error)
{
    HearthStore *store = store_new(options);
    gboolean opened = (store->read_only || make_state(store->state, error)) &&
                      take_lock(store, error) && open_metadata(store, options, error);
    if (opened)
        store->contents = hearth_contents_open(store->state, error);
    if (!store->contents) {
        store_free(store);
        return NULL;
    }
    if (!store->read_only)
        store->keeper = g_thread_new("store-keeper", keep, store);
    return store;
}

void hearth_store_close(HearthStore *store)
{
    if (!store)
        return;
    if (store->keeper) {
        g_mutex_lock(&store->lock);
        store->closing = TRUE;
        g_cond_signal(&store->wake);
        g_mutex_unlock(&store->lock);
        g_thread_join(store->keeper);
        hearth_store_sync(store, NULL);
    }
    store_free(store);
}

HearthContents *hearth_store_contents(HearthStore *store)
{
    return store->contents;
}

HearthId hearth_store_node(HearthStore *store)
{
    return store->node;
}

HearthId hearth_store_incarnation(HearthStore *store)
{
    return store->incarnation;
}

gboolean hearth_store_counts(HearthStore *store, HearthStoreCounts *ret_counts, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    *ret_counts = store->now.counts;
    return TRUE;
}
