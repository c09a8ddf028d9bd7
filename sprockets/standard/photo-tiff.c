#include "sprockets/standard/photo-private.h"

#include <string.h>

#define ENTRY_SIZE 12 /* bytes */
#define TAG_SUB_IFDS 0x014a
#define SUB_IFDS_MAX 16

static uint16_t get_u16(const PhotoTiff *tiff, const uint8_t *at)
{
    return (uint16_t)(tiff->little ? at[0] | at[1] << 8 : at[0] << 8 | at[1]);
}

static uint32_t get_u32(const PhotoTiff *tiff, const uint8_t *at)
{
    uint32_t first = get_u16(tiff, at), second = get_u16(tiff, at + 2);
    return tiff->little ? first | second << 16 : first << 16 | second;
}

/* 42, or what Olympus (RO, RS) and Panasonic (U) write in its place. */
static bool is_magic(uint16_t magic)
{
    return magic == 42 || magic == 0x4f52 || magic == 0x5352 || magic == 0x0055;
}

bool photo_tiff_open(PhotoTiff *tiff, const void *data, size_t size, uint32_t *ret_first)
{
    *tiff = (PhotoTiff){data, size, false};
    if (size < 8 || (memcmp(data, "II", 2) != 0 && memcmp(data, "MM", 2) != 0))
        return false;
    tiff->little = tiff->data[0] == 'I';
    if (!is_magic(get_u16(tiff, tiff->data + 2)))
        return false;
    *ret_first = get_u32(tiff, tiff->data + 4);
    return true;
}

bool photo_tiff_ifd(const PhotoTiff *tiff, uint32_t offset, PhotoIfd *ret_ifd)
{
    if (offset < 8 || offset > tiff->size || tiff->size - offset < 2)
        return false;
    size_t count = get_u16(tiff, tiff->data + offset), room = tiff->size - offset - 2;
    /* A folder cut short keeps the entries it has. */
    bool whole = count * ENTRY_SIZE <= room;
    if (!whole)
        count = room / ENTRY_SIZE;
    *ret_ifd = (PhotoIfd){(size_t)offset + 2, (uint16_t)count, 0};
    if (whole && room - count * ENTRY_SIZE >= 4)
        ret_ifd->next = get_u32(tiff, tiff->data + ret_ifd->offset + count * ENTRY_SIZE);
    return count > 0;
}

bool photo_tiff_entry(const PhotoTiff *tiff, const PhotoIfd *ifd, unsigned index,
                      PhotoEntry *ret_entry)
{
    static const uint8_t SIZES[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    const uint8_t *at = tiff->data + ifd->offset + (size_t)index * ENTRY_SIZE;
    PhotoEntry entry = {get_u16(tiff, at), get_u16(tiff, at + 2), get_u32(tiff, at + 4), at + 8, 0};
    if (entry.type == 0 || entry.type >= sizeof SIZES)
        return false;
    uint64_t size = (uint64_t)entry.count * SIZES[entry.type];
    if (size > 4) {
        uint32_t offset = get_u32(tiff, at + 8);
        if (offset > tiff->size || size > tiff->size - offset)
            return false;
        entry.value = tiff->data + offset;
    }
    entry.size = (size_t)size;
    *ret_entry = entry;
    return true;
}

bool photo_tiff_find(const PhotoTiff *tiff, const PhotoIfd *ifd, uint16_t tag,
                     PhotoEntry *ret_entry)
{
    for (unsigned i = 0; i < ifd->count; i++)
        if (get_u16(tiff, tiff->data + ifd->offset + (size_t)i * ENTRY_SIZE) == tag)
            return photo_tiff_entry(tiff, ifd, i, ret_entry);
    return false;
}

uint32_t photo_tiff_uint(const PhotoTiff *tiff, const PhotoEntry *entry, uint32_t index)
{
    if (index >= entry->count)
        return 0;
    switch (entry->type) {
    case 1:
        return entry->value[index];
    case 3:
        return get_u16(tiff, entry->value + (size_t)index * 2);
    case 4:
    case 13:
        return get_u32(tiff, entry->value + (size_t)index * 4);
    default:
        return 0;
    }
}

bool photo_tiff_get(const PhotoTiff *tiff, const PhotoIfd *ifd, uint16_t tag, uint32_t *ret_value)
{
    PhotoEntry entry;
    if (!photo_tiff_find(tiff, ifd, tag, &entry) || entry.count == 0)
        return false;
    *ret_value = photo_tiff_uint(tiff, &entry, 0);
    return true;
}

/* What makes a loop of folders end: each is taken once, and there are PHOTO_IFDS_MAX at most. */
static bool is_known(const PhotoIfd *ifds, size_t count, const PhotoIfd *ifd)
{
    for (size_t i = 0; i < count; i++)
        if (ifds[i].offset == ifd->offset)
            return true;
    return false;
}

static size_t add_sub_ifds(const PhotoTiff *tiff, PhotoIfd *ifds, size_t count, const PhotoIfd *of)
{
    PhotoEntry entry;
    PhotoIfd sub;
    if (!photo_tiff_find(tiff, of, TAG_SUB_IFDS, &entry))
        return count;
    for (uint32_t i = 0; i < entry.count && i < SUB_IFDS_MAX && count < PHOTO_IFDS_MAX; i++)
        if (photo_tiff_ifd(tiff, photo_tiff_uint(tiff, &entry, i), &sub) &&
            !is_known(ifds, count, &sub))
            ifds[count++] = sub;
    return count;
}

size_t photo_tiff_walk(const PhotoTiff *tiff, uint32_t first, PhotoIfd ifds[PHOTO_IFDS_MAX])
{
    size_t count = 0;
    uint32_t offset = first;
    PhotoIfd ifd;
    while (count < PHOTO_IFDS_MAX && photo_tiff_ifd(tiff, offset, &ifd) &&
           !is_known(ifds, count, &ifd)) {
        ifds[count++] = ifd;
        count = add_sub_ifds(tiff, ifds, count, &ifd);
        offset = ifd.next;
    }
    return count;
}
