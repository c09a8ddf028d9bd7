#pragma once

#include "sprockets/engine/cache-private.h"

/**
 * Writes machine code of x86-64 into a buffer that will stand at a known address, and notes what in it depends on
 * addresses. What does not fit sets `full`, once looked at when the fragment is done.
 */

#define HEARTH_CODE_MAX 16384 /* bytes of one fragment */
#define HEARTH_RELOCATIONS_MAX 1024

typedef struct {
    uint8_t code[HEARTH_CODE_MAX];
    uint32_t used;
    uint64_t address; /* of code[0], once published */
    bool full;
    HearthRelocation relocations[HEARTH_RELOCATIONS_MAX];
    uint32_t relocation_count;
} HearthEmitter;

/* Fields of the context that code uses. */
#define HEARTH_AT(field) ((int32_t)(HEARTH_GS_CONTEXT + offsetof(HearthContext, field)))

static inline uint64_t hearth_emit_here(const HearthEmitter *emitter)
{
    return emitter->address + emitter->used;
}

void hearth_emit_bytes(HearthEmitter *emitter, const void *bytes, unsigned count);
void hearth_emit_byte(HearthEmitter *emitter, uint8_t byte);
void hearth_emit_word(HearthEmitter *emitter, uint32_t word);
/** Notes that the field of the last `back` bytes, followed by `trail` of its instruction, depends on `value`. */
void hearth_emit_relocation(HearthEmitter *emitter, HearthRelocationKind kind, unsigned back,
                            unsigned trail, uint64_t value);

/** mov gs:[at], reg and mov reg, gs:[at]: 64 bits. */
void hearth_emit_spill(HearthEmitter *emitter, uint8_t reg, int32_t at);
void hearth_emit_unspill(HearthEmitter *emitter, uint8_t reg, int32_t at);
/** OPCODE reg, gs:[at]: 64 bits; 0x03 adds, 0x2B subtracts. */
void hearth_emit_gs(HearthEmitter *emitter, uint8_t opcode, uint8_t reg, int32_t at);
void hearth_emit_move(HearthEmitter *emitter, uint8_t to, uint8_t from);
/** mov reg, value, noted as an address of the process. */
void hearth_emit_address(HearthEmitter *emitter, uint8_t reg, uint64_t value);
/** cmp reg, value: 64 bits. */
void hearth_emit_compare(HearthEmitter *emitter, uint8_t reg, uint32_t value);
/** The address of an operand, without its segment. */
void hearth_emit_lea(HearthEmitter *emitter, uint8_t reg, const HearthMemoryOperand *memory);
/** mov dword gs:[site], number; noted as `kind`, SITE or EXIT, counting from the fragment's first. */
void hearth_emit_number(HearthEmitter *emitter, HearthRelocationKind kind, uint32_t number,
                        uint32_t local);
/** jmp gs:[gate] */
void hearth_emit_gate(HearthEmitter *emitter, HearthGate gate);
/** jmp or jcc with four bytes to be filled in; their offset. `condition` 16: jmp; 17: call. */
uint32_t hearth_emit_jump(HearthEmitter *emitter, unsigned condition);
/** Points the four bytes at offset `field` to here. */
void hearth_emit_land(HearthEmitter *emitter, uint32_t field);
/** No-operations until a jump's four bytes, `opcode` bytes on, lie in one cache line: they are patched while others run. */
void hearth_emit_align(HearthEmitter *emitter, unsigned opcode);

/** Keeps the arithmetic flags in spill[4], and brings them back; rax is as it was after either. */
void hearth_emit_save_flags(HearthEmitter *emitter);
void hearth_emit_restore_flags(HearthEmitter *emitter);

/** The instruction with its addresses made right for where it stands now; `scratch` is not used by it. */
void hearth_emit_copy(HearthEmitter *emitter, const HearthInsn *insn, uint8_t scratch);
