#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sprockets/sdk/sprocket.h"

/**
 * The parts of the photo sprocket. All of it reads bytes that nobody vouches for: every offset and
 * count is checked against the bytes there are, every walk is bounded.
 */

/* --- photo-tiff.c: the structure that EXIF and most RAW formats share --- */

/** A TIFF structure; all offsets in it count from `data`. */
typedef struct {
    const uint8_t *data;
    size_t size;
    bool little; /* endian */
} PhotoTiff;

/** One folder of tags. */
typedef struct {
    size_t offset; /* of its first entry */
    uint16_t count;
    uint32_t next; /* offset of the next folder in the chain; 0: none */
} PhotoIfd;

typedef struct {
    uint16_t tag;
    uint16_t type; /* 1 to 13 */
    uint32_t count;
    const uint8_t *value; /* within the data */
    size_t size;          /* bytes */
} PhotoEntry;

/** False if no TIFF (or ORF, RW2) header starts at `data`. `ret_first` is the first folder's
 * offset. */
bool photo_tiff_open(PhotoTiff *tiff, const void *data, size_t size, uint32_t *ret_first);
bool photo_tiff_ifd(const PhotoTiff *tiff, uint32_t offset, PhotoIfd *ret_ifd);
/** False for an entry whose value does not lie in the data: to be passed over. */
bool photo_tiff_entry(const PhotoTiff *tiff, const PhotoIfd *ifd, unsigned index,
                      PhotoEntry *ret_entry);
bool photo_tiff_find(const PhotoTiff *tiff, const PhotoIfd *ifd, uint16_t tag,
                     PhotoEntry *ret_entry);
/** The element `index` of a BYTE, SHORT, LONG or IFD entry; 0 if there is none. */
uint32_t photo_tiff_uint(const PhotoTiff *tiff, const PhotoEntry *entry, uint32_t index);
/** As find and uint of the first element; false if the tag is not there. */
bool photo_tiff_get(const PhotoTiff *tiff, const PhotoIfd *ifd, uint16_t tag, uint32_t *ret_value);

/** Folders looked at in one file, whatever its chains say. */
#define PHOTO_IFDS_MAX 32

/** The folders of the chain at `first` and their sub-folders, each once; how many were written. */
size_t photo_tiff_walk(const PhotoTiff *tiff, uint32_t first, PhotoIfd ifds[PHOTO_IFDS_MAX]);

/* --- photo-jpeg.c: markers of a JPEG stream --- */

typedef struct {
    const uint8_t *exif; /* TIFF structure of the first Exif segment; NULL: none */
    size_t exif_size;
    uint32_t width; /* of the frame; 0: the stream ends before it */
    uint32_t height;
    bool decodable; /* baseline, extended or progressive, of 8 bits */
} PhotoJpeg;

/** Reads up to the picture data or to where the stream stops making sense. False: not a JPEG. */
bool photo_jpeg_scan(const uint8_t *data, size_t size, PhotoJpeg *ret_jpeg);

/* --- photo-exif.c: attributes --- */

/** Puts what the EXIF tags reachable from `first` say; `jpeg` tells that the size is known already.
 */
void photo_exif_put(SprocketCall *call, const PhotoTiff *tiff, uint32_t first, bool jpeg);

/** The orientation, 1 to 8; 1 if nothing sensible is given. */
unsigned photo_exif_orientation(const PhotoTiff *tiff, uint32_t first);

/* --- photo-time.c --- */

#define PHOTO_TIME_MAX 40 /* bytes, NUL included */

/**
 * Makes "YYYY-MM-DDTHH:MM:SS[.fraction][offset]" of EXIF's texts. False for a date that cannot be:
 * all zeros, blanks, the 30th of February. `fraction` and `offset` may be NULL and are left out
 * when malformed.
 */
bool photo_time_format(const char *date, const char *fraction, const char *offset,
                       char text[PHOTO_TIME_MAX]);

/* --- photo-text.c --- */

/* Each gives UTF-8 without control characters or blanks at the ends; false if nothing is left. */

/** The standard says ASCII; what is there may be UTF-8 or Latin-1. Longer than fits: cut. */
bool photo_text_read(const uint8_t *value, size_t value_size, char *text, size_t size);
/** The XP tags: UTF-16, little-endian whatever the file is. */
bool photo_text_read_wide(const uint8_t *value, size_t value_size, char *text, size_t size);
bool photo_text_tidy(char *text);

/* --- photo-image.c: pixels --- */

typedef struct {
    uint8_t *pixels; /* rows without padding; malloc */
    uint32_t width;
    uint32_t height;
    uint32_t channels; /* 1 or 3 */
} PhotoImage;

/** Each returns a SprocketStatus. An image is replaced only when it worked. */

/** Decodes a JPEG at the least size of which the longer edge is not below `edge`, if it has that.
 */
int photo_image_decode(PhotoImage *image, const uint8_t *data, size_t size, uint32_t edge);
/** Shrinks to at most `edge`, in the shape of `width` to `height`, the whole size; never enlarges. */
int photo_image_fit(PhotoImage *image, uint32_t edge, uint32_t width, uint32_t height);
/** Turns the image upright. */
int photo_image_orient(PhotoImage *image, unsigned orientation);
/** Emits the image as a JPEG. */
int photo_image_emit(SprocketCall *call, const PhotoImage *image);
void photo_image_clear(PhotoImage *image);

/* --- photo-preview.c --- */

int photo_preview(SprocketCall *call);
