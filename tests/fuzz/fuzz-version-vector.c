#include "namespace/version-vector.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes encodes to the same bytes, and merging two halves is before neither. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    HearthVersionVector whole, half, merged;
    guint8 back[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    if (!hearth_version_vector_decode(data, size, &whole))
        return 0;
    if (hearth_version_vector_encode(&whole, back) != size || memcmp(back, data, size) != 0)
        abort();
    gsize cut = whole.count / 2 * HEARTH_VERSION_VECTOR_ENTRY;
    if (!hearth_version_vector_decode(data + cut, size - cut, &half))
        abort();
    merged = half;
    if (!hearth_version_vector_merge(&merged, &whole) ||
        hearth_version_vector_compare(&merged, &whole) != HEARTH_ORDER_EQUAL)
        abort();
    return 0;
}
