#include "sprockets/engine/handler-private.h"

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

/* Where code goes on, or 0: that is still to be made. */
HEARTH_GENERAL_REGISTERS static uint64_t resume_of(const HearthSite *site)
{
    return site->leaves ? __atomic_load_n(&site->leave, __ATOMIC_ACQUIRE) : site->resume;
}

/* A load or store of one page that has a frame already, by code that can be bounced. */
HEARTH_GENERAL_REGISTERS static uint64_t bounce_to_frame(HearthSlot *slot, HearthSite *site,
                                                         uint64_t address)
{
    HearthContext *context = slot->context;
    const HearthMemoryOperand *memory = &site->insn.memory;
    HearthFrame *frame = hearth_overlay_frame(&slot->overlay, address);
    uint64_t bounce = __atomic_load_n(&site->bounce, __ATOMIC_ACQUIRE);
    uint64_t resume = resume_of(site);
    if (!frame || !bounce || !resume || site->view == HEARTH_VIEW_PLAIN)
        return 0;
    if ((memory->reads || memory->masked) &&
        !hearth_frame_note(&slot->overlay, frame, address, memory->size))
        return 0;
    if (memory->writes)
        hearth_frame_mark(frame, address, memory->size);
    slot->overlay.redirected++;
    context->bounce = (uint64_t)frame->bytes + address % HEARTH_PAGE;
    context->bounced = resume;
    return bounce;
}

/* A load that meets no frame: another page has the same mark, or the frame is the next page's. */
HEARTH_GENERAL_REGISTERS static bool meets_no_frame(const HearthSlot *slot, uint64_t address,
                                                    uint64_t size)
{
    return !hearth_overlay_frame(&slot->overlay, address) &&
           !hearth_overlay_frame(&slot->overlay, address + size - 1);
}

/* A store to memory that is the call's own: to where it is, though not by the code that stands there if what follows relies
 * on the base being private, which it was not. */
HEARTH_GENERAL_REGISTERS static uint64_t in_place(HearthSlot *slot, const HearthSite *site,
                                                  uint64_t address)
{
    uint64_t resume = resume_of(site);
    if (site->native && !site->leaves)
        return site->native;
    slot->context->bounce = address;
    slot->context->bounced = resume;
    return resume ? __atomic_load_n(&site->bounce, __ATOMIC_ACQUIRE) : 0;
}

HEARTH_GENERAL_REGISTERS static bool owns(const HearthSlot *slot, uint64_t address, uint64_t size)
{
    return hearth_slot_owns(slot, address, size) || hearth_slot_has_data(slot, address, size);
}

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_memory(HearthSlot *slot)
{
    HearthSite *site = hearth_cache_site((uint32_t)slot->context->site);
    const HearthMemoryOperand *memory = &site->insn.memory;
    if (memory->vector_index || slot->expired)
        return 0;
    uint64_t address = address_of(slot, memory);
    if (memory->writes && owns(slot, address, memory->size))
        return in_place(slot, site, address);
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
    context->bounced =
        finish ? context->gates[HEARTH_GATE_WRITTEN] : hearth_handler_resume(slot, site);
    return code;
}

/*
 * Where an access of `size` bytes, `first` of them in its first page, is made so that a part that is absent lies where
 * nothing is mapped: whether that matters, by its mask, the processor then says.
 */
static uint64_t place_in_buffer(const HearthSlot *slot, uint64_t address, uint64_t first,
                                const bool absent[2])
{
    uint64_t start = hearth_slot_at(slot, HEARTH_SLOT_BUFFER);
    if (absent[0] && absent[1])
        return start - 2 * HEARTH_PAGE + address % HEARTH_PAGE;
    if (absent[0])
        return start - first;
    if (absent[1])
        return start + HEARTH_SLOT_BUFFER_SIZE - first;
    return start + address % 64;
}

/* True if the page at `address` can be accessed as the instruction wants. */
static bool is_present(HearthSlot *slot, const HearthMemoryOperand *memory, uint64_t address,
                       HearthOverlayStatus *ret_status)
{
    HearthFrame *frame;
    uint8_t byte;
    *ret_status = HEARTH_OVERLAY_OK;
    if (memory->writes && !hearth_slot_owns(slot, address, 1) &&
        !hearth_slot_has_data(slot, address, 1))
        *ret_status = hearth_overlay_ensure(slot, address, &frame);
    return *ret_status == HEARTH_OVERLAY_OK && hearth_call_read(slot, &byte, address, 1);
}

/* The parts of an access that crosses into another page, side by side; one that is absent only by a mask. */
static uint64_t bounce_across(HearthSlot *slot, HearthSite *site, uint64_t address)
{
    const HearthMemoryOperand *memory = &site->insn.memory;
    uint64_t size = memory->size, left = HEARTH_PAGE - address % HEARTH_PAGE;
    uint64_t first = left < size ? left : size;
    HearthPending pending = {.address = address, .size = (uint32_t)size};
    for (unsigned part = 0; part < 2; part++) {
        HearthOverlayStatus status;
        uint64_t at = part && first < size ? address + first : address;
        pending.absent[part] = !is_present(slot, memory, at, &status);
        if (pending.absent[part] && !memory->masked)
            hearth_handler_fault(slot, status);
    }
    pending.buffer = place_in_buffer(slot, address, first, pending.absent);
    if (!pending.absent[0] && !hearth_call_read(slot, (void *)pending.buffer, address, first))
        hearth_handler_fault(slot, HEARTH_OVERLAY_FAULT);
    if (first < size && !pending.absent[1] &&
        !hearth_call_read(slot, (void *)(pending.buffer + first), address + first, size - first))
        hearth_handler_fault(slot, HEARTH_OVERLAY_FAULT);
    if (memory->writes)
        slot->pending = pending;
    return bounce(slot, site, (void *)pending.buffer, memory->writes);
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
    if (owns(slot, address, memory->size))
        return site->native && !site->leaves ? site->native
                                             : bounce(slot, site, (void *)address, false);
    return store(slot, site, address);
}

static void write_back(HearthSlot *slot)
{
    const HearthPending pending = slot->pending;
    uint64_t left = HEARTH_PAGE - pending.address % HEARTH_PAGE;
    uint64_t first = left < pending.size ? left : pending.size;
    slot->pending.address = 0;
    bool done = pending.absent[0] ||
                hearth_call_write(slot, pending.address, (void *)pending.buffer, first);
    if (done && first < pending.size && !pending.absent[1])
        done = hearth_call_write(slot, pending.address + first, (void *)(pending.buffer + first),
                                 pending.size - first);
    if (!done)
        hearth_handler_fault(slot, HEARTH_OVERLAY_FAULT);
}

uint64_t hearth_full_written(HearthSlot *slot)
{
    HearthSite *site = hearth_handler_site(slot);
    if (slot->pending.address)
        write_back(slot);
    return hearth_handler_after(slot, site);
}
