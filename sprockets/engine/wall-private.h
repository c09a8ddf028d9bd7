#pragma once

#include "sprockets/engine/slot-private.h"

/**
 * What stands around a thread with calls: signals, gs, time, and the second wall.
 *
 * Signals from outside must not come while a call is in progress: the kernel would write a handler's frame to wherever
 * the call's stack pointer leads. In threads that do not block them the engine does so for each call.
 *
 * The wall is syscall user dispatch: while translated code runs, a system call of this thread, from wherever,
 * raises SIGSYS, which ends the call. It stands behind the translator, which leaves no system call in what it
 * writes.
 */

/** Installs the handlers of faults and starts the monitor; false with errno. */
bool hearth_fault_init(void);

/** Sets gs and the signal stack of this thread; false with errno. */
bool hearth_wall_prepare_thread(HearthSlot *slot);

/** Around each call. */
void hearth_signals_begin(HearthSlot *slot);
void hearth_signals_end(HearthSlot *slot);

/** Raises the wall; false where it cannot stand. */
bool hearth_wall_raise(HearthSlot *slot);
void hearth_wall_lower(HearthSlot *slot);

/** The signal by which the monitor interrupts a call. */
int hearth_wall_signal(void);

bool hearth_monitor_start(void);
/** True if `address` lies in the monitor's memory. */
bool hearth_monitor_owns(uint64_t address);
/** Before each call. */
void hearth_monitor_wake(void);
