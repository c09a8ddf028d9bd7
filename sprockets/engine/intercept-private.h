#pragma once

#include "sprockets/engine/slot-private.h"

/**
 * What runs instead of an instruction or a function of libc.
 *
 * A special is called from a gate with the call's registers in context->registers; it changes those that the
 * instruction or function would change (a function leaves its result in HEARTH_RAX; the return itself is
 * done by the code that called the gate). It may use libc and vector registers. To end the call it uses
 * hearth_slot_abort. In these files hearth_call_read and kin are the way to the call's memory.
 */
typedef void (*HearthSpecial)(HearthSlot *slot);

/** The `syscall` instruction: decides by the table (syscall-table.c) and leaves the result in rax. */
void hearth_special_syscall(HearthSlot *slot);
/** cpuid: features as they are, identity as fixed values. */
void hearth_special_cpuid(HearthSlot *slot);
/** rdtsc and rdtscp: fixed values. */
void hearth_special_rdtsc(HearthSlot *slot);

/** Closes, unmaps and unlocks what the call opened, mapped and locked. */
void hearth_syscall_end(HearthSlot *slot);
void hearth_lock_end(HearthSlot *slot);

/** Why a special stands for a function, or which code does. */
typedef struct {
    uint64_t address;      /* of the function in the process */
    HearthSpecial special; /* NULL: `code` stands for it */
    uint64_t code;         /* address of a function that is translated in its place */
} HearthIntercept;

/** Finds malloc, exit, pthread_mutex_lock and kin in the process, once (intercept.c). */
void hearth_intercept_init(void);
/** What stands for the function at `address`; NULL: it stands for itself. No lock, no libc. */
const HearthIntercept *hearth_intercept_find(uint64_t address);
