#pragma once

#include <glib.h>

/**
 * Pictures made for tests: JPEGs by libjpeg, EXIF and TIFF structures tag by tag, so that a test
 * can put in what no library would write.
 */

typedef struct ExifMaker ExifMaker;

typedef enum { EXIF_MAKER_ROOT, EXIF_MAKER_EXIF, EXIF_MAKER_GPS, EXIF_MAKER_FOLDERS } ExifFolder;

/** A structure in the byte order asked for; `magic` is 42 but for ORF and RW2. */
ExifMaker *exif_maker_new(gboolean little, guint16 magic);
void exif_maker_text(ExifMaker *maker, ExifFolder folder, guint16 tag, const char *text);
void exif_maker_short(ExifMaker *maker, ExifFolder folder, guint16 tag, guint16 value);
void exif_maker_long(ExifMaker *maker, ExifFolder folder, guint16 tag, guint32 value);
/** `count` pairs of numerator and denominator. */
void exif_maker_ratios(ExifMaker *maker, ExifFolder folder, guint16 tag, const guint32 *pairs,
                       guint count);
/** An entry of any type and count whose value is `data`, already in the right byte order. */
void exif_maker_raw(ExifMaker *maker, ExifFolder folder, guint16 tag, guint16 type, guint32 count,
                    const void *data, gsize size);
/** UTF-16 little-endian, as the XP tags have it. */
void exif_maker_wide(ExifMaker *maker, guint16 tag, const char *text);
/** A JPEG that the second folder points to: the thumbnail. */
void exif_maker_thumbnail(ExifMaker *maker, GBytes *jpeg);
/** The TIFF structure; frees `maker`. */
GBytes *exif_maker_end(ExifMaker *maker);

/** The tags that a camera writes, with fixed values that test-photo.c knows. */
GBytes *exif_of_a_camera(gboolean little);

#define EXIF_HOSTILE_KINDS 8

/** The kinds of EXIF that have brought parsers down: counts, loops, offsets, types. */
GBytes *exif_hostile(guint kind);

typedef struct {
    guint width;
    guint height;
    gboolean grey;
    gboolean progressive;
    int quality;    /* 0: 75 */
    gboolean noise; /* pixels that do not compress */
    GBytes *exif;   /* nullable */
} Picture;

/** Left top quarter red, right top green, left bottom blue, right bottom white. */
GBytes *picture_jpeg(const Picture *picture);

/** The mean colour of a JPEG around a point given in per cent of width and height. */
void picture_colour(GBytes *jpeg, guint x_percent, guint y_percent, guint8 colour[3]);

/** Writes `bytes` to FOLDER/NAME; the path. */
char *picture_save(GBytes *bytes, const char *folder, const char *name);
