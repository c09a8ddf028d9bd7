#include "sprockets/engine/special-private.h"

#define CHUNK (16 * 1024) /* bytes on the host's stack */

/*
 * What runs when no call is in progress. Under the engine its address is what the special is found
 * by, so it must stay a function of its own.
 */
__attribute__((noinline)) bool hearth_engine_emit(const void *bytes, size_t length)
{
    __asm__ volatile("" ::"r"(bytes), "r"(length));
    return false;
}

/* True if the host can read all of it where it is: private, and there. */
static bool is_committed(const HearthSlot *slot, uint64_t address, uint64_t size)
{
    for (unsigned i = 0; i < HEARTH_ZONES; i++) {
        const HearthZone *zone = &slot->zones[i];
        uint64_t start = zone->down ? zone->start - zone->committed : zone->start;
        if (address - start < zone->committed && size <= zone->committed - (address - start))
            return true;
    }
    return false;
}

static void give(HearthSlot *slot, const void *bytes, uint64_t size)
{
    const HearthEngineCall *call = slot->call;
    if (!call->emit(call->emit_data, bytes, size))
        hearth_slot_abort(slot, HEARTH_ENGINE_REFUSED, "emit");
    slot->emit_left -= size;
    slot->result->stats.emitted += size;
}

static void give_copies(HearthSlot *slot, uint64_t from, uint64_t size)
{
    char bytes[CHUNK];
    while (size > 0) {
        uint64_t part = size < sizeof bytes ? size : sizeof bytes;
        if (!hearth_call_read(slot, bytes, from, part))
            hearth_slot_abort(slot, HEARTH_ENGINE_FAULTED, "SIGSEGV");
        give(slot, bytes, part);
        from += part;
        size -= part;
    }
}

void hearth_special_emit(HearthSlot *slot)
{
    uint64_t *registers = slot->context->registers;
    uint64_t from = registers[HEARTH_RDI], size = registers[HEARTH_RSI];
    registers[HEARTH_RAX] = 0;
    if (!slot->call->emit)
        return;
    if (size > slot->emit_left)
        hearth_slot_abort(slot, HEARTH_ENGINE_REFUSED, "emit");
    if (size > 0 && is_committed(slot, from, size))
        give(slot, (const void *)from, size);
    else
        give_copies(slot, from, size);
    registers[HEARTH_RAX] = 1;
}
