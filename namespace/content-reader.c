#include "namespace/content-parts-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/block-hasher.h"
#include "namespace/chunker.h"
#include "namespace/digest.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What is remembered of contents nobody has open, in bytes; beyond it the ones used longest ago are
 * forgotten, and would be checked again. */
#define REMEMBERED_MAX (4 * 1024 * 1024)
/* How far the disk reads ahead of the block that is being hashed. */
#define READ_AHEAD (4 * 1024 * 1024) /* bytes */
#define READ_SIZE (256 * 1024) /* bytes; stays in the processor's cache between read and hash */

enum { UNKNOWN, BUSY, GOOD };

/* One content of which blocks were checked. */
typedef struct {
    HearthContentId id;
    gint64 size;
    HearthBlockList *list; /* nullable: then the content counts as one block, checked by its name */
    guint8 *states;        /* one for each block, under the lock */
    guint users;           /* readers, under the lock */
    GList *idle;           /* its link in the queue of those without users */
    gboolean forgotten;    /* no longer in the table; the last user frees it */
} Checked;

struct HearthCheckedBlocks {
    GMutex lock;       /* guards all below and the marked fields; never held over I/O */
    GCond done;        /* a block is no longer BUSY */
    GHashTable *table; /* HearthContentId -> Checked (owned); the key is the value's own id */
    GQueue idle;       /* of Checked (borrowed), the one used last at the head */
    gsize idle_bytes;
};

struct HearthContentReader {
    HearthContents *contents; /* borrowed */
    Checked *checked;         /* NULL for a content of no bytes */
    int fd;
};

/* --- The cache of what was checked --- */

static guint id_hash(gconstpointer id)
{
    guint hash;
    memcpy(&hash, id, sizeof hash);
    return hash;
}

static gboolean id_equal(gconstpointer a, gconstpointer b)
{
    return hearth_content_id_equal(a, b);
}

static void checked_free(gpointer data)
{
    Checked *checked = data;
    hearth_block_list_free(checked->list);
    g_free(checked->states);
    g_free(checked);
}

HearthCheckedBlocks *hearth_checked_blocks_new(void)
{
    HearthCheckedBlocks *blocks = g_new0(HearthCheckedBlocks, 1);
    g_mutex_init(&blocks->lock);
    g_cond_init(&blocks->done);
    blocks->table = g_hash_table_new_full(id_hash, id_equal, NULL, checked_free);
    g_queue_init(&blocks->idle);
    return blocks;
}

void hearth_checked_blocks_free(HearthCheckedBlocks *blocks)
{
    if (blocks == NULL)
        return;
    g_queue_clear(&blocks->idle);
    g_hash_table_unref(blocks->table);
    g_cond_clear(&blocks->done);
    g_mutex_clear(&blocks->lock);
    g_free(blocks);
}

static guint block_count(const Checked *checked)
{
    return checked->list != NULL ? hearth_block_list_count(checked->list) : 1;
}

static gsize cost_of(const Checked *checked)
{
    return sizeof *checked + 128 + block_count(checked) * (sizeof(HearthBlock) + 1);
}

/* Called with the lock. */
static Checked *use(HearthCheckedBlocks *blocks, const HearthContentId *id)
{
    Checked *checked = g_hash_table_lookup(blocks->table, id);
    if (checked == NULL)
        return NULL;
    if (checked->users++ == 0) {
        g_queue_delete_link(&blocks->idle, checked->idle);
        checked->idle = NULL;
        blocks->idle_bytes -= cost_of(checked);
    }
    return checked;
}

static void unuse(HearthCheckedBlocks *blocks, Checked *checked)
{
    g_mutex_lock(&blocks->lock);
    if (--checked->users == 0 && checked->forgotten) {
        checked_free(checked);
    } else if (checked->users == 0) {
        g_queue_push_head(&blocks->idle, checked);
        checked->idle = blocks->idle.head;
        blocks->idle_bytes += cost_of(checked);
    }
    while (blocks->idle_bytes > REMEMBERED_MAX) {
        Checked *oldest = g_queue_pop_tail(&blocks->idle);
        blocks->idle_bytes -= cost_of(oldest);
        g_hash_table_remove(blocks->table, &oldest->id);
    }
    g_mutex_unlock(&blocks->lock);
}

