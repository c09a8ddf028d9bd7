#pragma once

#include "namespace/content.h"
#include "namespace/object.h"
#include "namespace/query.h"

/**
 * The namespace of one node: the tree of objects, their versions, the change log, the trash and the
 * import ledger, on a metadata engine; and the contents the versions refer to.
 *
 * Every change is one record of the change log, appended in the transaction that makes it.
 * Transactions are grouped: a change is seen at once by every reader of this process, and is
 * durable when hearth_store_sync() has returned, or within HEARTH_STORE_GROUP_MS by itself. What a
 * power cut takes is always a tail of the log, never a part of a change. Calls that make a new
 * version of bytes (commit_content, add_file) publish the content first.
 *
 * Every call blocks, takes the store's own locks, and may come from any thread but not from within
 * a callback of the store. Names are bytes without NUL and '/', 1 to 255 of them, not "." or "..";
 * kept as given. Paths are absolute, '/'-separated, "/" is the root.
 */
typedef struct HearthStore HearthStore;

/** Longest time for which a change may stay in memory alone, milliseconds. */
#define HEARTH_STORE_GROUP_MS 500

typedef struct {
    const char *state;  /* folder with metadata.db, content/, spool/; made when missing */
    const char *engine; /* "sqlite" */
    gboolean read_only; /* open an existing state without changing it (fsck) */
    guint cache_kib;    /* memory for cached pages of the database; 0: 8192 */
    /* Which attributes queries may name (namespace/query.h); NULL: any word with a dot. */
    HearthAttributeTypeFunc attribute_type;
} HearthStoreOptions;

/** Opens or makes the store; old schemas are migrated; recovery is run. HEARTH_ERROR_BUSY if
 * another process has it, HEARTH_ERROR_CORRUPT if the database is damaged, naming the file. */
HearthStore *hearth_store_open(const HearthStoreOptions *options, GError **error);
/** Makes all durable and closes. */
void hearth_store_close(HearthStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthStore, hearth_store_close)

/** The contents of this store; borrowed. */
HearthContents *hearth_store_contents(HearthStore *store);
/** This node, and this incarnation of its store. */
HearthId hearth_store_node(HearthStore *store);
HearthId hearth_store_incarnation(HearthStore *store);

/** Returns once every change that returned before this call is durable. Fails if the disk refused
 * some of them; a failure is told once, to whoever syncs first. */
gboolean hearth_store_sync(HearthStore *store, GError **error);

/**
 * For whoever reports its own changes as stored while others sync too: the count of losses before
 * the first change, given to hearth_store_sync_since() after the last, makes that fail also if the
 * loss was told to another meanwhile.
 */
guint64 hearth_store_losses(HearthStore *store);
gboolean hearth_store_sync_since(HearthStore *store, guint64 losses, GError **error);

/* --- Looking --- */

gboolean hearth_store_get(HearthStore *store, gint64 ino, HearthObject *ret_object, GError **error);
gboolean hearth_store_lookup(HearthStore *store, gint64 parent, const char *name,
                             HearthObject *ret_object, GError **error);
/** Follows `path` from the root; symlinks are not followed. */
gboolean hearth_store_walk(HearthStore *store, const char *path, HearthObject *ret_object,
                           GError **error);
/** The path of an object that is in the tree; (transfer full). */
char *hearth_store_path(HearthStore *store, gint64 ino, GError **error);
/** Target of a symlink; (transfer full). */
char *hearth_store_readlink(HearthStore *store, gint64 ino, GError **error);

/** Gets one entry; FALSE ends the listing early. `object` and `name` are the callee's to read only.
 */
typedef gboolean (*HearthEntryFunc)(const HearthObject *object, const char *name, gpointer data);

/** Entries of a folder by ascending ino, from those above `after` (0: all): the order of readdir,
 * which stays right while entries come and go. */
gboolean hearth_store_list(HearthStore *store, gint64 folder, gint64 after, HearthEntryFunc func,
                           gpointer data, GError **error);
