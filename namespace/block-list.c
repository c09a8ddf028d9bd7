#include "namespace/block-list.h"

#include "gateway/base/error.h"
#include "namespace/chunker.h"
#include "namespace/digest.h"

#include <string.h>

HearthBlockList *hearth_block_list_new(void)
{
    HearthBlockList *list = g_new0(HearthBlockList, 1);
    list->blocks = g_array_new(FALSE, FALSE, sizeof(HearthBlock));
    return list;
}

void hearth_block_list_free(HearthBlockList *list)
{
    if (list == NULL)
        return;
    g_array_unref(list->blocks);
    g_free(list);
}

HearthBlockList *hearth_block_list_copy(const HearthBlockList *list)
{
    HearthBlockList *copy = hearth_block_list_new();
    g_array_append_vals(copy->blocks, list->blocks->data, list->blocks->len);
    copy->size = list->size;
    return copy;
}

guint hearth_block_list_count(const HearthBlockList *list)
{
    return list->blocks->len;
}

const HearthBlock *hearth_block_list_get(const HearthBlockList *list, guint index)
{
    return &g_array_index(list->blocks, HearthBlock, index);
}

guint hearth_block_list_find(const HearthBlockList *list, gint64 offset)
{
    guint low = 0, high = list->blocks->len;
    while (high - low > 1) {
        guint middle = low + (high - low) / 2;
        if (hearth_block_list_get(list, middle)->offset <= (guint64)offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void hearth_block_list_append(HearthBlockList *list, guint32 length,
                              const guint8 digest[HEARTH_CONTENT_ID_SIZE])
{
    HearthBlock block = {.offset = (guint64)list->size, .length = length};
    memcpy(block.digest, digest, sizeof block.digest);
    g_array_append_val(list->blocks, block);
    list->size += length;
}

void hearth_block_list_cut(HearthBlockList *list, gint64 offset)
{
    while (list->size > offset) {
        list->size -= hearth_block_list_get(list, list->blocks->len - 1)->length;
        g_array_set_size(list->blocks, list->blocks->len - 1);
    }
}

GByteArray *hearth_block_list_encode(const HearthBlockList *list)
{
    guint count = list->blocks->len;
    GByteArray *data = g_byte_array_sized_new(count * HEARTH_BLOCK_ENTRY_SIZE);
    for (guint i = 0; i < count; i++) {
        const HearthBlock *block = hearth_block_list_get(list, i);
        guint32 length = GUINT32_TO_LE(block->length);
        g_byte_array_append(data, (const guint8 *)&length, sizeof length);
        g_byte_array_append(data, block->digest, sizeof block->digest);
    }
    return data;
}

/* The id is checked first, so what follows only guards against an id made of nonsense. */
static gboolean decode_entries(HearthBlockList *list, const guint8 *data, gsize size)
{
    for (gsize at = 0; at < size; at += HEARTH_BLOCK_ENTRY_SIZE) {
        guint32 length;
        memcpy(&length, data + at, sizeof length);
        length = GUINT32_FROM_LE(length);
        if (length == 0 || length > HEARTH_BLOCK_MAX)
            return FALSE;
        hearth_block_list_append(list, length, data + at + sizeof length);
    }
    return TRUE;
}

HearthBlockList *hearth_block_list_decode(const guint8 *data, gsize size, const HearthContentId *id,
                                          GError **error)
{
    g_autoptr(HearthBlockList) list = hearth_block_list_new();
    HearthContentId found;
    hearth_digest_of(data, size, found.bytes);
    if (size == 0 || size % HEARTH_BLOCK_ENTRY_SIZE != 0 || !hearth_content_id_equal(&found, id) ||
        !decode_entries(list, data, size)) {
        char text[HEARTH_CONTENT_ID_TEXT];
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                    "the block list of content %s does not match its name",
                    hearth_content_id_to_text(id, text));
        return NULL;
    }
    return g_steal_pointer(&list);
}

HearthContentId hearth_block_list_id(const HearthBlockList *list)
{
    HearthContentId id = {{0}};
    if (list->blocks->len == 0)
        return id;
    g_autoptr(GByteArray) data = hearth_block_list_encode(list);
    hearth_digest_of(data->data, data->len, id.bytes);
    return id;
}
