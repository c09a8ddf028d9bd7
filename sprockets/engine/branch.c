#include "sprockets/engine/translation-private.h"

#include <stddef.h>
#include <string.h>

/*
 * Branches, calls and returns.
 *
 * A call leaves the process's own return address on the call's stack, where unwinders and curious code look for it, and
 * the address in the cache in the shadow, HEARTH_SLOT_SHADOW_OFFSET above. A return takes the one in the shadow by a real `ret`, which the
 * processor predicts from the real `call`; the code there compares the address on the stack with the
 * one that belongs to it. Whatever wrote to the stack in between, what runs is translated code.
 */

#define SPILL_TARGET HEARTH_AT(spill[0])
#define SPILL_PLACE HEARTH_AT(spill[1])
#define JUMP 16 /* for hearth_emit_jump: no condition */
#define CALL 17
#define NOT_EQUAL 5

void hearth_translation_exit(HearthTranslation *translation, unsigned condition, uint64_t target)
{
    HearthEmitter *emitter = &translation->emitter;
    if (translation->exit_count == HEARTH_FRAGMENT_EXITS) {
        translation->full = true;
        return;
    }
    uint32_t number = translation->exit_count++;
    hearth_emit_align(emitter, condition < JUMP ? 2 : 1);
    uint32_t field = hearth_emit_jump(emitter, condition);
    translation->exits[number] = (HearthExit){
        .target = target, .patch = emitter->address + field, .view = translation->view};
    hearth_translation_cold(translation, HEARTH_COLD_EXIT, field)->number = number;
}

void hearth_translation_local(HearthTranslation *translation, unsigned condition, uint16_t step)
{
    HearthEmitter *emitter = &translation->emitter;
    uint32_t field = hearth_emit_jump(emitter, condition);
    if (translation->jump_count == HEARTH_FRAGMENT_STEPS) {
        translation->full = true;
        return;
    }
    translation->jumps[translation->jump_count++] = (HearthLocalJump){field, step};
}

/* The target in rcx, which is kept in a spill: by a move or by a load that is checked like any other. */
static void load_target(HearthTranslation *translation, const HearthStep *step)
{
    const HearthInsn *insn = &step->insn;
    HearthEmitter *emitter = &translation->emitter;
    hearth_emit_spill(emitter, HEARTH_RCX, SPILL_TARGET);
    if (insn->operand != HEARTH_NO_REGISTER) {
        if (insn->operand != HEARTH_RCX)
            hearth_emit_move(emitter, HEARTH_RCX, insn->operand);
        return;
    }
    /* mov rcx, with the operand of the branch */
    uint8_t bytes[16];
    unsigned used = 0, tail = insn->modrm_at + 1u;
    const HearthMemoryOperand *memory = &insn->memory;
    HearthStep load = {.live = ~0u, .live_flags = 0};
    if (memory->thread)
        bytes[used++] = 0x64;
    bytes[used++] =
        (uint8_t)(0x48 | (memory->index != HEARTH_NO_REGISTER && memory->index >= 8 ? 2 : 0) |
                  (memory->base < HEARTH_RIP && memory->base >= 8));
    bytes[used++] = 0x8B;
    bytes[used++] = (insn->bytes[insn->modrm_at] & 0xC7) | HEARTH_RCX << 3;
    while (tail < insn->length)
        bytes[used++] = insn->bytes[tail++];
    /* Its end decides what a rip-relative operand means. */
    hearth_decode(insn->pc + insn->length - used, bytes, used, &load.insn);
    load.insn.pc = insn->pc;
    hearth_translate_plain(translation, &load);
}

static void emit_bytes_gs(HearthEmitter *emitter, const uint8_t *head, unsigned count, int32_t at)
{
    hearth_emit_bytes(emitter, head, count);
    hearth_emit_word(emitter, (uint32_t)at);
}