/** Entries of a folder by ascending name (bytes), from those above `after` (NULL: all). */
gboolean hearth_store_list_by_name(HearthStore *store, gint64 folder, const char *after,
                                   HearthEntryFunc func, gpointer data, GError **error);

/** Objects in the tree that match `query` (namespace/query.h), the newest object first, at most
 * `limit` (0: all). `name` in the callback is the full path here. A bad query:
 * HEARTH_ERROR_INVALID with column and what was expected. */
gboolean hearth_store_find(HearthStore *store, const char *query, guint limit, HearthEntryFunc func,
                           gpointer data, GError **error);

typedef struct {
    guint64 folders, files, symlinks; /* in the tree */
    guint64 bytes;                    /* of the current versions in the tree */
    guint64 trashed;                  /* objects in the trash */
    guint64 last_sequence;            /* of the change log */
} HearthStoreCounts;
/** Kept by the store, never counted by a scan. */
gboolean hearth_store_counts(HearthStore *store, HearthStoreCounts *ret_counts, GError **error);

/* --- Changing --- */

/** `origin` tags the changes a part makes itself, so that its own listener can tell them apart. */
typedef guint HearthOrigin;

typedef struct {
    HearthKind kind;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    const char *target; /* of a symlink, else NULL */
} HearthNewObject;

gboolean hearth_store_create(HearthStore *store, gint64 parent, const char *name,
                             const HearthNewObject *new_object, HearthOrigin origin,
                             HearthObject *ret_object, GError **error);
/** Makes every folder of `path` that is missing; the last one is returned. */
gboolean hearth_store_make_folders(HearthStore *store, const char *path, HearthOrigin origin,
                                   HearthObject *ret_object, GError **error);

typedef enum {
    HEARTH_RENAME_REPLACE = 0, /* an existing target goes to the trash */
    HEARTH_RENAME_NO_REPLACE,  /* HEARTH_ERROR_EXISTS */
    HEARTH_RENAME_EXCHANGE,    /* both must exist and swap places */
} HearthRename;

gboolean hearth_store_rename(HearthStore *store, gint64 parent, const char *name, gint64 new_parent,
                             const char *new_name, HearthRename how, HearthOrigin origin,
                             GError **error);

/** Moves an object (a folder only when empty) to the trash. `kind` 0 takes any. */
gboolean hearth_store_remove(HearthStore *store, gint64 parent, const char *name, HearthKind kind,
                             HearthOrigin origin, HearthObject *ret_object, GError **error);
/** The same for a folder with all below it, as one entry of the trash. */
gboolean hearth_store_remove_tree(HearthStore *store, gint64 ino, HearthOrigin origin,
                                  GError **error);

typedef enum {
    HEARTH_SET_MODE = 1 << 0,
    HEARTH_SET_OWNER = 1 << 1,
    HEARTH_SET_MTIME = 1 << 2,
} HearthSetMask;
gboolean hearth_store_set(HearthStore *store, gint64 ino, HearthSetMask mask,
                          const HearthObject *values, HearthOrigin origin, HearthObject *ret_object,
                          GError **error);

/**
 * Gives a file new bytes: publishes `staged` (NULL: no bytes) if that was not done and makes a new
 * version; the old one stays in the history, its attributes go. The same content as now makes no
 * version.
 * `mtime_ns` as in HearthObject; `ctime_ns`: when the bytes were changed, 0: now. Works for an object
 * in the trash too (an open, unlinked file).
 */
gboolean hearth_store_commit_content(HearthStore *store, gint64 ino, HearthStagedContent *staged,
                                     gint64 mtime_ns, gint64 ctime_ns, HearthOrigin origin,
                                     HearthObject *ret_object, GError **error);

/** As hearth_store_commit_content(), but only if the content is `expected` still:
 * HEARTH_ERROR_CONFLICT, and nothing has changed, if it is another one by now. */
