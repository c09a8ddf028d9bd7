/* libjpeg-turbo: decodes a picture to RGB, and makes one. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

typedef struct {
    struct jpeg_error_mgr manager;
    jmp_buf back;
} Errors;

static void leave(j_common_ptr info)
{
    longjmp(((Errors *)info->err)->back, 1);
}

static void say_nothing(j_common_ptr info, int level)
{
    info->err->num_warnings += level < 0;
}

/* `first`: the bytes, `second`: how many; `third`: 1 to halve it. Pixels are left in the area. */
GUEST(decode_picture)
{
    struct jpeg_decompress_struct info;
    Errors errors;
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = leave;
    errors.manager.emit_message = say_nothing;
    if (setjmp(errors.back)) {
        errors.manager.format_message((j_common_ptr)&info, area);
        jpeg_destroy_decompress(&info);
        return 7;
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, (unsigned char *)first, second);
    jpeg_read_header(&info, TRUE);
    info.scale_denom = third ? 2 : 1;
    jpeg_start_decompress(&info);
    size_t stride = info.output_width * (size_t)info.output_components;
    uint64_t sum = stride;
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = (JSAMPROW)area + info.output_scanline * stride % 400000;
        jpeg_read_scanlines(&info, &row, 1);
        for (size_t i = 0; i < stride; i++)
            sum = sum * 31 + row[i];
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return sum + (uint64_t)errors.manager.num_warnings;
}

/* A picture of `first` by `second`; the JPEG is left in the area, the value is its size. */
GUEST(encode_picture)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL, *row = malloc(first * 3);
    unsigned long size = 0;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &size);
    info.image_width = (JDIMENSION)first;
    info.image_height = (JDIMENSION)second;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        for (uint64_t i = 0; i < first * 3; i++)
            row[i] = (unsigned char)(i * 3 + info.next_scanline * (i % 3));
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    memcpy(area, bytes, size);
    free(bytes);
    free(row);
    return size;
}
