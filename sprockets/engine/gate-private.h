#pragma once

#include "sprockets/engine/handler-private.h"

/** Fills in the addresses of the gates. */
void hearth_gate_init(HearthContext *context);

/**
 * Goes over to translated code at context->after with the call's registers and flags as they stand in
 * the context. 1: the call came to its return point, its registers are in the context. 0: it was
 * ended by hearth_gate_leave.
 */
int hearth_gate_enter(void);

/** Ends the call: returns 0 from hearth_gate_enter, from wherever on this thread it is called or signals bring it. */
_Noreturn void hearth_gate_leave(void);
