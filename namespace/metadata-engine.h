#pragma once

#include "namespace/query.h"
#include "namespace/store.h"
#include "namespace/version-vector.h"

/**
 * The seam between what the namespace means (store*.c: names, versions, log, trash) and where its
 * rows are kept (an engine: SQLite here, PostgreSQL later). Private to the namespace.
 *
 * An engine keeps rows and promises order, nothing else: it knows no rule about names, no kinds, no
 * clock. Changes join a *group*: begin() opens it when none is open, commit() ends it with the
 * state row. A group is applied whole or not at all. What was written in an open group is seen by
 * the reading calls below. harden() makes every committed group durable.
 *
 * If a changing call fails midway the store gives the whole group up with rollback(): the checks
 * come first, so that only a sick disk or a full one gets there.
 *
 * Threads: every call is made under the store's lock, but for those under "long work".
 * Strings and arrays given in are the caller's; what is returned is the caller's to free.
 */
typedef struct HearthMetadata HearthMetadata;
typedef struct HearthMetadataEngine HearthMetadataEngine;

/** The start of every engine's own struct. */
struct HearthMetadata {
    const HearthMetadataEngine *engine;
};

/** What is kept once for the whole store, written with each group. */
typedef struct {
    HearthId node;
    HearthId incarnation;
    gint64 next_ino;
    guint64 clock; /* of the last change */
    HearthStoreCounts counts;
} HearthMetadataState;

typedef enum {
    HEARTH_FETCH_FAILED = -1, /* error is set */
    HEARTH_FETCH_NONE = 0,    /* no such row; error is not set */
    HEARTH_FETCH_ROW = 1,
} HearthFetch;

/** An object with all that a change needs to know. */
typedef struct {
    HearthObject object;
    HearthVersionVector vector;
    guint64 sequence; /* of its last change */
    char name[HEARTH_NAME_MAX + 1];
} HearthObjectRow;

/** An object as an entry of a folder. */
typedef struct {
    HearthObject object;
    char name[HEARTH_NAME_MAX + 1];
} HearthEntryRow;

/** A record of the log; the pointers of `change` go to the two buffers. */
typedef struct {
    HearthChange change;
    char name[HEARTH_NAME_MAX + 1];
    char old_name[HEARTH_NAME_MAX + 1];
} HearthLogRow;

typedef struct {
    HearthObject object; /* parent is 0 */
    gint64 old_parent;
    gint64 trashed_ns;
    char *path; /* (owned) where it was */
} HearthTrashRow;
void hearth_trash_row_clear(HearthTrashRow *row);

/** A match of find. */
typedef struct {
    HearthObject object;
    char *path; /* (owned) */
} HearthMatchRow;
void hearth_match_row_clear(HearthMatchRow *row);

/** A search under way; belongs to one thread at a time. */
typedef struct HearthFind HearthFind;

typedef struct {
    const char *state; /* folder */
    gboolean read_only;
    guint cache_kib;
} HearthMetadataOptions;

struct HearthMetadataEngine {
    const char *name;

    /** Opens, makes when missing, migrates, and reads the state row. */
    HearthMetadata *(*open)(const HearthMetadataOptions *options, HearthMetadataState *ret_state,
                            GError **error);
    /** Closes; an open group is given up. */
    void (*close)(HearthMetadata *metadata);

    /* --- Groups --- */
    gboolean (*begin)(HearthMetadata *metadata, GError **error);
    /** After a failure the group is gone, as after rollback(). */
    gboolean (*commit)(HearthMetadata *metadata, const HearthMetadataState *state, GError **error);
    void (*rollback)(HearthMetadata *metadata);
    gboolean (*load)(HearthMetadata *metadata, HearthMetadataState *ret_state, GError **error);

    /* --- Objects --- */
    HearthFetch (*get)(HearthMetadata *metadata, gint64 ino, HearthObject *ret, GError **error);
    HearthFetch (*get_row)(HearthMetadata *metadata, gint64 ino, HearthObjectRow *ret,
                           GError **error);
    HearthFetch (*lookup)(HearthMetadata *metadata, gint64 parent, const char *name,
                          HearthObject *ret, GError **error);
    /** Appends up to `limit` HearthEntryRow to `rows`, above `after`, ascending. */
    gboolean (*list)(HearthMetadata *metadata, gint64 folder, gint64 after, guint limit,
                     GArray *rows, GError **error);
    gboolean (*list_by_name)(HearthMetadata *metadata, gint64 folder, const char *after,
                             guint limit, GArray *rows, GError **error);
    /** Target of a symlink; NULL without error if it has none. */
    char *(*target)(HearthMetadata *metadata, gint64 ino, GError **error);
    gboolean (*insert)(HearthMetadata *metadata, const HearthObjectRow *row, const char *target,
                       GError **error);
    /** Writes all but the place: mode, owner, times, size, version, content, vector, sequence. */
    gboolean (*update)(HearthMetadata *metadata, const HearthObjectRow *row, GError **error);
    /** Writes the place: parent (0: none), name, ctime, vector, sequence. */
    gboolean (*move)(HearthMetadata *metadata, const HearthObjectRow *row, GError **error);
    /** Sets mtime and ctime alone. */
    gboolean (*touch)(HearthMetadata *metadata, gint64 ino, gint64 ns, GError **error);
    /** Deletes the object with its versions, attributes and trash row. */
    gboolean (*forget)(HearthMetadata *metadata, gint64 ino, GError **error);

