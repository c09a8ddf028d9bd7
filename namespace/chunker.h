#pragma once

#include <glib.h>

/**
 * Finds where a content is cut in blocks, by the bytes themselves, so that an insertion moves only
 * the blocks it touches. A plain value: one owner, no threading, nothing to free.
 *
 * The cut points are part of the format of contents (namespace/block-list.h) and can never change:
 *
 *   - gear(h, b) = (h << 1) + TABLE[b] modulo 2^64, TABLE[b] being the first eight bytes, taken as
 * a little-endian number, of the SHA-256 of the twelve bytes "hearth-gear" and b.
 *   - A block begins with h = 0. Its first HEARTH_BLOCK_MIN - 64 bytes are not looked at; the next
 *     64 only fill h, which by then depends on these 64 bytes alone.
 *   - From there the block ends after the first byte that makes h smaller than 2^64 / 786432, or
 *     when it is HEARTH_BLOCK_MAX long, or with the content. So a block of a long content is on
 *     average 256 KiB + 768 KiB = 1 MiB long (a little less for the cap).
 */
typedef struct {
    guint64 gear;
    guint32 length; /* bytes of the current block so far */
} HearthChunker;

#define HEARTH_BLOCK_MIN (256 * 1024)      /* bytes */
#define HEARTH_BLOCK_MAX (4 * 1024 * 1024) /* bytes */

/** Begins a block. */
void hearth_chunker_init(HearthChunker *chunker);

/**
 * Takes bytes up to the end of the block or of `data`; the count taken. When the block ended,
 * `ret_length` is its length and the next block has begun; else 0.
 */
gsize hearth_chunker_scan(HearthChunker *chunker, const guint8 *data, gsize size,
                          guint32 *ret_length);
