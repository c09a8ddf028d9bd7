/*
 * Row 16: the instruction itself, for system calls that no honest library makes. REFUSED by
 * name.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "tests/unit/sprockets/engine/bad/victim.h"

/* As hand-written code makes it, not by way of libc. */
static long raw(long number, ...)
{
    long result, a, b, c, d, e;
    va_list list;
    va_start(list, number);
    a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    register long r10 asm("r10") = va_arg(list, long);
    register long r8 asm("r8") = va_arg(list, long);
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                 : "rcx", "r11", "memory");
    va_end(list);
    return result;
}

uint64_t misbehave_socket(uint64_t *area, Victim *victim)
{
    return raw(SYS_socket, 1, 1, 0, 0, 0);
}

uint64_t misbehave_ptrace(uint64_t *area, Victim *victim)
{
    return raw(SYS_ptrace, 0, 0, 0, 0, 0);
}

uint64_t misbehave_prctl(uint64_t *area, Victim *victim)
{
    return raw(SYS_prctl, 1, 9, 0, 0, 0);
}

uint64_t misbehave_memfd(uint64_t *area, Victim *victim)
{
    return raw(SYS_memfd_create, "x", 0, 0, 0, 0);
}

uint64_t misbehave_io_uring(uint64_t *area, Victim *victim)
{
    return raw(SYS_io_uring_setup, 8, area, 0, 0, 0);
}

uint64_t misbehave_shm(uint64_t *area, Victim *victim)
{
    return raw(SYS_shmget, 0, 4096, 01600, 0, 0);
}

uint64_t misbehave_seccomp(uint64_t *area, Victim *victim)
{
    return raw(SYS_seccomp, 0, 0, 0, 0, 0);
}

uint64_t misbehave_userfaultfd(uint64_t *area, Victim *victim)
{
    return raw(SYS_userfaultfd, 0, 0, 0, 0, 0);
}

uint64_t misbehave_bpf(uint64_t *area, Victim *victim)
{
    return raw(SYS_bpf, 0, area, 64, 0, 0);
}

uint64_t misbehave_perf(uint64_t *area, Victim *victim)
{
    return raw(SYS_perf_event_open, area, 0, -1, -1, 0);
}

uint64_t misbehave_process_vm(uint64_t *area, Victim *victim)
{
    return raw(SYS_process_vm_writev, victim->pid, area, 1, area, 1, 0);
}

uint64_t misbehave_personality(uint64_t *area, Victim *victim)
{
    return raw(SYS_personality, 0x40000, 0, 0, 0, 0);
}

uint64_t misbehave_setuid(uint64_t *area, Victim *victim)
{
    return raw(SYS_setuid, 1, 0, 0, 0, 0);
}

uint64_t misbehave_setrlimit(uint64_t *area, Victim *victim)
{
    return raw(SYS_setrlimit, 7, area, 0, 0, 0);
}

uint64_t misbehave_unshare(uint64_t *area, Victim *victim)
{
    return raw(SYS_unshare, 0x20000000, 0, 0, 0, 0);
}

uint64_t misbehave_timer(uint64_t *area, Victim *victim)
{
    return raw(SYS_timer_create, 0, 0, area, 0, 0);
}

uint64_t misbehave_itimer(uint64_t *area, Victim *victim)
{
    return raw(SYS_setitimer, 0, area, 0, 0, 0);
}

uint64_t misbehave_inotify(uint64_t *area, Victim *victim)
{
    return raw(SYS_inotify_init1, 0, 0, 0, 0, 0);
}

uint64_t misbehave_eventfd(uint64_t *area, Victim *victim)
{
    return raw(SYS_eventfd2, 0, 0, 0, 0, 0);
}

uint64_t misbehave_pipe(uint64_t *area, Victim *victim)
{
    return raw(SYS_pipe2, area, 0, 0, 0, 0);
}

uint64_t misbehave_mount(uint64_t *area, Victim *victim)
{
    return raw(SYS_mount, 0, "/", 0, 0, 0);
}

uint64_t misbehave_rseq(uint64_t *area, Victim *victim)
{
    return raw(SYS_rseq, area, 32, 0, 0x53053053, 0);
}

uint64_t misbehave_unknown(uint64_t *area, Victim *victim)
{
    return raw(4000, 0, 0, 0, 0, 0) == -ENOSYS ? 0 : 1;
}
