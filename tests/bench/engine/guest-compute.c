/* Calls that compute for long, as an author would write them: a picture decoded, FLAC made into MP3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <FLAC/stream_decoder.h>
#include <jpeglib.h>
#include <lame/lame.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

/* `first`: a JPEG, `second`: its size. Each line is decoded to RGB; a byte of each is in the value. */
GUEST(decode_large)
{
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    codec.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, (unsigned char *)first, second);
    jpeg_read_header(&codec, TRUE);
    jpeg_start_decompress(&codec);
    JSAMPROW row = malloc(codec.output_width * (size_t)codec.output_components);
    uint64_t sum = 0;
    while (codec.output_scanline < codec.output_height) {
        unsigned y = codec.output_scanline;
        jpeg_read_scanlines(&codec, &row, 1);
        sum = sum * 31 + row[y % codec.output_width];
    }
    jpeg_finish_decompress(&codec);
    jpeg_destroy_decompress(&codec);
    free(row);
    return sum;
}

#define BLOCK_MAX 65536 /* samples of a FLAC frame at most, by its format */

typedef struct {
    const unsigned char *bytes;
    size_t size;
    size_t at;
    lame_t lame;
    unsigned char *mp3;
    uint64_t mp3_size;
    uint64_t sum;
    short left[BLOCK_MAX];
    short right[BLOCK_MAX];
    unsigned char buffer[BLOCK_MAX * 5 / 4 + 7200];
} Conversion;

static FLAC__StreamDecoderReadStatus read_flac(const FLAC__StreamDecoder *decoder,
                                               FLAC__byte buffer[], size_t *bytes, void *data)
{
    Conversion *conversion = data;
    size_t left = conversion->size - conversion->at;
    *bytes = *bytes < left ? *bytes : left;
    memcpy(buffer, conversion->bytes + conversion->at, *bytes);
    conversion->at += *bytes;
    return *bytes > 0 ? FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
                      : FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
}

static void take_mp3(Conversion *conversion, int length)
{
    for (int i = 0; i < length; i += 16)
        conversion->sum = conversion->sum * 31 + conversion->buffer[i];
    conversion->mp3_size += length > 0 ? (uint64_t)length : 0;
}

static FLAC__StreamDecoderWriteStatus take_sound(const FLAC__StreamDecoder *decoder,
                                                 const FLAC__Frame *frame,
                                                 const FLAC__int32 *const buffer[], void *data)
{
    Conversion *conversion = data;
    unsigned count = frame->header.blocksize;
    for (unsigned i = 0; i < count; i++) {
        conversion->left[i] = (short)buffer[0][i];
        conversion->right[i] = (short)buffer[1][i];
    }
    take_mp3(conversion,
             lame_encode_buffer(conversion->lame, conversion->left, conversion->right, (int)count,
                                conversion->buffer, sizeof conversion->buffer));
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static void say_nothing(const FLAC__StreamDecoder *decoder, FLAC__StreamDecoderErrorStatus status,
                        void *data)
{
}

/* `first`: FLAC, stereo of 16 bits, `second`: its size. MP3 of 128 kbit/s; its size is left in the area. */
GUEST(convert_sound)
{
    Conversion *conversion = calloc(1, sizeof *conversion);
    conversion->bytes = (const unsigned char *)first;
    conversion->size = second;
    conversion->lame = lame_init();
    lame_set_num_channels(conversion->lame, 2);
    lame_set_in_samplerate(conversion->lame, 44100);
    lame_set_brate(conversion->lame, 128);
    lame_set_bWriteVbrTag(conversion->lame, 0);
    lame_init_params(conversion->lame);
    FLAC__StreamDecoder *decoder = FLAC__stream_decoder_new();
    FLAC__stream_decoder_init_stream(decoder, read_flac, NULL, NULL, NULL, NULL, take_sound, NULL,
                                     say_nothing, conversion);
    FLAC__stream_decoder_process_until_end_of_stream(decoder);
    FLAC__stream_decoder_delete(decoder);
    take_mp3(conversion,
             lame_encode_flush(conversion->lame, conversion->buffer, sizeof conversion->buffer));
    lame_close(conversion->lame);
    uint64_t sum = conversion->sum;
    memcpy(area, &conversion->mp3_size, sizeof conversion->mp3_size);
    free(conversion);
    return sum;
}
