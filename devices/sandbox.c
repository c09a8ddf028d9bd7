#include "devices/sandbox.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNPRIVILEGED_ID 65534 /* nobody, nogroup */
#define OPEN_FILES_MAX 128
#define MEMORY_MAX ((rlim_t)2 << 30) /* bytes of address space */

/* Rights newer than the headers of Debian 12; the kernel says by its version whether it knows them.
 */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_LIBRARY (RIGHTS_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define RIGHTS_NODE (RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define RIGHTS_CHANGE                                                                              \
    (RIGHTS_NODE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |                     \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_TRUNCATE)
/* Every right of Landlock's first version. */
#define RIGHTS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
/* Only these may be given to a file that is not a folder. */
#define RIGHTS_OF_FILES                                                                            \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     LANDLOCK_ACCESS_FS_TRUNCATE)

typedef struct {
    const char *path;
    guint64 rights;
} Place;

static gboolean is_network(const HearthSandbox *sandbox)
{
    return g_str_has_prefix(sandbox->place, "ptpip:");
}

const char *hearth_sandbox_folder(const HearthSandbox *sandbox)
{
    if (g_str_equal(sandbox->driver, "volume"))
        return sandbox->place;
    return g_str_has_prefix(sandbox->place, "disk:") ? sandbox->place + strlen("disk:") : NULL;
}

static void set_limit(int which, rlim_t value)
{
    struct rlimit limit = {value, value};
    setrlimit(which, &limit);
}

static void limit_resources(const HearthSandbox *sandbox)
{
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_NOFILE, OPEN_FILES_MAX);
    /* Also where an open for writing gets past the other walls, no byte reaches a file. */
    if (!sandbox->may_change)
        set_limit(RLIMIT_FSIZE, 0);
        /* The sanitizers reserve address space by the terabyte. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    set_limit(RLIMIT_AS, MEMORY_MAX);
#endif
}

static guint64 known_rights(long version)
{
    guint64 rights = RIGHTS_FIRST;
    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

/* A place that is not there cannot be opened either: nothing to allow. */
static void allow_place(int rules, const char *path, guint64 rights)
{
    /* The call itself: a wrapped open() of a made-up device (umockdev) would end the process here. */
    hearth_autofd int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return;
    rule.allowed_access = rights & RIGHTS_OF_FILES;
    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* What libgphoto2 and libmtp open while they look for their device. */
static void allow_libraries(int rules, guint64 known)
{
    const Place PLACES[] = {
        {"/usr", RIGHTS_LIBRARY},
        {"/etc/ld.so.cache", RIGHTS_READ},
        {"/etc/hosts", RIGHTS_READ},
        {"/etc/resolv.conf", RIGHTS_READ},
        {"/etc/nsswitch.conf", RIGHTS_READ},
        {"/etc/udev", RIGHTS_READ},
        {"/sys", RIGHTS_READ},
        {"/run/udev", RIGHTS_READ},
        {"/proc/self", RIGHTS_READ},
        {"/dev/bus/usb", RIGHTS_NODE},
        {"/dev/null", RIGHTS_NODE},
        {"/dev/urandom", RIGHTS_READ},
        /* Plugins of libgphoto2 in a place of their own. */
        {g_getenv("CAMLIBS"), RIGHTS_LIBRARY},
        {g_getenv("IOLIBS"), RIGHTS_LIBRARY},
        /* Tests: where umockdev keeps the devices it makes up. */
        {g_getenv("UMOCKDEV_DIR"), RIGHTS_CHANGE | LANDLOCK_ACCESS_FS_MAKE_SOCK},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(PLACES); i++)
        allow_place(rules, PLACES[i].path, PLACES[i].rights & known);
}

/* A kernel without Landlock leaves the other walls. */
static gboolean limit_files(const HearthSandbox *sandbox, GError **error)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return TRUE;
    guint64 known = known_rights(version);
    struct landlock_ruleset_attr all = {.handled_access_fs = known};
    hearth_autofd int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return hearth_set_errno(error, errno, "cannot make a Landlock rule set");
    if (!g_str_equal(sandbox->driver, "volume"))
        allow_libraries(rules, known);
    guint64 rights = sandbox->may_change ? RIGHTS_CHANGE : RIGHTS_READ;
    allow_place(rules, hearth_sandbox_folder(sandbox), rights & known);
    if (syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        return hearth_set_errno(error, errno, "cannot enter the Landlock sandbox");
    return TRUE;
}

gboolean hearth_sandbox_begin(const HearthSandbox *sandbox, GError **error)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return hearth_set_errno(error, errno, "cannot give up privileges");
    limit_resources(sandbox);
    /* Needs a privilege that only root has; the list of system calls forbids sockets anyway. */
    if (!is_network(sandbox) && unshare(CLONE_NEWNET) != 0 && errno != EPERM)
        return hearth_set_errno(error, errno, "cannot leave the network");
    return limit_files(sandbox, error);
}

static guint32 own_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};
    return syscall(SYS_capget, &head, sets) == 0 ? sets[0].permitted : 0;
}

static gboolean keep_capabilities(guint32 kept)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{.effective = kept, .permitted = kept}};
    return syscall(SYS_capset, &head, sets) == 0;
}

