/*
 * Attributes from EXIF, on libexif.
 *
 * libexif walks what a file claims: makers' notes, chains of folders, thumbnails; most of its CVEs
 * come from there. None of that is needed here, so it never sees the file. The tags of interest are
 * first copied, each checked, into a small TIFF structure that we lay out ourselves (a folder, its
 * EXIF and its GPS folder), and libexif reads that. It makes no difference then whether the tags
 * came from 300 bytes of a JPEG or from the far end of a RAW file of 60 MB.
 */
#include "sprockets/standard/photo-private.h"

#include <libexif/exif-data.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 32768 /* bytes of the structure handed to libexif */
#define VALUE_MAX 8192   /* bytes of one value; longer ones are passed over */
#define TEXT_MAX 12288   /* bytes of a text made of a value, NUL included */
#define SHORT_MAX 64     /* bytes of a date or a part of one */
#define ENTRY_SIZE 12    /* bytes */
#define KEYWORDS_MAX 256

#define TAG_EXIF_IFD 0x8769
#define TAG_GPS_IFD 0x8825
#define TAG_RATING 0x4746
#define TAG_DNG_SERIAL 0xc62f
#define TAG_SUBFILE_TYPE 0x00fe
#define TYPE_LONG 4

static const uint16_t ROOT_TAGS[] = {
    0x010e,                                         /* ImageDescription */
    0x010f, 0x0110, 0x0112, 0x0132, 0x4746, 0x9003, /* TIFF/EP writes the capture time here */
    0x829a, 0x829d, 0x8827, 0x920a, 0x9c9b, 0x9c9e, 0xc62f,
};
static const uint16_t EXIF_TAGS[] = {
    0x829a, 0x829d, 0x8827, 0x8832, 0x8833, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012,
    0x9201, 0x9202, 0x920a, 0x9290, 0x9291, 0x9292, 0xa002, 0xa003, 0xa431, 0xa434,
};
static const uint16_t GPS_TAGS[] = {1, 2, 3, 4, 5, 6};

/* --- the structure for libexif --- */

typedef struct {
    uint8_t *data; /* "Exif\0\0", then the TIFF structure */
    size_t used;
    bool little;
} Block;

static void set_u16(const Block *block, size_t at, uint16_t value)
{
    block->data[at + (block->little ? 0 : 1)] = (uint8_t)value;
    block->data[at + (block->little ? 1 : 0)] = (uint8_t)(value >> 8);
}

static void set_u32(const Block *block, size_t at, uint32_t value)
{
    set_u16(block, at + (block->little ? 0 : 2), (uint16_t)value);
    set_u16(block, at + (block->little ? 2 : 0), (uint16_t)(value >> 16));
}

/* Offsets count from the TIFF header, six bytes into the block. */
static uint32_t block_offset(const Block *block)
{
    return (uint32_t)(block->used - 6);
}

static void set_head(const Block *block, size_t at, uint16_t tag, uint16_t type, uint32_t count)
{
    set_u16(block, at, tag);
    set_u16(block, at + 2, type);
    set_u32(block, at + 4, count);
}

static bool add_value(Block *block, size_t at, const PhotoEntry *entry)
{
    if (entry->size <= 4) {
        memcpy(block->data + at, entry->value, entry->size);
        return true;
    }
    if (entry->size > VALUE_MAX || BLOCK_SIZE - block->used < entry->size + 1)
        return false;
    set_u32(block, at, block_offset(block));
    memcpy(block->data + block->used, entry->value, entry->size);
    block->used += entry->size + (entry->size & 1);
    return true;
}

/*
 * Copies the entries of `ifd` that are among `tags`, each once. `extra` rows stay free at the end
 * of the folder for pointers, whose place is returned; 0 if there was no room.
 */
