#include "sprockets/engine/handler-private.h"

#include <string.h>

/*
 * String operations: run as they are where all that they touch is private, else done here, piece by piece.
 */

#define DIRECTION_FLAG 0x400u
#define ZERO_FLAG 0x40u

/* The opcode without its lowest bit, which is the size. */
enum { MOVS = 0xA4, CMPS = 0xA6, STOS = 0xAA, LODS = 0xAC, SCAS = 0xAE };

HEARTH_GENERAL_REGISTERS static int operation(const HearthInsn *insn)
{
    return insn->bytes[insn->length - 1] & 0xFE;
}

HEARTH_GENERAL_REGISTERS static uint64_t elements(const HearthSlot *slot, const HearthInsn *insn)
{
    return insn->repeat ? slot->context->registers[HEARTH_RCX] : 1;
}

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_string(HearthSlot *slot)
{
    const HearthSite *site = hearth_cache_site((uint32_t)slot->context->site);
    const uint64_t *registers = slot->context->registers;
    int kind = operation(&site->insn);
    uint64_t count = elements(slot, &site->insn), size = count * site->insn.operand;
    if (count == 0)
        return site->native;
    if (slot->context->flags & DIRECTION_FLAG || count > HEARTH_SLOT_WINDOW_SIZE)
        return 0;
    bool source = kind == MOVS || kind == LODS || kind == CMPS, target = kind != LODS;
    bool plain = site->view == HEARTH_VIEW_PLAIN;
    if (target && !hearth_slot_owns(slot, registers[HEARTH_RDI], size))
        return 0;
    if (source && !plain && !hearth_slot_owns(slot, registers[HEARTH_RSI], size))
        return 0;
    return site->native;
}

/* --- Piece by piece ---------------------------------------------------------------------------- */

static void check_time(HearthSlot *slot)
{
    if (slot->expired)
        hearth_slot_expire(slot);
}

static void read_part(HearthSlot *slot, void *to, uint64_t from, uint64_t size)
{
    bool noted = slot->policy.validate_reads || hearth_overlay_frame(&slot->overlay, from) ||
                 hearth_overlay_frame(&slot->overlay, from + size - 1);
    if (!hearth_call_read(slot, to, from, size))
        hearth_handler_fault(slot, HEARTH_OVERLAY_FAULT);
    if (noted && !hearth_overlay_note_read(slot, from, size))
        hearth_slot_abort(slot, HEARTH_ENGINE_OUT_OF_MEMORY, "reads");
}

static void write_part(HearthSlot *slot, uint64_t to, const void *from, uint64_t size)
{
    HearthFrame *frame;
    if (hearth_call_write(slot, to, from, size))
        return;
    HearthOverlayStatus status = hearth_overlay_ensure(slot, to, &frame);
    hearth_handler_fault(slot, status == HEARTH_OVERLAY_FULL ? status : HEARTH_OVERLAY_FAULT);
}

/* Forward, in pieces that may be read whole before they are written: true if that is the same. */
static bool in_pieces(const HearthSlot *slot, int kind, uint64_t size)
{
    uint64_t from = slot->context->registers[HEARTH_RSI];
    uint64_t to = slot->context->registers[HEARTH_RDI];
    if (slot->context->flags & DIRECTION_FLAG)
        return false;
    return kind == STOS || (kind == MOVS && to - from >= size);
}

static void copy_pieces(HearthSlot *slot, const HearthInsn *insn, uint64_t count)
{
    uint64_t *registers = slot->context->registers;
    bool fill = operation(insn) == STOS;
    uint8_t piece[HEARTH_PAGE];
    uint64_t left = count * insn->operand;
    for (unsigned i = 0; fill && i < sizeof piece; i += insn->operand)
        memcpy(piece + i, &registers[HEARTH_RAX], insn->operand);
    while (left > 0) {
        uint64_t part = left < sizeof piece ? left : sizeof piece;
        if (!fill)
            read_part(slot, piece, registers[HEARTH_RSI], part);
        write_part(slot, registers[HEARTH_RDI], piece, part);
        registers[HEARTH_RDI] += part;
        registers[HEARTH_RSI] += fill ? 0 : part;
        left -= part;
        check_time(slot);
    }
}

/* What `cmp` says of two elements. */
static uint64_t compare(uint64_t left, uint64_t right, unsigned size)
{
    uint64_t flags;
    unsigned shift = 64 - 8 * size;
    left <<= shift;
    right <<= shift;
    __asm__("cmp %2, %1\n\tpushfq\n\tpop %0" : "=r"(flags) : "r"(left), "r"(right) : "cc");
    /* Parity and the half carry are of the low byte, which has moved. */
    uint8_t low = (uint8_t)((left >> shift) - (right >> shift));
    bool half = ((left >> shift) & 15) < ((right >> shift) & 15);
    flags &= ~0x14ull;
    return flags | (__builtin_parity(low) ? 0 : 4u) | (half ? 0x10u : 0);
}

/* One element; true: a comparison says that repetition ends. */
static bool one_element(HearthSlot *slot, const HearthInsn *insn)
{
    uint64_t *registers = slot->context->registers, source = 0, target = 0;
    unsigned size = insn->operand;
    int kind = operation(insn);
    uint64_t step = slot->context->flags & DIRECTION_FLAG ? -(uint64_t)size : size;
    if (kind == MOVS || kind == LODS || kind == CMPS)
        read_part(slot, &source, registers[HEARTH_RSI], size);
    if (kind == SCAS || kind == CMPS)
        read_part(slot, &target, registers[HEARTH_RDI], size);
    if (kind == MOVS || kind == STOS)
        write_part(slot, registers[HEARTH_RDI], kind == STOS ? &registers[HEARTH_RAX] : &source,
                   size);
    if (kind == LODS && size == 4)
        registers[HEARTH_RAX] = source;
    else if (kind == LODS)
        memcpy(&registers[HEARTH_RAX], &source, size);
    if (kind == MOVS || kind == LODS || kind == CMPS)
        registers[HEARTH_RSI] += step;
    if (kind != LODS)
        registers[HEARTH_RDI] += step;
    if (kind != SCAS && kind != CMPS)
        return false;
    uint64_t left = kind == SCAS ? registers[HEARTH_RAX] : source;
    slot->context->flags = (slot->context->flags & ~(uint64_t)HEARTH_ARITHMETIC_FLAGS) |
                           (compare(left, target, size) & HEARTH_ARITHMETIC_FLAGS);
    bool equal = slot->context->flags & ZERO_FLAG;
    return insn->repeat == 0xF3 ? !equal : insn->repeat == 0xF2 ? equal : false;
}

uint64_t hearth_full_string(HearthSlot *slot)
{
    HearthSite *site = hearth_handler_site(slot);
    const HearthInsn *insn = &site->insn;
    uint64_t *registers = slot->context->registers;
    uint64_t count = elements(slot, insn);
    if (count < UINT64_MAX / 16 && in_pieces(slot, operation(insn), count * insn->operand)) {
        copy_pieces(slot, insn, count);
        if (insn->repeat)
            registers[HEARTH_RCX] = 0;
        return hearth_handler_after(slot, site);
    }
    for (bool done = false; count > 0 && !done; count--) {
        done = one_element(slot, insn);
        if (insn->repeat)
            registers[HEARTH_RCX]--;
        if (count % 1024 == 0)
            check_time(slot);
    }
    return hearth_handler_after(slot, site);
}
