#include "namespace/block-hasher.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/chunker.h"
#include "namespace/digest.h"

#include <errno.h>
#include <stdlib.h>

/* What is cut and copied in one go: small enough to stay in the processor's second cache between
 * the two passes over it. */
#define PIECE (128 * 1024) /* bytes */
/* One read of feed_fd; a multiple of any sector. */
#define READ_SIZE (1024 * 1024) /* bytes */
#define ALIGNMENT 4096          /* bytes; enough for O_DIRECT on any disk */
/* Room for the first block, so that small contents need no second allocation. */
#define FIRST_ROOM (64 * 1024) /* bytes */
/* Blocks of one content that are hashed at once, at most: they bound the memory, at 4 MiB each. */
#define HASHING_MAX 4

/*
 * SHA-256 is what costs most in storing a content, and blocks can be hashed in any order. So each
 * block that ended is hashed on a thread of its own while the next one comes in; a thread costs a
 * hundredth of hashing a block. The last block of a content, and with it every small content, is
 * hashed by the caller.
 */
typedef struct {
    GByteArray *bytes;
    guint8 digest[HEARTH_CONTENT_ID_SIZE];
    GThread *thread; /* NULL: hashed already */
} HashedBlock;

struct HearthBlockHasher {
    HearthChunker chunker; /* of the block under way */
    GByteArray *block;     /* its bytes */
    GQueue hashing;        /* of HashedBlock: the blocks that ended last, in order */
    gint64 ended;          /* bytes of all blocks that ended */
    HearthBlockList *list; /* of the blocks before those */
};

static guint hashing_at_once(void)
{
    guint processors = g_get_num_processors();
    return processors > 1 ? MIN(processors, HASHING_MAX) : 0;
}

HearthBlockHasher *hearth_block_hasher_new(void)
{
    HearthBlockHasher *hasher = g_new0(HearthBlockHasher, 1);
    hearth_chunker_init(&hasher->chunker);
    hasher->block = g_byte_array_sized_new(FIRST_ROOM);
    g_queue_init(&hasher->hashing);
    hasher->list = hearth_block_list_new();
    return hasher;
}

static gpointer hash(gpointer data)
{
    HashedBlock *block = data;
    hearth_digest_of(block->bytes->data, block->bytes->len, block->digest);
    return NULL;
}

/* Waits for the oldest block that is being hashed and puts it on the list. */
static void list_oldest(HearthBlockHasher *hasher)
{
    HashedBlock *block = g_queue_pop_head(&hasher->hashing);
    if (block->thread != NULL)
        g_thread_join(block->thread);
    hearth_block_list_append(hasher->list, block->bytes->len, block->digest);
    g_byte_array_unref(block->bytes);
    g_free(block);
}

static void list_all(HearthBlockHasher *hasher)
{
    while (!g_queue_is_empty(&hasher->hashing))
        list_oldest(hasher);
}

void hearth_block_hasher_free(HearthBlockHasher *hasher)
{
    if (hasher == NULL)
        return;
    list_all(hasher);
    g_byte_array_unref(hasher->block);
    hearth_block_list_free(hasher->list);
    g_free(hasher);
}

static void end_block(HearthBlockHasher *hasher)
{
    HashedBlock *block = g_new0(HashedBlock, 1);
    block->bytes = hasher->block;
    hasher->block = g_byte_array_new();
    hasher->ended += block->bytes->len;
    guint at_once = hashing_at_once();
    if (at_once > 0 && g_queue_get_length(&hasher->hashing) >= at_once)
        list_oldest(hasher);
    if (at_once > 0)
        block->thread = g_thread_try_new("block-hash", hash, block, NULL);
    if (block->thread == NULL)
        hash(block);
    g_queue_push_tail(&hasher->hashing, block);
}

void hearth_block_hasher_feed(HearthBlockHasher *hasher, const void *data, gsize size)
{
    const guint8 *at = data;
    while (size > 0) {
        guint32 length;
        gsize taken = hearth_chunker_scan(&hasher->chunker, at, MIN(size, PIECE), &length);
        g_byte_array_append(hasher->block, at, (guint)taken);
        if (length > 0)
            end_block(hasher);
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
    return hasher->ended + hasher->chunker.length;
}

static void begin_block(HearthBlockHasher *hasher)
{
    hearth_chunker_init(&hasher->chunker);
    g_byte_array_set_size(hasher->block, 0);
}

void hearth_block_hasher_rewind(HearthBlockHasher *hasher, gint64 offset)
{
    if (offset >= hearth_block_hasher_position(hasher))
        return;
    list_all(hasher);
    hearth_block_list_cut(hasher->list, offset);
    hasher->ended = hasher->list->size;
    begin_block(hasher);
}

void hearth_block_hasher_adopt(HearthBlockHasher *hasher, const HearthBlockList *list, gint64 size)
{
    for (guint i = 0; i + 1 < hearth_block_list_count(list); i++) {
        const HearthBlock *block = hearth_block_list_get(list, i);
        hearth_block_list_append(hasher->list, block->length, block->digest);
    }
    hearth_block_list_cut(hasher->list, size);
    hasher->ended = hasher->list->size;
}

const HearthBlockList *hearth_block_hasher_finish(HearthBlockHasher *hasher)
{
    guint8 digest[HEARTH_CONTENT_ID_SIZE];
    guint length = hasher->block->len;
    if (length > 0)
        hearth_digest_of(hasher->block->data, length, digest);
    list_all(hasher);
    if (length > 0)
        hearth_block_list_append(hasher->list, length, digest);
    hasher->ended = hasher->list->size;
    begin_block(hasher);
    return hasher->list;
}
