#pragma once

#include <sys/stat.h>

#include "sprockets/engine/syscall-table-private.h"

/**
 * The system calls that the table runs, each a HearthSystemCall under the kernel's name for it.
 * They run in a gate, natively, on the thread of the call. What they open or map is noted in the
 * slot before anything can end the call. Arguments are foreign: pointers among them are followed by
 * hearth_call_read and hearth_call_write alone, once.
 */

#define HEARTH_SYSTEM_EPOCH                                                                        \
    946684800 /* seconds: 2000-01-01T00:00:00Z, the time of all clocks and files */
#define HEARTH_SYSTEM_NOBODY 65534  /* user and group of the call and of all files */
#define HEARTH_SYSTEM_FIRST_FILE 64 /* the lowest number of a file that the call opens */
#define HEARTH_SYSTEM_PATH_MAX 4096 /* bytes with the NUL, as the kernel has it */

/** Ends the call with rule "system call NAME". */
_Noreturn void hearth_system_refuse(HearthSlot *slot, const char *name);

/** 0, or -EFAULT if the call's memory at `to` does not take it. */
int64_t hearth_system_put(HearthSlot *slot, uint64_t to, const void *from, uint64_t size);

/* --- syscall-file.c: descriptors -------------------------------------------------------------- */

/** The open file that the call knows as `number`, one that it was given included; NULL: none. */
HearthOpenFile *hearth_system_file(HearthSlot *slot, uint64_t number);
/**
 * Takes over our `descriptor`: the call's number for it, or an error with the descriptor closed.
 */
int64_t hearth_system_file_add(HearthSlot *slot, int descriptor);
void hearth_system_file_end(HearthSlot *slot);
/**
 * What the call is told of a file: its type and size, all else as if it were the same everywhere.
 */
void hearth_system_blank_stat(struct stat *stat);

int64_t hearth_system_read(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_pread64(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_readv(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_preadv(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_preadv2(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_lseek(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_fstat(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getdents64(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_close(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_dup(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_fcntl(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_write(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_writev(HearthSlot *slot, const uint64_t *arguments);

/* --- syscall-path.c: names -------------------------------------------------------------------- */

int64_t hearth_system_open(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_openat(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_stat(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_lstat(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_newfstatat(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_statx(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_access(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_faccessat(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_faccessat2(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getcwd(HearthSlot *slot, const uint64_t *arguments);

/* --- syscall-memory.c ------------------------------------------------------------------------- */

void hearth_system_memory_end(HearthSlot *slot);

int64_t hearth_system_brk(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_mmap(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_mprotect(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_munmap(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_madvise(HearthSlot *slot, const uint64_t *arguments);

/* --- syscall-identity.c: clocks, the machine, randomness; and signals ------------------------- */

/** The next of the fixed sequence that stands for randomness; each call begins at the same. */
uint64_t hearth_system_random(HearthSlot *slot);
/** Writes `size` bytes of it to the call's memory: false: its memory does not take them. */
bool hearth_system_put_random(HearthSlot *slot, uint64_t to, uint64_t size);

int64_t hearth_system_clock_gettime(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_clock_getres(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_gettimeofday(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_time(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_times(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getrusage(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_uname(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_sysinfo(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getcpu(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_sched_getaffinity(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_sched_getparam(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_one(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_nobody(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getresid(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getrlimit(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_prlimit64(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getpriority(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_getrandom(HearthSlot *slot, const uint64_t *arguments);

/* --- syscall.c -------------------------------------------------------------------------------- */

int64_t hearth_system_rt_sigaction(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_rt_sigprocmask(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_rt_sigpending(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_sigaltstack(HearthSlot *slot, const uint64_t *arguments);
int64_t hearth_system_futex(HearthSlot *slot, const uint64_t *arguments);
