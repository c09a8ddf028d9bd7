#pragma once

#include "sprockets/engine/cache-private.h"
#include "sprockets/engine/slot-private.h"

/**
 * What gates call. Each handler looks at context->site and registers, and gives the address in the cache at which code goes
 * on. A fast one touches general registers alone and gives 0 where it cannot tell; then the vector registers are
 * kept and the full one is called, which may use all of C. Full ones may end the call.
 */
uint64_t hearth_fast_exit(HearthSlot *slot);
uint64_t hearth_full_exit(HearthSlot *slot);
uint64_t hearth_fast_branch(HearthSlot *slot);
uint64_t hearth_full_branch(HearthSlot *slot);
uint64_t hearth_fast_return(HearthSlot *slot);
uint64_t hearth_full_return(HearthSlot *slot);
uint64_t hearth_fast_memory(HearthSlot *slot);
uint64_t hearth_full_memory(HearthSlot *slot);
uint64_t hearth_full_written(HearthSlot *slot);
uint64_t hearth_fast_string(HearthSlot *slot);
uint64_t hearth_full_string(HearthSlot *slot);
uint64_t hearth_full_special(HearthSlot *slot);
uint64_t hearth_full_stack(HearthSlot *slot);
uint64_t hearth_full_denied(HearthSlot *slot);
/** For gates that have no fast handler: 0. */
uint64_t hearth_fast_none(HearthSlot *slot);

/** The site that called the gate. */
HearthSite *hearth_handler_site(HearthSlot *slot);

/** Adds a fragment made for the call to its statistics. */
void hearth_handler_count(HearthSlot *slot, const HearthFragment *fragment);

/** Code of `pc` in `view`, translated if need be; ends the call if there can be none. */
HearthFragment *hearth_handler_fragment(HearthSlot *slot, uint64_t pc, HearthView view);

/** Where code goes on after `site` was made good for; ends the call if there can be no code. */
uint64_t hearth_handler_resume(HearthSlot *slot, HearthSite *site);

/**
 * After something that may have made the first frame: where code goes on after `site`, in the careful view
 * from then on.
 */
uint64_t hearth_handler_after(HearthSlot *slot, HearthSite *site);

/** Ends the call: what a store or load at `address` would have met. */
_Noreturn void hearth_handler_fault(HearthSlot *slot, HearthOverlayStatus status);
