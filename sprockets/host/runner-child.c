#include "sprockets/host/runner-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "sprockets/host/call-private.h"

#define HANDLER_STACK 65536        /* bytes */
#define MEMORY_PROBE_SHARE 8       /* of the limit: who has less left counts as out of memory */
#define MEMORY_SLACK (1024 * 1024) /* bytes: shared memory and the mappings of the confinement */

static HearthShared *shared; /* of this child */
static size_t memory_probe;  /* bytes */

/* exit() would run what the sprocket left in atexit. Not declared _Noreturn: before calling such a
 * function AddressSanitizer looks around in /proc, which the filter stops. */
static void end_process(void)
{
    syscall(SYS_exit_group, 0);
}

static _Noreturn void leave(void)
{
    end_process();
    __builtin_unreachable();
}

/* Whether the memory limit is near: nothing else tells a failed malloc from a wild pointer. */
static bool memory_is_full(void)
{
    void *probe = mmap(NULL, memory_probe, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return true;
    munmap(probe, memory_probe);
    return false;
}

static uint64_t program_counter(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return context->uc_mcontext.pc;
#else
    return 0;
#endif
}

/* Runs in the middle of anything: writes plain memory and leaves. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    shared->signal = number;
    shared->system_call = -1;
    shared->address = program_counter(context);
    if (number == SIGSYS) {
        shared->system_call = info->si_syscall;
#if defined(__x86_64__)
        /* abort() raises its signal with a system call that the filter traps. */
        const ucontext_t *state = context;
        if (info->si_syscall == SYS_tgkill && state->uc_mcontext.gregs[REG_RDX] == SIGABRT)
            shared->signal = SIGABRT;
#endif
    }
    shared->memory_full = memory_is_full();
    shared->state = HEARTH_SHARED_FAULTED;
    end_process();
}

static _Noreturn void fail_setup(void)
{
    shared->status = errno;
    shared->state = HEARTH_SHARED_SETUP;
    leave();
}

static bool catch_signals(void)
{
    static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL,  SIGFPE,
                                  SIGTRAP, SIGSYS, SIGPROF, SIGABRT};
    static _Alignas(16) char stack[HANDLER_STACK];
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    const stack_t where = {.ss_sp = stack, .ss_size = sizeof stack};
    bool done = sigaltstack(&where, NULL) == 0;
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        done = done && sigaction(SIGNALS[i], &action, NULL) == 0;
    return done;
}

static bool limit(int resource, rlim_t soft, rlim_t hard)
{
    const struct rlimit bounds = {soft, hard};
    return setrlimit((__rlimit_resource_t)resource, &bounds) == 0;
}

/*
 * The memory limit is on the address space: what the server had, plus the input, plus the limit.
 * That holds under AddressSanitizer too, whose terabytes of shadow are part of what the server had.
 * CPU seconds are a net under the timer, which counts in milliseconds but can be late.
 */
static bool set_limits(const HearthRunnerJob *job)
{
    const HearthWireCall *call = job->call;
    rlim_t space = job->server_memory + call->input_size + call->memory + MEMORY_SLACK;
    rlim_t seconds = call->cpu_ms / 1000 + 2;
    const struct itimerval timer = {
        .it_value = {.tv_sec = call->cpu_ms / 1000, .tv_usec = call->cpu_ms % 1000 * 1000}};
    return limit(RLIMIT_AS, space, space) && limit(RLIMIT_CPU, seconds, seconds + 1) &&
           limit(RLIMIT_FSIZE, call->emit_size, call->emit_size) && limit(RLIMIT_CORE, 0, 0) &&
           limit(RLIMIT_NOFILE, 0, 0) && limit(RLIMIT_NPROC, 0, 0) &&
           setitimer(ITIMER_PROF, &timer, NULL) == 0;
}

/* Also the sockets of other lanes go: nothing of the server but its memory is left to the child. */
static bool keep_emit_alone(int emit_fd)
{
    if (emit_fd != HEARTH_RUNNER_EMIT_FD && dup2(emit_fd, HEARTH_RUNNER_EMIT_FD) < 0)
        return false;
    return close_range(HEARTH_RUNNER_EMIT_FD + 1, ~0U, 0) == 0;
}

static bool write_emit(HearthCall *call, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t written = write(HEARTH_RUNNER_EMIT_FD, at, length);
        if (written <= 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

static void *map_input(const HearthRunnerJob *job)
{
    if (job->call->input_size == 0)
        return NULL;
    void *input = mmap(NULL, job->call->input_size, PROT_READ, MAP_PRIVATE, job->input_fd, 0);
    if (input == MAP_FAILED)
        fail_setup();
    return input;
}

static void finish(const HearthCall *call, int status, size_t size)
{
    shared->status = status;
    shared->result_size = (uint32_t)size;
    shared->log_size = (uint32_t)call->log_used;
    shared->emitted = call->emitted;
    if (call->rule)
        strncpy(shared->rule, call->rule, sizeof shared->rule - 1);
    shared->memory_full = status != SPROCKET_OK && memory_is_full();
    shared->state = HEARTH_SHARED_RETURNED;
}

_Noreturn void hearth_runner_child(const HearthRunnerJob *job)
{
    static HearthCall call;
    size_t size = 0;
    /* The server's death must take the child along, also when it died before this line. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != job->server)
        leave();
    char *base =
        mmap(NULL, HEARTH_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, job->shared_fd, 0);
    if (base == MAP_FAILED)
        leave();
    shared = (HearthShared *)base;
    memory_probe = job->call->memory / MEMORY_PROBE_SHARE + 1;
    hearth_call_init(&call, map_input(job), job->call->input_size, job->params,
                     job->call->params_size);
    hearth_record_begin(&call.result, base + HEARTH_SHARED_RESULT, job->call->result_size);
    call.log = base + HEARTH_SHARED_LOG;
    call.log_size = job->call->log_size;
    call.emit = write_emit;
    call.emit_left = job->call->emit_size;
    if (!keep_emit_alone(job->emit_fd) || !catch_signals() || !set_limits(job) ||
        !hearth_runner_filter_install())
        fail_setup();
    shared->state = HEARTH_SHARED_RUNNING;
    int status = hearth_call_run(&call, job->run, &size);
    finish(&call, status, size);
    end_process();
    __builtin_unreachable();
}
