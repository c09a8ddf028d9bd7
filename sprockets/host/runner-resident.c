#include "sprockets/host/runner-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sprockets/host/rolled-private.h"

/*
 * hearth-sprocket --resident: one sprocket, called again and again by the rollback engine (wire-private.h).
 * It loads the sprocket first, and confines itself then for good: neither the sprocket nor what might
 * get past the engine finds a file to open or a process to talk to but the host.
 */

#define FILES_MAX 16 /* descriptors: what there is, and those of a call */
#define SOCKET HEARTH_WIRE_CONTROL_FD

typedef struct {
    const SprocketDescriptor *sprocket;
    HearthEngineInstance *instance; /* NULL: it has no data of its own */
    uint8_t *shared;                /* with the host */
    int emit_fd;
} Resident;

static union {
    HearthWireWord word;
    HearthWireLoad load;
    HearthWireCall call;
    char bytes[sizeof(HearthWireCall) + HEARTH_WIRE_PARAMS_MAX];
} message;

static ssize_t receive(int fds[2])
{
    ssize_t size;
    do {
        size = hearth_runner_receive(SOCKET, &message, sizeof message, fds);
    } while (size < 0 && errno == EINTR);
    if (size <= 0)
        exit(0); /* the host is gone */
    return size;
}

/* --- Beginnings -------------------------------------------------------------------------------- */

static void take_load(Resident *resident)
{
    static HearthWireLoaded answer = {.op = HEARTH_WIRE_LOADED};
    int fds[2];
    if (receive(fds) != (ssize_t)sizeof message.load || message.word.op != HEARTH_WIRE_LOAD ||
        !memchr(message.load.path, 0, sizeof message.load.path))
        exit(1);
    resident->sprocket = hearth_runner_open(message.load.path, &answer);
    if (send(SOCKET, &answer, sizeof answer, MSG_NOSIGNAL) < 0 || !resident->sprocket)
        exit(1);
}

static void take_lane(Resident *resident)
{
    int fds[2];
    if (receive(fds) != (ssize_t)sizeof message.word || message.word.op != HEARTH_WIRE_LANE ||
        fds[1] < 0)
        exit(1);
    void *shared = mmap(NULL, HEARTH_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (shared == MAP_FAILED)
        exit(1);
    close(fds[0]);
    resident->shared = shared;
    resident->emit_fd = fds[1];
}

/* Signals from outside have no business here, and behind a thread without them the engine's second
 * wall can stand. */
static bool settle(void)
{
    static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    const struct rlimit no_core = {0, 0}, few_files = {FILES_MAX, FILES_MAX};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++)
        sigdelset(&blocked, FAULTS[i]);
    return sigprocmask(SIG_SETMASK, &blocked, NULL) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           setrlimit(RLIMIT_NOFILE, &few_files) == 0;
}

/* The engine makes its thread and its memory with the first area, for which there is no room later. */
static bool start_engine(Resident *resident)
{
    resident->instance = hearth_rolled_data(resident->sprocket);
    return hearth_engine_area() != NULL;
}

/* --- Calls ------------------------------------------------------------------------------------- */

static bool append(void *data, const void *bytes, size_t length)
{
    const Resident *resident = data;
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(resident->emit_fd, at, length);
        if (written <= 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

static void restart(void *data)
{
    const Resident *resident = data;
    if (lseek(resident->emit_fd, 0, SEEK_CUR) == 0)
        return;
    if (ftruncate(resident->emit_fd, 0) < 0 || lseek(resident->emit_fd, 0, SEEK_SET) < 0)
        exit(1);
}

/* Of the area the host sees what it will read, no more. */
static void hand_over(Resident *resident, const uint8_t *area)
{
    const HearthWireCall *call = &message.call;
    HearthShared *head = (HearthShared *)resident->shared;
    memcpy(head, area, sizeof *head);
    if (head->result_size > call->result_size)
        head->result_size = call->result_size;
    if (head->log_size > call->log_size)
        head->log_size = call->log_size;
    memcpy(resident->shared + HEARTH_SHARED_RESULT, area + HEARTH_SHARED_RESULT, head->result_size);
    memcpy(resident->shared + HEARTH_SHARED_LOG, area + HEARTH_SHARED_LOG, head->log_size);
}

static void run(Resident *resident, SprocketRun hook, const void *input, HearthWireEnded *ended)
{
    const HearthWireCall *call = &message.call;
    const HearthRolledCall rolled = {
        .run = hook,
        .input = input,
        .input_size = call->input_size,
        .params = (const uint8_t *)message.bytes + sizeof *call,
        .params_size = call->params_size,
        .limits = {.cpu_ms = call->cpu_ms,
                   .wall_ms = call->wall_ms,
                   .memory = call->memory < HEARTH_ROLLED_MEMORY_MAX ? call->memory
                                                                     : HEARTH_ROLLED_MEMORY_MAX,
                   .emit_size = call->emit_size,
                   .log_size = call->log_size},
        .result_size = call->result_size,
        .instance = resident->instance,
        .emit = append,
        .restart = restart,
        .data = resident,
    };
    const uint8_t *area = hearth_rolled_call(&rolled, ended);
    if (area)
        hand_over(resident, area);
    else
        ended->error = errno;
}

static void take_call(Resident *resident)
{
    HearthWireEnded ended = {.op = HEARTH_WIRE_ENDED};
    void *input = NULL;
    int fds[2];
    ssize_t size = receive(fds);
    if (!hearth_runner_call_is_sound(&message.call, size) || fds[1] < 0)
        exit(1);
    SprocketRun hook = hearth_call_find_hook(resident->sprocket, message.call.hook);
    if (message.call.input_size > 0)
        input = mmap(NULL, message.call.input_size, PROT_READ, MAP_PRIVATE, fds[0], 0);
    if (input == MAP_FAILED || !hook)
        ended.error = hook ? errno : EOPNOTSUPP;
    close(fds[0]);
    close(fds[1]); /* the file that was given with the lane */
    if (!ended.error)
        run(resident, hook, input, &ended);
    if (input && input != MAP_FAILED)
        munmap(input, message.call.input_size);
    if (send(SOCKET, &ended, sizeof ended, MSG_NOSIGNAL) < 0)
        exit(0);
}

int hearth_resident_main(void)
{
    static Resident resident;
    take_load(&resident);
    take_lane(&resident);
    if (!settle() || !hearth_resident_filter_prepare() || !start_engine(&resident) ||
        !hearth_resident_filter_install())
        return 1;
    for (;;)
        take_call(&resident);
}