void hearth_checked_blocks_forget(HearthCheckedBlocks *blocks, const HearthContentId *id)
{
    g_mutex_lock(&blocks->lock);
    Checked *checked = g_hash_table_lookup(blocks->table, id);
    if (checked != NULL) {
        g_hash_table_steal(blocks->table, id);
        checked->forgotten = TRUE;
        if (checked->users == 0) {
            g_queue_delete_link(&blocks->idle, checked->idle);
            blocks->idle_bytes -= cost_of(checked);
            checked_free(checked);
        }
    }
    g_mutex_unlock(&blocks->lock);
}

/* Adds `fresh`, or takes the equal that another thread added meanwhile. */
static Checked *add(HearthCheckedBlocks *blocks, Checked *fresh)
{
    g_mutex_lock(&blocks->lock);
    Checked *checked = use(blocks, &fresh->id);
    if (checked == NULL) {
        checked = g_steal_pointer(&fresh);
        checked->users = 1;
        g_hash_table_insert(blocks->table, &checked->id, checked);
    }
    g_mutex_unlock(&blocks->lock);
    if (fresh != NULL)
        checked_free(fresh);
    return checked;
}

/* --- Opening --- */

static Checked *checked_new(HearthContents *contents, const HearthContentId *id, gint64 size,
                            GError **error)
{
    g_autoptr(HearthBlockList) list = NULL;
    if (size > HEARTH_BLOCK_MIN)
        list = hearth_contents_kept_list(contents, id, NULL);
    /* Up to the size of one block the check by name reads no more than the check of a block would;
     * beyond it a lost list is worth making anew. */
    if (list == NULL && size > HEARTH_BLOCK_MAX) {
        list = hearth_contents_blocks(contents, id, error);
        if (list == NULL)
            return NULL;
    }
    Checked *checked = g_new0(Checked, 1);
    checked->id = *id;
    checked->size = list != NULL ? list->size : size;
    checked->list = g_steal_pointer(&list);
    checked->states = g_new0(guint8, block_count(checked));
    return checked;
}

HearthContentReader *hearth_contents_read(HearthContents *contents, const HearthContentId *id,
                                          GError **error)
{
    g_autoptr(HearthContentReader) reader = g_new0(HearthContentReader, 1);
    reader->contents = contents;
    reader->fd = -1;
    if (hearth_content_id_is_none(id))
        return g_steal_pointer(&reader);
    gint64 size;
    reader->fd = contents->engine->ops->open(contents->engine, id, FALSE, &size, error);
    if (reader->fd < 0)
        return NULL;
    HearthCheckedBlocks *blocks = contents->checked;
    g_mutex_lock(&blocks->lock);
    reader->checked = use(blocks, id);
    g_mutex_unlock(&blocks->lock);
    if (reader->checked != NULL)
        return g_steal_pointer(&reader);
    Checked *fresh = checked_new(contents, id, size, error);
    if (fresh == NULL)
        return NULL;
    reader->checked = add(blocks, fresh);
    return g_steal_pointer(&reader);
}

void hearth_content_reader_free(HearthContentReader *reader)
{
    if (reader == NULL)
        return;
    if (reader->checked != NULL)
        unuse(reader->contents->checked, reader->checked);
    hearth_close_at(&reader->fd);
    g_free(reader);
}

int hearth_content_reader_fd(const HearthContentReader *reader)
{
    return reader->fd;
}

gint64 hearth_content_reader_size(const HearthContentReader *reader)
{
    return reader->checked != NULL ? reader->checked->size : 0;
}

const HearthBlockList *hearth_content_reader_list(const HearthContentReader *reader)
{
    return reader->checked != NULL ? reader->checked->list : NULL;
}

/* --- Checking --- */

/* A content without a list: cut and hashed whole, its name tells. */
static gboolean matches_name(HearthContentReader *reader, gboolean *ret_matches, GError **error)
{
    const Checked *checked = reader->checked;
    g_autoptr(HearthBlockHasher) hasher = hearth_block_hasher_new();
    g_autoptr(GError) reason = NULL;
    gboolean read = hearth_block_hasher_feed_fd(hasher, reader->fd, checked->size, NULL, &reason);
    if (!read && !g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_CORRUPT)) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    HearthContentId name = hearth_block_list_id(hearth_block_hasher_finish(hasher));
    *ret_matches = read && hearth_content_id_equal(&name, &checked->id);
    return TRUE;
}

