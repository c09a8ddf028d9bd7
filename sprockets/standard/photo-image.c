/* Pixels: decoding a JPEG small, shrinking, turning and encoding, on libjpeg-turbo. */
#include "sprockets/standard/photo-private.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define QUALITY 85
#define PIXELS_MAX 400000000ull         /* of the whole picture: beyond, it is a bomb */
#define COEFFICIENTS_MAX (160ull << 20) /* bytes kept for a picture of several scans */
#define SCANS_MAX 100                   /* real pictures have about ten */
#define OUTPUT_MAX (64ull << 20)        /* bytes of the decoded, reduced picture */

/* libjpeg ends at an error by a function that must not return. */
typedef struct {
    struct jpeg_error_mgr manager; /* first */
    jmp_buf escape;
} Errors;

static void on_error(j_common_ptr codec)
{
    longjmp(((Errors *)codec->err)->escape, 1);
}

static void on_message(j_common_ptr codec, int level)
{
}

static struct jpeg_error_mgr *init_errors(Errors *errors)
{
    jpeg_std_error(&errors->manager);
    errors->manager.error_exit = on_error;
    errors->manager.emit_message = on_message;
    return &errors->manager;
}

/* A file of a few kilobytes can ask for thousands of passes over a large picture. */
static void check_scans(j_common_ptr codec)
{
    if (((j_decompress_ptr)codec)->input_scan_number > SCANS_MAX)
        on_error(codec);
}

void photo_image_clear(PhotoImage *image)
{
    free(image->pixels);
    *image = (PhotoImage){0};
}

/* Everything of a decoding that a jump may leave behind. */
typedef struct {
    struct jpeg_decompress_struct codec;
    struct jpeg_progress_mgr progress;
    Errors errors;
    uint8_t *pixels;
    uint8_t *row; /* one CMYK row */
} Decoder;

/* Eighths of the full size: the least that is not smaller than what is wanted. */
static void choose_scale(j_decompress_ptr codec, uint32_t edge)
{
    uint32_t longer =
        codec->image_width > codec->image_height ? codec->image_width : codec->image_height;
    codec->scale_denom = 8;
    for (codec->scale_num = 1; codec->scale_num < 8; codec->scale_num++)
        if (((uint64_t)longer * codec->scale_num + 7) / 8 >= edge)
            break;
}

static bool is_affordable(j_decompress_ptr codec)
{
    uint64_t pixels = (uint64_t)codec->image_width * codec->image_height;
    if (pixels > PIXELS_MAX)
        return false;
    if (!jpeg_has_multiple_scans(codec))
        return true;
    uint64_t blocks = 0;
    for (int i = 0; i < codec->num_components; i++)
        blocks +=
            (uint64_t)codec->comp_info[i].width_in_blocks * codec->comp_info[i].height_in_blocks;
    return blocks * DCTSIZE2 * sizeof(JCOEF) <= COEFFICIENTS_MAX;
}

static void choose_colours(j_decompress_ptr codec)
{
    if (codec->jpeg_color_space == JCS_GRAYSCALE)
        codec->out_color_space = JCS_GRAYSCALE;
    else if (codec->jpeg_color_space == JCS_CMYK || codec->jpeg_color_space == JCS_YCCK)
        codec->out_color_space = JCS_CMYK;
    else
        codec->out_color_space = JCS_RGB;
}

/* Adobe stores CMYK inverted, and who writes CMYK in a JPEG is Adobe or follows it. */
static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, from += 4, to += 3)
        for (int i = 0; i < 3; i++)
            to[i] = (uint8_t)(from[i] * from[3] / 255);
}

static int read_rows(Decoder *decoder, uint32_t channels)
{
    j_decompress_ptr codec = &decoder->codec;
    size_t stride = (size_t)codec->output_width * channels;
    while (codec->output_scanline < codec->output_height) {
        uint8_t *target = decoder->pixels + stride * codec->output_scanline;
        uint8_t *row = decoder->row ? decoder->row : target;
        if (jpeg_read_scanlines(codec, &row, 1) != 1)
            return SPROCKET_DAMAGED;
        if (decoder->row)
            cmyk_to_rgb(decoder->row, target, codec->output_width);
    }
    return SPROCKET_OK;
}

