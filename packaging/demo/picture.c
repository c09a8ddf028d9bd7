#include "packaging/demo/picture.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "packaging/demo/tiff.h"

enum {
    QUALITY = 88,         /* of the JPEG, of 100 */
    HILLS = 4,            /* ranges, one behind the other */
    EXIF_PREFIX_SIZE = 6, /* bytes: "Exif" and two NUL before the TIFF structure */
};

typedef struct {
    double red, green, blue; /* 0 to 255 */
} Colour;

/* A point of light between night, dawn, noon and dusk. */
static const struct {
    unsigned hour;
    Colour top, bottom;
} sky_of_day[] = {
    {0, {10, 14, 40}, {25, 30, 70}},      {6, {60, 70, 130}, {250, 170, 120}},
    {9, {70, 140, 220}, {200, 225, 245}}, {15, {60, 130, 220}, {190, 220, 245}},
    {19, {70, 60, 120}, {250, 140, 80}},  {22, {12, 16, 48}, {40, 36, 80}},
    {24, {10, 14, 40}, {25, 30, 70}},
};

static Colour mix(Colour a, Colour b, double share)
{
    return (Colour){a.red + (b.red - a.red) * share, a.green + (b.green - a.green) * share,
                    a.blue + (b.blue - a.blue) * share};
}

static void sky_at(unsigned hour, Colour *ret_top, Colour *ret_bottom)
{
    size_t i = 0;

    while (sky_of_day[i + 1].hour <= hour)
        i++;
    double share =
        (double)(hour - sky_of_day[i].hour) / (sky_of_day[i + 1].hour - sky_of_day[i].hour);
    *ret_top = mix(sky_of_day[i].top, sky_of_day[i + 1].top, share);
    *ret_bottom = mix(sky_of_day[i].bottom, sky_of_day[i + 1].bottom, share);
}

/* A number that is the same for the same shot, so that every picture has hills of its own. */
static double seed_of(const DemoShot *shot)
{
    unsigned sum = 7;

    for (const char *c = shot->taken; *c != '\0'; c++)
        sum = sum * 31 + (unsigned char)*c;
    return sum % 1000 / 100.0;
}

/* Height of a range of hills over the bottom, as a share of the picture. */
static double hill_at(double x, int range, double seed)
{
    double nearer = range + 1.0;

    return 0.62 - 0.13 * nearer + 0.06 * sin(x * (2.0 + nearer) + seed * nearer) +
           0.02 * sin(x * 11.0 * nearer + seed);
}

static Colour colour_at(const DemoShot *shot, double x, double y, double seed)
{
    Colour top, bottom;
    sky_at(shot->hour, &top, &bottom);
    Colour sky = mix(top, bottom, y);
    double sun_x = 0.1 + 0.8 * (shot->hour % 24) / 24.0,
           sun_y = 0.15 + 0.003 * pow(shot->hour - 13.0, 2);
    double distance = hypot((x - sun_x) * 1.33, y - sun_y);
    Colour colour =
        mix(sky, (Colour){255, 245, 215}, distance < 0.05 ? 1.0 : 0.35 * exp(-distance * 6));

    for (int range = 0; range < HILLS; range++) {
        if (1.0 - y < hill_at(x * 3.0, range, seed))
            colour = mix(bottom, (Colour){18, 46, 34}, 0.35 + 0.2 * range);
    }
    return colour;
}

static void draw_row(const DemoShot *shot, JSAMPLE *row, unsigned y, unsigned width,
                     unsigned height)
{
    double seed = seed_of(shot);

    for (unsigned x = 0; x < width; x++) {
        Colour colour = colour_at(shot, (double)x / width, (double)y / height, seed);
        row[3 * x] = (JSAMPLE)colour.red;
        row[3 * x + 1] = (JSAMPLE)colour.green;
        row[3 * x + 2] = (JSAMPLE)colour.blue;
    }
}

static uint32_t append_exif_directory(DemoTiff *tiff, const DemoShot *shot)
{
    DemoTiffField fields[10];
    size_t count = 0;

    fields[count++] =
        (DemoTiffField){.tag = 33434, .type = DEMO_TIFF_RATIONAL, .number = 1, .divisor = 250};
    fields[count++] =
        (DemoTiffField){.tag = 33437, .type = DEMO_TIFF_RATIONAL, .number = 56, .divisor = 10};
    fields[count++] = (DemoTiffField){.tag = 34855, .type = DEMO_TIFF_SHORT, .number = shot->iso};
    fields[count++] =
        (DemoTiffField){.tag = 36864, .type = DEMO_TIFF_UNDEFINED, .text = "0232", .count = 4};
    fields[count++] = (DemoTiffField){.tag = 36867, .type = DEMO_TIFF_ASCII, .text = shot->taken};
    fields[count++] = (DemoTiffField){.tag = 36868, .type = DEMO_TIFF_ASCII, .text = shot->taken};
    if (shot->offset != NULL)
        fields[count++] =
            (DemoTiffField){.tag = 36881, .type = DEMO_TIFF_ASCII, .text = shot->offset};
    fields[count++] =
        (DemoTiffField){.tag = 37386, .type = DEMO_TIFF_RATIONAL, .number = 35, .divisor = 1};
    if (shot->subsec != NULL)
        fields[count++] =
            (DemoTiffField){.tag = 37521, .type = DEMO_TIFF_ASCII, .text = shot->subsec};
    return demo_tiff_append_directory(tiff, fields, count);
}

