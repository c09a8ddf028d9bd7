#include "tests/bench/engine/content.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <FLAC/stream_encoder.h>
#include <jpeglib.h>

#include "tests/unit/sprockets/pictures.h"

/* --- EXIF -------------------------------------------------------------------------------------- */

enum { TEXT = 2, SHORT = 3, LONG = 4, RATIO = 5, UNDEFINED = 7, SIGNED_RATIO = 10 };

typedef struct {
    ExifFolder folder;
    guint16 tag;
    guint16 type;
    const char *text;   /* TEXT, UNDEFINED */
    guint32 numbers[8]; /* others; of the ratios pairs */
    guint32 count;      /* numbers or pairs; bytes of UNDEFINED */
} Tag;

#define ROOT EXIF_MAKER_ROOT
#define EXIF EXIF_MAKER_EXIF
#define GPS EXIF_MAKER_GPS
#define OF_TEXT(folder, tag, text)                                                                 \
    {                                                                                              \
        folder, tag, TEXT, text, {0}, 1                                                            \
    }
#define OF_BYTES(folder, tag, text)                                                                \
    {                                                                                              \
        folder, tag, UNDEFINED, text, {0}, sizeof(text) - 1                                        \
    }
#define OF_SHORT(folder, tag, value)                                                               \
    {                                                                                              \
        folder, tag, SHORT, NULL, {value}, 1                                                       \
    }
#define OF_LONG(folder, tag, value)                                                                \
    {                                                                                              \
        folder, tag, LONG, NULL, {value}, 1                                                        \
    }
#define OF_RATIO(folder, tag, above, below)                                                        \
    {                                                                                              \
        folder, tag, RATIO, NULL, {above, below}, 1                                                \
    }
#define OF_SIGNED(folder, tag, above, below)                                                       \
    {                                                                                              \
        folder, tag, SIGNED_RATIO, NULL, {above, below}, 1                                         \
    }

static const Tag TAGS[] = {
    OF_TEXT(ROOT, 0x010e, "A dog on the shore, late in the evening"),
    OF_TEXT(ROOT, 0x010f, "Hearth Optical Company"),
    OF_TEXT(ROOT, 0x0110, "HC-1 Mark II"),
    OF_SHORT(ROOT, 0x0112, 6),
    OF_RATIO(ROOT, 0x011a, 300, 1),
    OF_RATIO(ROOT, 0x011b, 300, 1),
    OF_SHORT(ROOT, 0x0128, 2),
    OF_TEXT(ROOT, 0x0131, "HC-1 Firmware 1.4.2"),
    OF_TEXT(ROOT, 0x0132, "2026:11:20 10:20:30"),
    OF_TEXT(ROOT, 0x013b, "Somebody with a camera"),
    OF_SHORT(ROOT, 0x0213, 2),
    OF_TEXT(ROOT, 0x8298, "2026, Somebody"),
    OF_RATIO(EXIF, 0x829a, 1, 250),
    OF_RATIO(EXIF, 0x829d, 28, 10),
    OF_SHORT(EXIF, 0x8822, 3),
    OF_SHORT(EXIF, 0x8827, 400),
    OF_BYTES(EXIF, 0x9000, "0231"),
    OF_TEXT(EXIF, 0x9003, "2026:11:20 10:20:30"),
    OF_TEXT(EXIF, 0x9004, "2026:11:20 10:20:30"),
    OF_BYTES(EXIF, 0x9101, "\1\2\3\0"),
    OF_RATIO(EXIF, 0x9102, 4, 1),
    OF_SIGNED(EXIF, 0x9201, 7965784, 1000000),
    OF_RATIO(EXIF, 0x9202, 2970854, 1000000),
    OF_SIGNED(EXIF, 0x9203, 52, 10),
    OF_SIGNED(EXIF, 0x9204, 1, 3),
    OF_RATIO(EXIF, 0x9205, 2970854, 1000000),
    OF_RATIO(EXIF, 0x9206, 450, 100),
    OF_SHORT(EXIF, 0x9207, 5),
    OF_SHORT(EXIF, 0x9208, 10),
    OF_SHORT(EXIF, 0x9209, 16),
    OF_RATIO(EXIF, 0x920a, 35, 1),
    OF_BYTES(EXIF, 0x9286, "ASCII\0\0\0The second of three attempts"),
    OF_TEXT(EXIF, 0x9290, "99"),
    OF_TEXT(EXIF, 0x9291, "99"),
    OF_TEXT(EXIF, 0x9292, "99"),
    OF_BYTES(EXIF, 0xa000, "0100"),
    OF_SHORT(EXIF, 0xa001, 1),
    OF_LONG(EXIF, 0xa002, 4000),
    OF_LONG(EXIF, 0xa003, 3000),
    OF_RATIO(EXIF, 0xa20e, 4000000, 907),
    OF_RATIO(EXIF, 0xa20f, 3000000, 680),
    OF_SHORT(EXIF, 0xa210, 2),
    OF_SHORT(EXIF, 0xa217, 2),
    OF_BYTES(EXIF, 0xa300, "\3"),
    OF_BYTES(EXIF, 0xa301, "\1"),
    OF_SHORT(EXIF, 0xa401, 0),
    OF_SHORT(EXIF, 0xa402, 0),
    OF_SHORT(EXIF, 0xa403, 1),
    OF_RATIO(EXIF, 0xa404, 1, 1),
    OF_SHORT(EXIF, 0xa405, 35),
    OF_SHORT(EXIF, 0xa406, 0),
    OF_SHORT(EXIF, 0xa408, 1),
    OF_SHORT(EXIF, 0xa409, 2),
    OF_SHORT(EXIF, 0xa40a, 1),
    OF_TEXT(GPS, 1, "N"),
    {GPS, 2, RATIO, NULL, {48, 1, 12, 1, 3060, 100}, 3},
    OF_TEXT(GPS, 3, "W"),
    {GPS, 4, RATIO, NULL, {16, 1, 22, 1, 1200, 100}, 3},
    OF_RATIO(GPS, 6, 1715, 10),
    {GPS, 7, RATIO, NULL, {9, 1, 20, 1, 30, 1}, 3},
    OF_TEXT(GPS, 18, "WGS-84"),
    OF_TEXT(GPS, 29, "2026:11:20"),
};

