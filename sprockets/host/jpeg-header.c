#include "sprockets/host/jpeg-header-private.h"

#include "gateway/base/error.h"

#define FRAME_MIN 8 /* bytes of a frame header up to the count of components, with its length */

static gboolean refuse(GError **error, const char *reason)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the preview %s", reason);
    return FALSE;
}

/* SOF0 baseline, SOF1 extended, SOF2 progressive: what every viewer shows. */
static gboolean is_frame(guint8 marker)
{
    return marker >= 0xc0 && marker <= 0xc2;
}

static gboolean read_frame(const guint8 *segment, gsize size, HearthJpegHeader *ret_header,
                           GError **error)
{
    if (size < FRAME_MIN)
        return refuse(error, "has a frame header that is too short");
    *ret_header = (HearthJpegHeader){.height = (guint)segment[3] << 8 | segment[4],
                                     .width = (guint)segment[5] << 8 | segment[6],
                                     .components = segment[7]};
    if (segment[2] != 8 || ret_header->width == 0 || ret_header->height == 0 ||
        (ret_header->components != 1 && ret_header->components != 3))
        return refuse(error, "has a frame header that no viewer shows");
    return TRUE;
}

gboolean hearth_jpeg_header_read(const guint8 *data, gsize size, HearthJpegHeader *ret_header,
                                 GError **error)
{
    HearthJpegHeader header = {0};
    if (size < 4 || data[0] != 0xff || data[1] != 0xd8)
        return refuse(error, "is not a JPEG");
    if (data[size - 2] != 0xff || data[size - 1] != 0xd9)
        return refuse(error, "is a JPEG without its end");
    for (gsize at = 2; size - at >= 4;) {
        guint8 marker = data[at + 1];
        gsize length = (gsize)data[at + 2] << 8 | data[at + 3];
        if (data[at] != 0xff || length < 2 || length > size - at - 2)
            return refuse(error, "has a marker that is malformed");
        if (is_frame(marker) && !read_frame(data + at + 2, length, &header, error))
            return FALSE;
        if (marker == 0xda) {
            if (header.width == 0)
                return refuse(error, "has no frame header before its data");
            *ret_header = header;
            return TRUE;
        }
        at += 2 + length;
    }
    return refuse(error, "has no picture data");
}
