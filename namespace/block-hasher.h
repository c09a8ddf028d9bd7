#pragma once

#include "namespace/block-list.h"

#include <gio/gio.h>

/**
 * Makes the block list of a stream of bytes: cuts it and hashes each block. One owner, one thread
 * at a time.
 */
typedef struct HearthBlockHasher HearthBlockHasher;

HearthBlockHasher *hearth_block_hasher_new(void);
void hearth_block_hasher_free(HearthBlockHasher *hasher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthBlockHasher, hearth_block_hasher_free)

/** Takes the next bytes. */
void hearth_block_hasher_feed(HearthBlockHasher *hasher, const void *data, gsize size);

/** Takes the bytes of `fd` from the hasher's position up to `end`; fails if they are not there. The
 * descriptor may be one of O_DIRECT when the position is a multiple of 4 KiB. */
gboolean hearth_block_hasher_feed_fd(HearthBlockHasher *hasher, int fd, gint64 end,
                                     GCancellable *cancellable, GError **error);

/** Bytes taken so far. */
gint64 hearth_block_hasher_position(const HearthBlockHasher *hasher);

/** Forgets all from the block that holds `offset` on; the position is then the end of the block
 * before it. Nothing happens when `offset` is not below the position. */
void hearth_block_hasher_rewind(HearthBlockHasher *hasher, gint64 offset);

/** Begins with the blocks of another list, whose bytes the caller answers for, but for its last:
 * that one may have ended with its content and not by a cut. Only for a new hasher. */
void hearth_block_hasher_adopt(HearthBlockHasher *hasher, const HearthBlockList *list, gint64 size);

/** Ends the last block; the list stays the hasher's. Only free may follow. */
const HearthBlockList *hearth_block_hasher_finish(HearthBlockHasher *hasher);
