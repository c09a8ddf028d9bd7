#include "namespace/block-hasher.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/chunker.h"
#include "namespace/digest.h"

#include <errno.h>
#include <stdlib.h>

/* What is cut and hashed in one go: small enough to stay in the processor's second cache between
 * the two passes over it. */
#define PIECE (128 * 1024) /* bytes */
/* One read of feed_fd; a multiple of any sector. */
#define READ_SIZE (1024 * 1024) /* bytes */
#define ALIGNMENT 4096          /* bytes; enough for O_DIRECT on any disk */

struct HearthBlockHasher {
    HearthChunker chunker; /* of the block under way */
    HearthDigest *digest;  /* of the block under way */
    HearthBlockList *list; /* of the blocks that ended */
};

HearthBlockHasher *hearth_block_hasher_new(void)
{
    HearthBlockHasher *hasher = g_new0(HearthBlockHasher, 1);
    hearth_chunker_init(&hasher->chunker);
    hasher->digest = hearth_digest_new();
    hasher->list = hearth_block_list_new();
    return hasher;
}

void hearth_block_hasher_free(HearthBlockHasher *hasher)
{
    if (hasher == NULL)
        return;
    hearth_digest_free(hasher->digest);
    hearth_block_list_free(hasher->list);
    g_free(hasher);
}

static void end_block(HearthBlockHasher *hasher, guint32 length)
{
    guint8 digest[HEARTH_CONTENT_ID_SIZE];
    hearth_digest_finish(hasher->digest, digest);
    hearth_block_list_append(hasher->list, length, digest);
}

void hearth_block_hasher_feed(HearthBlockHasher *hasher, const void *data, gsize size)
{
    const guint8 *at = data;
    while (size > 0) {
        guint32 length;
        gsize taken = hearth_chunker_scan(&hasher->chunker, at, MIN(size, PIECE), &length);
        hearth_digest_update(hasher->digest, at, taken);
        if (length > 0)
            end_block(hasher, length);
        at += taken;
        size -= taken;
    }
}

static gboolean feed_once(HearthBlockHasher *hasher, int fd, guint8 *buffer, gint64 end,
                          GError **error)
{
    gint64 position = hearth_block_hasher_position(hasher);
    /* Past `end` there may be more than wanted; up to the read size, so that a direct read stays
     * aligned to its end. */
    gssize got = hearth_pread_up_to(fd, buffer, READ_SIZE, position, "a content", error);
    if (got < 0)
        return FALSE;
    if (got == 0) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                    "a content ends at %" G_GINT64_FORMAT " instead of %" G_GINT64_FORMAT " bytes",
                    position, end);
        return FALSE;
    }
    hearth_block_hasher_feed(hasher, buffer, (gsize)MIN((gint64)got, end - position));
    return TRUE;
}

gboolean hearth_block_hasher_feed_fd(HearthBlockHasher *hasher, int fd, gint64 end,
                                     GCancellable *cancellable, GError **error)
{
    if (hearth_block_hasher_position(hasher) >= end)
        return TRUE;
    guint8 *buffer = aligned_alloc(ALIGNMENT, READ_SIZE);
    gboolean good = buffer != NULL || hearth_set_errno(error, ENOMEM, "cannot check a content");
    while (good && hearth_block_hasher_position(hasher) < end)
        good = !g_cancellable_set_error_if_cancelled(cancellable, error) &&
               feed_once(hasher, fd, buffer, end, error);
    free(buffer);
    return good;
}

gint64 hearth_block_hasher_position(const HearthBlockHasher *hasher)
{
    return hasher->list->size + hasher->chunker.length;
}

static void begin_block(HearthBlockHasher *hasher)
{
    hearth_chunker_init(&hasher->chunker);
    hearth_digest_reset(hasher->digest);
}

void hearth_block_hasher_rewind(HearthBlockHasher *hasher, gint64 offset)
{
    if (offset >= hearth_block_hasher_position(hasher))
        return;
    hearth_block_list_cut(hasher->list, offset);
    begin_block(hasher);
}

void hearth_block_hasher_adopt(HearthBlockHasher *hasher, const HearthBlockList *list, gint64 size)
{
    for (guint i = 0; i + 1 < hearth_block_list_count(list); i++) {
        const HearthBlock *block = hearth_block_list_get(list, i);
        hearth_block_list_append(hasher->list, block->length, block->digest);
    }
    hearth_block_list_cut(hasher->list, size);
}

const HearthBlockList *hearth_block_hasher_finish(HearthBlockHasher *hasher)
{
    if (hasher->chunker.length > 0)
        end_block(hasher, hasher->chunker.length);
    begin_block(hasher);
    return hasher->list;
}
