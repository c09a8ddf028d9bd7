#pragma once

#include "devices/shadow.h"

/** The process id of the device's process, 0 if none runs. For tests, which kill it. */
int hearth_shadow_worker_pid(HearthShadow *shadow);
