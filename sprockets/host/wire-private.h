#pragma once

#include <stdint.h>

#include "sprockets/engine/engine.h"
#include "sprockets/sdk/sprocket.h"

/**
 * What the host and hearth-sprocket say to each other. Both are of one build and one machine: plain
 * structs in native order over SOCK_SEQPACKET, one message a packet. libc only.
 *
 *     control (descriptor 3 of hearth-sprocket, one thread of the host at a time)
 *       host: LOAD slot, path              server: LOADED, problem or description (a record)
 *       host: LANE + [lane socket, shared] server: nothing
 *     lane (one call at a time; the host has as many lanes as calls run in parallel)
 *       host: CALL limits, hook, params + [input, emit]   server: ENDED status, usage, address
 *       host: CANCEL                                      server: ENDED, as soon as the child is
 * dead
 *
 * A resident (`hearth-sprocket --resident`) has one sprocket and one lane, which is its descriptor 3:
 *       host: LOAD slot 0, path            resident: LOADED
 *       host: LANE + [shared, emit]        resident: nothing
 *       host: CALL as above                resident: ENDED
 * It understands no CANCEL: it is killed.
 *
 * The server ends when the control socket closes, and a lane's call when the lane closes. The child
 * writes its result and its last words into the lane's shared memory, which the server does not
 * map.
 */

#define HEARTH_WIRE_CONTROL_FD 3
#define HEARTH_WIRE_PARAMS_MAX 16384 /* bytes of the params record */
#define HEARTH_WIRE_PATH_MAX 4096
#define HEARTH_WIRE_LOG_MAX 4096
#define HEARTH_WIRE_LANES_MAX 64
#define HEARTH_WIRE_SLOTS_MAX 256
#define HEARTH_WIRE_TEXT_MAX 256
#define HEARTH_WIRE_DESCRIPTION_MAX 32768

typedef enum {
    HEARTH_WIRE_LOAD = 1,
    HEARTH_WIRE_LOADED,
    HEARTH_WIRE_LANE,
    HEARTH_WIRE_CALL,
    HEARTH_WIRE_CANCEL,
    HEARTH_WIRE_ENDED,
} HearthWireOp;

typedef struct {
    uint32_t op; /* LOAD */
    uint32_t slot;
    char path[HEARTH_WIRE_PATH_MAX];
} HearthWireLoad;

typedef struct {
    uint32_t op;                        /* LOADED */
    uint32_t size;                      /* of `description`; 0 if there is a problem */
    char problem[HEARTH_WIRE_TEXT_MAX]; /* "" if it was loaded */
    uint8_t description[HEARTH_WIRE_DESCRIPTION_MAX];
} HearthWireLoaded;

typedef struct {
    uint32_t op; /* LANE, CANCEL */
} HearthWireWord;

typedef struct {
    uint32_t op; /* CALL; then params_size bytes of params follow in the packet */
    uint32_t slot;
    char hook[32];
    uint64_t input_size; /* bytes, as the host saw it */
    uint64_t memory;     /* bytes */
    uint64_t emit_size;  /* bytes */
    uint32_t cpu_ms;
    uint32_t wall_ms;
    uint32_t result_size; /* bytes */
    uint32_t log_size;    /* bytes */
    uint32_t params_size; /* bytes */
    uint32_t zero;
} HearthWireCall;

/** Why the server killed the child. */
typedef enum {
    HEARTH_WIRE_KILL_NONE,
    HEARTH_WIRE_KILL_WALL,
    HEARTH_WIRE_KILL_CANCEL,
} HearthWireKill;

typedef struct {
    uint32_t op; /* ENDED */
    int32_t wait_status;
    uint32_t kill;
    int32_t error; /* errno when no child could be made; else 0 */
    uint64_t cpu_us;
    uint64_t peak_memory;              /* bytes */
    char rule[HEARTH_WIRE_TEXT_MAX];   /* "SIGSEGV", "system call openat"; "" */
    char symbol[HEARTH_WIRE_TEXT_MAX]; /* of the address in the shared memory; "" */
    uint32_t by_engine;                /* 1: the engine ran the call, and the two below count */
    uint32_t outcome;                  /* HearthEngineOutcome */
    HearthEngineStats stats;
} HearthWireEnded;

/** How far the child came. */
typedef enum {
    HEARTH_SHARED_EMPTY,    /* not even the confinement was complete */
    HEARTH_SHARED_RUNNING,  /* in the hook */
    HEARTH_SHARED_RETURNED, /* the hook returned; status, sizes and rule are set */
    HEARTH_SHARED_FAULTED,  /* a handler ran; signal and the rest are set */
    HEARTH_SHARED_SETUP,    /* a step of the confinement failed: errno in `status` */
} HearthSharedState;

/** The head of the lane's shared memory. The child may write anything here: trust nothing. */
typedef struct {
    uint32_t state;
    int32_t status;
    uint32_t result_size;
    uint32_t log_size;
    uint64_t emitted;
    char rule[32];
    int32_t signal;
    int32_t system_call;  /* for SIGSYS, else -1 */
    uint64_t address;     /* of the instruction */
    uint32_t memory_full; /* no more memory could be had when it ended */
    uint32_t zero;
} HearthShared;

#define HEARTH_SHARED_RESULT 4096 /* offset of the result: bytes */
#define HEARTH_SHARED_LOG (HEARTH_SHARED_RESULT + SPROCKET_RESULT_MAX)
#define HEARTH_SHARED_SIZE (HEARTH_SHARED_LOG + HEARTH_WIRE_LOG_MAX)