gboolean hearth_store_replace_content(HearthStore *store, gint64 ino,
                                      const HearthContentId *expected, HearthStagedContent *staged,
                                      gint64 mtime_ns, HearthOrigin origin,
                                      HearthObject *ret_object, GError **error);

/** One imported file, made whole in one transaction: folders, object, version, attributes, ledger.
 */
typedef struct {
    const char *path;            /* where it goes; parents are made */
    HearthStagedContent *staged; /* published already, see hearth_contents_publish(); NULL: empty */
    gint64 mtime_ns;
    mode_t mode;
    GVariant *attributes;                   /* a{sv} in the metadata vocabulary, or NULL */
    const struct HearthLedgerEntry *ledger; /* NULL: none */
} HearthNewFile;
/** HEARTH_ERROR_EXISTS, and nothing changed, if the path is taken. */
gboolean hearth_store_add_file(HearthStore *store, const HearthNewFile *file, HearthOrigin origin,
                               HearthObject *ret_object, GError **error);

/* --- Attributes --- */

/** Replaces the attributes of the current version; `attributes` is a{sv}. */
gboolean hearth_store_set_attributes(HearthStore *store, gint64 ino, GVariant *attributes,
                                     GError **error);
/** a{sv}, (transfer full); empty when there are none. */
GVariant *hearth_store_attributes(HearthStore *store, gint64 ino, GError **error);

/* --- History and trash --- */

typedef struct {
    guint64 version; /* from 1 */
    HearthContentId content;
    gint64 size;
    gint64 mtime_ns;
    gint64 made_ns; /* when the version was made */
    HearthId node;  /* that made it */
} HearthVersion;
typedef gboolean (*HearthVersionFunc)(const HearthVersion *version, gpointer data);
/** Versions, newest first. */
gboolean hearth_store_history(HearthStore *store, gint64 ino, HearthVersionFunc func, gpointer data,
                              GError **error);
/** Makes an old version the newest (as a new one with the same content). */
gboolean hearth_store_restore(HearthStore *store, gint64 ino, guint64 version, HearthOrigin origin,
                              HearthObject *ret_object, GError **error);

typedef struct {
    HearthObject object;
    const char *path; /* where it was */
    gint64 trashed_ns;
} HearthTrashed;
typedef gboolean (*HearthTrashFunc)(const HearthTrashed *trashed, gpointer data);
gboolean hearth_store_trash_list(HearthStore *store, HearthTrashFunc func, gpointer data,
                                 GError **error);
/** Puts an object back where it was; a name taken since gets " (restored)" before its extension.
 * `ret_path` (transfer full). */
gboolean hearth_store_trash_restore(HearthStore *store, gint64 ino, HearthOrigin origin,
                                    char **ret_path, GError **error);
/** Forgets objects trashed before `before_ns` for good; count of them in `ret_count`. Their
 * contents are freed by hearth_store_gc(). */
gboolean hearth_store_trash_empty(HearthStore *store, gint64 before_ns, guint64 *ret_count,
                                  GError **error);

/* --- Change log --- */

typedef enum {
    HEARTH_CHANGE_CREATED = 1,
    HEARTH_CHANGE_CONTENT,    /* a new version of the bytes */
    HEARTH_CHANGE_ATTRIBUTES, /* mode, owner, times or metadata */
    HEARTH_CHANGE_MOVED,
    HEARTH_CHANGE_TRASHED,
    HEARTH_CHANGE_RESTORED,
    HEARTH_CHANGE_FORGOTTEN, /* removed from the trash for good */
    /* Never in the log, only to watchers: the disk refused a group, and changes that were announced
     * above `sequence` are undone. Forget whatever was cached. A sync tells the reason. */
    HEARTH_CHANGE_LOST,
} HearthChangeKind;

