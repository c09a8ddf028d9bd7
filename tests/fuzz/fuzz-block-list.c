#include "namespace/block-list.h"
#include "namespace/digest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A list that names itself, as one from a hostile peer would: what is accepted must be whole and
 * come out as it went in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    HearthContentId id;
    hearth_digest_of(data, size, id.bytes);
    g_autoptr(HearthBlockList) list = hearth_block_list_decode(data, size, &id, NULL);
    if (list == NULL)
        return 0;
    g_autoptr(GByteArray) again = hearth_block_list_encode(list);
    if (again->len != size || memcmp(again->data, data, size) != 0)
        abort();
    gint64 position = 0;
    for (guint i = 0; i < hearth_block_list_count(list); i++) {
        const HearthBlock *block = hearth_block_list_get(list, i);
        if ((gint64)block->offset != position || block->length == 0 ||
            hearth_block_list_find(list, position) != i)
            abort();
        position += block->length;
    }
    if (position != list->size)
        abort();
    return 0;
}
