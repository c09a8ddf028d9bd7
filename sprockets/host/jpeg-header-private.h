#pragma once

#include <glib.h>

/**
 * What the host looks at in a preview before anyone may show it: that it is one whole JPEG stream
 * from SOI to EOI, and its size in pixels. Reads markers only; safe on any bytes.
 */
typedef struct {
    guint width;
    guint height;
    guint components; /* 1 or 3 */
} HearthJpegHeader;

gboolean hearth_jpeg_header_read(const guint8 *data, gsize size, HearthJpegHeader *ret_header,
                                 GError **error);
