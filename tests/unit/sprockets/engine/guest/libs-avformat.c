/* libavformat: what kind of file the first bytes of one are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavformat/avformat.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

static const struct {
    const char *bytes;
    size_t length;
} STARTS[] = {
    {"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\1\0\2\0", 24},
    {"fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x0a\xc4\x42\xf0", 22},
    {"OggS\0\2\0\0\0\0\0\0\0\0\x01\x02\x03\x04", 18},
    {"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska\x42\x87\x81\x01", 20},
    {"\0\0\0\x20"
     "ftypisom\0\0\2\0isomiso2avc1mp41\0\0\0\x08"
     "free",
     40},
    {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\2", 26},
    {"GIF89a\x10\0\x10\0\x80\0\0", 13},
    {"FLV\1\5\0\0\0\x09\0\0\0\0", 13},
    {"plain text, nothing else", 24},
};

/* Each start, followed by `first` more bytes. */
GUEST(probe_formats)
{
    int n = 0;
    uint64_t known = 0;
    for (size_t i = 0; i < sizeof STARTS / sizeof STARTS[0]; i++) {
        unsigned char *buffer = calloc(1, STARTS[i].length + first + AVPROBE_PADDING_SIZE);
        memcpy(buffer, STARTS[i].bytes, STARTS[i].length);
        for (uint64_t j = 0; j < first; j++)
            buffer[STARTS[i].length + j] = (unsigned char)(j * 13);
        AVProbeData data = {
            .filename = "", .buf = buffer, .buf_size = (int)(STARTS[i].length + first)};
        int score = 0;
        const AVInputFormat *format = av_probe_input_format3(&data, 1, &score);
        n += sprintf(area + n, "%s %d\n", format ? format->name : "unknown", score);
        known += format != NULL;
        free(buffer);
    }
    return known;
}
