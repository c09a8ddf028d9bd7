#pragma once

#include "tests/rigs/simulator/dataset.h"

#include <glib.h>

/**
 * What a simulated device holds: a tree of objects, backed by a folder of this machine, by bytes in
 * memory, or by a pattern that takes no room (for files over 4 GiB).
 *
 * Not thread-safe: the device that owns it holds its lock around every call.
 */
typedef struct SimStore SimStore;

typedef enum {
    SIM_CONTENT_NONE,    /* a folder */
    SIM_CONTENT_FILE,    /* `path` */
    SIM_CONTENT_BYTES,   /* `bytes` */
    SIM_CONTENT_PATTERN, /* sim_pattern_fill with `seed` */
} SimContent;

typedef struct {
    guint index;  /* place in the store; never changes, never used again */
    guint parent; /* SIM_ROOT or the index of a folder */
    SimText name;
    guint16 format; /* PTP_FORMAT_… */
    guint64 size;   /* bytes */
    gint64 mtime;   /* the camera's wall clock, counted as if it were UTC */
    SimContent content;
    char *path; /* (nullable) on this machine */
    GBytes *bytes;
    guint32 seed;
    gboolean broken;  /* reading it fails */
    gboolean endless; /* a folder that grows another such folder when it is listed */
    gboolean loop;    /* a folder that lists itself */
    gboolean removed;
} SimObject;

#define SIM_ROOT G_MAXUINT

/** `folder` is read at once, with everything below it; NULL: an empty store. */
SimStore *sim_store_new(const char *folder);
void sim_store_free(SimStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimStore, sim_store_free)

/**
 * Looks at the folder again. What is new and what is gone is appended to `added` and `removed`
 * (element-type guint: indices).
 */
void sim_store_rescan(SimStore *store, GArray *added, GArray *removed);

/** Objects are owned by the store and live as long as it does. NULL: none, or removed. */
SimObject *sim_store_get(SimStore *store, guint index);
guint sim_store_count(SimStore *store);
/** The object named `name` anywhere in the tree, or NULL. */
SimObject *sim_store_find(SimStore *store, const char *name);

/** Appends to `children` (element-type guint) the indices of what lies in `parent`. */
void sim_store_list(SimStore *store, guint parent, GArray *children);

/** The folder NAME below `parent`, made if it is not there. */
SimObject *sim_store_folder(SimStore *store, guint parent, const char *name);
/** A folder whatever its name; `name` is taken over. */
SimObject *sim_store_add_folder(SimStore *store, guint parent, SimText name);
/** A file in memory; takes over `name`. */
SimObject *sim_store_add_bytes(SimStore *store, guint parent, SimText name, const void *data,
                               gsize size);
/** A file of `size` bytes of pattern `seed`. */
SimObject *sim_store_add_pattern(SimStore *store, guint parent, const char *name, guint64 size,
                                 guint32 seed);

/** Gives `object` these bytes, also on this machine if the store has a folder. */
gboolean sim_store_write(SimStore *store, SimObject *object, const void *data, gsize size);
/** Removes it, its file on this machine, and everything in it. */
void sim_store_remove(SimStore *store, SimObject *object);

/** Reads up to `size` bytes at `offset`; the count read. */
gsize sim_object_read(const SimObject *object, guint64 offset, void *buffer, gsize size);

/** (transfer full) "20261120T101500": PTP's date, which names no zone. */
char *sim_object_date(const SimObject *object);

/** Bytes that depend on `seed` and their place alone, so that a test can compute them anywhere. */
void sim_pattern_fill(guint32 seed, guint64 offset, guint8 *buffer, gsize size);
