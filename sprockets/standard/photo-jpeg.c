#include "sprockets/standard/photo-private.h"

#include <string.h>

#define EXIF_HEAD "Exif\0" /* and the NUL of the literal: six bytes */
#define EXIF_HEAD_SIZE 6
#define MARKERS_MAX 1000 /* before the picture data; real files have some dozens */

/* SOF0 to SOF15 but for the three codes between them that mean something else. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static void take_segment(PhotoJpeg *jpeg, uint8_t marker, const uint8_t *body, size_t size)
{
    if (marker == 0xe1 && !jpeg->exif && size > EXIF_HEAD_SIZE &&
        memcmp(body, EXIF_HEAD, EXIF_HEAD_SIZE) == 0) {
        jpeg->exif = body + EXIF_HEAD_SIZE;
        jpeg->exif_size = size - EXIF_HEAD_SIZE;
    } else if (is_frame(marker) && size >= 6 && jpeg->width == 0) {
        jpeg->height = (uint32_t)body[1] << 8 | body[2];
        jpeg->width = (uint32_t)body[3] << 8 | body[4];
        jpeg->decodable = marker <= 0xc2 && body[0] == 8 && jpeg->width && jpeg->height;
    }
}

bool photo_jpeg_scan(const uint8_t *data, size_t size, PhotoJpeg *ret_jpeg)
{
    size_t at = 2;
    *ret_jpeg = (PhotoJpeg){0};
    if (size < 4 || data[0] != 0xff || data[1] != 0xd8 || data[2] != 0xff)
        return false;
    for (unsigned i = 0; i < MARKERS_MAX && size - at >= 4 && data[at] == 0xff; i++) {
        uint8_t marker = data[at + 1];
        if (marker == 0xff || marker == 0x01) { /* fill byte; TEM, which has no body */
            at += marker == 0xff ? 1 : 2;
            continue;
        }
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        if (marker == 0xda || marker == 0xd9 || length < 2)
            break;
        size_t there = size - at - 2 < length ? size - at - 2 : length;
        take_segment(ret_jpeg, marker, data + at + 4, there - 2);
        if (there < length)
            break;
        at += 2 + length;
    }
    return true;
}
