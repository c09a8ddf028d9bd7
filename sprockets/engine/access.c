#include "sprockets/engine/translation-private.h"

#include <stddef.h>

/*
 * Instructions that access memory: which are checked, and how.
 *
 * A store by the stack pointer needs no check, as the stack pointer always lies in the private stack, which has guards wider
 * than any displacement that is let through here. All other stores, and in the careful view loads, compare
 * their address first, and call a gate where it is not private, or not clean.
 */

#define SPILL_FIRST HEARTH_AT(spill[2])
#define SPILL_SECOND HEARTH_AT(spill[5])
#define NEAR_DISPLACEMENT (64 * 1024)   /* bytes: the margins of the window are wider */
#define STACK_DISPLACEMENT (512 * 1024) /* bytes: the guards of the stack are wider */
#define LONGEST_ACCESS 4096             /* bytes */
#define BELOW 2                         /* conditions of jumps */
#define ABOVE_OR_EQUAL 3
#define NOT_EQUAL 5

/* What a check may use: one register or two, each perhaps spilled; and whether flags are kept. */
typedef struct {
    uint8_t first, second;
    bool first_dead, second_dead;
    bool live_flags;
} Scratch;

static bool stack_operand(const HearthMemoryOperand *memory)
{
    return memory->base == HEARTH_RSP && memory->index == HEARTH_NO_REGISTER && !memory->thread &&
           memory->disp > -STACK_DISPLACEMENT && memory->disp < STACK_DISPLACEMENT;
}

/* Thread-local storage at a fixed place of it. */
static bool thread_operand(const HearthMemoryOperand *memory)
{
    return memory->thread && memory->base == HEARTH_NO_REGISTER &&
           memory->index == HEARTH_NO_REGISTER && memory->disp >= -HEARTH_SLOT_THREAD_BELOW &&
           memory->disp + LONGEST_ACCESS <= HEARTH_SLOT_THREAD_ABOVE;
}

uint8_t hearth_translation_scratch(const HearthStep *step, HearthRegisterSet avoid, bool *ret_dead)
{
    /* Low ones first: they fit every encoding. */
    static const uint8_t ORDER[] = {HEARTH_RCX, HEARTH_RDX, HEARTH_RSI, HEARTH_RDI,
                                    HEARTH_RBX, HEARTH_R8,  HEARTH_R9,  HEARTH_R10,
                                    HEARTH_R11, HEARTH_R14, HEARTH_R15};
    HearthRegisterSet used = step->insn.touches | avoid | (step->insn.high_byte ? 0xFF00 : 0);
    HearthRegisterSet needed = step->live | step->insn.reads;
    for (unsigned i = 0; i < sizeof ORDER; i++)
        if (!(used >> ORDER[i] & 1) && !(needed >> ORDER[i] & 1)) {
            *ret_dead = true;
            return ORDER[i];
        }
    *ret_dead = false;
    for (unsigned i = 0; i < sizeof ORDER; i++)
        if (!(used >> ORDER[i] & 1))
            return ORDER[i];
    return HEARTH_RBX; /* no instruction uses that many registers */
}

static Scratch begin_check(HearthTranslation *translation, const HearthStep *step, bool two)
{
    HearthEmitter *emitter = &translation->emitter;
    Scratch scratch = {.live_flags = step->live_flags_before != 0};
    scratch.first = hearth_translation_scratch(step, 0, &scratch.first_dead);
    if (two)
        scratch.second = hearth_translation_scratch(step, (HearthRegisterSet)1 << scratch.first,
                                                    &scratch.second_dead);
    if (scratch.live_flags)
        hearth_emit_save_flags(emitter);
    if (!scratch.first_dead)
        hearth_emit_spill(emitter, scratch.first, SPILL_FIRST);
    if (two && !scratch.second_dead)
        hearth_emit_spill(emitter, scratch.second, SPILL_SECOND);
    return scratch;
}