static void build_exif(DemoTiff *tiff, const DemoShot *shot)
{
    demo_tiff_init(tiff);
    uint32_t exif = append_exif_directory(tiff, shot);
    const DemoTiffField fields[] = {
        {.tag = 271, .type = DEMO_TIFF_ASCII, .text = shot->make},
        {.tag = 272, .type = DEMO_TIFF_ASCII, .text = shot->model},
        {.tag = 274, .type = DEMO_TIFF_SHORT, .number = shot->orientation},
        {.tag = 306, .type = DEMO_TIFF_ASCII, .text = shot->taken},
        {.tag = 34665, .type = DEMO_TIFF_LONG, .number = exif},
    };
    demo_tiff_finish(tiff,
                     demo_tiff_append_directory(tiff, fields, sizeof fields / sizeof *fields));
}

static FILE *open_or_die(const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        fprintf(stderr, "hearth-demo: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    return file;
}

static void close_or_die(FILE *file, const char *path)
{
    int failed = ferror(file);

    if (fclose(file) != 0 || failed) {
        fprintf(stderr, "hearth-demo: %s: cannot write: %s\n", path, strerror(errno));
        exit(1);
    }
}

static void write_exif_marker(struct jpeg_compress_struct *jpeg, const DemoShot *shot)
{
    DemoTiff tiff;
    build_exif(&tiff, shot);
    uint8_t *block = malloc(EXIF_PREFIX_SIZE + tiff.size);

    if (block == NULL)
        exit(1);
    memcpy(block, "Exif\0", EXIF_PREFIX_SIZE);
    memcpy(block + EXIF_PREFIX_SIZE, tiff.data, tiff.size);
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, block, (unsigned)(EXIF_PREFIX_SIZE + tiff.size));
    free(block);
    demo_tiff_clear(&tiff);
}

void demo_picture_write_jpeg(const DemoShot *shot, const char *path, unsigned width,
                             unsigned height)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = open_or_die(path);
    JSAMPLE *row = calloc(width, 3);

    if (row == NULL)
        exit(1);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, QUALITY, TRUE);
    jpeg.write_JFIF_header = FALSE; /* EXIF wants to be the first marker */
    jpeg_start_compress(&jpeg, TRUE);
    write_exif_marker(&jpeg, shot);
    while (jpeg.next_scanline < height) {
        draw_row(shot, row, jpeg.next_scanline, width, height);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    close_or_die(file, path);
}

/* Uncompressed colour, row by row, as one strip. */
static uint32_t append_pixels(DemoTiff *tiff, const DemoShot *shot, unsigned width, unsigned height)
{
    size_t row_size = (size_t)width * 3;
    JSAMPLE *pixels = calloc(height, row_size);

    if (pixels == NULL)
        exit(1);
    for (unsigned y = 0; y < height; y++)
        draw_row(shot, pixels + y * row_size, y, width, height);
    uint32_t offset = demo_tiff_append(tiff, pixels, row_size * height);
    free(pixels);
    return offset;
}

void demo_picture_write_raw(const DemoShot *shot, const char *path, unsigned width, unsigned height)
{
    DemoTiff tiff;
    demo_tiff_init(&tiff);
    uint32_t pixels = append_pixels(&tiff, shot, width, height);
    uint32_t exif = append_exif_directory(&tiff, shot);
    const DemoTiffField fields[] = {
        {.tag = 256, .type = DEMO_TIFF_LONG, .number = width},
        {.tag = 257, .type = DEMO_TIFF_LONG, .number = height},
        {.tag = 258, .type = DEMO_TIFF_SHORT, .text = "\10\0\10\0\10\0", .count = 6},
        {.tag = 259, .type = DEMO_TIFF_SHORT, .number = 1}, /* not compressed */
        {.tag = 262, .type = DEMO_TIFF_SHORT, .number = 2}, /* red, green, blue */
        {.tag = 271, .type = DEMO_TIFF_ASCII, .text = shot->make},
        {.tag = 272, .type = DEMO_TIFF_ASCII, .text = shot->model},
        {.tag = 273, .type = DEMO_TIFF_LONG, .number = pixels},
        {.tag = 274, .type = DEMO_TIFF_SHORT, .number = shot->orientation},
        {.tag = 277, .type = DEMO_TIFF_SHORT, .number = 3},
        {.tag = 278, .type = DEMO_TIFF_LONG, .number = height},
        {.tag = 279, .type = DEMO_TIFF_LONG, .number = width * height * 3},
        {.tag = 306, .type = DEMO_TIFF_ASCII, .text = shot->taken},
        {.tag = 34665, .type = DEMO_TIFF_LONG, .number = exif},
        {.tag = 50706, .type = DEMO_TIFF_BYTE, .text = "\1\4\0\0", .count = 4}, /* DNG 1.4 */
    };
    demo_tiff_finish(&tiff,
                     demo_tiff_append_directory(&tiff, fields, sizeof fields / sizeof *fields));
    FILE *file = open_or_die(path);
    fwrite(tiff.data, 1, tiff.size, file);
    close_or_die(file, path);
    demo_tiff_clear(&tiff);
}
