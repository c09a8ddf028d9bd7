#include "sprockets/engine/translation-private.h"

#include <string.h>

#include "sprockets/engine/intercept-private.h"
#include "sprockets/engine/region-private.h"

/*
 * What a fragment is made of: the instructions that run one after the other from its entry, through direct
 * jumps, past conditional branches not taken and calls returned from.
 */

#define ENDBR64 4 /* bytes */

static bool seen(const HearthTranslation *translation, uint64_t pc)
{
    for (uint32_t i = 0; i < translation->step_count; i++)
        if (translation->steps[i].insn.pc == pc)
            return true;
    return false;
}

/* Places count in 32 bits from the lowest pc. */
static bool near(const HearthTranslation *translation, uint64_t pc)
{
    int64_t distance = (int64_t)(pc - translation->app);
    return distance == (int32_t)distance && distance > -0x40000000 && distance < 0x40000000;
}

/* "jmp [slot]", perhaps behind endbr64 and bnd: the slot. 0: it is something else. */
static uint64_t slot_of_stub(uint64_t address)
{
    static const uint8_t ENDBR[] = {0xF3, 0x0F, 0x1E, 0xFA};
    HearthRegion region;
    int32_t distance;
    if (!hearth_region_code(address, &region) || region.end - address < 16)
        return 0;
    const uint8_t *at = (const uint8_t *)address;
    if (memcmp(at, ENDBR, sizeof ENDBR) == 0)
        at += ENDBR64;
    if (*at == 0xF2)
        at++;
    if (at[0] != 0xFF || at[1] != 0x25)
        return 0;
    memcpy(&distance, at + 2, sizeof distance);
    return (uint64_t)(at + 6) + (uint64_t)(int64_t)distance;
}

/* What a constant slot holds, noted; 0: it may change, or does not hold code. */
static uint64_t fold(HearthTranslation *translation, uint64_t slot)
{
    HearthRegion region;
    if (slot % 8 != 0 || !hearth_region_constant(slot) ||
        translation->fold_count == HEARTH_FRAGMENT_FOLDS)
        return 0;
    uint64_t value = *(const uint64_t *)slot;
    if (!hearth_region_code(value, &region))
        return 0;
    translation->folds[translation->fold_count++] = (HearthFold){slot, value};
    return value;
}

uint64_t hearth_trace_resolve(HearthTranslation *translation, uint64_t target)
{
    uint64_t slot = slot_of_stub(target);
    uint64_t value = slot ? fold(translation, slot) : 0;
    return value ? value : target;
}

/* An indirect branch through a constant slot is a direct one. */
static void make_direct(HearthTranslation *translation, HearthInsn *insn)
{
    bool call = insn->kind == HEARTH_INSN_CALL_REG;
    if (!insn->has_memory || insn->memory.base != HEARTH_RIP)
        return;
    uint64_t value = fold(translation, (uint64_t)insn->memory.disp);
    if (!value)
        return;
    insn->kind = call ? HEARTH_INSN_CALL : HEARTH_INSN_JMP;
    insn->target = value;
}

static void read_insn(uint64_t pc, HearthInsn *insn)
{
    HearthRegion region;
    if (hearth_region_code(pc, &region))
        hearth_decode(pc, (const uint8_t *)pc, region.end - pc, insn);
    else
        *insn = (HearthInsn){.pc = pc, .kind = HEARTH_INSN_UNSUPPORTED};
}

/* True: the fragment goes on at `*pc`. */
static bool go_on(HearthTranslation *translation, HearthStep *step, uint64_t *pc)
{
    HearthInsn *insn = &step->insn;
    if (insn->kind == HEARTH_INSN_JMP_REG || insn->kind == HEARTH_INSN_CALL_REG)
        make_direct(translation, insn);
    switch (insn->kind) {
    case HEARTH_INSN_UNSUPPORTED:
    case HEARTH_INSN_TRAP:
    case HEARTH_INSN_RET:
    case HEARTH_INSN_JMP_REG:
        *pc = 0;
        return false;
    case HEARTH_INSN_JMP:
        insn->target = hearth_trace_resolve(translation, insn->target);
        *pc = insn->target;
        step->followed = !seen(translation, *pc) && near(translation, *pc) &&
                         !hearth_intercept_find(*pc) && *pc != (uint64_t)hearth_engine_return_point;
        return step->followed;
    case HEARTH_INSN_CALL:
        insn->target = hearth_trace_resolve(translation, insn->target);
        break;
    default:
        break;
    }
    *pc = insn->pc + insn->length;
    return true;
}

/* What is live before an instruction, and so after the one before it. */
static void live_before(const HearthStep *step, HearthRegisterSet *regs, uint32_t *flags)
{
    const HearthInsn *insn = &step->insn;
    switch (insn->kind) {
    case HEARTH_INSN_RET:
    case HEARTH_INSN_CALL:
    case HEARTH_INSN_CALL_REG:
    case HEARTH_INSN_JMP_REG:
        *flags = 0;
        *regs = ~0u;
        return;
    case HEARTH_INSN_PLAIN:
    case HEARTH_INSN_STRING:
        *flags = (*flags & ~insn->flags_written) | insn->flags_read;
        *regs = (*regs & ~insn->writes) | insn->reads;
        return;
    case HEARTH_INSN_JMP:
        if (step->followed)
            return;
        break;
    default:
        break;
    }
    *flags = HEARTH_ARITHMETIC_FLAGS;
    *regs = ~0u;
}

static void find_live(HearthTranslation *translation)
{
    HearthRegisterSet regs = ~0u;
    uint32_t flags = HEARTH_ARITHMETIC_FLAGS;
    for (uint32_t i = translation->step_count; i-- > 0;) {
        HearthStep *step = &translation->steps[i];
        step->live = regs;
        step->live_flags = flags;
        live_before(step, &regs, &flags);
        step->live_flags_before = flags;
    }
}

bool hearth_trace(HearthTranslation *translation)
{
    uint64_t pc = translation->app;
    HearthRegion region;
    if (!hearth_region_code(pc, &region))
        return false;
    bool more = true;
    while (more && translation->step_count < translation->step_limit) {
        HearthStep *step = &translation->steps[translation->step_count];
        *step = (HearthStep){0};
        read_insn(pc, &step->insn);
        translation->step_count++;
        if (step->insn.pc < translation->lowest)
            translation->lowest = step->insn.pc;
        more = go_on(translation, step, &pc) && !seen(translation, pc);
    }
    translation->fallthrough = pc;
    find_live(translation);
    return true;
}
