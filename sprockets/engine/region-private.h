#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * What the process has mapped, as the engine needs it: code that may be translated, and memory that may
 * be written. Read from /proc/self/maps without allocation, kept until it proves out of date.
 */

typedef struct {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    uint64_t inode;  /* 0: anonymous */
    uint32_t device;
    bool code; /* executable, not writable, of a file or the vDSO */
    bool writable;
    bool readable;
} HearthRegion;

/** Before all else; false with errno. */
bool hearth_region_init(void);

/** The region of code that `address` lies in; false: none, also after the mappings were read anew. Any thread. */
bool hearth_region_code(uint64_t address, HearthRegion *ret_region);

/** True if a store to `address` would succeed. Any thread. */
bool hearth_writable(uint64_t address);

/** True if nothing can store to `address` through a mapping of this process. May say false of what it has not seen yet. */
bool hearth_region_constant(uint64_t address);

/** Takes note of objects that were loaded or unloaded since; true if one was unloaded: translations may be of it. */
bool hearth_region_refresh(void);

/** Changes whenever an object is loaded or unloaded. */
uint64_t hearth_region_loads(void);

/** True if `address` lies in memory of these functions. */
bool hearth_region_owns(uint64_t address);