/* Goes where rcx says, by the branch table of the slot. */
static void emit_branch(HearthTranslation *translation)
{
    static const uint8_t HASH[] = {0x89, 0xC8,                   /* mov eax, ecx */
                                   0xC1, 0xE8, 0x05,             /* shr eax, 5 */
                                   0x31, 0xC8,                   /* xor eax, ecx */
                                   0x25, 0xFF, 0x07, 0x00, 0x00, /* and eax, 2047 */
                                   0xC1, 0xE0, 0x04};            /* shl eax, 4 */
    static const uint8_t COMPARE[] = {0x65, 0x48, 0x3B, 0x88};   /* cmp rcx, gs:[rax + .] */
    static const uint8_t GO[] = {0x65, 0xFF, 0xA0};              /* jmp gs:[rax + .] */
    _Static_assert(HEARTH_BRANCH_ENTRIES == 2048, "the mask above");
    HearthEmitter *emitter = &translation->emitter;
    int32_t table =
        HEARTH_AT(branches) +
        (int32_t)(sizeof(HearthBranchEntry) * HEARTH_BRANCH_ENTRIES) * (int32_t)translation->view;
    hearth_emit_spill(emitter, HEARTH_RAX, SPILL_PLACE);
    hearth_emit_bytes(emitter, HASH, sizeof HASH);
    emit_bytes_gs(emitter, COMPARE, sizeof COMPARE, table);
    hearth_translation_cold(translation, HEARTH_COLD_BRANCH, hearth_emit_jump(emitter, NOT_EQUAL));
    emit_bytes_gs(emitter, GO, sizeof GO, table + 8);
}

static void emit_half(HearthEmitter *emitter, HearthRelocationKind kind, uint64_t value)
{
    hearth_emit_word(emitter, (uint32_t)(kind == HEARTH_RELOCATION_HIGH ? value >> 32 : value));
    hearth_emit_relocation(emitter, kind, 4, 0, value);
}

/* Where a return comes to: is it the right one? Then the address on the stack is dropped. */
static void emit_continuation(HearthTranslation *translation, uint64_t returns, bool live_flags)
{
    static const uint8_t LOW[] = {0x81, 0x3C, 0x24};              /* cmp dword [rsp], . */
    static const uint8_t HIGH[] = {0x81, 0x7C, 0x24, 0x04};       /* cmp dword [rsp + 4], . */
    static const uint8_t DROP[] = {0x48, 0x8D, 0x64, 0x24, 0x08}; /* lea rsp, [rsp + 8] */
    HearthEmitter *emitter = &translation->emitter;
    if (live_flags)
        hearth_emit_save_flags(emitter);
    hearth_emit_bytes(emitter, LOW, sizeof LOW);
    emit_half(emitter, HEARTH_RELOCATION_LOW, returns);
    hearth_translation_cold(translation, HEARTH_COLD_RETURN, hearth_emit_jump(emitter, NOT_EQUAL));
    hearth_emit_bytes(emitter, HIGH, sizeof HIGH);
    emit_half(emitter, HEARTH_RELOCATION_HIGH, returns);
    hearth_translation_cold(translation, HEARTH_COLD_RETURN, hearth_emit_jump(emitter, NOT_EQUAL));
    hearth_emit_bytes(emitter, DROP, sizeof DROP);
    if (live_flags)
        hearth_emit_restore_flags(emitter);
}

static void translate_call(HearthTranslation *translation, const HearthStep *step, bool indirect)
{
    HearthEmitter *emitter = &translation->emitter;
    uint64_t returns = step->insn.pc + step->insn.length;
    if (indirect)
        load_target(translation, step);
    HearthCold *cold =
        hearth_translation_cold(translation, HEARTH_COLD_CALL, hearth_emit_jump(emitter, CALL));
    cold->returns = returns;
    cold->indirect = indirect;
    if (!indirect && translation->exit_count < HEARTH_FRAGMENT_EXITS) {
        cold->number = translation->exit_count++;
        translation->exits[cold->number] =
            (HearthExit){.target = step->insn.target, .view = translation->view};
    } else if (!indirect) {
        translation->full = true;
    }
    emit_continuation(translation, returns, step->live_flags != 0);
}

