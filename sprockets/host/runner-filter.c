#include "sprockets/host/runner-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * What a child may ask of the kernel: memory for itself, the end, and appending to the emit spool.
 * What a library does out of habit and survives without (looking whether its output is a terminal,
 * printing a warning, blocking signals around abort) gets an answer that does nothing. All else is
 * trapped, so that the answer to the author names the system call and the place.
 */

#define FILTER_MAX 1024 /* instructions; the kernel takes 4,096 */

static struct sock_filter filter_code[FILTER_MAX];
static struct sock_fprog filter = {.filter = filter_code};

static const int ALLOWED[] = {
    SCMP_SYS(exit),         SCMP_SYS(exit_group), SCMP_SYS(munmap),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),    SCMP_SYS(brk),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(futex),      SCMP_SYS(sched_yield),
};

/* The system call seems to succeed (0) or fails with the number, and nothing happens. */
static const struct {
    int call;
    unsigned answer;
} IDLE[] = {
    {SCMP_SYS(rt_sigprocmask), 0}, {SCMP_SYS(rt_sigaction), 0},
    {SCMP_SYS(getpid), 0},         {SCMP_SYS(gettid), 0},
    {SCMP_SYS(getrandom), ENOSYS}, {SCMP_SYS(sysinfo), ENOSYS},
    {SCMP_SYS(prlimit64), EPERM},  {SCMP_SYS(ioctl), EBADF},
    {SCMP_SYS(lseek), EBADF},      {SCMP_SYS(read), EBADF},
    {SCMP_SYS(close), EBADF},      {SCMP_SYS(sched_getaffinity), EPERM},
    {SCMP_SYS(fstat), EBADF},
};

static int add_conditional(scmp_filter_ctx context)
{
    int failed = 0;
    /* Private memory, and once the memory shared with the host. An input that the host happens to
     * have open for writing stays out of reach. */
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                               SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE));
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                               SCMP_A4_32(SCMP_CMP_EQ, HEARTH_RUNNER_SHARED_FD));
    /* The job. There is nothing to receive after it. */
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, HEARTH_RUNNER_JOB_FD));
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, HEARTH_RUNNER_EMIT_FD));
    failed |= seccomp_rule_add(context, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(newfstatat), 1,
                               SCMP_A3_32(SCMP_CMP_EQ, AT_EMPTY_PATH));
    /* To ask is harmless, and AddressSanitizer asks at every longjmp. */
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(sigaltstack), 1,
                               SCMP_A0(SCMP_CMP_EQ, 0));
    failed |= seccomp_rule_add(context, SCMP_ACT_ERRNO(0), SCMP_SYS(sigaltstack), 1,
                               SCMP_A0(SCMP_CMP_NE, 0));
#ifdef __SANITIZE_ADDRESS__
    /* A report of AddressSanitizer must reach the one who debugs. */
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, STDERR_FILENO));
#else
    failed |= seccomp_rule_add(context, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(write), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, STDERR_FILENO));
#endif
    failed |= seccomp_rule_add(context, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(write), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, STDOUT_FILENO));
    failed |= seccomp_rule_add(context, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(writev), 1,
                               SCMP_A0_32(SCMP_CMP_LE, STDERR_FILENO));
    return failed;
}

static int add_rules(scmp_filter_ctx context)
{
    int failed = add_conditional(context);
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++)
        failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    for (size_t i = 0; i < sizeof IDLE / sizeof *IDLE; i++)
        failed |= seccomp_rule_add(context, SCMP_ACT_ERRNO(IDLE[i].answer), IDLE[i].call, 0);
    failed |= seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A balanced tree: children are short-lived, and every page fault of malloc counts. */
    failed |= seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return failed;
}

/* Takes the compiled filter out of libseccomp: installing it anew in each child is one call then.
 */
static bool export_code(scmp_filter_ctx context)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = -1;
    if (seccomp_export_bpf(context, fd) == 0)
        size = pread(fd, filter_code, sizeof filter_code, 0);
    close(fd);
    if (size <= 0 || (size_t)size == sizeof filter_code)
        return false;
    filter.len = (unsigned short)((size_t)size / sizeof *filter_code);
    return true;
}

bool hearth_runner_filter_build(void)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
    bool built = context && add_rules(context) == 0 && export_code(context);
    if (context)
        seccomp_release(context);
    if (!built)
        fprintf(stderr, "hearth-sprocket: cannot build the system call filter\n");
    return built;
}

bool hearth_runner_filter_install(void)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

void hearth_runner_call_name(int number, char *text, size_t size)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (name)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "number %d", number);
    free(name);
}