/*
 * A desktop mounts a card for one user alone (mode 0700), so the volume's worker keeps the right to
 * read whatever the modes say; Landlock confines that to the volume. A container may have only the
 * greater right to read and write. USB workers keep nothing.
 */
static guint32 needed_capabilities(const HearthSandbox *sandbox)
{
    guint32 own = own_capabilities(), read_all = 1U << CAP_DAC_READ_SEARCH;
    guint32 change = 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER;
    if (!hearth_sandbox_folder(sandbox))
        return 0;
    if (sandbox->may_change)
        return own & (read_all | change);
    return own & read_all ? read_all : own & 1U << CAP_DAC_OVERRIDE;
}

/* Where the machine (a user namespace) has no such user, or lets nobody change, the capabilities
 * go all the same. */
static gboolean become_nobody(void)
{
    return (setgroups(0, NULL) == 0 &&
            setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID) == 0 &&
            setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID) == 0) ||
           errno == EINVAL || errno == EPERM;
}

static gboolean drop_user(const HearthSandbox *sandbox, GError **error)
{
    guint32 kept = needed_capabilities(sandbox);
    if (geteuid() != 0)
        return TRUE;
    if ((kept && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) || !become_nobody() ||
        !keep_capabilities(kept) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return hearth_set_errno(error, errno, "cannot become an unprivileged user");
    return TRUE;
}

static const int CALLS_ALL[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup),
    SCMP_SYS(fadvise64),
    SCMP_SYS(splice),
    SCMP_SYS(pipe2),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(getsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getrandom),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(membarrier),
};

static const int CALLS_FOLDER[] = {
    SCMP_SYS(getdents64),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    /* Its flags lie in memory, where no filter sees them: Landlock and RLIMIT_FSIZE judge those. */
    SCMP_SYS(openat2),
};

static const int CALLS_CHANGE[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),    SCMP_SYS(mkdir),    SCMP_SYS(mkdirat),
    SCMP_SYS(unlink),    SCMP_SYS(unlinkat),  SCMP_SYS(rmdir),    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(pwrite64), SCMP_SYS(utimensat),
    SCMP_SYS(utime),
};

static const int CALLS_NETWORK[] = {
    SCMP_SYS(connect),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
};

static int allow_calls(scmp_filter_ctx filter, const int *calls, gsize count)
{
    int result = 0;
    for (gsize i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return result;
}

/* Allows `call` when argument `argument`, masked, is `value`. */
static int allow_masked(scmp_filter_ctx filter, int call, unsigned argument, scmp_datum_t mask,
                        scmp_datum_t value)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                            SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value));
}

/* Memory that never becomes code, and threads but no processes. */
static int allow_memory_and_threads(scmp_filter_ctx filter)
{
    int result = allow_masked(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    if (result == 0)
        result = allow_masked(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    if (result == 0)
        result = allow_masked(filter, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
    /* Its flags cannot be seen; the C library then takes clone(). */
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return result;
}

static int allow_folder(scmp_filter_ctx filter, const HearthSandbox *sandbox)
{
    const scmp_datum_t WRITING = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | __O_TMPFILE;
    int result = allow_calls(filter, CALLS_FOLDER, G_N_ELEMENTS(CALLS_FOLDER));
    if (result == 0 && sandbox->may_change)
        return allow_calls(filter, CALLS_CHANGE, G_N_ELEMENTS(CALLS_CHANGE));
    return result == 0 ? allow_masked(filter, SCMP_SYS(openat), 2,
                                      WRITING & ~(scmp_datum_t)O_DIRECTORY, O_RDONLY)
                       : result;
}

static int allow_network(scmp_filter_ctx filter)
{
    int result = allow_calls(filter, CALLS_NETWORK, G_N_ELEMENTS(CALLS_NETWORK));
    if (result == 0)
        result = allow_masked(filter, SCMP_SYS(socket), 0, ~(scmp_datum_t)0, AF_INET);
    return result == 0 ? allow_masked(filter, SCMP_SYS(socket), 0, ~(scmp_datum_t)0, AF_INET6)
                       : result;
}

static int allow_driver(scmp_filter_ctx filter, const HearthSandbox *sandbox)
{
    if (hearth_sandbox_folder(sandbox))
        return allow_folder(filter, sandbox);
    if (is_network(sandbox))
        return allow_network(filter);
    /* The requests of USB nodes, and no others, have the letter U. */
    return allow_masked(filter, SCMP_SYS(ioctl), 1, 0xff00, 'U' << 8);
}

static gboolean limit_calls(const HearthSandbox *sandbox, GError **error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return hearth_set_errno(error, ENOMEM, "cannot make a filter of system calls");
    /* libusb has a thread already. */
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = allow_calls(filter, CALLS_ALL, G_N_ELEMENTS(CALLS_ALL));
    if (result == 0)
        result = allow_memory_and_threads(filter);
    if (result == 0)
        result = allow_driver(filter, sandbox);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result == 0 || hearth_set_errno(error, -result, "cannot limit the system calls");
}

gboolean hearth_sandbox_close(const HearthSandbox *sandbox, GError **error)
{
    return drop_user(sandbox, error) && limit_calls(sandbox, error);
}
