#pragma once

#include "sprockets/engine/intercept-private.h"

/**
 * Specials that stand for functions, for the table of intercept.c. Arguments are where the calling
 * convention has them; the result goes to rax.
 */

/** hearth_engine_emit. */
void hearth_special_emit(HearthSlot *slot);

/* --- lock.c ----------------------------------------------------------------------------------- */

void hearth_special_mutex_lock(HearthSlot *slot);
void hearth_special_mutex_trylock(HearthSlot *slot);
void hearth_special_mutex_unlock(HearthSlot *slot);
void hearth_special_rwlock_read(HearthSlot *slot);
void hearth_special_rwlock_tryread(HearthSlot *slot);
void hearth_special_rwlock_write(HearthSlot *slot);
void hearth_special_rwlock_trywrite(HearthSlot *slot);
void hearth_special_rwlock_unlock(HearthSlot *slot);
void hearth_special_spin_lock(HearthSlot *slot);
void hearth_special_spin_trylock(HearthSlot *slot);
void hearth_special_spin_unlock(HearthSlot *slot);
/** GLib's mutexes, which are words of its own; trylock answers the other way round. */
void hearth_special_glib_lock(HearthSlot *slot);
void hearth_special_glib_trylock(HearthSlot *slot);
void hearth_special_glib_unlock(HearthSlot *slot);
/**
 * Waiting for a condition ends the call as a conflict: nobody can signal what only the call sees.
 */
void hearth_special_condition_wait(HearthSlot *slot);

/** Finds GLib's functions; before the specials for them are used. False: GLib is not loaded. */
bool hearth_lock_init(void);
