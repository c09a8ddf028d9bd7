#include "sprockets/engine/handler-private.h"

#include <string.h>

#include "sprockets/engine/region-private.h"

/*
 * Accesses that are not to private memory.
 *
 * The instruction itself is run again with another address: in the frame, or in a buffer where it crosses pages, so
 * that every instruction means what the processor means by it.
 */

/* --- Addresses --------------------------------------------------------------------------------- */

HEARTH_GENERAL_REGISTERS static uint64_t address_of(const HearthSlot *slot,
                                                    const HearthMemoryOperand *memory)
{
    const uint64_t *registers = slot->context->registers;
    uint64_t address = (uint64_t)memory->disp;
    if (memory->base < HEARTH_RIP)
        address += registers[memory->base];
    if (memory->index != HEARTH_NO_REGISTER)
        address += registers[memory->index] * memory->scale;
    if (memory->thread)
        address += slot->context->gs;
    return address;
}

HEARTH_GENERAL_REGISTERS static bool one_page(uint64_t address, uint64_t size)
{
    return address % HEARTH_PAGE + size <= HEARTH_PAGE;
}

/* --- The fast way ------------------------------------------------------------------------------ */

/* True if the call itself stored all that it loads: then nothing of it is to be noted. */
HEARTH_GENERAL_REGISTERS static bool own_words(const HearthFrame *frame, uint64_t address,
                                               uint64_t size)
{
    uint64_t first = address % HEARTH_PAGE / 8, last = (address % HEARTH_PAGE + size - 1) / 8;
    for (uint64_t word = first; word <= last; word++)
        if (!(frame->dirty[word / 64] >> word % 64 & 1))
            return false;
    return true;
}

/* A load or store of one page that has a frame already, by code that can be bounced. */
HEARTH_GENERAL_REGISTERS static uint64_t bounce_to_frame(HearthSlot *slot, HearthSite *site,
                                                         uint64_t address)
{
    HearthContext *context = slot->context;
    const HearthMemoryOperand *memory = &site->insn.memory;
    HearthFrame *frame = hearth_overlay_frame(&slot->overlay, address);
    uint64_t bounce = __atomic_load_n(&site->bounce, __ATOMIC_ACQUIRE);
    if (!frame || !bounce || site->view == HEARTH_VIEW_PLAIN)
        return 0;
    if ((memory->reads || memory->masked) && !own_words(frame, address, memory->size))
        return 0;
    if (memory->writes)
        hearth_frame_mark(frame, address, memory->size);
    slot->overlay.redirected++;
    context->bounce = (uint64_t)frame->bytes + address % HEARTH_PAGE;
    context->bounced = site->resume;
    return bounce;
}

/* A load that meets no frame: another page has the same mark, or the frame is the next page's. */
HEARTH_GENERAL_REGISTERS static bool meets_no_frame(const HearthSlot *slot, uint64_t address,
                                                    uint64_t size)
{
    return !hearth_overlay_frame(&slot->overlay, address) &&
           !hearth_overlay_frame(&slot->overlay, address + size - 1);
}

/* Data of the object's own instance is stored to where it is. */
HEARTH_GENERAL_REGISTERS static uint64_t to_own_data(HearthSlot *slot, const HearthSite *site,
                                                     uint64_t address)
{
    if (site->native)
        return site->native;
    slot->context->bounce = address;
    slot->context->bounced = site->resume;
    return __atomic_load_n(&site->bounce, __ATOMIC_ACQUIRE);
}

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_memory(HearthSlot *slot)
{
    HearthSite *site = hearth_cache_site((uint32_t)slot->context->site);
    const HearthMemoryOperand *memory = &site->insn.memory;
    if (memory->vector_index || slot->expired)
        return 0;
    uint64_t address = address_of(slot, memory);
    if (memory->writes && hearth_slot_has_data(slot, address, memory->size))
        return to_own_data(slot, site, address);
    if (site->native && memory->writes && hearth_slot_owns(slot, address, memory->size))
        return site->native;
    if (!memory->writes && site->view == HEARTH_VIEW_CAREFUL &&
        meets_no_frame(slot, address, memory->size))
        return site->native;
    return one_page(address, memory->size) ? bounce_to_frame(slot, site, address) : 0;
}

/* --- The full way ------------------------------------------------------------------------------ */

_Noreturn void hearth_handler_fault(HearthSlot *slot, HearthOverlayStatus status)
{
    if (status == HEARTH_OVERLAY_FULL)
        hearth_slot_abort(slot, HEARTH_ENGINE_OUT_OF_MEMORY, "overlay");
    hearth_slot_abort(slot, HEARTH_ENGINE_FAULTED, "SIGSEGV");
}

static void note_read(HearthSlot *slot, uint64_t address, uint64_t size)
{
    if (!hearth_overlay_note_read(slot, address, size))
        hearth_slot_abort(slot, HEARTH_ENGINE_OUT_OF_MEMORY, "reads");
}

static uint64_t bounce(HearthSlot *slot, HearthSite *site, void *to, bool finish)
{
    HearthContext *context = slot->context;
    uint64_t code = site->bounce ? site->bounce : hearth_cache_bounce(site);
    if (!code)
        hearth_slot_abort(slot, HEARTH_ENGINE_UNSUPPORTED, hearth_insn_name(&site->insn));
    slot->overlay.redirected++;
    context->bounce = (uint64_t)to;
    context->bounced = finish ? context->gates[HEARTH_GATE_WRITTEN] : site->resume;
    return code;
}

