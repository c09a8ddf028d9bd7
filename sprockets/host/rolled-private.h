#pragma once

#include "sprockets/host/call-private.h"
#include "sprockets/host/wire-private.h"

/** Bytes of private memory that the engine has room for. */
#define HEARTH_ROLLED_MEMORY_MAX ((uint64_t)900 << 20)

/**
 * The data of its own that the object of `sprocket` has; NULL if that is no more than the few bytes
 * that any object has, for which stores to overlay pages are good enough.
 */
HearthEngineInstance *hearth_rolled_data(const SprocketDescriptor *sprocket);

/**
 * One call of a hook by the rollback engine, in the calling thread: what the daemon and a resident
 * hearth-sprocket have in common. libc only.
 *
 * The thread's area of the engine is laid out as the memory that a child shares with the host
 * (HearthShared, result, log), and the hook leaves there what a child would leave. As there, nothing
 * in it may be trusted.
 */
typedef struct {
    SprocketRun run;
    const void *input; /* NULL: empty */
    size_t input_size;
    const uint8_t *params; /* a record; at most HEARTH_WIRE_PARAMS_MAX bytes */
    size_t params_size;
    HearthEngineLimits limits; /* no zeros in memory, emit_size and log_size */
    uint32_t result_size;      /* bytes at most */
    HearthEngineInstance *instance;
    /* Appends to what the call emits; false: there is no room. */
    bool (*emit)(void *data, const void *bytes, size_t length);
    /* Drops what was emitted: the call begins, or begins again. */
    void (*restart)(void *data);
    void *data;
    /* Told a line of what the engine does; NULL: nobody is. What was translated before is translated anew. */
    void (*trace)(const char *line, void *data);
    void *trace_data;
} HearthRolledCall;

/** Translates at most `most` blocks of what leads to `run`, and of what `run` leads to. */
void hearth_rolled_translate(SprocketRun run, size_t most);

/**
 * Runs `call` and rolls it back. HEARTH_SHARED_SIZE bytes, in which the head's sizes are not checked;
 * valid until this thread's next call. NULL: no memory for the thread's first call, errno says.
 */
const uint8_t *hearth_rolled_call(const HearthRolledCall *call, HearthWireEnded *ret_ended);
