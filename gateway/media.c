#include "gateway/plan.h"

#include <string.h>

typedef struct {
    const char *ext;
    HearthMedia media;
    const char *type;
} MediaRow;

static const MediaRow ROWS[] = {
    {"jpg", HEARTH_MEDIA_PHOTO, "image/jpeg"},
    {"jpeg", HEARTH_MEDIA_PHOTO, "image/jpeg"},
    {"jpe", HEARTH_MEDIA_PHOTO, "image/jpeg"},
    {"heic", HEARTH_MEDIA_PHOTO, "image/heic"},
    {"heif", HEARTH_MEDIA_PHOTO, "image/heif"},
    {"hif", HEARTH_MEDIA_PHOTO, "image/heif"},
    {"avif", HEARTH_MEDIA_PHOTO, "image/avif"},
    {"png", HEARTH_MEDIA_PHOTO, "image/png"},
    {"tif", HEARTH_MEDIA_PHOTO, "image/tiff"},
    {"tiff", HEARTH_MEDIA_PHOTO, "image/tiff"},
    {"webp", HEARTH_MEDIA_PHOTO, "image/webp"},
    {"gif", HEARTH_MEDIA_PHOTO, "image/gif"},
    {"bmp", HEARTH_MEDIA_PHOTO, "image/bmp"},
    {"jxl", HEARTH_MEDIA_PHOTO, "image/jxl"},
    {"cr2", HEARTH_MEDIA_RAW, "image/x-canon-cr2"},
    {"cr3", HEARTH_MEDIA_RAW, "image/x-canon-cr3"},
    {"crw", HEARTH_MEDIA_RAW, "image/x-canon-crw"},
    {"nef", HEARTH_MEDIA_RAW, "image/x-nikon-nef"},
    {"nrw", HEARTH_MEDIA_RAW, "image/x-nikon-nrw"},
    {"arw", HEARTH_MEDIA_RAW, "image/x-sony-arw"},
    {"srf", HEARTH_MEDIA_RAW, "image/x-sony-srf"},
    {"sr2", HEARTH_MEDIA_RAW, "image/x-sony-sr2"},
    {"raf", HEARTH_MEDIA_RAW, "image/x-fuji-raf"},
    {"orf", HEARTH_MEDIA_RAW, "image/x-olympus-orf"},
    {"ori", HEARTH_MEDIA_RAW, "image/x-olympus-orf"},
    {"rw2", HEARTH_MEDIA_RAW, "image/x-panasonic-rw2"},
    {"rwl", HEARTH_MEDIA_RAW, "image/x-panasonic-rw2"},
    {"raw", HEARTH_MEDIA_RAW, "image/x-panasonic-raw"},
    {"pef", HEARTH_MEDIA_RAW, "image/x-pentax-pef"},
    {"dng", HEARTH_MEDIA_RAW, "image/x-adobe-dng"},
    {"srw", HEARTH_MEDIA_RAW, "image/x-samsung-srw"},
    {"gpr", HEARTH_MEDIA_RAW, "image/x-gopro-gpr"},
    {"x3f", HEARTH_MEDIA_RAW, "image/x-sigma-x3f"},
    {"dcr", HEARTH_MEDIA_RAW, "image/x-kodak-dcr"},
    {"kdc", HEARTH_MEDIA_RAW, "image/x-kodak-kdc"},
    {"mrw", HEARTH_MEDIA_RAW, "image/x-minolta-mrw"},
    {"3fr", HEARTH_MEDIA_RAW, "image/x-hasselblad-3fr"},
    {"fff", HEARTH_MEDIA_RAW, "image/x-hasselblad-fff"},
    {"iiq", HEARTH_MEDIA_RAW, "image/x-phaseone-iiq"},
    {"erf", HEARTH_MEDIA_RAW, "image/x-epson-erf"},
    {"mef", HEARTH_MEDIA_RAW, "image/x-mamiya-mef"},
    {"mos", HEARTH_MEDIA_RAW, "image/x-leaf-mos"},
    {"mp4", HEARTH_MEDIA_VIDEO, "video/mp4"},
    {"m4v", HEARTH_MEDIA_VIDEO, "video/x-m4v"},
    {"mov", HEARTH_MEDIA_VIDEO, "video/quicktime"},
    {"qt", HEARTH_MEDIA_VIDEO, "video/quicktime"},
    {"avi", HEARTH_MEDIA_VIDEO, "video/x-msvideo"},
    {"mts", HEARTH_MEDIA_VIDEO, "video/mp2t"},
    {"m2ts", HEARTH_MEDIA_VIDEO, "video/mp2t"},
    {"mpg", HEARTH_MEDIA_VIDEO, "video/mpeg"},
    {"mpeg", HEARTH_MEDIA_VIDEO, "video/mpeg"},
    {"mod", HEARTH_MEDIA_VIDEO, "video/mpeg"},
    {"tod", HEARTH_MEDIA_VIDEO, "video/mpeg"},
    {"3gp", HEARTH_MEDIA_VIDEO, "video/3gpp"},
    {"3g2", HEARTH_MEDIA_VIDEO, "video/3gpp2"},
    {"mkv", HEARTH_MEDIA_VIDEO, "video/x-matroska"},
    {"webm", HEARTH_MEDIA_VIDEO, "video/webm"},
    {"wmv", HEARTH_MEDIA_VIDEO, "video/x-ms-wmv"},
    {"dv", HEARTH_MEDIA_VIDEO, "video/dv"},
    {"insv", HEARTH_MEDIA_VIDEO, "video/mp4"},
    {"360", HEARTH_MEDIA_VIDEO, "video/mp4"},
    {"mp3", HEARTH_MEDIA_AUDIO, "audio/mpeg"},
    {"flac", HEARTH_MEDIA_AUDIO, "audio/flac"},
    {"m4a", HEARTH_MEDIA_AUDIO, "audio/mp4"},
    {"m4b", HEARTH_MEDIA_AUDIO, "audio/mp4"},
    {"aac", HEARTH_MEDIA_AUDIO, "audio/aac"},
    {"ogg", HEARTH_MEDIA_AUDIO, "audio/ogg"},
    {"oga", HEARTH_MEDIA_AUDIO, "audio/ogg"},
    {"opus", HEARTH_MEDIA_AUDIO, "audio/ogg"},
    {"wav", HEARTH_MEDIA_AUDIO, "audio/x-wav"},
    {"wma", HEARTH_MEDIA_AUDIO, "audio/x-ms-wma"},
    {"aif", HEARTH_MEDIA_AUDIO, "audio/x-aiff"},
    {"aiff", HEARTH_MEDIA_AUDIO, "audio/x-aiff"},
    {"ape", HEARTH_MEDIA_AUDIO, "audio/x-ape"},
    {"wv", HEARTH_MEDIA_AUDIO, "audio/x-wavpack"},
    {"xmp", HEARTH_MEDIA_SIDECAR, "application/rdf+xml"},
    {"thm", HEARTH_MEDIA_SIDECAR, "image/jpeg"},
    {"aae", HEARTH_MEDIA_SIDECAR, "application/x-apple-plist"},
    {"lrv", HEARTH_MEDIA_SIDECAR, "video/mp4"},
    {"srt", HEARTH_MEDIA_SIDECAR, "application/x-subrip"},
    {"xml", HEARTH_MEDIA_SIDECAR, "application/xml"},
    {"pp3", HEARTH_MEDIA_SIDECAR, "text/plain"},
    {"dop", HEARTH_MEDIA_SIDECAR, "text/plain"},
    {"lrc", HEARTH_MEDIA_SIDECAR, "text/plain"},
    {"cue", HEARTH_MEDIA_SIDECAR, "text/plain"},
};

HearthMedia hearth_media_of_name(const char *name, const char **ret_type)
{
    const char *dot = strrchr(name, '.');
    if (ret_type)
        *ret_type = NULL;
    for (gsize i = 0; dot && dot != name && i < G_N_ELEMENTS(ROWS); i++) {
        if (g_ascii_strcasecmp(dot + 1, ROWS[i].ext) != 0)
            continue;
        if (ret_type)
            *ret_type = ROWS[i].type;
        return ROWS[i].media;
    }
    return HEARTH_MEDIA_OTHER;
}
