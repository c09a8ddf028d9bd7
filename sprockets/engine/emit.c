#include "sprockets/engine/emit-private.h"

#include <string.h>

#define GS 0x65
#define REX_W 0x48
#define SIB_DISP32 0x25 /* no base, no index: the displacement alone */

/* Of the emitter's spills in the context; those before are for indirect branches. */
#define SPILL_RAX HEARTH_AT(spill[3])
#define SPILL_FLAGS HEARTH_AT(spill[4])
#define SPILL_FAR HEARTH_AT(spill[5])

void hearth_emit_bytes(HearthEmitter *emitter, const void *bytes, unsigned count)
{
    if (emitter->used + count > sizeof emitter->code) {
        emitter->full = true;
        return;
    }
    memcpy(emitter->code + emitter->used, bytes, count);
    emitter->used += count;
}

void hearth_emit_byte(HearthEmitter *emitter, uint8_t byte)
{
    hearth_emit_bytes(emitter, &byte, 1);
}

void hearth_emit_word(HearthEmitter *emitter, uint32_t word)
{
    hearth_emit_bytes(emitter, &word, sizeof word);
}

void hearth_emit_relocation(HearthEmitter *emitter, HearthRelocationKind kind, unsigned back,
                            unsigned trail, uint64_t value)
{
    if (emitter->relocation_count == HEARTH_RELOCATIONS_MAX) {
        emitter->full = true;
        return;
    }
    emitter->relocations[emitter->relocation_count++] = (HearthRelocation){
        .at = (uint16_t)(emitter->used - back - trail),
        .kind = (uint8_t)kind,
        .trail = (uint8_t)trail,
        .value = value,
    };
}

/* [prefix] REX.W opcode ModRM(reg, disp32) */
void hearth_emit_gs(HearthEmitter *emitter, uint8_t opcode, uint8_t reg, int32_t at)
{
    const uint8_t head[] = {GS, (uint8_t)(REX_W | (reg >= 8 ? 4 : 0)), opcode,
                            (uint8_t)(0x04 | (reg & 7) << 3), SIB_DISP32};
    hearth_emit_bytes(emitter, head, sizeof head);
    hearth_emit_word(emitter, (uint32_t)at);
}

void hearth_emit_spill(HearthEmitter *emitter, uint8_t reg, int32_t at)
{
    hearth_emit_gs(emitter, 0x89, reg, at);
}

void hearth_emit_unspill(HearthEmitter *emitter, uint8_t reg, int32_t at)
{
    hearth_emit_gs(emitter, 0x8B, reg, at);
}

void hearth_emit_move(HearthEmitter *emitter, uint8_t to, uint8_t from)
{
    const uint8_t bytes[] = {(uint8_t)(REX_W | (from >= 8 ? 4 : 0) | (to >= 8)), 0x89,
                             (uint8_t)(0xC0 | (from & 7) << 3 | (to & 7))};
    hearth_emit_bytes(emitter, bytes, sizeof bytes);
}

void hearth_emit_address(HearthEmitter *emitter, uint8_t reg, uint64_t value)
{
    const uint8_t head[] = {(uint8_t)(REX_W | (reg >= 8)), (uint8_t)(0xB8 | (reg & 7))};
    hearth_emit_bytes(emitter, head, sizeof head);
    hearth_emit_bytes(emitter, &value, sizeof value);
    hearth_emit_relocation(emitter, HEARTH_RELOCATION_WHOLE, 8, 0, value);
}

void hearth_emit_compare(HearthEmitter *emitter, uint8_t reg, uint32_t value)
{
    const uint8_t head[] = {(uint8_t)(REX_W | (reg >= 8)), 0x81, (uint8_t)(0xF8 | (reg & 7))};
    hearth_emit_bytes(emitter, head, sizeof head);
    hearth_emit_word(emitter, value);
}

static uint8_t scale_bits(uint8_t scale)
{
    return (uint8_t)(scale == 8 ? 0xC0 : scale == 4 ? 0x80 : scale == 2 ? 0x40 : 0);
}

void hearth_emit_lea(HearthEmitter *emitter, uint8_t reg, const HearthMemoryOperand *memory)
{
    if (memory->base == HEARTH_RIP) {
        hearth_emit_address(emitter, reg, (uint64_t)memory->disp);
        return;
    }
    bool base = memory->base != HEARTH_NO_REGISTER, index = memory->index != HEARTH_NO_REGISTER;
    uint8_t rex = (uint8_t)(REX_W | (reg >= 8 ? 4 : 0) | (index && memory->index >= 8 ? 2 : 0) |
                            (base && memory->base >= 8));
    uint8_t sib = (uint8_t)(scale_bits(memory->scale) | (index ? (memory->index & 7) << 3 : 0x20) |
                            (base ? memory->base & 7 : 5));
    /* Without a base the displacement has four bytes whatever mod says. */
    const uint8_t bytes[] = {rex, 0x8D, (uint8_t)((base ? 0x84 : 0x04) | (reg & 7) << 3), sib};
    hearth_emit_bytes(emitter, bytes, sizeof bytes);
    hearth_emit_word(emitter, (uint32_t)memory->disp);
}

