#pragma once

#include "gateway/base/error.h"
#include "namespace/clock.h"
#include "namespace/metadata-engine.h"
#include "namespace/store.h"

/**
 * What store*.c share. Locks, in the order they may be taken:
 *
 *   drop_lock    held while references to contents are dropped (trash) or unused contents deleted
 *                (gc), so that gc never deletes what an undone drop would need again; may be held
 *                for a flush of the disk
 *   lock         all that is below it in the struct; held for one change or one look, tens of
 *                microseconds; a commit may hold it for milliseconds. Never while contents are
 *                read or written
 *   flush_lock   who flushes and how far; held for no I/O
 *   the watchers' own lock (store-watch.c)
 */
typedef struct HearthWatchers HearthWatchers;

struct HearthStore {
    char *state;
    gboolean read_only;
    int lock_fd;
    HearthContents *contents;
    const HearthMetadataEngine *engine;
    HearthMetadata *metadata;
    HearthWatchers *watchers;
    HearthAttributeTypeFunc attribute_type; /* (nullable) */
    HearthId node, incarnation;
    guint64 node_short; /* this node in version vectors */
    GThread *keeper;    /* commits, flushes and tidies by the clock */

    GMutex drop_lock;

    GMutex lock;
    HearthMetadataState now; /* as the open group has it */
    HearthClock clock;
    guint64 group;       /* number of the group that is open or comes next, from 1 */
    guint pending;       /* changes in the open group */
    gboolean stamped;    /* the change under way has begun to write */
    GArray *made;        /* of HearthLogRow: what the change under way will announce */
    GHashTable *touched; /* folder ino -> gint64 ns: new times, written with the group */
    GHashTable *paths;   /* folder ino -> path, of folders known to be in the tree */
    guint64 losses;      /* groups given up since the store was opened */
    guint64 told;        /* of these, how many a sync has told */
    GError *lost;        /* (nullable) why the last one was given up */
    gboolean closing;
    GCond wake; /* of the keeper */

    GMutex flush_lock;
    GCond flushed;
    gboolean flushing;
    guint64 hardened; /* every group up to this one is durable */
    GError *sick;     /* a flush failed: nothing can be promised any more */
};

/* --- store.c: one change --- */

/** Takes the lock for a change. FALSE: read-only, the lock is not held. */
gboolean hearth_store_enter(HearthStore *store, GError **error);
/** Ends the change: announces it, or gives the group up if it failed in the midst of writing.
 * Frees the lock. Returns `done`, or FALSE if a commit that was due has failed. */
gboolean hearth_store_leave(HearthStore *store, gboolean done, GError **error);
/** Opens a group if none is open; from here on a failure costs the group, so all checks come
 * before. hearth_store_stamp() does it for changes that have a record. */
gboolean hearth_store_begin(HearthStore *store, GError **error);
/** Begins, and gives `row` the next place in the log. */
gboolean hearth_store_stamp(HearthStore *store, HearthObjectRow *row, GError **error);
/** Appends the record of the change that `row` was stamped for. */
gboolean hearth_store_record(HearthStore *store, HearthChangeKind kind, const HearthObjectRow *row,
                             gint64 old_parent, const char *old_name, HearthOrigin origin,
                             GError **error);
/** Ends the open group; the lock is held. On failure the group is lost. */
gboolean hearth_store_commit(HearthStore *store, GError **error);
/** Takes the lock, ends the open group, frees the lock: for long work on committed rows. */
gboolean hearth_store_settle(HearthStore *store, GError **error);
gint64 hearth_store_now_ns(void);

/* --- store-tree.c: all with the lock held --- */

gboolean hearth_store_check_name(const char *name, GError **error);
/** "WHAT: NAME", with the name made fit for a message. Returns FALSE. */
gboolean hearth_store_refuse(GError **error, HearthError code, const char *what, const char *name);
/** The object, or HEARTH_ERROR_NOT_FOUND. */
gboolean hearth_store_need(HearthStore *store, gint64 ino, HearthObject *ret, GError **error);
gboolean hearth_store_need_row(HearthStore *store, gint64 ino, HearthObjectRow *ret,
                               GError **error);
gboolean hearth_store_need_entry(HearthStore *store, gint64 parent, const char *name,
                                 HearthObjectRow *ret, GError **error);
/** `folder` must be a folder in the tree. */
gboolean hearth_store_need_folder(HearthStore *store, gint64 folder, GError **error);
/** TRUE with `ret_taken` if the name is looked up; the name must be good. */
gboolean hearth_store_is_taken(HearthStore *store, gint64 parent, const char *name,
                               gboolean *ret_taken, GError **error);
/** Path of a folder in the tree, borrowed until the next change; NULL: HEARTH_ERROR_NOT_FOUND when
 * it is not in the tree. */
const char *hearth_store_folder_path(HearthStore *store, gint64 folder, GError **error);
/** Path of an entry of a folder in the tree; (transfer full). */
char *hearth_store_entry_path(HearthStore *store, gint64 parent, const char *name, GError **error);
/** Whether an object hangs from the root. */
gboolean hearth_store_is_in_tree(HearthStore *store, gint64 parent, gboolean *ret_in,
                                 GError **error);
/** Folders of `path` up to its last '/', made when missing; then `ret_name` is the last part,
 * within `path`. */
gboolean hearth_store_make_parents(HearthStore *store, const char *path, HearthOrigin origin,
                                   HearthObject *ret_parent, const char **ret_name, GError **error);
/** Inserts, records and counts a new object; the name is free and good. `row` has all but ino, id
 * and stamps. */
gboolean hearth_store_insert(HearthStore *store, HearthObjectRow *row, const char *target,
                             HearthOrigin origin, GError **error);
/** Sets the times of a folder whose entries changed. */
void hearth_store_touch(HearthStore *store, gint64 folder, gint64 ns);
/** Gives a folder the times it has in the open group. */
void hearth_store_overlay(HearthStore *store, HearthObject *object);
/** Adds one object to the counts of the tree (`sign` 1) or takes it away (-1). */
void hearth_store_count(HearthStore *store, const HearthObject *object, int sign);
/** What hangs below a folder is counted into the tree or out of it; objects in `ret_count`. */
gboolean hearth_store_count_below(HearthStore *store, gint64 folder, int sign, guint64 *ret_count,
                                  GError **error);
/** Forgets all paths: a folder was moved or left the tree. */
void hearth_store_forget_paths(HearthStore *store);
gboolean hearth_store_has_entries(HearthStore *store, gint64 folder, gboolean *ret_has,
                                  GError **error);

/* --- store-trash.c, with the lock held --- */

/** Moves an object of the tree to the trash; of a folder, with all below it. */
gboolean hearth_store_put_in_trash(HearthStore *store, HearthObjectRow *row, HearthOrigin origin,
                                   GError **error);

/* --- store-watch.c --- */

HearthWatchers *hearth_watchers_new(void);
/** Ends the thread; what is not delivered is dropped. */
void hearth_watchers_free(HearthWatchers *watchers);
/** Queues records for delivery; never blocks. */
void hearth_watchers_announce(HearthWatchers *watchers, const HearthLogRow *rows, guint count);