static gboolean matches_digest(HearthContentReader *reader, const HearthBlock *block,
                               gboolean *ret_matches, GError **error)
{
    g_autoptr(HearthDigest) digest = hearth_digest_new();
    g_autofree guint8 *buffer = g_malloc(READ_SIZE);
    guint8 found[HEARTH_CONTENT_ID_SIZE];
    gsize done = 0;
    while (done < block->length) {
        gssize got = hearth_pread_up_to(reader->fd, buffer, MIN(READ_SIZE, block->length - done),
                                        (off_t)(block->offset + done), "a content", error);
        if (got < 0)
            return FALSE;
        if (got == 0)
            break;
        hearth_digest_update(digest, buffer, (gsize)got);
        done += (gsize)got;
    }
    hearth_digest_finish(digest, found);
    *ret_matches = done == block->length && memcmp(found, block->digest, sizeof found) == 0;
    return TRUE;
}

static gboolean fail_corrupt(HearthContentReader *reader, gint64 offset, GError **error)
{
    char text[HEARTH_CONTENT_ID_TEXT];
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                "content %s is damaged in the block at byte %" G_GINT64_FORMAT,
                hearth_content_id_to_text(&reader->checked->id, text), offset);
    return FALSE;
}

static gboolean check_bytes(HearthContentReader *reader, guint index, GError **error)
{
    const HearthBlockList *list = reader->checked->list;
    const HearthBlock *block = list != NULL ? hearth_block_list_get(list, index) : NULL;
    gint64 offset = block != NULL ? (gint64)block->offset : 0;
    gboolean matches = FALSE;
    posix_fadvise(reader->fd, offset, (block != NULL ? block->length : 0) + READ_AHEAD,
                  POSIX_FADV_WILLNEED);
    if (!(block != NULL ? matches_digest(reader, block, &matches, error)
                        : matches_name(reader, &matches, error)))
        return FALSE;
    if (matches)
        return TRUE;
    hearth_contents_mark_bad(reader->contents, &reader->checked->id, offset, NULL);
    return fail_corrupt(reader, offset, error);
}

/* Of those who need an unchecked block at once, one checks and the others wait. */
static gboolean check_block(HearthContentReader *reader, guint index, gboolean anew, GError **error)
{
    HearthCheckedBlocks *blocks = reader->contents->checked;
    guint8 *state = &reader->checked->states[index];
    g_mutex_lock(&blocks->lock);
    while (*state == BUSY)
        g_cond_wait(&blocks->done, &blocks->lock);
    gboolean good = *state == GOOD && !anew;
    if (!good)
        *state = BUSY;
    g_mutex_unlock(&blocks->lock);
    if (good)
        return TRUE;
    good = check_bytes(reader, index, error);
    g_mutex_lock(&blocks->lock);
    *state = good ? GOOD : UNKNOWN;
    g_cond_broadcast(&blocks->done);
    g_mutex_unlock(&blocks->lock);
    return good;
}

static gboolean touches(const Checked *checked, guint index, gint64 offset)
{
    return checked->list == NULL || hearth_block_list_find(checked->list, offset) == index;
}

gboolean hearth_content_reader_check(HearthContentReader *reader, gint64 offset, gsize size,
                                     GError **error)
{
    const Checked *checked = reader->checked;
    if (checked == NULL || size == 0 || offset >= checked->size)
        return TRUE;
    gint64 last_byte = (gint64)MIN((guint64)checked->size, (guint64)offset + size) - 1, bad;
    guint first = checked->list != NULL ? hearth_block_list_find(checked->list, offset) : 0;
    guint last = checked->list != NULL ? hearth_block_list_find(checked->list, last_byte) : 0;
    gboolean marked = hearth_contents_is_bad(reader->contents, &checked->id, &bad);
    for (guint i = first; i <= last; i++) {
        if (marked && touches(checked, i, bad))
            return fail_corrupt(reader, bad, error);
        if (!check_block(reader, i, marked, error))
            return FALSE;
    }
    return TRUE;
}

gssize hearth_content_reader_read(HearthContentReader *reader, void *data, gsize size,
                                  gint64 offset, GError **error)
{
    gint64 whole = hearth_content_reader_size(reader);
    if (offset >= whole)
        return 0;
    size = MIN(size, (gsize)(whole - offset));
    if (!hearth_content_reader_check(reader, offset, size, error))
        return -1;
    return hearth_pread_up_to(reader->fd, data, size, offset, "a content", error);
}
