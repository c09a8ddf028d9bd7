#pragma once

#include "sprockets/engine/emit-private.h"

/**
 * The translator: instructions of the process in, one fragment out.
 *
 * What of the flags it takes for granted: across a call, a return and an indirect branch nobody passes arithmetic flags
 * (System V ABI). A fragment that does read flags of before its entry is marked and refused to such branches.
 */

#define HEARTH_FRAGMENT_INSNS 32

typedef struct HearthTranslation HearthTranslation;

/** Makes the translator's memory; false with errno. */
bool hearth_translate_init(void);
/** True if `address` lies in it. */
bool hearth_translate_owns(uint64_t address);

/** Decodes and translates from `app`. NULL: it is not code that may run. The lock of the cache is held. */
HearthFragment *hearth_translate(uint64_t app, HearthView view);

/** The slot of a table of functions that "jmp [slot]" at `address`, perhaps behind endbr64 and bnd, goes by; 0: there is something else. */
uint64_t hearth_trace_slot(uint64_t address);

/** Where the entry of a call returns to: an address that no code of the process has. */
void hearth_engine_return_point(void);
