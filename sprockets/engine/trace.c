#include "sprockets/engine/translation-private.h"

#include <string.h>

#include "sprockets/engine/intercept-private.h"
#include "sprockets/engine/overlay-private.h"
#include "sprockets/engine/region-private.h"

/*
 * What a fragment is made of: the instructions that run one after the other from its entry, through direct
 * jumps, past conditional branches not taken and calls returned from.
 */

/* The step of the fragment's own code at `pc`; instructions of inlined functions do not count. */
static uint16_t find_step(const HearthTranslation *translation, uint64_t pc)
{
    for (uint32_t i = 0; i < translation->step_count; i++)
        if (translation->steps[i].insn.pc == pc && !translation->steps[i].inside)
            return (uint16_t)i;
    return HEARTH_NO_STEP;
}

static bool seen(const HearthTranslation *translation, uint64_t pc)
{
    return find_step(translation, pc) != HEARTH_NO_STEP;
}

/* Places count in 32 bits from the lowest pc. */
static bool near(const HearthTranslation *translation, uint64_t pc)
{
    int64_t distance = (int64_t)(pc - translation->app);
    return distance == (int32_t)distance && distance > -0x40000000 && distance < 0x40000000;
}

uint64_t hearth_trace_slot(uint64_t address)
{
    static const uint8_t ENDBR[] = {0xF3, 0x0F, 0x1E, 0xFA};
    HearthRegion region;
    uint8_t bytes[16], at = 0;
    int32_t distance;
    if (!hearth_region_code(address, &region) || region.end - address < sizeof bytes ||
        hearth_copy_safely(bytes, (const void *)address, sizeof bytes) != sizeof bytes)
        return 0;
    if (memcmp(bytes, ENDBR, sizeof ENDBR) == 0)
        at += sizeof ENDBR;
    if (bytes[at] == 0xF2)
        at++;
    if (bytes[at] != 0xFF || bytes[at + 1] != 0x25)
        return 0;
    memcpy(&distance, bytes + at + 2, sizeof distance);
    return address + at + 6 + (uint64_t)(int64_t)distance;
}

/* What a constant slot holds, noted; 0: it may change, or does not hold code. */
static uint64_t fold(HearthTranslation *translation, uint64_t slot)
{
    HearthRegion region;
    if (slot % 8 != 0 || !hearth_region_constant(slot) ||
        translation->fold_count == HEARTH_FRAGMENT_FOLDS)
        return 0;
    uint64_t value = 0;
    if (hearth_copy_safely(&value, (const void *)slot, sizeof value) != sizeof value ||
        !hearth_region_code(value, &region))
        return 0;
    translation->folds[translation->fold_count++] = (HearthFold){slot, value};
    return value;
}

