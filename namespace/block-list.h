#pragma once

#include "namespace/content.h"

/**
 * The list of a content's blocks, in order, without gaps: a plain value of one owner, no threading.
 *
 * The encoded form is a format for ever, since a content id is the SHA-256 of it: for each block 36
 * bytes, its length as an unsigned 32-bit little-endian number and then the 32 bytes of the SHA-256
 * of its bytes; no header, no trailer, no padding. Where the blocks are cut is part of the format
 * too: namespace/chunker.h. A content of no bytes has no block, no list and the id of all zeros.
 */
typedef struct {
    GArray *blocks; /* of HearthBlock */
    gint64 size;    /* sum of the lengths */
} HearthBlockList;

/** Bytes of one block in the encoded form. */
#define HEARTH_BLOCK_ENTRY_SIZE (4 + HEARTH_CONTENT_ID_SIZE)

HearthBlockList *hearth_block_list_new(void);
void hearth_block_list_free(HearthBlockList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthBlockList, hearth_block_list_free)

HearthBlockList *hearth_block_list_copy(const HearthBlockList *list);

guint hearth_block_list_count(const HearthBlockList *list);
const HearthBlock *hearth_block_list_get(const HearthBlockList *list, guint index);

/** Index of the block that holds the byte at `offset`, which must be below the size. */
guint hearth_block_list_find(const HearthBlockList *list, gint64 offset);

void hearth_block_list_append(HearthBlockList *list, guint32 length,
                              const guint8 digest[HEARTH_CONTENT_ID_SIZE]);
/** Keeps the blocks that end at or before `offset`. */
void hearth_block_list_cut(HearthBlockList *list, gint64 offset);

/** The encoded form; (transfer full). */
GByteArray *hearth_block_list_encode(const HearthBlockList *list);

/** The list in `data`, which must be the one `id` names; HEARTH_ERROR_CORRUPT otherwise. */
HearthBlockList *hearth_block_list_decode(const guint8 *data, gsize size, const HearthContentId *id,
                                          GError **error);

/** The content id of the bytes that the list describes. */
HearthContentId hearth_block_list_id(const HearthBlockList *list);
