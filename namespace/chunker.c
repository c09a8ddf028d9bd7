#include "namespace/chunker.h"

#include "namespace/digest.h"

#include <string.h>

#define GEAR_WINDOW 64 /* bytes that h depends on: one for each of its bits */
#define GEAR_THRESHOLD (G_MAXUINT64 / 786432)

static const guint64 *gear_table(void)
{
    static gsize once;
    static guint64 table[256];
    if (!g_once_init_enter(&once))
        return table;
    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        guint8 seed[12] = "hearth-gear", digest[HEARTH_CONTENT_ID_SIZE];
        guint64 first;
        seed[11] = (guint8)i;
        hearth_digest_of(seed, sizeof seed, digest);
        memcpy(&first, digest, sizeof first);
        table[i] = GUINT64_FROM_LE(first);
    }
    g_once_init_leave(&once, 1);
    return table;
}

void hearth_chunker_init(HearthChunker *chunker)
{
    *chunker = (HearthChunker){0};
}

/* Passes over the bytes that cannot end a block; the count passed. */
static gsize skip_head(HearthChunker *chunker, const guint8 *data, gsize size)
{
    gsize done = 0;
    if (chunker->length < HEARTH_BLOCK_MIN - GEAR_WINDOW)
        done = MIN(size, HEARTH_BLOCK_MIN - GEAR_WINDOW - chunker->length);
    const guint64 *table = gear_table();
    gsize fill_end = MIN(size, (gsize)MAX(0, HEARTH_BLOCK_MIN - (gint64)chunker->length));
    for (; done < fill_end; done++)
        chunker->gear = (chunker->gear << 1) + table[data[done]];
    chunker->length += (guint32)done;
    return done;
}

gsize hearth_chunker_scan(HearthChunker *chunker, const guint8 *data, gsize size,
                          guint32 *ret_length)
{
    gsize done = skip_head(chunker, data, size);
    gsize end = MIN(size, done + (HEARTH_BLOCK_MAX - chunker->length));
    const guint64 *table = gear_table();
    guint64 gear = chunker->gear;
    gsize at = done;
    gboolean cut = FALSE;
    while (at < end && !cut) {
        gear = (gear << 1) + table[data[at++]];
        cut = gear < GEAR_THRESHOLD;
    }
    chunker->gear = gear;
    chunker->length += (guint32)(at - done);
    *ret_length = 0;
    if (cut || chunker->length == HEARTH_BLOCK_MAX) {
        *ret_length = chunker->length;
        hearth_chunker_init(chunker);
    }
    return at;
}
