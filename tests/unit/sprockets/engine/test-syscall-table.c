/* The table that decides about system calls: complete, reasoned, and strict where it must be. */
#include "sprockets/engine/syscall-table-private.h"

#include <errno.h>
#include <glib.h>
#include <sys/syscall.h>

static const HearthSystemRow *row_of(long number)
{
    return hearth_system_row((uint32_t)number);
}

static void every_number_has_a_name_and_a_reason(void)
{
    for (uint32_t i = 0; i < HEARTH_SYSTEM_ROWS + 100; i++) {
        const HearthSystemRow *row = hearth_system_row(i);
        g_assert_nonnull(row);
        g_assert_nonnull(row->name);
        g_assert_nonnull(row->reason);
        g_assert_cmpstr(row->name, !=, "");
        g_assert_cmpstr(row->reason, !=, "");
        if (row->action == HEARTH_SYSTEM_FAILS) {
            g_assert_cmpint(row->error, >, 0);
            g_assert_cmpint(row->error, <, 4096);
        } else {
            g_assert_cmpint(row->error, ==, 0);
        }
        if (row->action == HEARTH_SYSTEM_BOUNDED)
            g_assert_nonnull(row->run);
        if (row->action == HEARTH_SYSTEM_FAILS || row->action == HEARTH_SYSTEM_ENDS)
            g_assert_null(row->run);
    }
}

static void each_number_that_linux_has_is_known(void)
{
    /* 336 to 423 are numbers that x86-64 has left out; 335 and 336 came later. */
    const HearthSystemRow *unknown = hearth_system_row(G_MAXUINT32);
    for (uint32_t i = 0; i < HEARTH_SYSTEM_ROWS; i++) {
        gboolean exists = i <= 336 || i >= 424;
        g_assert_cmpint(hearth_system_row(i) != unknown, ==, exists);
    }
}

static void no_name_stands_twice(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (uint32_t i = 0; i < HEARTH_SYSTEM_ROWS; i++) {
        const HearthSystemRow *row = hearth_system_row(i);
        if (row != hearth_system_row(G_MAXUINT32))
            g_assert_true(g_hash_table_add(names, (gpointer)row->name));
    }
}

static void what_no_library_does_ends_the_call(void)
{
    static const struct {
        long number;
        const char *name;
    } ROWS[] = {
        {SYS_fork, "fork"},
        {SYS_vfork, "vfork"},
        {SYS_clone, "clone"},
        {SYS_clone3, "clone3"},
        {SYS_execve, "execve"},
        {SYS_execveat, "execveat"},
        {SYS_kill, "kill"},
        {SYS_tkill, "tkill"},
        {SYS_tgkill, "tgkill"},
        {SYS_socket, "socket"},
        {SYS_ptrace, "ptrace"},
        {SYS_process_vm_writev, "process_vm_writev"},
        {SYS_mount, "mount"},
        {SYS_bpf, "bpf"},
        {SYS_io_uring_setup, "io_uring_setup"},
        {SYS_userfaultfd, "userfaultfd"},
        {SYS_shmat, "shmat"},
        {SYS_memfd_create, "memfd_create"},
        {SYS_setuid, "setuid"},
        {SYS_chdir, "chdir"},
        {SYS_umask, "umask"},
        {SYS_prctl, "prctl"},
        {SYS_arch_prctl, "arch_prctl"},
        {SYS_seccomp, "seccomp"},
        {SYS_clock_nanosleep, "clock_nanosleep"},
        {SYS_rt_sigreturn, "rt_sigreturn"},
        {SYS_pwrite64, "pwrite64"},
        {SYS_rseq, "rseq"},
        {SYS_pkey_mprotect, "pkey_mprotect"},
        {SYS_exit, "exit"},
        {SYS_exit_group, "exit_group"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_assert_cmpint(row_of(ROWS[i].number)->action, ==, HEARTH_SYSTEM_ENDS);
        g_assert_cmpstr(row_of(ROWS[i].number)->name, ==, ROWS[i].name);
    }
}

static void what_libraries_try_fails_with_an_error(void)
{
    static const struct {
        long number;
        int error;
    } ROWS[] = {
        {SYS_ioctl, ENOTTY},   {SYS_unlink, EROFS},  {SYS_renameat2, EROFS}, {SYS_mkdirat, EROFS},
        {SYS_fchmodat, EROFS}, {SYS_mremap, ENOMEM}, {SYS_dup2, EBADF},      {SYS_readlink, EINVAL},
        {999, ENOSYS},         {400, ENOSYS},        {0x40000000, ENOSYS},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_assert_cmpint(row_of(ROWS[i].number)->action, ==, HEARTH_SYSTEM_FAILS);
        g_assert_cmpint(row_of(ROWS[i].number)->error, ==, ROWS[i].error);
    }
}

static void nothing_that_identifies_is_passed_through(void)
{
    static const long NUMBERS[] = {
        SYS_clock_gettime, SYS_gettimeofday, SYS_time,   SYS_getrandom,         SYS_uname,
        SYS_getpid,        SYS_getuid,       SYS_getcpu, SYS_sched_getaffinity, SYS_sysinfo,
    };
    for (gsize i = 0; i < G_N_ELEMENTS(NUMBERS); i++)
        g_assert_cmpint(row_of(NUMBERS[i])->action, ==, HEARTH_SYSTEM_EMULATED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sprockets/engine/syscall-table/complete",
                    every_number_has_a_name_and_a_reason);
    g_test_add_func("/sprockets/engine/syscall-table/known", each_number_that_linux_has_is_known);
    g_test_add_func("/sprockets/engine/syscall-table/names", no_name_stands_twice);
    g_test_add_func("/sprockets/engine/syscall-table/ends", what_no_library_does_ends_the_call);
    g_test_add_func("/sprockets/engine/syscall-table/fails",
                    what_libraries_try_fails_with_an_error);
    g_test_add_func("/sprockets/engine/syscall-table/fixed",
                    nothing_that_identifies_is_passed_through);
    return g_test_run();
}