static int decode(Decoder *decoder, const uint8_t *data, size_t size, uint32_t edge)
{
    j_decompress_ptr codec = &decoder->codec;
    if (setjmp(decoder->errors.escape))
        return SPROCKET_DAMAGED;
    jpeg_create_decompress(codec);
    jpeg_mem_src(codec, data, size);
    if (jpeg_read_header(codec, TRUE) != JPEG_HEADER_OK)
        return SPROCKET_DAMAGED;
    if (!is_affordable(codec))
        return SPROCKET_FAILED;
    decoder->progress.progress_monitor = check_scans;
    codec->progress = &decoder->progress;
    codec->do_fancy_upsampling = FALSE;
    choose_scale(codec, edge);
    choose_colours(codec);
    jpeg_start_decompress(codec);
    uint32_t channels = codec->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    uint64_t bytes = (uint64_t)codec->output_width * codec->output_height * channels;
    if (bytes == 0 || bytes > OUTPUT_MAX)
        return SPROCKET_FAILED;
    if (codec->out_color_space == JCS_CMYK)
        decoder->row = malloc((size_t)codec->output_width * 4);
    decoder->pixels = malloc((size_t)bytes);
    if (!decoder->pixels || (codec->out_color_space == JCS_CMYK && !decoder->row))
        return SPROCKET_FAILED;
    return read_rows(decoder, channels);
}

int photo_image_decode(PhotoImage *image, const uint8_t *data, size_t size, uint32_t edge)
{
    /* On the heap: what changes between setjmp and longjmp must not live in a register. */
    Decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return SPROCKET_FAILED;
    decoder->codec.err = init_errors(&decoder->errors);
    int status = decode(decoder, data, size, edge);
    if (status == SPROCKET_OK) {
        photo_image_clear(image);
        image->width = decoder->codec.output_width;
        image->height = decoder->codec.output_height;
        image->channels = decoder->codec.out_color_space == JCS_GRAYSCALE ? 1 : 3;
        image->pixels = decoder->pixels;
        decoder->pixels = NULL;
    }
    jpeg_destroy_decompress(&decoder->codec);
    free(decoder->pixels);
    free(decoder->row);
    free(decoder);
    return status;
}

/* The mean of the source pixels that fall on one of the target. */
static void average(const PhotoImage *from, uint32_t x0, uint32_t x1, uint32_t y0, uint32_t y1,
                    uint8_t *to)
{
    uint32_t sums[3] = {0}, count = (x1 - x0) * (y1 - y0);
    for (uint32_t y = y0; y < y1; y++) {
        const uint8_t *at = from->pixels + ((size_t)y * from->width + x0) * from->channels;
        for (uint32_t x = x0; x < x1; x++)
            for (uint32_t i = 0; i < from->channels; i++)
                sums[i] += *at++;
    }
    for (uint32_t i = 0; i < from->channels; i++)
        to[i] = (uint8_t)((sums[i] + count / 2) / count);
}

static uint32_t scaled(uint32_t length, uint32_t edge, uint32_t longer)
{
    uint32_t result = (uint32_t)(((uint64_t)length * edge + longer / 2) / longer);
    return result ? result : 1;
}

