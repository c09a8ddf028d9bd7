#include "sprockets/host/runner-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "sprockets/host/call-private.h"

#define HANDLER_STACK 65536  /* bytes */
#define MEMORY_PROBE_SHARE 8 /* of the limit: who has less left counts as out of memory */

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
    if (!shared) /* before the job */
        end_process();
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

/* CPU seconds are a net under the timer, which counts in milliseconds but can be late. Waiting for
 * the job costs no processor time. The server sets the limit on memory, which needs the input's size. */
static bool set_limits(const HearthRunnerLimits *limits)
{
    rlim_t seconds = limits->cpu_ms / 1000 + 2;
    const struct itimerval timer = {
        .it_value = {.tv_sec = limits->cpu_ms / 1000, .tv_usec = limits->cpu_ms % 1000 * 1000}};
    return limit(RLIMIT_CPU, seconds, seconds + 1) &&
           limit(RLIMIT_FSIZE, limits->emit_size, limits->emit_size) && limit(RLIMIT_CORE, 0, 0) &&
           limit(RLIMIT_NOFILE, HEARTH_RUNNER_EMIT_FD + 1, HEARTH_RUNNER_EMIT_FD + 1) &&
           limit(RLIMIT_NPROC, 0, 0) && setitimer(ITIMER_PROF, &timer, NULL) == 0;
}

/* The sockets of lanes go: nothing of the server but its memory is left to the child. */
static bool keep_job_alone(int socket)
{
    if (socket != HEARTH_RUNNER_JOB_FD && dup2(socket, HEARTH_RUNNER_JOB_FD) < 0)
        return false;
    return close_range(HEARTH_RUNNER_JOB_FD + 1, ~0U, 0) == 0;
}

/* The job's message; static, as its parameters are read until the end. */
static struct {
    HearthRunnerJob job;
    uint8_t params[HEARTH_WIRE_PARAMS_MAX];
} message;

/* The three descriptors arrive as the numbers after the socket's, which is the only one there is. */
static bool receive_job(void)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control;
    struct iovec where = {&message, sizeof message};
    struct msghdr header = {.msg_iov = &where,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    return recvmsg(HEARTH_RUNNER_JOB_FD, &header, 0) >= (ssize_t)sizeof message.job;
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

/* NULL: it cannot be mapped, errno says why. */
static const void *map_input(uint64_t size)
{
    if (size == 0)
        return "";
    void *input = mmap(NULL, size, PROT_READ, MAP_PRIVATE, HEARTH_RUNNER_INPUT_FD, 0);
    return input == MAP_FAILED ? NULL : input;
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

static void run_job(char *base)
{
    static HearthCall call;
    const HearthRunnerJob *job = &message.job;
    const void *input = map_input(job->call.input_size);
    size_t size = 0;
    memory_probe = job->call.memory / MEMORY_PROBE_SHARE + 1;
    if (!input) {
        shared->status = errno;
        shared->state = HEARTH_SHARED_SETUP;
        return;
    }
    hearth_call_init(&call, input, job->call.input_size, message.params, job->call.params_size);
    hearth_record_begin(&call.result, base + HEARTH_SHARED_RESULT, job->call.result_size);
    call.log = base + HEARTH_SHARED_LOG;
    call.log_size = job->call.log_size;
    call.emit = write_emit;
    call.emit_left = job->call.emit_size;
    shared->state = HEARTH_SHARED_RUNNING;
    int status = hearth_call_run(&call, job->run, &size);
    finish(&call, status, size);
}

_Noreturn void hearth_runner_child(int socket, pid_t server, const HearthRunnerLimits *limits)
{
    /* The server's death must take the child along, also when it died before this line. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server)
        leave();
    errno = 0;
    bool confined = keep_job_alone(socket) && catch_signals() && set_limits(limits) &&
                    hearth_runner_filter_install();
    int failure = errno;
    if (!receive_job())
        leave();
    char *base = mmap(NULL, HEARTH_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                      HEARTH_RUNNER_SHARED_FD, 0);
    if (base == MAP_FAILED)
        leave();
    shared = (HearthShared *)base;
    if (confined) {
        run_job(base);
    } else {
        shared->status = failure;
        shared->state = HEARTH_SHARED_SETUP;
    }
    end_process();
    __builtin_unreachable();
}