void hearth_emit_number(HearthEmitter *emitter, HearthRelocationKind kind, uint32_t number,
                        uint32_t local)
{
    const uint8_t head[] = {GS, 0xC7, 0x04, SIB_DISP32};
    hearth_emit_bytes(emitter, head, sizeof head);
    hearth_emit_word(emitter, (uint32_t)HEARTH_AT(site));
    hearth_emit_word(emitter, number);
    hearth_emit_relocation(emitter, kind, 4, 0, local);
}

void hearth_emit_gate(HearthEmitter *emitter, HearthGate gate)
{
    const uint8_t head[] = {GS, 0xFF, 0x24, SIB_DISP32};
    hearth_emit_bytes(emitter, head, sizeof head);
    hearth_emit_word(emitter, (uint32_t)(HEARTH_AT(gates[0]) + 8 * (int32_t)gate));
}

uint32_t hearth_emit_jump(HearthEmitter *emitter, unsigned condition)
{
    if (condition < 16)
        hearth_emit_byte(emitter, 0x0F);
    hearth_emit_byte(emitter, (uint8_t)(condition < 16    ? 0x80 | condition
                                        : condition == 16 ? 0xE9
                                                          : 0xE8));
    hearth_emit_word(emitter, 0);
    return emitter->used - 4;
}

void hearth_emit_land(HearthEmitter *emitter, uint32_t field)
{
    uint32_t distance = emitter->used - (field + 4);
    if (!emitter->full)
        memcpy(emitter->code + field, &distance, sizeof distance);
}

void hearth_emit_align(HearthEmitter *emitter, unsigned opcode)
{
    while (((hearth_emit_here(emitter) + opcode) & 63) > 60 && !emitter->full)
        hearth_emit_byte(emitter, 0x90);
}

/* lahf takes all but the overflow flag; adding 0x7F to the byte that seto left brings that back. */
void hearth_emit_save_flags(HearthEmitter *emitter)
{
    static const uint8_t SAVE[] = {0x9F, 0x0F, 0x90, 0xC0};
    hearth_emit_spill(emitter, HEARTH_RAX, SPILL_RAX);
    hearth_emit_bytes(emitter, SAVE, sizeof SAVE);
    hearth_emit_spill(emitter, HEARTH_RAX, SPILL_FLAGS);
    hearth_emit_unspill(emitter, HEARTH_RAX, SPILL_RAX);
}

void hearth_emit_restore_flags(HearthEmitter *emitter)
{
    static const uint8_t RESTORE[] = {0x04, 0x7F, 0x9E};
    hearth_emit_spill(emitter, HEARTH_RAX, SPILL_RAX);
    hearth_emit_unspill(emitter, HEARTH_RAX, SPILL_FLAGS);
    hearth_emit_bytes(emitter, RESTORE, sizeof RESTORE);
    hearth_emit_unspill(emitter, HEARTH_RAX, SPILL_RAX);
}

/* --- Copies ------------------------------------------------------------------------------------ */

static void copy_relative(HearthEmitter *emitter, const HearthInsn *insn, uint8_t scratch)
{
    uint64_t target = (uint64_t)insn->memory.disp;
    int64_t distance = (int64_t)(target - (hearth_emit_here(emitter) + insn->length));
    if (distance == (int32_t)distance) {
        unsigned trail = insn->length - insn->disp_at - 4u;
        hearth_emit_bytes(emitter, insn->bytes, insn->disp_at);
        hearth_emit_word(emitter, (uint32_t)distance);
        hearth_emit_bytes(emitter, insn->bytes + insn->disp_at + 4, trail);
        hearth_emit_relocation(emitter, HEARTH_RELOCATION_RELATIVE, 4, trail, target);
        return;
    }
    uint8_t bytes[16];
    unsigned length = hearth_insn_rebase(insn, scratch, bytes);
    hearth_emit_spill(emitter, scratch, SPILL_FAR);
    hearth_emit_address(emitter, scratch, target);
    hearth_emit_bytes(emitter, bytes, length);
    hearth_emit_unspill(emitter, scratch, SPILL_FAR);
    emitter->full = emitter->full || length == 0;
}

/* The call's thread-local storage stands where gs points. */
static void copy_thread(HearthEmitter *emitter, const HearthInsn *insn)
{
    uint8_t bytes[15];
    memcpy(bytes, insn->bytes, sizeof bytes);
    for (unsigned i = 0; i < insn->modrm_at; i++)
        if (bytes[i] == 0x64) {
            bytes[i] = GS;
            break;
        }
    hearth_emit_bytes(emitter, bytes, insn->length);
}

void hearth_emit_copy(HearthEmitter *emitter, const HearthInsn *insn, uint8_t scratch)
{
    if (insn->needs_rip)
        copy_relative(emitter, insn, scratch);
    else if (insn->has_memory && insn->memory.thread)
        copy_thread(emitter, insn);
    else
        hearth_emit_bytes(emitter, insn->bytes, insn->length);
}
