#include "sprockets/host/runner-private.h"

#include <errno.h>
#include <linux/prctl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * What a resident may ask of the kernel: memory that is not executable, time, its own threads and signals, and
 * the descriptors it has, of which one is the list of mappings that the engine reads.
 */

static const int ALLOWED[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fstat),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* How a thread begins: the engine's may not have begun when the filter comes. */
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
};

/* The engine calls this for what is not its own. */
static void on_refused(int number, siginfo_t *info, void *data)
{
    char text[64];
    int size = snprintf(text, sizeof text, "hearth-sprocket: a resident made the system call %d\n",
                        info->si_syscall);
    if (write(STDERR_FILENO, text, (size_t)size) < 0)
        _exit(2);
    _exit(1);
}

bool hearth_resident_filter_prepare(void)
{
    const struct sigaction action = {.sa_sigaction = on_refused,
                                     .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    return sigaction(SIGSYS, &action, NULL) == 0;
}

static int add_rules(scmp_filter_ctx context)
{
    int failed = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    failed |= seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    failed |= seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++)
        failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                               SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE));
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* The monitor's signal to the thread that calls, and the second wall. */
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, (unsigned)getpid()));
    failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                               SCMP_A0_32(SCMP_CMP_EQ, PR_SET_SYSCALL_USER_DISPATCH));
    return failed;
}

bool hearth_resident_filter_install(void)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
    bool installed = context && add_rules(context) == 0 && seccomp_load(context) == 0;
    if (context)
        seccomp_release(context);
    if (!installed)
        fprintf(stderr, "hearth-sprocket: cannot confine a resident\n");
    return installed;
}