uint64_t hearth_trace_resolve(HearthTranslation *translation, uint64_t target)
{
    uint64_t slot = hearth_trace_slot(target);
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

/* As many bytes as there are of the longest instruction: the file may have been cut short. */
static uint64_t read_code(uint64_t pc, uint64_t available, uint8_t *to)
{
    uint64_t most = sizeof((HearthInsn *)0)->bytes, left = HEARTH_PAGE - pc % HEARTH_PAGE;
    uint64_t size = available < most ? available : most;
    if (hearth_copy_safely(to, (const void *)pc, size) == size)
        return size;
    size = left < size ? left : size;
    return hearth_copy_safely(to, (const void *)pc, size);
}

void hearth_trace_read(HearthTranslation *translation, uint64_t pc, HearthInsn *ret_insn)
{
    HearthRegion *region = &translation->region;
    if (pc - region->start >= region->end - region->start && !hearth_region_code(pc, region)) {
        *region = (HearthRegion){0};
        *ret_insn = (HearthInsn){.pc = pc, .kind = HEARTH_INSN_UNSUPPORTED};
        return;
    }
    uint8_t bytes[sizeof ret_insn->bytes];
    hearth_decode(pc, bytes, read_code(pc, region->end - pc, bytes), ret_insn);
    if (ret_insn->kind == HEARTH_INSN_JMP_REG || ret_insn->kind == HEARTH_INSN_CALL_REG)
        make_direct(translation, ret_insn);
    if (ret_insn->kind == HEARTH_INSN_JMP || ret_insn->kind == HEARTH_INSN_CALL)
        ret_insn->target = hearth_trace_resolve(translation, ret_insn->target);
}

/* True: the fragment goes on at `*pc`. */
static bool go_on(HearthTranslation *translation, HearthStep *step, uint64_t *pc)
{
    const HearthInsn *insn = &step->insn;
    switch (insn->kind) {
    case HEARTH_INSN_UNSUPPORTED:
    case HEARTH_INSN_TRAP:
    case HEARTH_INSN_RET:
    case HEARTH_INSN_JMP_REG:
        *pc = 0;
        return false;
    case HEARTH_INSN_JMP:
        *pc = insn->target;
        step->followed = !seen(translation, *pc) && near(translation, *pc) &&
                         !hearth_intercept_find(*pc) && *pc != (uint64_t)hearth_engine_return_point;
        return step->followed;
    default:
        *pc = insn->pc + insn->length;
        return true;
    }
}

/* `regs` and `flags` are what is live after; what is live before stands in the step. */
static void live_before(const HearthTranslation *translation, HearthStep *step,
                        HearthRegisterSet regs, uint32_t flags)
{
    const HearthInsn *insn = &step->insn;
    const HearthStep *target = &translation->steps[step->local];
    uint32_t index = (uint32_t)(step - translation->steps);
    bool forward = step->local != HEARTH_NO_STEP && step->local > index;
    step->live_before = ~0u;
    step->live_flags_before = HEARTH_ARITHMETIC_FLAGS;
    switch (insn->kind) {
    case HEARTH_INSN_CALL:
    case HEARTH_INSN_RET:
    case HEARTH_INSN_CALL_REG:
    case HEARTH_INSN_JMP_REG:
        step->live_flags_before = step->inlined && insn->kind == HEARTH_INSN_CALL ? flags : 0;
        return;
    case HEARTH_INSN_PLAIN:
    case HEARTH_INSN_STRING:
        step->live_flags_before = (flags & ~insn->flags_written) | insn->flags_read;
        step->live_before = (regs & ~insn->writes) | insn->reads;
        return;
    case HEARTH_INSN_JCC:
        if (!forward)
            return;
        step->live_flags_before = flags | target->live_flags_before | insn->flags_read;
        step->live_before = regs | target->live_before;
        return;
    case HEARTH_INSN_JMP:
        if (step->followed || forward) {
            step->live_flags_before = step->followed ? flags : target->live_flags_before;
            step->live_before = step->followed ? regs : target->live_before;
        }
        return;
    default:
        return;
    }
}

static void find_live(HearthTranslation *translation)
{
    HearthRegisterSet regs = ~0u;
    uint32_t flags = HEARTH_ARITHMETIC_FLAGS;
    for (uint32_t i = translation->step_count; i-- > 0;) {
        HearthStep *step = &translation->steps[i];
        step->live = regs;
        step->live_flags = flags;
        live_before(translation, step, regs, flags);
        regs = step->live_before;
        flags = step->live_flags_before;
    }
}

/* Jumps of the fragment's own code to where it has been; and all that lead to a step. */
static void find_local(HearthTranslation *translation)
{
    for (uint32_t i = 0; i < translation->step_count; i++) {
        HearthStep *step = &translation->steps[i];
        if (!step->inside && step->insn.kind == HEARTH_INSN_JCC)
            step->local = find_step(translation, step->insn.target);
        if (step->local != HEARTH_NO_STEP)
            translation->steps[step->local].landed = true;
    }
}

bool hearth_trace(HearthTranslation *translation)
{
    uint64_t pc = translation->app;
    bool more = true;
    translation->region = (HearthRegion){0};
    for (uint32_t own = 0; more && own < translation->step_limit; own++) {
        HearthStep *step = &translation->steps[translation->step_count++];
        *step = (HearthStep){.local = HEARTH_NO_STEP};
        hearth_trace_read(translation, pc, &step->insn);
        if (own == 0 && !translation->region.end)
            return false;
        more = go_on(translation, step, &pc);
        if (step->insn.kind == HEARTH_INSN_CALL)
            hearth_trace_inline(translation);
        more = more && translation->step_count < HEARTH_FRAGMENT_STEPS - 1 &&
               !seen(translation, pc) && !hearth_cache_find(pc, translation->view);
    }
    translation->fallthrough = pc;
    for (uint32_t i = 0; i < translation->step_count; i++)
        if (translation->steps[i].insn.pc < translation->lowest)
            translation->lowest = translation->steps[i].insn.pc;
    find_local(translation);
    find_live(translation);
    return true;
}