static size_t add_folder(Block *block, const PhotoTiff *tiff, const PhotoIfd *ifd,
                         const uint16_t *tags, size_t tag_count, size_t extra)
{
    size_t start = block->used, row = start + 2;
    size_t size = 2 + (tag_count + extra) * ENTRY_SIZE + 4;
    PhotoEntry entry;
    if (BLOCK_SIZE - block->used < size)
        return 0;
    block->used += size;
    for (size_t i = 0; i < tag_count; i++) {
        if (!photo_tiff_find(tiff, ifd, tags[i], &entry) || entry.count == 0 ||
            !add_value(block, row + 8, &entry))
            continue;
        set_head(block, row, entry.tag, entry.type, entry.count);
        row += ENTRY_SIZE;
    }
    set_u16(block, start, (uint16_t)((row - start - 2) / ENTRY_SIZE + extra));
    return row;
}

/* Points the free row at `row` to a copy of the folder that `tag` of the file points to. */
static void add_sub_folder(Block *block, size_t row, const PhotoTiff *tiff, const PhotoIfd *root,
                           uint16_t tag, const uint16_t *tags, size_t tag_count)
{
    PhotoIfd ifd = {0, 0, 0};
    uint32_t offset;
    if (!photo_tiff_get(tiff, root, tag, &offset) || !photo_tiff_ifd(tiff, offset, &ifd))
        ifd = (PhotoIfd){0, 0, 0}; /* an empty folder keeps the layout the same */
    uint32_t here = block_offset(block);
    if (add_folder(block, tiff, &ifd, tags, tag_count, 0) == 0)
        return;
    set_head(block, row, tag, TYPE_LONG, 1);
    set_u32(block, row + 8, here);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static ExifData *load_tags(const PhotoTiff *tiff, const PhotoIfd *root)
{
    uint8_t *space = calloc(1, BLOCK_SIZE);
    ExifData *exif = exif_data_new();
    if (!space || !exif) {
        free(space);
        if (exif)
            exif_data_unref(exif);
        return NULL;
    }
    Block block = {space, 14, tiff->little};
    memcpy(space, "Exif\0\0", 6);
    memcpy(space + 6, tiff->little ? "II" : "MM", 2);
    set_u16(&block, 8, 42);
    set_u32(&block, 10, 8);
    size_t row = add_folder(&block, tiff, root, ROOT_TAGS, COUNT(ROOT_TAGS), 2);
    add_sub_folder(&block, row, tiff, root, TAG_EXIF_IFD, EXIF_TAGS, COUNT(EXIF_TAGS));
    add_sub_folder(&block, row + ENTRY_SIZE, tiff, root, TAG_GPS_IFD, GPS_TAGS, COUNT(GPS_TAGS));
    /* It would put in what the standard wants and the file has not, and leave out Rating. */
    exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_unset_option(exif, EXIF_DATA_OPTION_IGNORE_UNKNOWN_TAGS);
    exif_data_load_data(exif, space, (unsigned)block.used);
    free(space);
    return exif;
}

/* --- reading single values --- */

static const ExifEntry *find(const ExifData *exif, ExifIfd ifd, int tag)
{
    const ExifEntry *entry = exif_content_get_entry(exif->ifd[ifd], (ExifTag)tag);
    return entry && entry->data && entry->components > 0 ? entry : NULL;
}

/* From the EXIF folder or, where writers of TIFF/EP put it, the root. */
static const ExifEntry *find_either(const ExifData *exif, int tag)
{
    const ExifEntry *entry = find(exif, EXIF_IFD_EXIF, tag);
    return entry ? entry : find(exif, EXIF_IFD_0, tag);
}

static bool read_ratio(const ExifEntry *entry, unsigned index, double *ret_value)
{
    ExifByteOrder order = exif_data_get_byte_order(entry->parent->parent);
    const unsigned char *at = entry->data + (size_t)index * 8;
    double above, below;
    if (index >= entry->components || entry->size < (index + 1) * 8)
        return false;
    if (entry->format == EXIF_FORMAT_RATIONAL) {
        ExifRational ratio = exif_get_rational(at, order);
        above = ratio.numerator;
        below = ratio.denominator;
    } else if (entry->format == EXIF_FORMAT_SRATIONAL) {
        ExifSRational ratio = exif_get_srational(at, order);
        above = ratio.numerator;
        below = ratio.denominator;
    } else {
        return false;
    }
    *ret_value = below != 0 ? above / below : 0;
    return below != 0;
}

static bool read_uint(const ExifEntry *entry, uint32_t *ret_value)
{
    ExifByteOrder order = exif_data_get_byte_order(entry->parent->parent);
    if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2)
        *ret_value = exif_get_short(entry->data, order);
    else if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4)
        *ret_value = exif_get_long(entry->data, order);
    else if (entry->format == EXIF_FORMAT_BYTE && entry->size >= 1)
        *ret_value = entry->data[0];
    else
        return false;
    return true;
}

