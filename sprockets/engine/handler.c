#include "sprockets/engine/handler-private.h"

#include <stdio.h>
#include <string.h>

#include "sprockets/engine/intercept-private.h"
#include "sprockets/engine/region-private.h"
#include "sprockets/engine/translate-private.h"

/* Branches, system calls and ends: what gates do that is not about memory. */

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_none(HearthSlot *slot)
{
    return 0;
}

HearthSite *hearth_handler_site(HearthSlot *slot)
{
    HearthSite *site = hearth_cache_site((uint32_t)slot->context->site);
    slot->fault_pc = site->insn.pc;
    if (slot->expired)
        hearth_slot_expire(slot);
    return site;
}

/* --- Fragments --------------------------------------------------------------------------------- */

void hearth_handler_count(HearthSlot *slot, const HearthFragment *fragment)
{
    HearthEngineStats *stats = &slot->result->stats;
    hearth_slot_tell(slot,
                     &(HearthEngineEvent){.kind = HEARTH_ENGINE_TRANSLATED, .pc = fragment->app});
    stats->blocks++;
    stats->instructions += fragment->instructions;
    stats->stores.stack += fragment->stores[0];
    stats->stores.thread += fragment->stores[1];
    stats->stores.checked += fragment->stores[2];
    stats->stores.foreign += fragment->stores[3];
}

HearthFragment *hearth_handler_fragment(HearthSlot *slot, uint64_t pc, HearthView view)
{
    bool made;
    HearthRegion region;
    HearthFragment *fragment = hearth_cache_translate(pc, view, &made);
    slot->fault_pc = pc;
    if (!fragment && hearth_region_code(pc, &region))
        hearth_slot_abort(slot, HEARTH_ENGINE_OUT_OF_MEMORY, "code-cache");
    if (!fragment)
        hearth_slot_abort(slot, HEARTH_ENGINE_ESCAPED, "not code of a file");
    if (made)
        hearth_handler_count(slot, fragment);
    return fragment;
}

/* --- Direct branches --------------------------------------------------------------------------- */

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_exit(HearthSlot *slot)
{
    const HearthExit *exit = hearth_cache_exit((uint32_t)slot->context->site);
    const HearthFragment *fragment = hearth_cache_find(exit->target, exit->view);
    if (!fragment)
        return 0;
    hearth_cache_link(exit, fragment->code);
    return fragment->code;
}

uint64_t hearth_full_exit(HearthSlot *slot)
{
    const HearthExit *exit = hearth_cache_exit((uint32_t)slot->context->site);
    const HearthFragment *fragment = hearth_handler_fragment(slot, exit->target, exit->view);
    hearth_cache_link(exit, fragment->code);
    return fragment->code;
}

/* --- Indirect branches and returns ------------------------------------------------------------- */

/* Flags are not carried over: the fragment must not want any. */
HEARTH_GENERAL_REGISTERS static void remember(HearthSlot *slot, const HearthFragment *fragment)
{
    uint64_t place = (fragment->app ^ fragment->app >> 5) & (HEARTH_BRANCH_ENTRIES - 1);
    slot->context->branches[fragment->view][place] =
        (HearthBranchEntry){fragment->app, fragment->branch_entry};
}

HEARTH_GENERAL_REGISTERS static void unspill(HearthSlot *slot)
{
    slot->context->registers[HEARTH_RCX] = slot->context->spill[0];
    slot->context->registers[HEARTH_RAX] = slot->context->spill[1];
}

HEARTH_GENERAL_REGISTERS static const HearthFragment *known(HearthSlot *slot, uint64_t pc)
{
    const HearthFragment *fragment = hearth_cache_find(pc, slot->view);
    return fragment && !fragment->flags_live ? fragment : NULL;
}

static const HearthFragment *find_target(HearthSlot *slot, uint64_t pc)
{
    const HearthFragment *fragment = hearth_handler_fragment(slot, pc, slot->view);
    if (fragment->flags_live)
        hearth_slot_abort(slot, HEARTH_ENGINE_UNSUPPORTED, "flags across an indirect branch");
    return fragment;
}

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_branch(HearthSlot *slot)
{
    const HearthFragment *fragment = known(slot, slot->context->registers[HEARTH_RCX]);
    if (!fragment)
        return 0;
    unspill(slot);
    remember(slot, fragment);
    return fragment->code;
}

