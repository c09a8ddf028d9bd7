/* libexif: every tag of every folder, as text. */
#include <stdio.h>
#include <string.h>

#include <libexif/exif-data.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

/* `first`: a JPEG, `second`: its size. */
GUEST(list_exif)
{
    ExifData *data = exif_data_new_from_data((unsigned char *)first, (unsigned)second);
    if (!data)
        return 0;
    int n = sprintf(area, "order %d\n", (int)exif_data_get_byte_order(data));
    uint64_t entries = 0;
    for (int i = 0; i < EXIF_IFD_COUNT; i++) {
        ExifContent *folder = data->ifd[i];
        for (unsigned j = 0; folder && j < folder->count; j++, entries++) {
            char value[512] = "";
            ExifEntry *entry = folder->entries[j];
            exif_entry_get_value(entry, value, sizeof value);
            n += snprintf(area + n, 1000, "%d %04x %s: %s\n", i, entry->tag,
                          exif_tag_get_name_in_ifd(entry->tag, (ExifIfd)i) ?: "?", value);
        }
    }
    exif_data_unref(data);
    return entries;
}