/* Registers as they were; then leaves for the gate if the comparison says so. */
static void end_check(HearthTranslation *translation, const Scratch *scratch, bool two,
                      unsigned condition, uint32_t site, HearthGate gate)
{
    HearthEmitter *emitter = &translation->emitter;
    if (!scratch->first_dead)
        hearth_emit_unspill(emitter, scratch->first, SPILL_FIRST);
    if (two && !scratch->second_dead)
        hearth_emit_unspill(emitter, scratch->second, SPILL_SECOND);
    HearthCold *cold = hearth_translation_cold(translation, HEARTH_COLD_SITE,
                                               hearth_emit_jump(emitter, condition));
    cold->number = site;
    cold->gate = gate;
    cold->live_flags = scratch->live_flags;
    if (scratch->live_flags)
        hearth_emit_restore_flags(emitter);
}

/* One register and a displacement within the margins of the window: the register alone decides. */
static bool near_operand(const HearthMemoryOperand *memory)
{
    return memory->base < HEARTH_RIP && memory->index == HEARTH_NO_REGISTER && !memory->thread &&
           memory->disp > -NEAR_DISPLACEMENT && memory->disp < NEAR_DISPLACEMENT;
}

/* cmp base, [window]; jb; cmp base, [window_end]; jae */
static void compare_base(HearthTranslation *translation, const HearthStep *step, uint32_t site)
{
    HearthEmitter *emitter = &translation->emitter;
    uint8_t base = step->insn.memory.base;
    bool live_flags = step->live_flags_before != 0;
    if (live_flags)
        hearth_emit_save_flags(emitter);
    hearth_emit_gs(emitter, 0x3B, base, HEARTH_AT(window));
    HearthCold *cold =
        hearth_translation_cold(translation, HEARTH_COLD_SITE, hearth_emit_jump(emitter, BELOW));
    hearth_emit_gs(emitter, 0x3B, base, HEARTH_AT(window_end));
    cold->other = hearth_emit_jump(emitter, ABOVE_OR_EQUAL);
    cold->number = site;
    cold->gate = HEARTH_GATE_MEMORY;
    cold->live_flags = live_flags;
    if (live_flags)
        hearth_emit_restore_flags(emitter);
    translation->private |= (HearthRegisterSet)1 << base;
    translation->private_site[base] = site;
}

static void check_store(HearthTranslation *translation, const HearthStep *step, uint32_t site)
{
    HearthEmitter *emitter = &translation->emitter;
    const HearthMemoryOperand *memory = &step->insn.memory;
    translation->stores[HEARTH_STORE_CHECKED]++;
    if (near_operand(memory)) {
        compare_base(translation, step, site);
        return;
    }
    Scratch scratch = begin_check(translation, step, false);
    hearth_emit_lea(emitter, scratch.first, memory);
    if (memory->thread)
        hearth_emit_gs(emitter, 0x03, scratch.first, HEARTH_AT(gs));
    hearth_emit_gs(emitter, 0x2B, scratch.first, HEARTH_AT(window));
    hearth_emit_compare(emitter, scratch.first, HEARTH_SLOT_WINDOW_SIZE);
    end_check(translation, &scratch, false, ABOVE_OR_EQUAL, site, HEARTH_GATE_MEMORY);
}

/*
 * True if the base was compared before, on the only way here, and not changed since. The site that compared it then
 * must not come back when the base is not private: other code goes on after it.
 */
static bool known_private(HearthTranslation *translation, const HearthMemoryOperand *memory)
{
    if (!memory->writes || !near_operand(memory) || !(translation->private >> memory->base & 1))
        return false;
    translation->sites[translation->private_site[memory->base]].leaves = true;
    return true;
}

