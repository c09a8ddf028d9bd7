#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Writes the structure that EXIF blocks and most RAW files are made of: a little-endian TIFF file
 * in memory. Directories are appended innermost first, since an outer one names the offset of an
 * inner.
 */
typedef struct {
    uint8_t *data;
    size_t size; /* bytes */
} DemoTiff;

/** The types of TIFF 6.0 that are used here, by their numbers in the file. */
typedef enum {
    DEMO_TIFF_BYTE = 1,
    DEMO_TIFF_ASCII = 2,
    DEMO_TIFF_SHORT = 3,
    DEMO_TIFF_LONG = 4,
    DEMO_TIFF_RATIONAL = 5,
    DEMO_TIFF_UNDEFINED = 7,
} DemoTiffType;

/** One field: the bytes of its values in `text`, or without it one `number` (over `divisor` for a
 * RATIONAL). */
typedef struct {
    uint16_t tag;
    DemoTiffType type;
    const char *text;
    uint32_t count; /* bytes of `text`; 0: it ends with NUL, which is written too */
    uint32_t number;
    uint32_t divisor;
} DemoTiffField;

/** Starts with the header; ends the program when memory ends. */
void demo_tiff_init(DemoTiff *tiff);
void demo_tiff_clear(DemoTiff *tiff);

/** Appends raw bytes on an even offset, which is returned. */
uint32_t demo_tiff_append(DemoTiff *tiff, const void *bytes, size_t size);

/** Appends a directory of `count` fields, sorted by tag; returns its offset. */
uint32_t demo_tiff_append_directory(DemoTiff *tiff, const DemoTiffField *fields, size_t count);

/** Names the first directory in the header. */
void demo_tiff_finish(DemoTiff *tiff, uint32_t directory);
