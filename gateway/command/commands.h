#pragma once

#include "gateway/command/call.h"

/** The commands, in one table for each noun. */
extern const HearthCommand HEARTH_COMMANDS_STATUS[];
extern const HearthCommand HEARTH_COMMANDS_DEVICE[];
extern const HearthCommand HEARTH_COMMANDS_JOB[];
extern const HearthCommand HEARTH_COMMANDS_TREE[];
extern const HearthCommand HEARTH_COMMANDS_TRANSFER[];
extern const HearthCommand HEARTH_COMMANDS_FIND[];
extern const HearthCommand HEARTH_COMMANDS_HISTORY[];
extern const HearthCommand HEARTH_COMMANDS_LOG[];
extern const HearthCommand HEARTH_COMMANDS_SPROCKET[];