/* --- the vocabulary --- */

static bool read_text(const ExifEntry *entry, char *text, size_t size)
{
    return (entry->format == EXIF_FORMAT_ASCII || entry->format == EXIF_FORMAT_UNDEFINED ||
            entry->format == EXIF_FORMAT_BYTE) &&
           photo_text_read(entry->data, entry->size, text, size);
}

/* Cuts at a character's start, so that what is left is as long as the vocabulary allows. */
static void put_text(SprocketCall *call, const char *key, char *text, size_t most)
{
    size_t length = strlen(text);
    if (length > most) {
        length = most;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
        text[length] = '\0';
    }
    sprocket_put_string(call, key, text);
}

static void put_texts(SprocketCall *call, const ExifData *exif)
{
    static const struct {
        const char *key;
        ExifIfd ifd;
        int tag;
        size_t most;
    } ROWS[] = {
        {"camera.make", EXIF_IFD_0, EXIF_TAG_MAKE, 256},
        {"camera.model", EXIF_IFD_0, EXIF_TAG_MODEL, 256},
        {"lens.model", EXIF_IFD_EXIF, EXIF_TAG_LENS_MODEL, 256},
        {"text.description", EXIF_IFD_0, EXIF_TAG_IMAGE_DESCRIPTION, TEXT_MAX},
    };
    char text[TEXT_MAX];
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const ExifEntry *entry = find(exif, ROWS[i].ifd, ROWS[i].tag);
        if (entry && read_text(entry, text, sizeof text))
            put_text(call, ROWS[i].key, text, ROWS[i].most);
    }
    const ExifEntry *serial = find(exif, EXIF_IFD_EXIF, EXIF_TAG_BODY_SERIAL_NUMBER);
    if (!serial)
        serial = find(exif, EXIF_IFD_0, TAG_DNG_SERIAL);
    if (serial && read_text(serial, text, sizeof text))
        put_text(call, "camera.serial", text, 256);
    const ExifEntry *title = find(exif, EXIF_IFD_0, EXIF_TAG_XP_TITLE);
    if (title && photo_text_read_wide(title->data, title->size, text, sizeof text))
        put_text(call, "text.title", text, 1024);
}

/* One text, split at semicolons. */
static void put_keywords(SprocketCall *call, const ExifData *exif)
{
    char text[TEXT_MAX], *rest = text;
    const char *words[KEYWORDS_MAX];
    size_t count = 0;
    const ExifEntry *entry = find(exif, EXIF_IFD_0, EXIF_TAG_XP_KEYWORDS);
    if (!entry || !photo_text_read_wide(entry->data, entry->size, text, sizeof text))
        return;
    for (char *word; count < KEYWORDS_MAX && (word = strsep(&rest, ";"));)
        if (photo_text_tidy(word) && strlen(word) <= 256)
            words[count++] = word;
    if (count > 0)
        sprocket_put_strv(call, "text.keywords", words, count);
}

