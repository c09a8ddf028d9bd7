#include <string.h>

#include "sprockets/engine/intercept-private.h"
#include "sprockets/engine/state-private.h"
#include "sprockets/engine/translation-private.h"

/*
 * Small functions are written into their callers: returns are most of what translation costs, and those of an inlined
 * function only compare the address on the stack with the one that the call pushed.
 *
 * A function qualifies if it has few instructions and every branch of it leads to one of them or out by a return. Its
 * instructions are laid out by address, so that each is followed by the one that runs after it.
 */

#define INLINE_INSNS 40
#define REFUSED 1024 /* functions that are remembered as not qualifying */

typedef struct {
    HearthInsn insns[INLINE_INSNS]; /* by address, once the plan is complete */
    uint32_t count;
    uint64_t wanted[2 * INLINE_INSNS]; /* addresses still to be read */
    uint32_t wanted_count;
    bool returns;
} Plan;

static int find(const Plan *plan, uint64_t pc)
{
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->insns[i].pc == pc)
            return (int)i;
    return -1;
}

static void want(Plan *plan, uint64_t pc)
{
    plan->wanted[plan->wanted_count++] = pc;
}

/* Reads one instruction and says what follows it; false: the function does not qualify. */
static bool plan_one(HearthTranslation *translation, Plan *plan, uint64_t pc)
{
    if (plan->count == INLINE_INSNS || hearth_intercept_find(pc))
        return false;
    HearthInsn *insn = &plan->insns[plan->count++];
    hearth_trace_read(translation, pc, insn);
    switch (insn->kind) {
    case HEARTH_INSN_PLAIN:
        want(plan, pc + insn->length);
        return true;
    case HEARTH_INSN_JCC:
        want(plan, insn->target);
        want(plan, pc + insn->length);
        return true;
    case HEARTH_INSN_JMP:
        want(plan, insn->target);
        return true;
    case HEARTH_INSN_RET:
        plan->returns = true;
        return insn->immediate == 0;
    default:
        return false;
    }
}

/* By address; false: two of them overlap. */
static bool sort(Plan *plan)
{
    for (uint32_t i = 1; i < plan->count; i++) {
        HearthInsn insn = plan->insns[i];
        uint32_t at = i;
        for (; at > 0 && plan->insns[at - 1].pc > insn.pc; at--)
            plan->insns[at] = plan->insns[at - 1];
        plan->insns[at] = insn;
    }
    for (uint32_t i = 1; i < plan->count; i++)
        if (plan->insns[i - 1].pc + plan->insns[i - 1].length > plan->insns[i].pc)
            return false;
    return true;
}

static bool read_all(HearthTranslation *translation, Plan *plan, uint64_t entry)
{
    plan->count = plan->wanted_count = 0;
    plan->returns = false;
    want(plan, entry);
    while (plan->wanted_count > 0) {
        uint64_t pc = plan->wanted[--plan->wanted_count];
        if (find(plan, pc) < 0 && !plan_one(translation, plan, pc))
            return false;
    }
    return plan->returns && sort(plan);
}

/* Most functions do not qualify, and most are called from several places. */
static bool make_plan(HearthTranslation *translation, Plan *plan, uint64_t entry)
{
    static HEARTH_STATE uint64_t refused[REFUSED], epoch; /* under the lock of the cache */
    uint64_t *place = &refused[(entry ^ entry >> 10) % REFUSED];
    if (epoch != hearth_cache_epoch())
        memset(refused, 0, sizeof refused);
    epoch = hearth_cache_epoch();
    if (*place == entry)
        return false;
    bool made = read_all(translation, plan, entry);
    if (!made)
        *place = entry;
    return made;
}

/* Places count in 32 bits from the lowest pc. */
static bool reaches(const HearthTranslation *translation, const Plan *plan)
{
    int64_t distance = (int64_t)(plan->insns[0].pc - translation->app);
    return distance > -0x40000000 && distance < 0x40000000;
}

/* A jump to the entry, where that does not come first by address. */
static void jump_to_entry(HearthTranslation *translation, const Plan *plan, uint64_t entry)
{
    HearthStep *step = &translation->steps[translation->step_count];
    int first = find(plan, entry);
    if (first == 0)
        return;
    translation->step_count++;
    *step = (HearthStep){.insn = {.pc = entry, .kind = HEARTH_INSN_JMP, .target = entry},
                         .inside = true,
                         .local = (uint16_t)(translation->step_count + (uint32_t)first)};
}

bool hearth_trace_inline(HearthTranslation *translation)
{
    static HEARTH_STATE Plan plan; /* under the lock of the cache */
    HearthStep *call = &translation->steps[translation->step_count - 1];
    const HearthIntercept *intercept = hearth_intercept_find(call->insn.target);
    uint64_t entry = call->insn.target;
    uint32_t folds = translation->fold_count;
    if (intercept && intercept->special)
        return false;
    entry = intercept ? intercept->code : entry;
    if (!make_plan(translation, &plan, entry) || !reaches(translation, &plan) ||
        translation->step_count + plan.count + 2 >= HEARTH_FRAGMENT_STEPS) {
        translation->fold_count = folds;
        return false;
    }
    call->inlined = true;
    jump_to_entry(translation, &plan, entry);
    uint32_t first = translation->step_count, after = first + plan.count;
    for (uint32_t i = 0; i < plan.count; i++) {
        HearthStep *step = &translation->steps[translation->step_count++];
        const HearthInsn *insn = &plan.insns[i];
        *step = (HearthStep){.insn = *insn, .inside = true, .local = HEARTH_NO_STEP};
        if (insn->kind == HEARTH_INSN_RET) {
            step->inlined = true;
            step->local = (uint16_t)after;
            step->returns = call->insn.pc + call->insn.length;
        } else if (insn->kind != HEARTH_INSN_PLAIN) {
            step->local = (uint16_t)(first + (uint32_t)find(&plan, insn->target));
        }
    }
    return true;
}
