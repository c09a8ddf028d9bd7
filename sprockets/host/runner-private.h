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

/** Builds the system call filter of the children, once. False with a line on standard error. */
bool hearth_runner_filter_build(void);
/** Puts this process under the filter. False with errno. */
bool hearth_runner_filter_install(void);
/** "openat" or, for a number without a name, "number 467". */
void hearth_runner_call_name(int number, char *text, size_t size);

/** Fills rule and symbol of `ended` from how the child ended and from what it left in `shared_fd`.
 */
void hearth_runner_explain(int shared_fd, HearthWireEnded *ended);

/** All that a child needs; made by the server just before the fork. */
typedef struct {
    const HearthWireCall *call;
    const uint8_t *params;
    SprocketRun run;
    pid_t server;
    int shared_fd;
    int input_fd;
    int emit_fd;
    uint64_t server_memory; /* bytes of address space the server has */
} HearthRunnerJob;

/** The descriptor of the emit spool in a child, the only one it may write. */
#define HEARTH_RUNNER_EMIT_FD 3

/** Confines this process, runs the hook, leaves the result in the shared memory, exits. */
_Noreturn void hearth_runner_child(const HearthRunnerJob *job);