void hearth_translation_forget(HearthTranslation *translation, const HearthStep *step)
{
    switch (step->insn.kind) {
    case HEARTH_INSN_PLAIN:
        translation->private &= ~step->insn.modifies;
        return;
    case HEARTH_INSN_JCC:
    case HEARTH_INSN_JMP:
        return;
    case HEARTH_INSN_CALL:
    case HEARTH_INSN_RET:
        if (step->inlined)
            return;
        break;
    default:
        break;
    }
    translation->private = 0;
}

/* reg: the number of the page that the operand begins in. */
static void emit_page(HearthEmitter *emitter, uint8_t reg, const HearthMemoryOperand *memory)
{
    hearth_emit_lea(emitter, reg, memory);
    if (memory->thread)
        hearth_emit_gs(emitter, 0x03, reg, HEARTH_AT(gs));
    const uint8_t shift[] = {(uint8_t)(0x48 | (reg >= 8)), 0xC1, (uint8_t)(0xE8 | (reg & 7)), 12};
    hearth_emit_bytes(emitter, shift, sizeof shift);
}

/* Careful: is a page marked that has the same low bits? */
static void check_marked(HearthTranslation *translation, const HearthStep *step, uint32_t site)
{
    HearthEmitter *emitter = &translation->emitter;
    Scratch scratch = begin_check(translation, step, false);
    uint8_t page = scratch.first, high = page >= 8, low = page & 7;
    emit_page(emitter, page, &step->insn.memory);
    /* movzx page, its low word; cmp byte gs:[page + marked], 0 */
    const uint8_t bytes[] = {(uint8_t)(0x40 | high | high << 2),
                             0x0F,
                             0xB7,
                             (uint8_t)(0xC0 | low << 3 | low),
                             0x65,
                             (uint8_t)(0x40 | high),
                             0x80,
                             (uint8_t)(0xB8 | low)};
    _Static_assert(HEARTH_MARKED_ENTRIES == 65536, "the low word");
    hearth_emit_bytes(emitter, bytes, sizeof bytes);
    hearth_emit_word(emitter, (uint32_t)HEARTH_AT(marked));
    hearth_emit_byte(emitter, 0);
    end_check(translation, &scratch, false, NOT_EQUAL, site, HEARTH_GATE_MEMORY);
}

/* Validating: is it a page known to be clean? First: its number; second: its place in the table. */
static void check_clean(HearthTranslation *translation, const HearthStep *step, uint32_t site)
{
    HearthEmitter *emitter = &translation->emitter;
    Scratch scratch = begin_check(translation, step, true);
    uint8_t page = scratch.first, place = scratch.second;
    emit_page(emitter, page, &step->insn.memory);
    hearth_emit_move(emitter, place, page);
    const uint8_t mask[] = {(uint8_t)(0x40 | (place >= 8)), 0x81, (uint8_t)(0xE0 | (place & 7))};
    hearth_emit_bytes(emitter, mask, sizeof mask);
    hearth_emit_word(emitter, HEARTH_CLEAN_ENTRIES - 1);
    /* cmp gs:[place * 8 + clean], page */
    const uint8_t compare[] = {0x65, (uint8_t)(0x48 | (page >= 8 ? 4 : 0) | (place >= 8 ? 2 : 0)),
                               0x39, (uint8_t)(0x04 | (page & 7) << 3),
                               (uint8_t)(0xC5 | (place & 7) << 3)};
    hearth_emit_bytes(emitter, compare, sizeof compare);
    hearth_emit_word(emitter, (uint32_t)HEARTH_AT(clean));
    end_check(translation, &scratch, true, NOT_EQUAL, site, HEARTH_GATE_MEMORY);
}