static bool put_one_time(SprocketCall *call, const ExifData *exif, const ExifEntry *date,
                         int fraction, int offset)
{
    char day[SHORT_MAX], more[SHORT_MAX], where[SHORT_MAX], time[PHOTO_TIME_MAX];
    const ExifEntry *part = find(exif, EXIF_IFD_EXIF, fraction);
    const ExifEntry *zone = find(exif, EXIF_IFD_EXIF, offset);
    if (!date || !read_text(date, day, sizeof day))
        return false;
    if (!photo_time_format(day, part && read_text(part, more, sizeof more) ? more : NULL,
                           zone && read_text(zone, where, sizeof where) ? where : NULL, time))
        return false;
    sprocket_put_string(call, "time.taken", time);
    return true;
}

/* When it was taken; else when it was digitized; else when the file was changed. Each with its own
 * fraction and offset: those of another moment would be wrong. */
static void put_time(SprocketCall *call, const ExifData *exif)
{
    if (put_one_time(call, exif, find_either(exif, EXIF_TAG_DATE_TIME_ORIGINAL),
                     EXIF_TAG_SUB_SEC_TIME_ORIGINAL, EXIF_TAG_OFFSET_TIME_ORIGINAL) ||
        put_one_time(call, exif, find(exif, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_DIGITIZED),
                     EXIF_TAG_SUB_SEC_TIME_DIGITIZED, EXIF_TAG_OFFSET_TIME_DIGITIZED))
        return;
    put_one_time(call, exif, find(exif, EXIF_IFD_0, EXIF_TAG_DATE_TIME), EXIF_TAG_SUB_SEC_TIME,
                 EXIF_TAG_OFFSET_TIME);
}

static void put_ratio(SprocketCall *call, const char *key, double value, double low, double high)
{
    if (value >= low && value <= high)
        sprocket_put_double(call, key, value);
}

static void put_exposure(SprocketCall *call, const ExifData *exif)
{
    double value;
    uint32_t iso = 0, other;
    const ExifEntry *entry = find_either(exif, EXIF_TAG_EXPOSURE_TIME);
    if (entry && read_ratio(entry, 0, &value))
        put_ratio(call, "exposure.time", value, 1e-9, 1e6);
    else if ((entry = find(exif, EXIF_IFD_EXIF, EXIF_TAG_SHUTTER_SPEED_VALUE)) &&
             read_ratio(entry, 0, &value) && fabs(value) < 30)
        put_ratio(call, "exposure.time", exp2(-value), 1e-9, 1e6); /* APEX */
    if ((entry = find_either(exif, EXIF_TAG_FNUMBER)) && read_ratio(entry, 0, &value))
        put_ratio(call, "exposure.fnumber", value, 0.01, 10000);
    else if ((entry = find(exif, EXIF_IFD_EXIF, EXIF_TAG_APERTURE_VALUE)) &&
             read_ratio(entry, 0, &value) && fabs(value) < 30)
        put_ratio(call, "exposure.fnumber", exp2(value / 2), 0.01, 10000);
    if ((entry = find_either(exif, EXIF_TAG_FOCAL_LENGTH)) && read_ratio(entry, 0, &value))
        put_ratio(call, "exposure.focal", value, 0.01, 1e6);
    if ((entry = find_either(exif, EXIF_TAG_ISO_SPEED_RATINGS)))
        read_uint(entry, &iso);
    /* 16 bits were too few: 65535 says that the number stands elsewhere. */
    if (iso == 65535 &&
        (((entry = find(exif, EXIF_IFD_EXIF, 0x8833)) && read_uint(entry, &other)) ||
         ((entry = find(exif, EXIF_IFD_EXIF, 0x8832)) && read_uint(entry, &other))))
        iso = other;
    if (iso >= 1 && iso <= 100000000)
        sprocket_put_uint(call, "exposure.iso", iso);
}

/* Degrees, minutes and seconds, any of the last two perhaps missing. */
static bool read_angle(const ExifData *exif, int tag, const char *sides, double most,
                       double *ret_degrees)
{
    double part, degrees = 0;
    const ExifEntry *entry = find(exif, EXIF_IFD_GPS, tag);
    const ExifEntry *reference = find(exif, EXIF_IFD_GPS, tag - 1);
    if (!entry || !reference || !read_ratio(entry, 0, &degrees))
        return false;
    if (read_ratio(entry, 1, &part))
        degrees += part / 60;
    if (read_ratio(entry, 2, &part))
        degrees += part / 3600;
    char side = (char)reference->data[0];
    if ((side != sides[0] && side != sides[1]) || degrees < 0 || degrees > most)
        return false;
    *ret_degrees = side == sides[1] ? -degrees : degrees;
    return true;
}

