#pragma once

#include "namespace/block-list.h"

/**
 * The seam between contents and where they are stored: put if absent, get a range, look up a size,
 * enumerate, delete, and read past every cache for verifying. An engine stores whole files of bytes
 * under content ids and, where told to, the list of their blocks; it knows nothing of hashing. Cutting, checking, pins and the spool live above it, in content.c.
 *
 * Every call blocks, is safe from any thread, and names the content in its errors. A listing is
 * what was found: absence from it proves nothing.
 */
typedef struct HearthContentEngine HearthContentEngine;

/** A spooled file to store; all borrowed. */
typedef struct {
    const HearthContentId *id;
    gint64 size;            /* bytes, at least 1 */
    int fd;                 /* of the spooled file, open since before its first write */
    int spool;              /* folder descriptor the file is in */
    const char *name;       /* in the spool; used up on success; NULL: was stored before */
    const GByteArray *list; /* encoded block list to keep, NULL for none */
    gboolean replace;       /* also if one of that id and size is there (it is known to be bad) */
} HearthContentPut;

typedef gboolean (*HearthEngineFunc)(const HearthContentId *id, gint64 size, gpointer data);

typedef struct {
    const char *name;

    /** Stores a batch unless stored already: on TRUE all of it is durable under its ids. */
    gboolean (*put)(HearthContentEngine *engine, const HearthContentPut *puts, gsize count,
                    GError **error);

    /** A descriptor of the whole content and its size; -1 with HEARTH_ERROR_NOT_FOUND. An engine
     * far away gives one of a local copy. `uncached`: what is read must come from the medium; the
     * descriptor may then ask for aligned offsets, sizes and memory (4 KiB). */
    int (*open)(HearthContentEngine *engine, const HearthContentId *id, gboolean uncached,
                gint64 *ret_size, GError **error);

    /** Reads up to `size` bytes at `offset`: the count, 0 at the end, -1 with `error` set. */
    gssize (*get)(HearthContentEngine *engine, const HearthContentId *id, void *data, gsize size,
                  gint64 offset, GError **error);

    gboolean (*stat)(HearthContentEngine *engine, const HearthContentId *id, gint64 *ret_size,
                     GError **error);

    /** The kept block list as it was given, unchecked; NULL without `error` if there is none. */
    GByteArray *(*get_list)(HearthContentEngine *engine, const HearthContentId *id, GError **error);
    gboolean (*put_list)(HearthContentEngine *engine, const HearthContentId *id,
                         const GByteArray *list, GError **error);

    /** By ascending id from those above `after` (NULL: all), at most `limit` (0: all). A size of 0:
     * there are no bytes; only what a crash or a deletion left, for `remove` to take away. */
    gboolean (*enumerate)(HearthContentEngine *engine, const HearthContentId *after, guint limit,
                          HearthEngineFunc func, gpointer data, GError **error);

    /** Deletes content and list; `ret_deleted` is FALSE if there was none. */
    gboolean (*remove)(HearthContentEngine *engine, const HearthContentId *id,
                       gboolean *ret_deleted, GError **error);

    gboolean (*space)(HearthContentEngine *engine, guint64 *ret_free, guint64 *ret_total,
                      GError **error);

    void (*close)(HearthContentEngine *engine);
} HearthContentEngineClass;

/** What every engine begins with. */
struct HearthContentEngine {
    const HearthContentEngineClass *ops;
};

/**
 * The engine of a local folder: `content/ab/cdef…` under the folder `state`.
 *
 * A content is one file of exactly its bytes, read-only, so that a person with nothing but a shell
 * can copy it out. The list of blocks of a content with more than one block stands beside it as
 * `content/ab/cdef….blocks`. Not in a trailer, because the descriptor of the file is handed out as
 * that of the bytes; not in the metadata, because a folder of contents shall be checkable, and
 * servable block by block, without a database. Small files, which are many, have one block and cost
 * no second file. The list is not flushed by itself: it is the very text whose digest is the
 * content's name, so a lost or torn one is seen at once and computed again from the bytes.
 */
HearthContentEngine *hearth_content_folder_open(const char *state, GError **error);
