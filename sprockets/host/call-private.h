#pragma once

#include "sprockets/host/record-private.h"
#include "sprockets/sdk/sprocket.h"

/**
 * What stands behind the functions of sprocket.h: one call, its parameters, its result, its log.
 *
 * The same code serves the child of hearth-sprocket and calls in the caller's own thread, so: libc
 * only, no allocation. All memory is the caller's and outlives the call.
 */

/** Names of the parameters that carry the input's name and media type. */
#define HEARTH_CALL_PARAM_NAME ".name"
#define HEARTH_CALL_PARAM_TYPE ".media-type"

typedef struct HearthCall HearthCall;

struct HearthCall {
    SprocketCall call; /* first, so that the sprocket's pointer is ours */
    SprocketInput input;
    const uint8_t *params; /* a record */
    size_t params_size;
    HearthRecordWriter result;
    char *log;
    size_t log_size;
    size_t log_used;
    uint64_t emit_left; /* bytes */
    uint64_t emitted;
    /* Appends to the spool; false is the host's failure. */
    bool (*emit)(HearthCall *call, const void *data, size_t length);
    void *emit_data;
    const char
        *rule; /* first rule the call broke: "result-size", "result-value", "emit"; or NULL */
};

/** Prepares `call`: its buffers and `emit` are set by the caller afterwards. */
void hearth_call_init(HearthCall *call, const void *input, size_t length, const uint8_t *params,
                      size_t params_size);

/** Runs the hook and closes the result; what the hook returned. `ret_size` is that of the record.
 */
int hearth_call_run(HearthCall *call, SprocketRun run, size_t *ret_size);

/** The hook `name` of a sprocket, or NULL. */
SprocketRun hearth_call_find_hook(const SprocketDescriptor *sprocket, const char *name);