    /* --- Versions and attributes --- */
    /** The vector is that of `row`. */
    gboolean (*add_version)(HearthMetadata *metadata, const HearthObjectRow *row,
                            const HearthVersion *version, GError **error);
    HearthFetch (*get_version)(HearthMetadata *metadata, gint64 ino, guint64 version,
                               HearthVersion *ret, GError **error);
    /** Appends up to `limit` HearthVersion below `below`, newest first. */
    gboolean (*versions)(HearthMetadata *metadata, gint64 ino, guint64 below, guint limit,
                         GArray *rows, GError **error);
    /** `attributes` is a{sv} of the types s, u, d, as; NULL: none. */
    gboolean (*set_attributes)(HearthMetadata *metadata, gint64 ino, GVariant *attributes,
                               GError **error);
    GVariant *(*attributes)(HearthMetadata *metadata, gint64 ino, GError **error);
    /** An object one of whose versions has this content. */
    HearthFetch (*find_content)(HearthMetadata *metadata, const HearthContentId *id,
                                gint64 *ret_ino, GError **error);

    /* --- Trash --- */
    gboolean (*add_trash)(HearthMetadata *metadata, const HearthTrashRow *row, GError **error);
    gboolean (*drop_trash)(HearthMetadata *metadata, gint64 ino, GError **error);
    HearthFetch (*get_trash)(HearthMetadata *metadata, gint64 ino, HearthTrashRow *ret,
                             GError **error);
    /** Appends up to `limit` HearthTrashRow, newest first, below (`before_ns`, `before_ino`). */
    gboolean (*trash)(HearthMetadata *metadata, gint64 before_ns, gint64 before_ino, guint limit,
                      GArray *rows, GError **error);

    /* --- Log --- */
    gboolean (*append)(HearthMetadata *metadata, const HearthChange *change,
                       const HearthVersionVector *vector, GError **error);
    /** Appends up to `limit` HearthLogRow above `after` to `rows`; their pointers are not set. */
    gboolean (*log)(HearthMetadata *metadata, guint64 after, guint limit, GArray *rows,
                    GError **error);

    /* --- Ledger --- */
    HearthFetch (*ledger_get)(HearthMetadata *metadata, const HearthLedgerEntry *key,
                              HearthLedgerEntry *ret, GError **error);
    gboolean (*ledger_put)(HearthMetadata *metadata, const HearthLedgerEntry *entry,
                           GError **error);

    /* --- Long work: from any thread, without the store's lock; sees committed groups only --- */

    /** Makes every group durable that was committed before the call. */
    gboolean (*harden)(HearthMetadata *metadata, GError **error);
    /** Brings the files into the shape in which they stay small; from one thread only. */
    gboolean (*tidy)(HearthMetadata *metadata, GError **error);
    /** Starts a search for objects in the tree; `query` must outlive it. */
    HearthFind *(*find_open)(HearthMetadata *metadata, const HearthQuery *query, GError **error);
    /** Appends up to `limit` HearthMatchRow, newest object first; looks at a bounded number of
     * objects, so there may be none though more come. `ret_more` FALSE: that was the end. */
    gboolean (*find_next)(HearthFind *find, guint limit, GArray *rows, gboolean *ret_more,
                          GError **error);
    void (*find_close)(HearthFind *find);
    /** Contents that versions refer to, each once, by ascending id above `after`: appends up to
     * `limit` HearthVersion to `rows`, whose `version` is the ino of an object that has it. */
    gboolean (*contents)(HearthMetadata *metadata, const HearthContentId *after, guint limit,
                         GArray *rows, GError **error);
    /** How many steps check() has. */
    const guint *check_steps;
    /** Checks the rows against one another, step 0 to *check_steps - 1. FALSE: could not run. */
    gboolean (*check)(HearthMetadata *metadata, guint step, HearthFindingFunc finding,
                      gpointer data, GError **error);
};

extern const HearthMetadataEngine HEARTH_METADATA_SQLITE;
