#pragma once

#include "gateway/base/id.h"

#include <glib.h>
#include <sys/types.h>

/** The inode number of the root folder; its parent is itself. */
#define HEARTH_ROOT_INO 1
/** Longest name of an object, in bytes, without the final NUL. */
#define HEARTH_NAME_MAX 255
/** Bytes of a content id: a SHA-256. */
#define HEARTH_CONTENT_ID_SIZE 32
/** Characters of a content id as text, with the final NUL. */
#define HEARTH_CONTENT_ID_TEXT (2 * HEARTH_CONTENT_ID_SIZE + 1)

typedef enum {
    HEARTH_KIND_FOLDER = 1,
    HEARTH_KIND_FILE = 2,
    HEARTH_KIND_SYMLINK = 3,
} HearthKind;

/**
 * The name of a content: SHA-256 over the list of its blocks (length and SHA-256 of each), so that
 * a content can be fetched and checked block by block. All zero: no content (a folder, or a file of
 * no bytes).
 */
typedef struct {
    guint8 bytes[HEARTH_CONTENT_ID_SIZE];
} HearthContentId;

/**
 * What the store knows of one object at one moment: a plain value, copied out under the store's
 * lock and owned by the caller. A path is a walk, not an identity: `id` is what stays.
 */
typedef struct {
    gint64 ino;      /* local number, positive, never reused on this node */
    HearthId id;     /* the same on every node */
    gint64 parent;   /* ino of the folder; 0 when the object is in the trash */
    HearthKind kind; /* never changes */
    mode_t mode;     /* permission bits alone, 07777 */
    uid_t uid;
    gid_t gid;
    gint64 size;     /* bytes; of a symlink, of its target; 0 for a folder */
    gint64 mtime_ns; /* nanoseconds since 1970, as are the next two */
    gint64 ctime_ns;
    gint64 birth_ns;         /* when the object was made here */
    guint64 version;         /* number of the current version of its bytes, from 1; 0: none yet */
    HearthContentId content; /* none for folders, symlinks and empty files */
} HearthObject;

gboolean hearth_content_id_is_none(const HearthContentId *id);
gboolean hearth_content_id_equal(const HearthContentId *a, const HearthContentId *b);
char *hearth_content_id_to_text(const HearthContentId *id, char text[HEARTH_CONTENT_ID_TEXT]);
gboolean hearth_content_id_from_text(const char *text, HearthContentId *ret_id);
