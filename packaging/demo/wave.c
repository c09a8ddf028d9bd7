#include "packaging/demo/wave.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RATE = 22050,         /* samples a second, one channel of 16 bits */
    NOTE = RATE / 4,      /* samples of one note */
    REPEATS = 4,          /* how often the notes are played */
    FORMAT_SIZE = 16,     /* bytes of the "fmt " chunk */
    CHUNK_HEADER_SIZE = 8 /* bytes: name and size */
};

static const double A3 = 220.0; /* Hz */

static void put(FILE *file, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        putc((int)(value >> (8 * i) & 0xff), file);
}

static void put_chunk_header(FILE *file, const char *name, uint32_t size)
{
    fputs(name, file);
    put(file, size, 4);
}

/* Bytes of one tag in the INFO list: padded to an even number. */
static uint32_t tag_size(const char *text)
{
    uint32_t size = (uint32_t)strlen(text) + 1;

    return CHUNK_HEADER_SIZE + size + size % 2;
}

static void put_tag(FILE *file, const char *name, const char *text)
{
    uint32_t size = (uint32_t)strlen(text) + 1;

    put_chunk_header(file, name, size);
    fwrite(text, 1, size, file);
    if (size % 2 != 0)
        putc(0, file);
}

static void put_format(FILE *file)
{
    put_chunk_header(file, "fmt ", FORMAT_SIZE);
    put(file, 1, 2); /* PCM */
    put(file, 1, 2); /* channels */
    put(file, RATE, 4);
    put(file, RATE * 2, 4); /* bytes a second */
    put(file, 2, 2);        /* bytes of a sample */
    put(file, 16, 2);       /* bits of a sample */
}

static void put_note(FILE *file, char note)
{
    double pitch = A3 * pow(2.0, (note - 'a') / 12.0);

    for (int i = 0; i < NOTE; i++) {
        double time = (double)i / RATE, fade = exp(-4.0 * i / NOTE);
        double wave = sin(2 * M_PI * pitch * time) + 0.3 * sin(4 * M_PI * pitch * time);
        double level = note == ' ' ? 0.0 : 9000.0 * fade * wave;
        put(file, (uint32_t)(int32_t)level, 2);
    }
}

static void put_song(FILE *file, const DemoSong *song)
{
    const struct {
        const char *name, *text;
    } tags[] = {{"IART", song->artist},
                {"IPRD", song->album},
                {"INAM", song->title},
                {"ICRD", song->year},
                {"ITRK", song->track}};
    uint32_t info = 4, sound = (uint32_t)strlen(song->notes) * REPEATS * NOTE * 2;

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        info += tag_size(tags[i].text);
    put_chunk_header(file, "RIFF", 4 + 3 * CHUNK_HEADER_SIZE + FORMAT_SIZE + info + sound);
    fputs("WAVE", file);
    put_format(file);
    put_chunk_header(file, "LIST", info);
    fputs("INFO", file);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        put_tag(file, tags[i].name, tags[i].text);
    put_chunk_header(file, "data", sound);
    for (int round = 0; round < REPEATS; round++) {
        for (const char *note = song->notes; *note != '\0'; note++)
            put_note(file, *note);
    }
}

void demo_wave_write(const DemoSong *song, const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        fprintf(stderr, "hearth-demo: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    put_song(file, song);
    int failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        fprintf(stderr, "hearth-demo: %s: cannot write: %s\n", path, strerror(errno));
        exit(1);
    }
}
