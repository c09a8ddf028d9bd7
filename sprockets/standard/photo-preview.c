/*
 * Finds the picture that a preview is best made of: the thumbnail in a JPEG's EXIF if it is large
 * enough, one of the JPEGs that a RAW file carries, else the JPEG itself.
 */
#include "sprockets/standard/photo-private.h"

#include <string.h>

#define CANDIDATES_MAX 32
#define SEARCH_MAX (96u << 20) /* bytes of a RAW file searched for a JPEG that no tag points to */
#define EDGE_DEFAULT 320       /* pixels */
#define EDGE_MAX 4096          /* pixels */

typedef struct {
    const uint8_t *data;
    size_t size;
    uint32_t width;
    uint32_t height;
} Candidate;

typedef struct {
    Candidate rows[CANDIDATES_MAX];
    size_t count;
} Candidates;

/* RAW data proper is often a lossless JPEG, which is no picture yet: not decodable here. */
static void add(Candidates *candidates, const uint8_t *data, size_t size)
{
    PhotoJpeg jpeg;
    if (candidates->count < CANDIDATES_MAX && photo_jpeg_scan(data, size, &jpeg) && jpeg.decodable)
        candidates->rows[candidates->count++] = (Candidate){data, size, jpeg.width, jpeg.height};
}

static void add_range(Candidates *candidates, const PhotoTiff *tiff, uint32_t offset, uint32_t size)
{
    if (offset < tiff->size && size > 0)
        add(candidates, tiff->data + offset,
            size < tiff->size - offset ? size : tiff->size - offset);
}

static void add_folder(Candidates *candidates, const PhotoTiff *tiff, const PhotoIfd *ifd)
{
    PhotoEntry offsets, sizes;
    uint32_t offset, size;
    /* JPEGInterchangeFormat and its length */
    if (photo_tiff_get(tiff, ifd, 0x0201, &offset) && photo_tiff_get(tiff, ifd, 0x0202, &size))
        add_range(candidates, tiff, offset, size);
    /* StripOffsets and StripByteCounts of a picture in one strip */
    if (photo_tiff_find(tiff, ifd, 0x0111, &offsets) && offsets.count == 1 &&
        photo_tiff_find(tiff, ifd, 0x0117, &sizes) && sizes.count == 1)
        add_range(candidates, tiff, photo_tiff_uint(tiff, &offsets, 0),
                  photo_tiff_uint(tiff, &sizes, 0));
    /* Panasonic's JpgFromRaw: the JPEG is the value */
    if (photo_tiff_find(tiff, ifd, 0x002e, &offsets))
        add(candidates, offsets.value, offsets.size);
}

static void search(Candidates *candidates, const PhotoTiff *tiff)
{
    static const uint8_t START[] = {0xff, 0xd8, 0xff};
    const uint8_t *at = tiff->data;
    const uint8_t *end = at + (tiff->size < SEARCH_MAX ? tiff->size : SEARCH_MAX);
    while (candidates->count < CANDIDATES_MAX &&
           (at = memmem(at, (size_t)(end - at), START, sizeof START))) {
        add(candidates, at, tiff->size - (size_t)(at - tiff->data));
        at += sizeof START;
    }
}

static uint32_t longer(const Candidate *candidate)
{
    return candidate->width > candidate->height ? candidate->width : candidate->height;
}

/* The smallest that is large enough; failing that the largest. */
static const Candidate *choose(const Candidates *candidates, uint32_t edge)
{
    const Candidate *best = NULL;
    for (size_t i = 0; i < candidates->count; i++) {
        const Candidate *row = &candidates->rows[i];
        bool fits = longer(row) >= edge, best_fits = best && longer(best) >= edge;
        if (!best || (fits && (!best_fits || longer(row) < longer(best))) ||
            (!fits && !best_fits && longer(row) > longer(best)))
            best = row;
    }
    return best;
}

/* Cameras put thumbnails of 4:3 with black bars into pictures of 3:2. */
static bool has_shape_of(const Candidate *candidate, const PhotoJpeg *jpeg)
{
    uint64_t a = (uint64_t)candidate->width * jpeg->height;
    uint64_t b = (uint64_t)candidate->height * jpeg->width;
    return (a > b ? a - b : b - a) * 50 <= (a > b ? a : b);
}

static int make(SprocketCall *call, const Candidate *from, unsigned orientation, uint32_t edge)
{
    PhotoImage image = {0};
    int status = photo_image_decode(&image, from->data, from->size, edge);
    if (status == SPROCKET_OK)
        status = photo_image_fit(&image, edge, from->width, from->height);
    if (status == SPROCKET_OK)
        status = photo_image_orient(&image, orientation);
    if (status == SPROCKET_OK)
        status = photo_image_emit(call, &image);
    if (status == SPROCKET_OK) {
        sprocket_put_string(call, "media.type", "image/jpeg");
        sprocket_put_uint(call, "image.width", image.width);
        sprocket_put_uint(call, "image.height", image.height);
    }
    photo_image_clear(&image);
    return status;
}

static int preview_of_jpeg(SprocketCall *call, const SprocketInput *file, const PhotoJpeg *jpeg,
                           uint32_t edge)
{
    Candidates candidates = {.count = 0};
    PhotoTiff tiff;
    PhotoIfd ifds[PHOTO_IFDS_MAX];
    uint32_t first;
    unsigned orientation = 1;
    if (jpeg->exif && photo_tiff_open(&tiff, jpeg->exif, jpeg->exif_size, &first)) {
        orientation = photo_exif_orientation(&tiff, first);
        for (size_t i = 0, count = photo_tiff_walk(&tiff, first, ifds); i < count; i++)
            add_folder(&candidates, &tiff, &ifds[i]);
    }
    const Candidate *thumbnail = choose(&candidates, edge);
    if (thumbnail && longer(thumbnail) >= edge && has_shape_of(thumbnail, jpeg) &&
        make(call, thumbnail, orientation, edge) == SPROCKET_OK)
        return SPROCKET_OK;
    if (!jpeg->decodable)
        return jpeg->width ? SPROCKET_FAILED : SPROCKET_DAMAGED;
    const Candidate whole = {file->data, file->length, jpeg->width, jpeg->height};
    return make(call, &whole, orientation, edge);
}

static int preview_of_tiff(SprocketCall *call, const PhotoTiff *tiff, uint32_t first, uint32_t edge)
{
    Candidates candidates = {.count = 0};
    PhotoIfd ifds[PHOTO_IFDS_MAX];
    for (size_t i = 0, count = photo_tiff_walk(tiff, first, ifds); i < count; i++)
        add_folder(&candidates, tiff, &ifds[i]);
    if (candidates.count == 0)
        search(&candidates, tiff);
    const Candidate *best = choose(&candidates, edge);
    if (!best)
        return SPROCKET_DECLINED;
    return make(call, best, photo_exif_orientation(tiff, first), edge);
}

int photo_preview(SprocketCall *call)
{
    const SprocketInput *file = sprocket_input(call);
    uint64_t wanted = sprocket_param_uint(call, "edge", EDGE_DEFAULT);
    uint32_t edge = wanted > EDGE_MAX ? EDGE_MAX : wanted < 1 ? 1 : (uint32_t)wanted;
    uint32_t first;
    PhotoJpeg jpeg;
    PhotoTiff tiff;
    if (photo_jpeg_scan(file->data, file->length, &jpeg))
        return preview_of_jpeg(call, file, &jpeg, edge);
    if (photo_tiff_open(&tiff, file->data, file->length, &first))
        return preview_of_tiff(call, &tiff, first, edge);
    return SPROCKET_DECLINED;
}
