/* zlib: deflates and inflates 256 KiB at every level it is asked for. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

#define SIZE 262144

static void fill(unsigned char *bytes)
{
    uint32_t seed = 5;
    for (int i = 0; i < SIZE; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = i % 3000 < 2000 ? "hearth and home "[i % 16] + (seed >> 31)
                                   : (unsigned char)(seed >> 24);
    }
}

/* Level `first`; the compressed bytes are left in the area, the value is their sum. */
GUEST(squeeze)
{
    unsigned char *plain = malloc(SIZE), *back = malloc(SIZE);
    fill(plain);
    z_stream stream = {
        .next_in = plain, .avail_in = SIZE, .next_out = (Bytef *)area, .avail_out = 400000};
    if (deflateInit2(&stream, (int)first, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return 1;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        return 2;
    uLong size = stream.total_out;
    deflateEnd(&stream);
    z_stream in = {
        .next_in = (Bytef *)area, .avail_in = (uInt)size, .next_out = back, .avail_out = SIZE};
    if (inflateInit2(&in, 31) != Z_OK || inflate(&in, Z_FINISH) != Z_STREAM_END)
        return 3;
    inflateEnd(&in);
    if (memcmp(plain, back, SIZE) != 0)
        return 4;
    uint64_t sum = crc32(adler32(1, back, SIZE), (Bytef *)area, (uInt)size) << 20 | size;
    free(plain);
    free(back);
    return sum;
}

/* What is cut short or spoilt is an error and nothing else. */
GUEST(squeeze_spoilt)
{
    uint64_t codes = 0;
    if (squeeze(area, 6, 0, 0) < 5)
        return 0;
    for (int i = 0; i < 20; i++) {
        uLongf size = SIZE;
        unsigned char *back = malloc(SIZE);
        area[100 + i * 777] ^= 0x20;
        z_stream in = {
            .next_in = (Bytef *)area, .avail_in = 20000, .next_out = back, .avail_out = SIZE};
        inflateInit2(&in, 31);
        codes = codes * 17 + (uint64_t)(inflate(&in, Z_FINISH) + 10) + in.total_out;
        inflateEnd(&in);
        free(back);
    }
    return codes;
}
