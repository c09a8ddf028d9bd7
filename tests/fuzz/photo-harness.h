#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Calls `hook` of the photo sprocket in this process. What it says is decoded and validated as the
 * host does: the sprocket must never say what the host would count against it.
 */
void photo_harness_run(const char *hook, const uint8_t *data, size_t size);
