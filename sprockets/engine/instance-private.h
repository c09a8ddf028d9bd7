#pragma once

#include "sprockets/engine/slot-private.h"

/** Gives the call of `slot` its instance; before each try. */
void hearth_instance_begin(HearthSlot *slot);

/** Makes the data what it was. */
void hearth_instance_end(HearthSlot *slot);
