#pragma once

#include "sprockets/host/host.h"
#include "sprockets/host/rollback-private.h"
#include "sprockets/sdk/sprocket.h"

/**
 * What the host knows of one sprocket: its table, as loading reported it, and how its calls went.
 *
 * The table never changes after loading and may be read without a lock. What stands below it is
 * under the host's lock.
 */

typedef struct {
    char *media_type;
    char **extensions; /* lower case */
    guint8 *magic;     /* NULL: none */
    gsize magic_size;
    gsize magic_offset;
} HearthSprocketType;

typedef struct {
    guint slot; /* in the server and in the host's list */
    char *path;
    char *id; /* NULL: could not be loaded */
    char *version;
    char *description;
    char **hooks;
    GPtrArray *types;                 /* HearthSprocketType */
    const SprocketDescriptor *direct; /* loaded in this process; NULL: not yet */
    HearthRollback *rollback;         /* loaded for the engine; NULL: not yet. Under load_lock */

    HearthSprocketMode mode; /* DEFAULT: the host's */
    guint64 calls;
    guint64 outcomes[HEARTH_SPROCKET_OUTCOMES];
    guint64 busy_ns;
    guint bad_in_a_row;
    gboolean quarantined;
    char *last_error;
    gint64 last_error_time;
} HearthSprocket;

HearthSprocket *hearth_sprocket_new(guint slot, const char *path);
void hearth_sprocket_free(HearthSprocket *sprocket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthSprocket, hearth_sprocket_free)

/** Takes over a table that came as a record, with suspicion: INVALID says what is wrong with it. */
gboolean hearth_sprocket_describe(HearthSprocket *sprocket, GBytes *description, GError **error);

gboolean hearth_sprocket_has_hook(const HearthSprocket *sprocket, const char *hook);

/**
 * How well the sprocket fits a file: 0 not at all; more is better. A type with a magic fits only if
 * the magic is there. `media_type` is what the caller says, `ret_type` the row that fits.
 */
guint hearth_sprocket_fit(const HearthSprocket *sprocket, const char *media_type, const char *name,
                          const guint8 *head, gsize head_size, const HearthSprocketType **ret_type);

/** Counts a call that ended so; `message` is NULL if it ended well. Quarantines when due. */
void hearth_sprocket_count(HearthSprocket *sprocket, HearthSprocketOutcome outcome, guint64 wall_ns,
                           const char *message);
void hearth_sprocket_set_error(HearthSprocket *sprocket, const char *message);

HearthSprocketStatus *hearth_sprocket_status(const HearthSprocket *sprocket);