/* Both parts of an access that crosses into another page, side by side in the buffer. */
static uint64_t bounce_across(HearthSlot *slot, HearthSite *site, uint64_t address)
{
    const HearthMemoryOperand *memory = &site->insn.memory;
    uint32_t size = memory->size, offset = (uint32_t)(address % 64);
    uint8_t *buffer = slot->context->buffer + offset;
    uint64_t at = address, end = address + size;
    HearthPending pending = {.address = address, .size = size, .offset = offset};
    for (unsigned part = 0; at < end; part = 1) {
        uint64_t next = (at | (HEARTH_PAGE - 1)) + 1, stop = next < end ? next : end;
        bool owned = hearth_slot_owns(slot, at, stop - at), good = true;
        HearthFrame *frame;
        HearthOverlayStatus status = HEARTH_OVERLAY_OK;
        if (memory->writes && !owned)
            status = hearth_overlay_ensure(slot, at, &frame);
        good = status == HEARTH_OVERLAY_OK &&
               hearth_call_read(slot, buffer + (at - address), at, stop - at);
        if (!good && !memory->masked)
            hearth_handler_fault(slot, status);
        if (!good)
            memset(buffer + (at - address), 0, stop - at);
        pending.absent[part] = !good;
        at = stop;
    }
    if (memory->writes)
        slot->pending = pending;
    return bounce(slot, site, buffer, memory->writes);
}

/* Frames lie on none of the pages that a load of this one may touch, nor memory that others may change. */
static bool is_clean(HearthSlot *slot, uint64_t page)
{
    for (uint64_t one = page; one <= page + 1; one++) {
        uint64_t address = one * HEARTH_PAGE;
        if (hearth_slot_owns(slot, address, 1) || hearth_slot_has_data(slot, address, 1))
            continue;
        if (hearth_overlay_frame(&slot->overlay, address) || hearth_writable(address))
            return false;
    }
    return true;
}

static uint64_t load(HearthSlot *slot, HearthSite *site, uint64_t address)
{
    const HearthMemoryOperand *memory = &site->insn.memory;
    uint64_t page = address / HEARTH_PAGE, size = memory->size;
    const HearthFrame *frame = hearth_overlay_frame(&slot->overlay, address);
    const HearthFrame *after = hearth_overlay_frame(&slot->overlay, address + size - 1);
    bool validating = site->view == HEARTH_VIEW_VALIDATING;
    if (validating && is_clean(slot, page)) {
        slot->context->clean[page % HEARTH_CLEAN_ENTRIES] = page;
        return site->native;
    }
    if (frame || after || validating)
        note_read(slot, address, size);
    if (!frame && !after)
        return site->native;
    if (frame && one_page(address, size))
        return bounce(slot, site, frame->bytes + address % HEARTH_PAGE, false);
    return bounce_across(slot, site, address);
}

static uint64_t store(HearthSlot *slot, HearthSite *site, uint64_t address)
{
    const HearthMemoryOperand *memory = &site->insn.memory;
    HearthFrame *frame;
    if (!one_page(address, memory->size))
        return bounce_across(slot, site, address);
    HearthOverlayStatus status = hearth_overlay_ensure(slot, address, &frame);
    if (status == HEARTH_OVERLAY_FAULT && memory->masked)
        return bounce_across(slot, site, address);
    if (status != HEARTH_OVERLAY_OK)
        hearth_handler_fault(slot, status);
    if (memory->reads || memory->masked)
        note_read(slot, address, memory->size);
    hearth_frame_mark(frame, address, memory->size);
    return bounce(slot, site, frame->bytes + address % HEARTH_PAGE,
                  site->view == HEARTH_VIEW_PLAIN);
}

/* Each lane has an address of its own: only where no frame can be among them. */
static uint64_t gather(HearthSlot *slot, const HearthSite *site)
{
    if (slot->overlay.count > 0 || slot->policy.validate_reads)
        hearth_slot_abort(slot, HEARTH_ENGINE_UNSUPPORTED, hearth_insn_name(&site->insn));
    return site->native;
}

uint64_t hearth_full_memory(HearthSlot *slot)
{
    HearthSite *site = hearth_handler_site(slot);
    const HearthMemoryOperand *memory = &site->insn.memory;
    if (memory->vector_index)
        return gather(slot, site);
    uint64_t address = address_of(slot, memory);
    if (!memory->writes)
        return load(slot, site, address);
    if (hearth_slot_has_data(slot, address, memory->size))
        return site->native ? site->native : bounce(slot, site, (void *)address, false);
    if (site->native && hearth_slot_owns(slot, address, memory->size))
        return site->native;
    return store(slot, site, address);
}

static void write_back(HearthSlot *slot)
{
    const HearthPending pending = slot->pending;
    const uint8_t *buffer = slot->context->buffer + pending.offset;
    uint64_t at = pending.address, end = at + pending.size;
    slot->pending.address = 0;
    for (unsigned part = 0; at < end; part = 1) {
        uint64_t next = (at | (HEARTH_PAGE - 1)) + 1, stop = next < end ? next : end;
        const uint8_t *from = buffer + (at - pending.address);
        bool stored = !pending.absent[part];
        for (uint64_t i = 0; !stored && i < stop - at; i++)
            stored = from[i] != 0;
        if (stored && !hearth_call_write(slot, at, from, stop - at))
            hearth_handler_fault(slot, HEARTH_OVERLAY_FAULT);
        at = stop;
    }
}

uint64_t hearth_full_written(HearthSlot *slot)
{
    const HearthSite *site = hearth_handler_site(slot);
    if (slot->pending.address)
        write_back(slot);
    return hearth_handler_after(slot, site);
}
