#include "sprockets/engine/overlay-private.h"

#include <string.h>
#include <sys/mman.h>

#include "sprockets/engine/region-private.h"
#include "sprockets/engine/slot-private.h"

_Static_assert(HEARTH_OVERLAY_INDEX > HEARTH_OVERLAY_PAGES, "a free place ends a search");
_Static_assert(HEARTH_OVERLAY_INDEX > HEARTH_OVERLAY_WORDS, "a free place ends a search");

static void *reserve(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

bool hearth_overlay_init(HearthOverlay *overlay)
{
    memset(overlay, 0, sizeof *overlay);
    overlay->frames = reserve(HEARTH_OVERLAY_PAGES * sizeof(HearthFrame));
    overlay->pool = reserve((size_t)HEARTH_OVERLAY_PAGES * HEARTH_PAGE);
    overlay->frame_index = reserve(HEARTH_OVERLAY_INDEX * sizeof(uint16_t));
    overlay->seen = reserve(HEARTH_OVERLAY_WORDS * sizeof(HearthSeenWord));
    overlay->seen_index = reserve(HEARTH_OVERLAY_INDEX * sizeof(uint16_t));
    return overlay->frames && overlay->pool && overlay->frame_index && overlay->seen &&
           overlay->seen_index;
}

static void give_back(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}

void hearth_overlay_clear(HearthOverlay *overlay)
{
    give_back(overlay->frames, HEARTH_OVERLAY_PAGES * sizeof(HearthFrame));
    give_back(overlay->pool, (size_t)HEARTH_OVERLAY_PAGES * HEARTH_PAGE);
    give_back(overlay->frame_index, HEARTH_OVERLAY_INDEX * sizeof(uint16_t));
    give_back(overlay->seen, HEARTH_OVERLAY_WORDS * sizeof(HearthSeenWord));
    give_back(overlay->seen_index, HEARTH_OVERLAY_INDEX * sizeof(uint16_t));
    memset(overlay, 0, sizeof *overlay);
}

static bool holds(const void *start, size_t size, uint64_t address)
{
    return address - (uint64_t)start < size;
}

bool hearth_overlay_owns(const HearthOverlay *overlay, uint64_t address)
{
    return holds(overlay->frames, HEARTH_OVERLAY_PAGES * sizeof(HearthFrame), address) ||
           holds(overlay->pool, (size_t)HEARTH_OVERLAY_PAGES * HEARTH_PAGE, address) ||
           holds(overlay->frame_index, HEARTH_OVERLAY_INDEX * sizeof(uint16_t), address) ||
           holds(overlay->seen, HEARTH_OVERLAY_WORDS * sizeof(HearthSeenWord), address) ||
           holds(overlay->seen_index, HEARTH_OVERLAY_INDEX * sizeof(uint16_t), address);
}

/* --- Frames ------------------------------------------------------------------------------------ */

HEARTH_GENERAL_REGISTERS static uint32_t place_of(uint64_t key)
{
    return (uint32_t)(key ^ key >> 13) & (HEARTH_OVERLAY_INDEX - 1);
}

/* The place of `page` in the index, or the free one where it would stand. */
HEARTH_GENERAL_REGISTERS static uint16_t *frame_place(const HearthOverlay *overlay, uint64_t page)
{
    uint32_t at = place_of(page);
    while (overlay->frame_index[at] && overlay->frames[overlay->frame_index[at] - 1].page != page)
        at = (at + 1) & (HEARTH_OVERLAY_INDEX - 1);
    return &overlay->frame_index[at];
}

HEARTH_GENERAL_REGISTERS HearthFrame *hearth_overlay_frame(const HearthOverlay *overlay,
                                                           uint64_t address)
{
    if (overlay->count == 0)
        return NULL;
    uint16_t number = *frame_place(overlay, address / HEARTH_PAGE);
    return number ? &overlay->frames[number - 1] : NULL;
}

/* Loads that begin in the page before may reach into this one. */
static void mark_page(HearthContext *context, uint64_t page, uint8_t mark)
{
    for (uint64_t one = page - 1; one != page + 1; one++) {
        context->marked[one % HEARTH_MARKED_ENTRIES] = mark;
        if (context->clean[one % HEARTH_CLEAN_ENTRIES] == one)
            context->clean[one % HEARTH_CLEAN_ENTRIES] = 0;
    }
}

HearthOverlayStatus hearth_overlay_ensure(HearthSlot *slot, uint64_t address,
                                          HearthFrame **ret_frame)
{
    HearthOverlay *overlay = &slot->overlay;
    uint64_t page = address / HEARTH_PAGE;
    HearthFrame *frame = hearth_overlay_frame(overlay, address);
    if (!frame) {
        if (hearth_engine_owns(address) || !hearth_writable(address))
            return HEARTH_OVERLAY_FAULT;
        if (overlay->count == slot->limits.overlay_pages)
            return HEARTH_OVERLAY_FULL;
        frame = &overlay->frames[overlay->count];
        *frame = (HearthFrame){.page = page,
                               .bytes = overlay->pool + (size_t)overlay->count * HEARTH_PAGE};
        if (hearth_copy_safely(frame->bytes, (void *)(page * HEARTH_PAGE), HEARTH_PAGE) !=
            HEARTH_PAGE)
            return HEARTH_OVERLAY_FAULT;
        *frame_place(overlay, page) = (uint16_t)++overlay->count;
        mark_page(slot->context, page, 1);
        hearth_slot_tell(slot, &(HearthEngineEvent){.kind = HEARTH_ENGINE_REDIRECTED,
                                                    .pc = slot->fault_pc,
                                                    .address = address});
    }
    *ret_frame = frame;
    return HEARTH_OVERLAY_OK;
}

HEARTH_GENERAL_REGISTERS void hearth_frame_mark(HearthFrame *frame, uint64_t address, uint64_t size)
{
    uint64_t first = address % HEARTH_PAGE / 8, last = (address % HEARTH_PAGE + size - 1) / 8;
    for (uint64_t word = first; word <= last && word < HEARTH_PAGE / 8; word++)
        frame->dirty[word / 64] |= (uint64_t)1 << word % 64;
}

void hearth_overlay_reset(HearthSlot *slot)
{
    HearthOverlay *overlay = &slot->overlay;
    for (uint32_t i = 0; i < overlay->count; i++)
        mark_page(slot->context, overlay->frames[i].page, 0);
    if (overlay->count)
        memset(overlay->frame_index, 0, HEARTH_OVERLAY_INDEX * sizeof(uint16_t));
    if (overlay->seen_count)
        memset(overlay->seen_index, 0, HEARTH_OVERLAY_INDEX * sizeof(uint16_t));
    overlay->count = overlay->seen_count = 0;
    overlay->redirected = 0;
}

/* --- Words seen -------------------------------------------------------------------------------- */

HEARTH_GENERAL_REGISTERS static bool note_word(HearthOverlay *overlay, uint64_t address,
                                               uint64_t value)
{
    uint32_t at = place_of(address / 8);
    while (overlay->seen_index[at]) {
        if (overlay->seen[overlay->seen_index[at] - 1].address == address)
            return true; /* the first value counts */
        at = (at + 1) & (HEARTH_OVERLAY_INDEX - 1);
    }
    if (overlay->seen_count == HEARTH_OVERLAY_WORDS)
        return false;
    overlay->seen[overlay->seen_count] = (HearthSeenWord){address, value};
    overlay->seen_index[at] = (uint16_t)++overlay->seen_count;
    return true;
}

HEARTH_GENERAL_REGISTERS bool hearth_frame_note(HearthOverlay *overlay, const HearthFrame *frame,
                                                uint64_t address, uint64_t size)
{
    for (uint64_t at = address & ~7ull; at < address + size; at += 8) {
        uint64_t word = at % HEARTH_PAGE / 8;
        if (frame->dirty[word / 64] >> word % 64 & 1)
            continue; /* the call's own */
        if (!note_word(overlay, at, ((const uint64_t *)frame->bytes)[word]))
            return false;
    }
    return true;
}

bool hearth_overlay_note_read(HearthSlot *slot, uint64_t address, uint64_t size)
{
    for (uint64_t at = address & ~7ull; at < address + size; at += 8) {
        const HearthFrame *frame = hearth_overlay_frame(&slot->overlay, at);
        uint64_t word = at % HEARTH_PAGE / 8, value;
        if (hearth_slot_owns(slot, at, 8) || hearth_slot_has_data(slot, at, 8) ||
            (frame && frame->dirty[word / 64] >> word % 64 & 1) || (!frame && !hearth_writable(at)))
            continue;
        const void *from =
            frame ? (const void *)(frame->bytes + at % HEARTH_PAGE) : (const void *)at;
        if (hearth_copy_safely(&value, from, 8) == 8 && !note_word(&slot->overlay, at, value))
            return false;
    }
    return true;
}

bool hearth_overlay_valid(const HearthOverlay *overlay)
{
    for (uint32_t i = 0; i < overlay->seen_count; i++) {
        uint64_t value;
        if (hearth_copy_safely(&value, (void *)overlay->seen[i].address, 8) != 8 ||
            value != overlay->seen[i].value)
            return false;
    }
    return true;
}

/* --- Copies ------------------------------------------------------------------------------------ */

static uint64_t part_of_page(uint64_t address, uint64_t size)
{
    uint64_t left = HEARTH_PAGE - address % HEARTH_PAGE;
    return size < left ? size : left;
}

bool hearth_call_read(HearthSlot *slot, void *to, uint64_t from, uint64_t size)
{
    uint8_t *out = to;
    while (size > 0) {
        uint64_t part = part_of_page(from, size);
        const HearthFrame *frame = hearth_overlay_frame(&slot->overlay, from);
        const void *source =
            frame ? (const void *)(frame->bytes + from % HEARTH_PAGE) : (const void *)from;
        if (hearth_copy_safely(out, source, part) != part)
            return false;
        out += part;
        from += part;
        size -= part;
    }
    return true;
}

bool hearth_call_write(HearthSlot *slot, uint64_t to, const void *from, uint64_t size)
{
    const uint8_t *in = from;
    while (size > 0) {
        uint64_t part = part_of_page(to, size);
        HearthFrame *frame;
        void *target = (void *)to;
        if (!hearth_slot_owns(slot, to, part) && !hearth_slot_has_data(slot, to, part)) {
            if (hearth_overlay_ensure(slot, to, &frame) != HEARTH_OVERLAY_OK)
                return false;
            hearth_frame_mark(frame, to, part);
            target = frame->bytes + to % HEARTH_PAGE;
        }
        if (hearth_copy_safely(target, in, part) != part)
            return false;
        in += part;
        to += part;
        size -= part;
    }
    return true;
}

bool hearth_call_read_string(HearthSlot *slot, char *to, uint64_t from, uint64_t size)
{
    for (uint64_t at = 0; at < size; at++) {
        if (!hearth_call_read(slot, to + at, from + at, 1))
            return false;
        if (to[at] == 0)
            return true;
    }
    return false;
}
