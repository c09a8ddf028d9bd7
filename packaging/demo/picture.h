#pragma once

#include <stdint.h>

/** What one press of the shutter leaves behind: enough to fill its EXIF block and to draw it. */
typedef struct {
    const char *name; /* file name, without folder */
    const char *make;
    const char *model;
    const char *taken;    /* "YYYY:MM:DD HH:MM:SS" on the camera's clock */
    const char *subsec;   /* digits after the second, or NULL */
    const char *offset;   /* "+02:00" if the camera knows it, or NULL */
    unsigned orientation; /* EXIF: 1 upright, 6 and 8 turned */
    unsigned iso;
    unsigned hour; /* of the day, for the light */
} DemoShot;

/** Writes `shot` as a JPEG of `width` by `height` pixels; ends the program with a message on
 * failure. */
void demo_picture_write_jpeg(const DemoShot *shot, const char *path, unsigned width,
                             unsigned height);

/** Writes `shot` as an uncompressed RAW file on TIFF's structure (DNG). */
void demo_picture_write_raw(const DemoShot *shot, const char *path, unsigned width,
                            unsigned height);