/* rsp was set by something else than push, pop, call and ret. */
static void check_stack(HearthTranslation *translation, const HearthStep *step)
{
    HearthEmitter *emitter = &translation->emitter;
    HearthStep after = *step;
    uint32_t site = hearth_translation_site(translation, &step->insn);
    after.live_flags_before = step->live_flags;
    after.insn.reads = after.insn.touches = 0;
    Scratch scratch = begin_check(translation, &after, false);
    hearth_emit_move(emitter, scratch.first, HEARTH_RSP);
    hearth_emit_gs(emitter, 0x2B, scratch.first, HEARTH_AT(stack));
    /* ror by 3: what is no multiple of 8 becomes large. An odd stack would mix addresses in the shadow. */
    const uint8_t rotate[] = {(uint8_t)(0x48 | (scratch.first >= 8)), 0xC1,
                              (uint8_t)(0xC8 | (scratch.first & 7)), 3};
    hearth_emit_bytes(emitter, rotate, sizeof rotate);
    hearth_emit_compare(emitter, scratch.first, HEARTH_SLOT_STACK_SIZE / 8);
    end_check(translation, &scratch, false, ABOVE_OR_EQUAL, site, HEARTH_GATE_STACK);
}

/*
 * "sub rsp, 4; and rsp, -32": the stack pointer is set once more before anything goes by it, and nothing else leads to
 * there, so that one look is enough, at what comes out.
 */
static bool set_again(const HearthTranslation *translation, const HearthStep *step)
{
    const HearthStep *next = step + 1;
    if (next >= translation->steps + translation->step_count)
        return false;
    return next->insn.kind == HEARTH_INSN_PLAIN && next->insn.sets_rsp && !next->insn.has_memory &&
           !next->insn.uses_stack && !next->landed &&
           next->insn.pc == step->insn.pc + step->insn.length;
}

/* Index registers and displacements could lead around the guards in one step. */
static bool needs_check(const HearthTranslation *translation, const HearthInsn *insn)
{
    if (!insn->has_memory)
        return false;
    if (stack_operand(&insn->memory) || thread_operand(&insn->memory))
        return false;
    return insn->memory.writes || translation->view != HEARTH_VIEW_PLAIN;
}

static void count_store(HearthTranslation *translation, const HearthInsn *insn)
{
    if (insn->pushes || (insn->has_memory && insn->memory.writes && stack_operand(&insn->memory)))
        translation->stores[HEARTH_STORE_STACK]++;
    if (insn->has_memory && insn->memory.writes && thread_operand(&insn->memory))
        translation->stores[HEARTH_STORE_THREAD]++;
}

void hearth_translate_plain(HearthTranslation *translation, const HearthStep *step)
{
    const HearthInsn *insn = &step->insn;
    HearthEmitter *emitter = &translation->emitter;
    bool dead, store = insn->has_memory && insn->memory.writes;
    uint8_t scratch = hearth_translation_scratch(step, 0, &dead);
    count_store(translation, insn);
    if (!needs_check(translation, insn) || known_private(translation, &insn->memory)) {
        hearth_emit_copy(emitter, insn, scratch);
    } else if (store && insn->memory.base == HEARTH_RIP) {
        /* Nothing of the process's files is private. */
        uint32_t site = hearth_translation_site(translation, insn);
        hearth_translation_gate(translation, site, HEARTH_GATE_MEMORY);
        translation->sites[site].scratch = scratch;
        translation->sites[site].resume = hearth_emit_here(emitter);
        translation->stores[HEARTH_STORE_FOREIGN]++;
    } else {
        uint32_t site = hearth_translation_site(translation, insn);
        translation->sites[site].scratch = scratch;
        if (insn->memory.vector_index)
            hearth_translation_gate(translation, site, HEARTH_GATE_MEMORY);
        else if (store)
            check_store(translation, step, site);
        else if (translation->view == HEARTH_VIEW_CAREFUL)
            check_marked(translation, step, site);
        else
            check_clean(translation, step, site);
        translation->sites[site].native = hearth_emit_here(emitter);
        hearth_emit_copy(emitter, insn, scratch);
        translation->sites[site].resume = hearth_emit_here(emitter);
    }
    if (insn->sets_rsp && !set_again(translation, step))
        check_stack(translation, step);
}