/* The call of an inlined function leaves its return address where the function would find it. */
static void translate_inlined_call(HearthTranslation *translation, const HearthStep *step)
{
    uint64_t returns = step->insn.pc + step->insn.length;
    HearthCold *cold = hearth_translation_cold(translation, HEARTH_COLD_LITERAL, 0);
    static const uint8_t PUSH[] = {0xFF, 0x35}; /* push [rip + .] */
    hearth_emit_bytes(&translation->emitter, PUSH, sizeof PUSH);
    hearth_emit_word(&translation->emitter, 0);
    cold->field = translation->emitter.used - 4;
    cold->returns = returns;
}

static void translate_inlined_return(HearthTranslation *translation, const HearthStep *step)
{
    emit_continuation(translation, step->returns, false);
    if (step->local != (uint16_t)(step - translation->steps) + 1)
        hearth_translation_local(translation, JUMP, step->local);
}

static void translate_return(HearthTranslation *translation, const HearthStep *step)
{
    static const uint8_t RETURN[] = {0xFF, 0xB4, 0x24};     /* push [rsp + .] */
    static const uint8_t LOAD[] = {0x48, 0x8B, 0x0C, 0x24}; /* mov rcx, [rsp] */
    static const uint8_t DROP[] = {0x48, 0x8D, 0xA4, 0x24}; /* lea rsp, [rsp + .] */
    HearthEmitter *emitter = &translation->emitter;
    if (step->insn.immediate == 0) {
        hearth_emit_bytes(emitter, RETURN, sizeof RETURN);
        hearth_emit_word(emitter, HEARTH_SLOT_SHADOW_OFFSET);
        hearth_emit_byte(emitter, 0xC3);
        return;
    }
    /* At most 64 KiB on: the next store by rsp still meets a guard at worst. */
    hearth_emit_spill(emitter, HEARTH_RCX, SPILL_TARGET);
    hearth_emit_bytes(emitter, LOAD, sizeof LOAD);
    hearth_emit_bytes(emitter, DROP, sizeof DROP);
    hearth_emit_word(emitter, 8u + step->insn.immediate);
    emit_branch(translation);
}

/* They reach 128 bytes, so they jump to a jump. */
static void translate_loop(HearthTranslation *translation, const HearthInsn *insn)
{
    static const uint8_t SKIP[] = {0xEB, 0x00};
    HearthEmitter *emitter = &translation->emitter;
    hearth_emit_bytes(emitter, insn->bytes, insn->length - 1u);
    hearth_emit_byte(emitter, sizeof SKIP);
    hearth_emit_bytes(emitter, SKIP, sizeof SKIP);
    uint32_t from = emitter->used;
    hearth_translation_exit(translation, JUMP, insn->target);
    if (!emitter->full)
        emitter->code[from - 1] = (uint8_t)(emitter->used - from);
}

void hearth_translate_branch(HearthTranslation *translation, const HearthStep *step)
{
    const HearthInsn *insn = &step->insn;
    bool call = insn->kind == HEARTH_INSN_CALL || insn->kind == HEARTH_INSN_CALL_REG;
    translation->stores[HEARTH_STORE_STACK] += call;
    switch (insn->kind) {
    case HEARTH_INSN_JCC:
        if (step->local != HEARTH_NO_STEP)
            hearth_translation_local(translation, insn->condition, step->local);
        else
            hearth_translation_exit(translation, insn->condition, insn->target);
        return;
    case HEARTH_INSN_LOOP:
        translate_loop(translation, insn);
        return;
    case HEARTH_INSN_CALL:
        if (step->inlined)
            translate_inlined_call(translation, step);
        else
            translate_call(translation, step, false);
        return;
    case HEARTH_INSN_CALL_REG:
        translate_call(translation, step, true);
        return;
    case HEARTH_INSN_JMP_REG:
        load_target(translation, step);
        emit_branch(translation);
        return;
    case HEARTH_INSN_RET:
        if (step->inlined)
            translate_inlined_return(translation, step);
        else
            translate_return(translation, step);
        return;
    case HEARTH_INSN_JMP:
        if (step->local != HEARTH_NO_STEP)
            hearth_translation_local(translation, JUMP, step->local);
        return;
    default: /* a jump leads to the next step, or to where the fragment ends */
        return;
    }
}