static void put_gps(SprocketCall *call, const ExifData *exif)
{
    double latitude, longitude, altitude;
    uint32_t below = 0;
    if (read_angle(exif, EXIF_TAG_GPS_LATITUDE, "NS", 90, &latitude) &&
        read_angle(exif, EXIF_TAG_GPS_LONGITUDE, "EW", 180, &longitude)) {
        sprocket_put_double(call, "gps.latitude", latitude);
        sprocket_put_double(call, "gps.longitude", longitude);
    }
    const ExifEntry *entry = find(exif, EXIF_IFD_GPS, EXIF_TAG_GPS_ALTITUDE);
    const ExifEntry *reference = find(exif, EXIF_IFD_GPS, EXIF_TAG_GPS_ALTITUDE_REF);
    if (!entry || !read_ratio(entry, 0, &altitude))
        return;
    if (reference)
        read_uint(reference, &below);
    put_ratio(call, "gps.altitude", below == 1 ? -altitude : altitude, -20000, 1e6);
}

/* RAW: the EXIF folder has the size that the picture will have; else the largest main picture. */
static void put_size(SprocketCall *call, const PhotoTiff *tiff, uint32_t first,
                     const ExifData *exif)
{
    PhotoIfd ifds[PHOTO_IFDS_MAX];
    uint32_t width = 0, height = 0, w, h, kind;
    const ExifEntry *x = find(exif, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION);
    const ExifEntry *y = find(exif, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION);
    if (!x || !y || !read_uint(x, &width) || !read_uint(y, &height) || !width || !height) {
        width = height = 0;
        for (size_t i = 0, count = photo_tiff_walk(tiff, first, ifds); i < count; i++) {
            if (photo_tiff_get(tiff, &ifds[i], TAG_SUBFILE_TYPE, &kind) && kind != 0)
                continue;
            if (photo_tiff_get(tiff, &ifds[i], 0x0100, &w) &&
                photo_tiff_get(tiff, &ifds[i], 0x0101, &h) &&
                (uint64_t)w * h > (uint64_t)width * height) {
                width = w;
                height = h;
            }
        }
    }
    if (width >= 1 && height >= 1 && width <= 1000000 && height <= 1000000) {
        sprocket_put_uint(call, "image.width", width);
        sprocket_put_uint(call, "image.height", height);
    }
}

unsigned photo_exif_orientation(const PhotoTiff *tiff, uint32_t first)
{
    PhotoIfd root;
    uint32_t value;
    if (photo_tiff_ifd(tiff, first, &root) && photo_tiff_get(tiff, &root, 0x0112, &value) &&
        value >= 1 && value <= 8)
        return value;
    return 1;
}

void photo_exif_put(SprocketCall *call, const PhotoTiff *tiff, uint32_t first, bool jpeg)
{
    PhotoIfd root;
    uint32_t value;
    if (!photo_tiff_ifd(tiff, first, &root))
        return;
    ExifData *exif = load_tags(tiff, &root);
    if (!exif)
        return;
    if (photo_tiff_get(tiff, &root, 0x0112, &value) && value >= 1 && value <= 8)
        sprocket_put_uint(call, "image.orientation", value);
    const ExifEntry *rating = find(exif, EXIF_IFD_0, TAG_RATING);
    if (rating && read_uint(rating, &value) && value <= 5)
        sprocket_put_uint(call, "image.rating", value);
    put_time(call, exif);
    put_texts(call, exif);
    put_keywords(call, exif);
    put_exposure(call, exif);
    put_gps(call, exif);
    if (!jpeg)
        put_size(call, tiff, first, exif);
    exif_data_unref(exif);
}