uint64_t hearth_full_branch(HearthSlot *slot)
{
    const HearthFragment *fragment = find_target(slot, slot->context->registers[HEARTH_RCX]);
    unspill(slot);
    remember(slot, fragment);
    return fragment->code;
}

/* What a return would jump to; 0: its stack cannot be read. */
HEARTH_GENERAL_REGISTERS static uint64_t on_stack(const HearthSlot *slot)
{
    uint64_t address = 0;
    hearth_copy_safely(&address, (const void *)slot->context->registers[HEARTH_RSP],
                       sizeof address);
    return address;
}

HEARTH_GENERAL_REGISTERS uint64_t hearth_fast_return(HearthSlot *slot)
{
    const HearthFragment *fragment = known(slot, on_stack(slot));
    if (!fragment)
        return 0;
    slot->context->registers[HEARTH_RSP] += 8;
    return fragment->code;
}

uint64_t hearth_full_return(HearthSlot *slot)
{
    const HearthFragment *fragment = find_target(slot, on_stack(slot));
    slot->context->registers[HEARTH_RSP] += 8;
    return fragment->code;
}

/* --- The careful view -------------------------------------------------------------------------- */

/* The site of a function that we stand for has no next instruction: it returns. */
static uint64_t next_pc(HearthSlot *slot, const HearthSite *site)
{
    if (site->insn.kind != HEARTH_INSN_RET)
        return site->next;
    uint64_t pc = on_stack(slot);
    slot->context->registers[HEARTH_RSP] += 8;
    return pc;
}

uint64_t hearth_handler_resume(HearthSlot *slot, HearthSite *site)
{
    if (!site->leaves)
        return site->resume;
    if (!site->leave)
        __atomic_store_n(&site->leave, hearth_handler_fragment(slot, site->next, site->view)->code,
                         __ATOMIC_RELEASE);
    return site->leave;
}

uint64_t hearth_handler_after(HearthSlot *slot, HearthSite *site)
{
    if (slot->overlay.count == 0 || site->view != HEARTH_VIEW_PLAIN)
        return hearth_handler_resume(slot, site);
    slot->view = HEARTH_VIEW_CAREFUL;
    hearth_slot_forget_shadow(slot);
    return hearth_handler_fragment(slot, next_pc(slot, site), HEARTH_VIEW_CAREFUL)->code;
}

/* --- Specials and ends ------------------------------------------------------------------------- */

uint64_t hearth_full_special(HearthSlot *slot)
{
    HearthSite *site = hearth_handler_site(slot);
    uint64_t *registers = slot->context->registers;
    ((HearthSpecial)site->special)(slot);
    if (site->insn.kind == HEARTH_INSN_SYSCALL) {
        registers[HEARTH_RCX] = site->next;
        registers[HEARTH_R11] = slot->context->flags;
    }
    return hearth_handler_after(slot, site);
}

uint64_t hearth_full_stack(HearthSlot *slot)
{
    hearth_handler_site(slot);
    hearth_slot_abort(slot, HEARTH_ENGINE_ESCAPED, "stack");
}

/* "instruction enter: c8 00 00 01" */
uint64_t hearth_full_denied(HearthSlot *slot)
{
    const HearthInsn *insn = &hearth_handler_site(slot)->insn;
    HearthRegion region;
    char rule[96];
    int used = snprintf(rule, sizeof rule, "instruction %.24s:", hearth_insn_name(insn));
    unsigned length = insn->length ? insn->length : 8;
    if (!hearth_region_code(insn->pc, &region))
        hearth_slot_abort(slot, HEARTH_ENGINE_ESCAPED, "not code of a file");
    for (unsigned i = 0; i < length; i++)
        used += snprintf(rule + used, sizeof rule - (size_t)used, " %02x", insn->bytes[i]);
    hearth_slot_abort(slot, HEARTH_ENGINE_UNSUPPORTED, rule);
}
