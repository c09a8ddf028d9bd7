#include "sprockets/engine/syscall-private.h"

#include <errno.h>
#include <sys/mman.h>

/*
 * Memory that the call maps. What it may write to lies in a zone of the window, from the top down,
 * so that its stores are direct; files that it only reads are mapped wherever the kernel likes.
 * Nothing else is ever unmapped or protected, and nothing is ever executable. All of it is
 * recorded, and gone at the end.
 */

#define LONGEST ((uint64_t)1 << 40) /* bytes */

static uint64_t whole_pages(uint64_t size)
{
    return (size + HEARTH_PAGE - 1) & ~(uint64_t)(HEARTH_PAGE - 1);
}

static bool in_zone(const HearthSlot *slot, uint64_t address)
{
    return address - hearth_slot_at(slot, HEARTH_SLOT_MAPS) < HEARTH_SLOT_MAPS_SIZE;
}

static bool fits_limit(const HearthSlot *slot, uint64_t size)
{
    return slot->committed <= slot->limits.memory && size <= slot->limits.memory - slot->committed;
}

/* The highest free place of `size` bytes in the zone; 0: none. */
static uint64_t find_place(const HearthSlot *slot, uint64_t size)
{
    uint64_t start = hearth_slot_at(slot, HEARTH_SLOT_MAPS);
    uint64_t end = start + HEARTH_SLOT_MAPS_SIZE;
    bool moved = true;
    while (moved) {
        moved = false;
        if (size > end - start)
            return 0;
        for (unsigned i = 0; i < slot->mapping_count; i++) {
            const HearthMapping *mapping = &slot->mappings[i];
            if (mapping->start >= start && mapping->start < end && mapping->end > end - size) {
                end = mapping->start;
                moved = true;
                break;
            }
        }
    }
    return end - size;
}

static void record(HearthSlot *slot, uint64_t start, uint64_t size)
{
    slot->mappings[slot->mapping_count++] = (HearthMapping){start, start + size};
    if (!in_zone(slot, start))
        return;
    slot->maps_committed += size;
    slot->committed += size;
    if (slot->maps_low == 0 || start < slot->maps_low)
        slot->maps_low = start;
}

/* `descriptor` -1: anonymous. In the zone if it can be written to. */
static int64_t map(HearthSlot *slot, uint64_t size, int protection, int descriptor, uint64_t offset)
{
    int flags = MAP_PRIVATE | (descriptor < 0 ? MAP_ANONYMOUS : 0);
    void *place = NULL;
    if (slot->mapping_count == HEARTH_MAPPINGS_MAX)
        return -ENOMEM;
    if (descriptor < 0 || (protection & PROT_WRITE)) {
        place = fits_limit(slot, size) ? (void *)find_place(slot, size) : NULL;
        if (!place)
            return -ENOMEM;
        flags |= MAP_FIXED;
    }
    void *memory = mmap(place, size, protection, flags, descriptor, (off_t)offset);
    if (memory == MAP_FAILED)
        return -errno;
    record(slot, (uint64_t)memory, size);
    return (int64_t)memory;
}

int64_t hearth_system_brk(HearthSlot *slot, const uint64_t *arguments)
{
    return 0; /* where the heap ends, as ever: it does not grow */
}

int64_t hearth_system_mmap(HearthSlot *slot, const uint64_t *arguments)
{
    uint64_t flags = arguments[3];
    int protection = (int)arguments[2] & (PROT_READ | PROT_WRITE);
    if (arguments[2] & PROT_EXEC)
        hearth_system_refuse(slot, "mmap");
    if (arguments[1] == 0 || arguments[5] % HEARTH_PAGE)
        return -EINVAL;
    if (arguments[1] > LONGEST || (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_HUGETLB)))
        return -ENOMEM;
    uint64_t size = whole_pages(arguments[1]);
    if (flags & MAP_ANONYMOUS)
        return map(slot, size, protection, -1, 0);
    const HearthOpenFile *file = hearth_system_file(slot, arguments[4]);
    if (!file)
        return -EBADF;
    /* Read only, a shared mapping is as good as a private one; written to, it would have to
     * reach the file. */
    if ((flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE))
        return -EACCES;
    return map(slot, size, protection, file->descriptor, arguments[5]);
}

