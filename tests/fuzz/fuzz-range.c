#include <stdint.h>
#include <string.h>

#include "web/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first eight bytes are the size, the rest is the header. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gint64 whole, start, length;
    if (size < sizeof whole)
        return 0;
    memcpy(&whole, data, sizeof whole);
    whole &= G_MAXINT64;
    g_autofree char *value = g_strndup((const char *)data + sizeof whole, size - sizeof whole);
    if (hearth_range_parse(value, whole, &start, &length) == HEARTH_RANGE_PART &&
        (start < 0 || length < 1 || start >= whole || length > whole - start))
        g_error("%s lies outside of %" G_GINT64_FORMAT, value, whole);
    return 0;
}
