#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Knows whether anything in the writable memory of this process has changed.
 *
 * All of it is looked at but: what the engine says is its own (hearth_engine_owns), the frames of the
 * calling thread from `frame` down, the oracle's own copy, what was named to memory_oracle_ignore, and the
 * area that the kernel writes for restartable sequences. It keeps a copy and not a digest, so that
 * the byte that differs can be told. Between take and compare it allocates nothing and sets no errno. One
 * thread; the other threads of the process stand still meanwhile, or what they write is ignored.
 */

/** Leaves [address, address + size) out from now on. */
void memory_oracle_ignore(const void *address, size_t size);

/** Looks at all. `frame`: of the function that calls take, then what is watched, then compare. */
void memory_oracle_take(const void *frame);

/** True if nothing differs; else `ret_difference` says where, in which mapping, and what. */
bool memory_oracle_compare(const void *frame, char *ret_difference, size_t size);

/** Bytes looked at by the last take. */
size_t memory_oracle_size(void);

/** A mapping with code that the engine owns: the cache; 0: there is none. */
uint64_t memory_oracle_engine_code(void);
