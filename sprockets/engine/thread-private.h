#pragma once

#include "sprockets/engine/slot-private.h"

/**
 * Thread-local storage of calls: a private copy of the thread's own, made anew for each call. gs points at the
 * copy of its control block, as fs does at the original, and the table of modules leads into the copy.
 */

/** Takes note of the objects that are loaded and of their storage in this thread. False: no memory. */
bool hearth_thread_measure(HearthSlot *slot);

/** Makes the copy. Identity is the same in each: the thread's id, the processor it runs on. */
void hearth_thread_copy(HearthSlot *slot);

/** Where the call's copy of a variable of static thread-local storage is. */
uint64_t hearth_thread_address(const HearthSlot *slot, const void *variable);