/* The mapping that all of [start, end) is in; NULL: none that the call made. */
static HearthMapping *find_mapping(HearthSlot *slot, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < slot->mapping_count; i++) {
        HearthMapping *mapping = &slot->mappings[i];
        if (start >= mapping->start && end <= mapping->end)
            return mapping;
    }
    return NULL;
}

/* Gives memory back: in the zone what is left is inaccessible, and zero when it is mapped again. */
static bool give_back(HearthSlot *slot, uint64_t start, uint64_t end)
{
    if (!in_zone(slot, start))
        return munmap((void *)start, end - start) == 0;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    return mmap((void *)start, end - start, PROT_NONE, flags, -1, 0) != MAP_FAILED;
}

int64_t hearth_system_munmap(HearthSlot *slot, const uint64_t *arguments)
{
    uint64_t start = arguments[0], end = start + whole_pages(arguments[1]);
    if (start % HEARTH_PAGE || arguments[1] == 0 || arguments[1] > LONGEST || end < start)
        return -EINVAL;
    HearthMapping *mapping = find_mapping(slot, start, end);
    if (!mapping)
        return -EINVAL; /* the host's, or of several mappings */
    bool splits = start > mapping->start && end < mapping->end;
    if (splits && slot->mapping_count == HEARTH_MAPPINGS_MAX)
        return -ENOMEM;
    if (!give_back(slot, start, end))
        return -ENOMEM;
    if (in_zone(slot, start)) {
        slot->maps_committed -= end - start;
        slot->committed -= end - start;
    }
    if (splits) {
        slot->mappings[slot->mapping_count++] = (HearthMapping){end, mapping->end};
        mapping->end = start;
    } else if (start > mapping->start) {
        mapping->end = start;
    } else if (end < mapping->end) {
        mapping->start = end;
    } else {
        *mapping = slot->mappings[--slot->mapping_count];
    }
    return 0;
}

int64_t hearth_system_mprotect(HearthSlot *slot, const uint64_t *arguments)
{
    uint64_t start = arguments[0], end = start + whole_pages(arguments[1]);
    int protection = (int)arguments[2] & (PROT_READ | PROT_WRITE);
    if (arguments[2] & PROT_EXEC)
        hearth_system_refuse(slot, "mprotect");
    if (start % HEARTH_PAGE || arguments[1] > LONGEST || end < start)
        return -EINVAL;
    if (start == end)
        return 0;
    if (!find_mapping(slot, start, end))
        return -ENOMEM;
    if ((protection & PROT_WRITE) && !in_zone(slot, start))
        return -EACCES;
    return mprotect((void *)start, end - start, protection) == 0 ? 0 : -errno;
}

int64_t hearth_system_madvise(HearthSlot *slot, const uint64_t *arguments)
{
    uint64_t start = arguments[0], end = start + whole_pages(arguments[1]);
    if (start % HEARTH_PAGE || arguments[1] > LONGEST || end < start)
        return -EINVAL;
    if (start == end)
        return 0;
    if (!find_mapping(slot, start, end))
        return -ENOMEM;
    /* The only advice that the caller can see taken: the memory is zero, or as in the file,
     * after it. */
    if ((int)arguments[2] == MADV_DONTNEED)
        return madvise((void *)start, end - start, MADV_DONTNEED) == 0 ? 0 : -errno;
    return 0;
}

void hearth_system_memory_end(HearthSlot *slot)
{
    for (unsigned i = 0; i < slot->mapping_count; i++)
        if (!in_zone(slot, slot->mappings[i].start))
            munmap((void *)slot->mappings[i].start,
                   slot->mappings[i].end - slot->mappings[i].start);
    slot->mapping_count = 0;
    if (slot->maps_low == 0)
        return;
    uint64_t end = hearth_slot_at(slot, HEARTH_SLOT_WINDOW_END);
    if (!give_back(slot, slot->maps_low, end)) {
        /* Too many mappings in the process: what is there goes all the same. */
        madvise((void *)slot->maps_low, end - slot->maps_low, MADV_DONTNEED);
        mprotect((void *)slot->maps_low, end - slot->maps_low, PROT_NONE);
    }
    slot->maps_low = 0;
    slot->committed -= slot->maps_committed;
    slot->maps_committed = 0;
}
