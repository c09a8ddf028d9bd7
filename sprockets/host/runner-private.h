#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sprockets/host/wire-private.h"

/**
 * The parts of hearth-sprocket, a program of one thread. libc, libseccomp and nothing else: a small
 * process is quick to fork.
 */

typedef struct {
    const SprocketDescriptor *sprocket; /* NULL: nothing loaded in the slot */
} HearthRunnerSlot;

/**
 * Loads the shared object of `load` into its slot. It is loaded first in a child, so that one whose
 * constructors or table crash costs nothing but an answer that says so. `ret_answer` is complete.
 */
void hearth_runner_load(HearthRunnerSlot *slots, const HearthWireLoad *load,
                        HearthWireLoaded *ret_answer);

/**
 * Loads the shared object `path` into this process. NULL: `answer` has the problem, else the
 * sprocket's table.
 */
const SprocketDescriptor *hearth_runner_open(const char *path, HearthWireLoaded *answer);

/** Receives one packet and up to two descriptors; its size, 0 at the end, -1. */
ssize_t hearth_runner_receive(int socket, void *packet, size_t most, int fds[2]);

/** Whether a packet of `size` bytes is a CALL whose numbers hold together. */
bool hearth_runner_call_is_sound(const HearthWireCall *call, ssize_t size);

/** Serves as a resident until the host is gone; the exit status. */
int hearth_resident_main(void);
/** Before the engine is used, which then hands on the signals of what the filter traps. */
bool hearth_resident_filter_prepare(void);
/** Puts all threads of this process under the filter, for good. */
bool hearth_resident_filter_install(void);

/** Builds the system call filter of the children, once. False with a line on standard error. */
bool hearth_runner_filter_build(void);
/** Puts this process under the filter. False with errno. */
bool hearth_runner_filter_install(void);
/** "openat" or, for a number without a name, "number 467". */
void hearth_runner_call_name(int number, char *text, size_t size);

/** Fills rule and symbol of `ended` from how the child ended and from what it left in `shared_fd`.
 */
void hearth_runner_explain(int shared_fd, HearthWireEnded *ended);

/**
 * Children are made ahead: while one runs, the next is forked, confined and waits for its job, so
 * that a call does not wait for any of that. What differs from call to call and must be set before
 * the confinement is complete:
 */
typedef struct {
    uint32_t cpu_ms;
    uint64_t emit_size; /* bytes */
} HearthRunnerLimits;

/** What the server sends a waiting child, with the descriptors named below; params follow. */
typedef struct {
    SprocketRun run; /* both are forks of one process: an address means the same to them */
    HearthWireCall call;
} HearthRunnerJob;

/* Descriptors of a child; it has no others, and the filter knows these numbers. */
#define HEARTH_RUNNER_JOB_FD 3
#define HEARTH_RUNNER_SHARED_FD 4
#define HEARTH_RUNNER_INPUT_FD 5
#define HEARTH_RUNNER_EMIT_FD 6

/** Bytes of address space that a child may have beyond the server's, its input and its limit. */
#define HEARTH_RUNNER_SLACK (1024 * 1024)

/**
 * Confines this process, waits on `socket` for its job, runs the hook, leaves the result in the
 * shared memory, exits. Ends quietly if the server does.
 */
_Noreturn void hearth_runner_child(int socket, pid_t server, const HearthRunnerLimits *limits);