int photo_image_fit(PhotoImage *image, uint32_t edge, uint32_t width, uint32_t height)
{
    uint32_t longer = width > height ? width : height;
    PhotoImage small = {NULL, width, height, image->channels};
    if (longer > edge) {
        small.width = scaled(width, edge, longer);
        small.height = scaled(height, edge, longer);
    }
    if (small.width >= image->width && small.height >= image->height)
        return SPROCKET_OK;
    if (small.width > image->width || small.height > image->height)
        return SPROCKET_DAMAGED;
    small.pixels = malloc((size_t)small.width * small.height * small.channels);
    if (!small.pixels)
        return SPROCKET_FAILED;
    uint8_t *to = small.pixels;
    for (uint32_t y = 0; y < small.height; y++) {
        uint32_t y0 = (uint32_t)((uint64_t)y * image->height / small.height);
        uint32_t y1 = (uint32_t)((uint64_t)(y + 1) * image->height / small.height);
        for (uint32_t x = 0; x < small.width; x++, to += small.channels) {
            uint32_t x0 = (uint32_t)((uint64_t)x * image->width / small.width);
            uint32_t x1 = (uint32_t)((uint64_t)(x + 1) * image->width / small.width);
            average(image, x0, x1, y0, y1, to);
        }
    }
    photo_image_clear(image);
    *image = small;
    return SPROCKET_OK;
}

/*
 * The eight orientations are the three choices below: whether rows are columns, and whether each of
 * the stored picture's axes runs backwards. Walking the target from the left top, the source starts
 * at one of its corners and moves by fixed steps.
 */
int photo_image_orient(PhotoImage *image, unsigned orientation)
{
    static const struct {
        bool transposed, right_to_left, bottom_to_top;
    } ROWS[] = {
        {0}, {0, 0, 0}, {0, 1, 0}, {0, 1, 1}, {0, 0, 1}, {1, 0, 0}, {1, 0, 1}, {1, 1, 1}, {1, 1, 0},
    };
    if (orientation < 2 || orientation > 8)
        return SPROCKET_OK;
    bool transposed = ROWS[orientation].transposed;
    PhotoImage turned = {NULL, transposed ? image->height : image->width,
                         transposed ? image->width : image->height, image->channels};
    turned.pixels = malloc((size_t)turned.width * turned.height * turned.channels);
    if (!turned.pixels)
        return SPROCKET_FAILED;
    uint8_t *to = turned.pixels;
    for (uint32_t y = 0; y < turned.height; y++) {
        for (uint32_t x = 0; x < turned.width; x++, to += turned.channels) {
            uint32_t from_x = transposed ? y : x, from_y = transposed ? x : y;
            if (ROWS[orientation].right_to_left)
                from_x = image->width - 1 - from_x;
            if (ROWS[orientation].bottom_to_top)
                from_y = image->height - 1 - from_y;
            memcpy(to, image->pixels + ((size_t)from_y * image->width + from_x) * image->channels,
                   image->channels);
        }
    }
    photo_image_clear(image);
    *image = turned;
    return SPROCKET_OK;
}

typedef struct {
    struct jpeg_compress_struct codec;
    Errors errors;
    unsigned char *data; /* malloc, by libjpeg */
    unsigned long size;
} Encoder;

static int encode(Encoder *encoder, const PhotoImage *image)
{
    j_compress_ptr codec = &encoder->codec;
    if (setjmp(encoder->errors.escape))
        return SPROCKET_FAILED;
    jpeg_create_compress(codec);
    jpeg_mem_dest(codec, &encoder->data, &encoder->size);
    codec->image_width = image->width;
    codec->image_height = image->height;
    codec->input_components = (int)image->channels;
    codec->in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, QUALITY, TRUE);
    jpeg_start_compress(codec, TRUE);
    while (codec->next_scanline < codec->image_height) {
        uint8_t *row =
            image->pixels + (size_t)codec->next_scanline * image->width * image->channels;
        jpeg_write_scanlines(codec, &row, 1);
    }
    jpeg_finish_compress(codec);
    return SPROCKET_OK;
}

int photo_image_emit(SprocketCall *call, const PhotoImage *image)
{
    Encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return SPROCKET_FAILED;
    encoder->codec.err = init_errors(&encoder->errors);
    int status = encode(encoder, image);
    if (status == SPROCKET_OK && !sprocket_emit(call, encoder->data, encoder->size))
        status = SPROCKET_FAILED;
    jpeg_destroy_compress(&encoder->codec);
    free(encoder->data);
    free(encoder);
    return status;
}