static void put_tag(ExifMaker *maker, const Tag *tag)
{
    if (tag->type == TEXT)
        exif_maker_text(maker, tag->folder, tag->tag, tag->text);
    else if (tag->type == UNDEFINED)
        exif_maker_raw(maker, tag->folder, tag->tag, UNDEFINED, tag->count, tag->text, tag->count);
    else if (tag->type == SHORT)
        exif_maker_short(maker, tag->folder, tag->tag, (guint16)tag->numbers[0]);
    else if (tag->type == LONG)
        exif_maker_long(maker, tag->folder, tag->tag, tag->numbers[0]);
    else if (tag->type == RATIO)
        exif_maker_ratios(maker, tag->folder, tag->tag, tag->numbers, tag->count);
    else /* little-endian, as this machine */
        exif_maker_raw(maker, tag->folder, tag->tag, tag->type, tag->count, tag->numbers,
                       8 * tag->count);
}

GBytes *content_exif_jpeg(void)
{
    g_autoptr(GBytes) thumbnail =
        picture_jpeg(&(Picture){.width = 160, .height = 120, .quality = 80});
    ExifMaker *maker = exif_maker_new(TRUE, 42);
    for (gsize i = 0; i < G_N_ELEMENTS(TAGS); i++)
        put_tag(maker, &TAGS[i]);
    exif_maker_thumbnail(maker, thumbnail);
    g_autoptr(GBytes) exif = exif_maker_end(maker);
    return picture_jpeg(&(Picture){.width = 320, .height = 240, .quality = 85, .exif = exif});
}

/* --- MP3 --------------------------------------------------------------------------------------- */

#define FRAME_SIZE 417 /* bytes of a frame of MPEG 1 layer 3 at 128 kbit/s and 44.1 kHz */
#define FRAMES 1148    /* thirty seconds */
#define COVER_SIZE 20000
#define HEAD_SIZE 10 /* of the tag, and of each of its frames */

static void append(GByteArray *to, const void *bytes, gsize length)
{
    g_byte_array_append(to, bytes, (guint)length);
}

static void append_frame(GByteArray *tag, const char *id, const void *bytes, gsize length)
{
    const guint8 size[] = {(guint8)(length >> 24),
                           (guint8)(length >> 16),
                           (guint8)(length >> 8),
                           (guint8)length,
                           0,
                           0};
    append(tag, id, 4);
    append(tag, size, sizeof size);
    append(tag, bytes, length);
}

static void append_cover(GByteArray *tag)
{
    static const char HEAD[] = "\0image/jpeg\0\3cover";
    g_autofree guint8 *cover = g_malloc0(sizeof HEAD + COVER_SIZE);
    memcpy(cover, HEAD, sizeof HEAD);
    for (guint i = 0; i < COVER_SIZE; i++)
        cover[sizeof HEAD + i] = (guint8)(i * 37 + (i >> 8));
    append_frame(tag, "APIC", cover, sizeof HEAD + COVER_SIZE);
}

static void append_tag(GByteArray *file)
{
    append(file, "ID3\3\0\0\0\0\0\0", HEAD_SIZE);
#define FRAME(id, text) append_frame(file, id, text, sizeof(text) - 1)
    FRAME("TIT2", "\0A Title of the Usual Length");
    FRAME("TPE1", "\1\xff\xfeK\0\xf6\0l\0n\0e\0r\0 \0C\0h\0o\0r\0"); /* UTF-16 */
    FRAME("TALB", "\0An Album of Some Length (Deluxe Edition)");
    FRAME("TPE2", "\0Various Artists");
    FRAME("TCOM", "\0Somebody Who Composes");
    FRAME("TRCK", "\0"
                  "7/12");
    FRAME("TPOS", "\0"
                  "1/2");
    FRAME("TYER", "\0"
                  "2019");
    FRAME("TCON", "\0(17)");
    FRAME("TENC", "\0LAME 3.100");
    FRAME("TXXX", "\0replaygain_track_gain\0-6.20 dB");
    FRAME("COMM", "\0eng\0A comment of a few words");
#undef FRAME
    append_cover(file);
    guint size = file->len - HEAD_SIZE;
    for (guint i = 0; i < 4; i++)
        file->data[9 - i] = (guint8)(size >> 7 * i & 0x7f);
}

