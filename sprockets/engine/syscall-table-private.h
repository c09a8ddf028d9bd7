#pragma once

#include "sprockets/engine/slot-private.h"

/**
 * What becomes of each system call of x86-64 Linux that a call makes: one row for every number,
 * with the reason. Constant; any thread.
 */

typedef enum {
    HEARTH_SYSTEM_ALLOWED,  /* succeeds: there is nothing in it that matters to anybody */
    HEARTH_SYSTEM_EMULATED, /* answered by the engine alone, with fixed or private values */
    HEARTH_SYSTEM_BOUNDED,  /* done within what the policy and the limits of the call give */
    HEARTH_SYSTEM_FAILS,    /* refused with an error that honest libraries go on from */
    HEARTH_SYSTEM_ENDS,     /* ends the call: what no honest library does */
} HearthSystemAction;

/** Works on the six arguments; the result, or an error number, negative. May end the call. */
typedef int64_t (*HearthSystemCall)(HearthSlot *slot, const uint64_t *arguments);

typedef struct {
    const char *name;
    HearthSystemAction action;
    int error;            /* of FAILS */
    HearthSystemCall run; /* of the first three; NULL: nothing to do, the result is 0 */
    const char *reason;
} HearthSystemRow;

/** One more than the highest number that has a row of its own. */
#define HEARTH_SYSTEM_ROWS 468

/** The row of `number`; that of unknown numbers if it has none. Never NULL. */
const HearthSystemRow *hearth_system_row(uint32_t number);