/* --- What is cold ------------------------------------------------------------------------------ */

/* Reached by a real call, which left the address of the continuation on the stack. */
static void write_call(HearthTranslation *translation, const HearthCold *cold)
{
    static const uint8_t TAKE[] = {0x8F, 0x84, 0x24}; /* pop [rsp + .], counted after it moved */
    static const uint8_t PUSH[] = {0xFF, 0x35};       /* push [rip + .] */
    HearthEmitter *emitter = &translation->emitter;
    hearth_emit_bytes(emitter, TAKE, sizeof TAKE);
    hearth_emit_word(emitter, HEARTH_SLOT_SHADOW_OFFSET - 8);
    hearth_emit_bytes(emitter, PUSH, sizeof PUSH);
    hearth_emit_word(emitter, 0);
    uint32_t literal = emitter->used - 4;
    if (cold->indirect) {
        emit_branch(translation);
    } else {
        HearthExit *exit = &translation->exits[cold->number];
        hearth_emit_align(emitter, 1);
        uint32_t field = hearth_emit_jump(emitter, JUMP);
        exit->patch = emitter->address + field;
        hearth_translation_cold(translation, HEARTH_COLD_EXIT, field)->number = cold->number;
    }
    hearth_emit_land(emitter, literal);
    hearth_emit_bytes(emitter, &cold->returns, sizeof cold->returns);
    hearth_emit_relocation(emitter, HEARTH_RELOCATION_WHOLE, 8, 0, cold->returns);
}

static void write_cold(HearthTranslation *translation, const HearthCold *cold)
{
    HearthEmitter *emitter = &translation->emitter;
    hearth_emit_land(emitter, cold->field);
    if (cold->other)
        hearth_emit_land(emitter, cold->other);
    switch (cold->kind) {
    case HEARTH_COLD_SITE:
        if (cold->live_flags)
            hearth_emit_restore_flags(emitter);
        hearth_translation_gate(translation, cold->number, cold->gate);
        return;
    case HEARTH_COLD_EXIT:
        hearth_emit_relocation(emitter, HEARTH_RELOCATION_PATCH, 0, 0, cold->field);
        hearth_emit_number(emitter, HEARTH_RELOCATION_EXIT, translation->first_exit + cold->number,
                           cold->number);
        hearth_emit_gate(emitter, HEARTH_GATE_EXIT);
        return;
    case HEARTH_COLD_CALL:
        write_call(translation, cold);
        return;
    case HEARTH_COLD_LITERAL:
        hearth_emit_bytes(emitter, &cold->returns, sizeof cold->returns);
        hearth_emit_relocation(emitter, HEARTH_RELOCATION_WHOLE, 8, 0, cold->returns);
        return;
    case HEARTH_COLD_RETURN:
        hearth_emit_gate(emitter, HEARTH_GATE_RETURN);
        return;
    case HEARTH_COLD_BRANCH:
        hearth_emit_gate(emitter, HEARTH_GATE_BRANCH);
        return;
    }
}

void hearth_translate_cold(HearthTranslation *translation)
{
    /* Pads of calls add exits of their own as they are written. */
    for (uint32_t i = 0; i < translation->cold_count; i++) {
        HearthCold cold = translation->cold[i];
        write_cold(translation, &cold);
    }
}
