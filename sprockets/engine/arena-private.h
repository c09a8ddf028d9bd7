#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * malloc's memory of one call. These functions run translated in place of libc's, by the call
 * itself: they are plain code that keeps its whole state at the start of the arena, uses no lock
 * and calls nothing of libc but memcpy and memset (and the address of errno). A call that
 * overwrites the state hurts only itself.
 *
 * The memory is all zero when a call begins, is committed by the faults of its first use, and is
 * wiped by its owner after the call. What is freed comes back to the same call; nothing is given
 * back to the system.
 *
 * Pointers that are not of this arena are the host's: freeing them does nothing, growing them
 * copies them into the arena.
 */

typedef struct HearthArena HearthArena;

/** The arena of this thread's call: set by the host in the private copy of thread-local storage. */
extern __thread HearthArena *hearth_arena __attribute__((tls_model("initial-exec")));

/** Bytes at the start that hearth_arena_begin writes: they are to be committed before. */
#define HEARTH_ARENA_HEADER 4096

/**
 * Native: makes `memory`, page-aligned, zero, into an arena of `limit` bytes, its state included.
 */
void hearth_arena_begin(void *memory, uint64_t limit);

/** Native: bytes from the start that were ever handed out, at the most. */
uint64_t hearth_arena_used(const void *memory);

void *hearth_arena_malloc(size_t size);
void hearth_arena_free(void *pointer);
void *hearth_arena_calloc(size_t count, size_t size);
void *hearth_arena_realloc(void *pointer, size_t size);
void *hearth_arena_reallocarray(void *pointer, size_t count, size_t size);
void *hearth_arena_memalign(size_t alignment, size_t size);
void *hearth_arena_aligned_alloc(size_t alignment, size_t size);
int hearth_arena_posix_memalign(void **ret_pointer, size_t alignment, size_t size);
void *hearth_arena_valloc(size_t size);
void *hearth_arena_pvalloc(size_t size);
size_t hearth_arena_usable_size(void *pointer);
