/* TagLib by its C functions: the tags and properties of a file, which it wants by path. */
#include <stdio.h>

#include <tag_c.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

/* `first`: the path. */
GUEST(read_tags)
{
    TagLib_File *file = taglib_file_new((const char *)first);
    if (!file)
        return 1;
    if (!taglib_file_is_valid(file)) {
        taglib_file_free(file);
        return 2;
    }
    TagLib_Tag *tag = taglib_file_tag(file);
    int n = snprintf(area, 100000, "%s|%s|%s|%s|%s|%u|%u\n", taglib_tag_title(tag),
                     taglib_tag_artist(tag), taglib_tag_album(tag), taglib_tag_comment(tag),
                     taglib_tag_genre(tag), taglib_tag_year(tag), taglib_tag_track(tag));
    const TagLib_AudioProperties *properties = taglib_file_audioproperties(file);
    if (properties)
        n += snprintf(area + n, 1000, "%d s, %d kbit/s, %d Hz, %d\n",
                      taglib_audioproperties_length(properties),
                      taglib_audioproperties_bitrate(properties),
                      taglib_audioproperties_samplerate(properties),
                      taglib_audioproperties_channels(properties));
    taglib_tag_free_strings();
    taglib_file_free(file);
    return (uint64_t)n;
}
