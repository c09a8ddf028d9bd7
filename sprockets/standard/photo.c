/* Photographs: JPEG, and RAW files that are built like TIFF. Attributes from EXIF, previews. */
#include "sprockets/standard/photo-private.h"

static int metadata_of_jpeg(SprocketCall *call, const PhotoJpeg *jpeg)
{
    PhotoTiff tiff;
    uint32_t first;
    /* Without a frame there is no picture; what EXIF says of it is still true. */
    if (jpeg->width == 0 && !jpeg->exif)
        return SPROCKET_DAMAGED;
    if (jpeg->width > 0 && jpeg->height > 0) {
        sprocket_put_uint(call, "image.width", jpeg->width);
        sprocket_put_uint(call, "image.height", jpeg->height);
    }
    if (jpeg->exif && photo_tiff_open(&tiff, jpeg->exif, jpeg->exif_size, &first))
        photo_exif_put(call, &tiff, first, true);
    return SPROCKET_OK;
}

static int metadata(SprocketCall *call)
{
    const SprocketInput *file = sprocket_input(call);
    PhotoJpeg jpeg;
    PhotoTiff tiff;
    PhotoIfd root;
    uint32_t first;
    if (photo_jpeg_scan(file->data, file->length, &jpeg))
        return metadata_of_jpeg(call, &jpeg);
    if (!photo_tiff_open(&tiff, file->data, file->length, &first))
        return SPROCKET_DECLINED;
    if (!photo_tiff_ifd(&tiff, first, &root))
        return SPROCKET_DAMAGED;
    photo_exif_put(call, &tiff, first, false);
    return SPROCKET_OK;
}

#define TIFF_LITTLE .magic = "II*\0", .magic_length = 4
#define TIFF_BIG .magic = "MM\0*", .magic_length = 4

/* Among types with one magic the extension decides; without one the first row does. */
SPROCKET_EXPORT(
        .id = "home.hearth.photo", .version = "1.0",
        .description = "Photographs: JPEG and TIFF-based RAW",
        .types = SPROCKET_TYPES(
            {"image/jpeg", "jpg jpeg jpe jfif thm", "\xff\xd8\xff", 3, 0},
            {"image/x-canon-cr2", "cr2", "CR\2", 3, 8}, {"image/tiff", "tif tiff", TIFF_LITTLE},
            {"image/tiff", "tif tiff", TIFF_BIG}, {"image/x-adobe-dng", "dng", TIFF_LITTLE},
            {"image/x-adobe-dng", "dng", TIFF_BIG}, {"image/x-nikon-nef", "nef nrw", TIFF_LITTLE},
            {"image/x-nikon-nef", "nef nrw", TIFF_BIG},
            {"image/x-sony-arw", "arw sr2 srf", TIFF_LITTLE},
            {"image/x-pentax-pef", "pef", TIFF_LITTLE}, {"image/x-pentax-pef", "pef", TIFF_BIG},
            {"image/x-samsung-srw", "srw", TIFF_LITTLE}, {"image/x-epson-erf", "erf", TIFF_LITTLE},
            {"image/x-epson-erf", "erf", TIFF_BIG}, {"image/x-kodak-dcr", "dcr", TIFF_BIG},
            {"image/x-kodak-kdc", "kdc", TIFF_BIG}, {"image/x-hasselblad-3fr", "3fr", TIFF_LITTLE},
            {"image/x-olympus-orf", "orf", "IIRO", 4, 0},
            {"image/x-olympus-orf", "orf", "IIRS", 4, 0},
            {"image/x-olympus-orf", "orf", "MMOR", 4, 0},
            {"image/x-panasonic-rw2", "rw2 raw rwl", "IIU\0", 4, 0}),
        .hooks = SPROCKET_HOOKS({"metadata", metadata}, {"preview", photo_preview}));
