#include <stdint.h>

#include "sprockets/host/jpeg-header-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    HearthJpegHeader header;
    if (hearth_jpeg_header_read(data, size, &header, NULL) && (!header.width || !header.height))
        g_error("a picture of no size");
    return 0;
}