typedef struct {
    guint64 sequence; /* of this node, from 1, without gaps; may be given again if a power cut took
                         it before a sync */
    guint64 clock;    /* hybrid logical clock: milliseconds since 1970 << 16 | counter */
    HearthChangeKind kind;
    HearthId object;
    gint64 ino;
    HearthKind object_kind;
    gint64 parent;        /* where it was after the change, 0: in the trash or forgotten */
    const char *name;     /* its name then */
    gint64 old_parent;    /* MOVED, TRASHED: where it was; else 0 */
    const char *old_name; /* MOVED, TRASHED; else NULL */
    HearthContentId content;
    gint64 size;
    HearthOrigin origin; /* of a live change; 0 when read from the log */
} HearthChange;
typedef gboolean (*HearthChangeFunc)(const HearthChange *change, gpointer data);

/** Records above `after`, in order, at most `limit` (0: all). */
gboolean hearth_store_log(HearthStore *store, guint64 after, guint limit, HearthChangeFunc func,
                          gpointer data, GError **error);

/** Calls `func` after each change, in log order, from a thread of the store that holds no lock: the
 * callback may call the store. The change is applied but need not be durable yet: that is right for
 * caches and live events of this machine; who tells another machine calls hearth_store_sync()
 * first. Returning FALSE ends the watch. What happened before the call is not told: read the log. Returns an id for hearth_store_unwatch(), never 0. */
guint hearth_store_watch(HearthStore *store, HearthChangeFunc func, gpointer data,
                         GDestroyNotify destroy);
/** Returns when no call of `func` is under way. Cancelling an id twice is safe. */
void hearth_store_unwatch(HearthStore *store, guint id);

/* --- Ledger: what was imported from where --- */

typedef struct HearthLedgerEntry {
    const char *source; /* device id */
    const char *path;   /* bytes of the path on the device */
    gint64 size;        /* bytes as the device states it */
    gint64 mtime;       /* seconds, the device's wall clock */
    HearthContentId content;
    gint64 ino;         /* object it became; filled by the store in hearth_store_add_file() */
    gint64 imported_ns; /* filled by the store */
    gboolean removed;   /* taken off the device by us after proof */
} HearthLedgerEntry;

/** FALSE without `error` when (source, path, size, mtime) is not in the ledger. */
gboolean hearth_store_ledger_has(HearthStore *store, const HearthLedgerEntry *key,
                                 HearthLedgerEntry *ret_entry, GError **error);
/** Adds an entry for content that is stored already (the same picture seen again). */
gboolean hearth_store_ledger_add(HearthStore *store, const HearthLedgerEntry *entry,
                                 GError **error);
gboolean hearth_store_ledger_mark_removed(HearthStore *store, const HearthLedgerEntry *key,
                                          GError **error);
/** Some object in the tree or trash with that content: its ino, or 0. */
gint64 hearth_store_find_content(HearthStore *store, const HearthContentId *id, GError **error);

/* --- Upkeep --- */

/** Called now and then during long work; FALSE stops it (HEARTH_ERROR_CANCELLED). `done` and
 * `total` count what the function's comment says. */
typedef gboolean (*HearthProgressFunc)(guint64 done, guint64 total, gpointer data);
/** Gets one finding: a sentence naming object, content or file. */
typedef void (*HearthFindingFunc)(const char *finding, gpointer data);

/** Reads and checks every content (progress in bytes); what is bad is marked so that reads fail
 * with EIO, and reported; a bad mark goes when the content is whole again. */
gboolean hearth_store_scrub(HearthStore *store, HearthProgressFunc progress,
                            HearthFindingFunc finding, gpointer data, GError **error);
/** Checks what must be true after any power cut (docs/architecture.md): database pages, tree, log
 * without gap, counts, references, contents present with the right size (progress in steps).
 * Changes nothing. TRUE if it could run; findings say whether all is well. */
gboolean hearth_store_fsck(HearthStore *store, HearthProgressFunc progress,
                           HearthFindingFunc finding, gpointer data, GError **error);
/** Frees contents that no version refers to (progress in contents); bytes freed in `ret_bytes`. */
gboolean hearth_store_gc(HearthStore *store, HearthProgressFunc progress, gpointer data,
                         guint64 *ret_bytes, GError **error);
