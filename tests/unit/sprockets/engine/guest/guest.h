#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Code that the tests run natively and under the engine, in shared objects built as an author would: without our
 * flags. Every function is GUEST(name) and leaves what it found in the area and in its value.
 */
#define GUEST(name) uint64_t name(char *area, uint64_t first, uint64_t second, uint64_t third)

#ifdef __cplusplus
}
#endif