GBytes *content_mp3(void)
{
    static const char FRAME[FRAME_SIZE] = "\xff\xfb\x90\x00";
    GByteArray *file = g_byte_array_new();
    append_tag(file);
    for (guint i = 0; i < FRAMES; i++)
        append(file, FRAME, sizeof FRAME);
    return g_byte_array_free_to_bytes(file);
}

/* --- A large picture --------------------------------------------------------------------------- */

#define WAVE 1024

/* Sines in whole numbers, -64 to 64. */
static void fill_wave(gint16 *wave)
{
    for (guint i = 0; i < WAVE; i++)
        wave[i] = (gint16)lrint(64 * sin(2 * G_PI * i / WAVE));
}

static void fill_row(const gint16 *wave, guint y, guint width, guint8 *row)
{
    for (guint x = 0; x < width; x++) {
        gint texture = wave[(x * 31 + y * 7) % WAVE] * wave[(y * 43 + x * 3) % WAVE] / 160;
        gint slow = wave[(x / 2 + y / 3) % WAVE];
        gint shade = (gint)(x * 120 / width) + (gint)(y * 60 / width) + 30;
        *row++ = (guint8)CLAMP(shade + slow / 2 + texture, 0, 255);
        *row++ = (guint8)CLAMP(shade + 20 + texture / 2, 0, 255);
        *row++ = (guint8)CLAMP(220 - shade - slow / 3 + texture, 0, 255);
    }
}

GBytes *content_picture(guint width)
{
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    gint16 wave[WAVE];
    g_autofree guint8 *row = g_malloc((gsize)width * 3);
    fill_wave(wave);
    codec.err = jpeg_std_error(&errors);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &data, &size);
    codec.image_width = width;
    codec.image_height = width * 3 / 4;
    codec.input_components = 3;
    codec.in_color_space = JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, 90, TRUE);
    jpeg_start_compress(&codec, TRUE);
    while (codec.next_scanline < codec.image_height) {
        fill_row(wave, codec.next_scanline, width, row);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    return g_bytes_new_with_free_func(data, size, free, data);
}

/* --- Sound ------------------------------------------------------------------------------------- */

#define RATE 44100
#define CHANNELS 2

static FLAC__StreamEncoderWriteStatus take_flac(const FLAC__StreamEncoder *encoder,
                                                const FLAC__byte buffer[], size_t bytes,
                                                uint32_t samples, uint32_t frame, void *data)
{
    g_byte_array_append(data, buffer, (guint)bytes);
    return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

static void fill_sound(FLAC__int32 *samples, guint second)
{
    static const double NOTES[] = {220.0, 277.2, 329.6, 440.0, 1318.5};
    static guint32 seed = 1;
    for (guint i = 0; i < RATE; i++) {
        double at = second + (double)i / RATE, left = 0, right = 0;
        for (guint j = 0; j < G_N_ELEMENTS(NOTES); j++) {
            double tone = sin(2 * G_PI * NOTES[j] * at) * (1 + sin(at * (j + 1)));
            left += tone;
            right += tone * cos(at + j);
        }
        seed = seed * 1664525U + 1013904223U;
        FLAC__int32 noise = (FLAC__int32)(seed >> 24) - 128;
        samples[CHANNELS * i] = (FLAC__int32)(left * 2500) + noise;
        samples[CHANNELS * i + 1] = (FLAC__int32)(right * 2500) - noise;
    }
}

GBytes *content_flac(guint seconds)
{
    GByteArray *file = g_byte_array_new();
    g_autofree FLAC__int32 *samples = g_new(FLAC__int32, RATE * CHANNELS);
    FLAC__StreamEncoder *encoder = FLAC__stream_encoder_new();
    FLAC__stream_encoder_set_channels(encoder, CHANNELS);
    FLAC__stream_encoder_set_bits_per_sample(encoder, 16);
    FLAC__stream_encoder_set_sample_rate(encoder, RATE);
    if (FLAC__stream_encoder_init_stream(encoder, take_flac, NULL, NULL, NULL, file) != 0)
        g_error("no FLAC encoder");
    for (guint i = 0; i < seconds; i++) {
        fill_sound(samples, i);
        if (!FLAC__stream_encoder_process_interleaved(encoder, samples, RATE))
            g_error("FLAC: not encoded");
    }
    FLAC__stream_encoder_finish(encoder);
    FLAC__stream_encoder_delete(encoder);
    return g_byte_array_free_to_bytes(file);
}
