#include "sprockets/engine/syscall-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * Files by name: what lies in and below the folders of the policy. A name is copied once; the
 * kernel then resolves it beneath the folder, without links, so that nothing can be swapped between
 * a check and its use. Each file is looked at before it is opened for reading, as opening a pipe or
 * a device has effects of its own.
 */

#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)
#define WRITING (O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))

/* Of the kernel's own file systems "regular files" are doors to the machine. */
static const uint32_t REFUSED_SYSTEMS[] = {
    PROC_SUPER_MAGIC,          SYSFS_MAGIC,    DEBUGFS_MAGIC,      TRACEFS_MAGIC,
    SECURITYFS_MAGIC,          BPF_FS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
    DEVPTS_SUPER_MAGIC,        BINFMTFS_MAGIC, EFIVARFS_MAGIC,     PSTOREFS_MAGIC,
    0x62656570 /* configfs */,
};

static bool has_folders(const HearthSlot *slot)
{
    return slot->policy.folders && slot->policy.folders[0];
}

static int64_t open_beneath(int folder, const char *rest, uint64_t flags)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE};
    long descriptor = syscall(SYS_openat2, folder, *rest ? rest : ".", &how, sizeof how);
    if (descriptor >= 0)
        return descriptor;
    /* Out of the folder, a link, or a kernel or filter without openat2: nothing is told apart. */
    if (errno == EXDEV || errno == ELOOP || errno == ENOSYS || errno == EPERM)
        return -EACCES;
    return -errno;
}

static bool may_be_seen(int descriptor, struct stat *stat)
{
    struct statfs system;
    if (fstat(descriptor, stat) != 0 || fstatfs(descriptor, &system) != 0)
        return false;
    for (size_t i = 0; i < sizeof REFUSED_SYSTEMS / sizeof *REFUSED_SYSTEMS; i++)
        if ((uint32_t)system.f_type == REFUSED_SYSTEMS[i])
            return false;
    return S_ISREG(stat->st_mode) || S_ISDIR(stat->st_mode) || S_ISLNK(stat->st_mode);
}

/* Opens what was seen, if it still is that. */
static int64_t open_same(int folder, const char *rest, const struct stat *seen)
{
    struct stat stat;
    int64_t descriptor = open_beneath(folder, rest, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return descriptor;
    if (fstat((int)descriptor, &stat) == 0 && stat.st_dev == seen->st_dev &&
        stat.st_ino == seen->st_ino && (S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode)))
        return descriptor;
    close((int)descriptor);
    return -EACCES;
}

/* With `read` a descriptor, else 0. A link at the end is seen with `link` alone. */
static int64_t look(int folder, const char *rest, bool read, bool link, struct stat *ret_stat)
{
    int64_t path = open_beneath(folder, rest, O_PATH | (link ? O_NOFOLLOW : 0));
    if (path < 0)
        return path;
    bool seen = may_be_seen((int)path, ret_stat);
    close((int)path);
    if (!seen)
        return -EACCES;
    return read ? open_same(folder, rest, ret_stat) : 0;
}

/* The rest of `path` below `folder`; NULL: it is not there. */
static const char *rest_below(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/')
        length--;
    if (strncmp(path, folder, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return NULL;
    path += length;
    while (*path == '/')
        path++;
    return path;
}

static int64_t look_in_folders(const HearthSlot *slot, const char *path, bool read, bool link,
                               struct stat *ret_stat)
{
    int64_t result = -EACCES;
    for (size_t i = 0; has_folders(slot) && slot->policy.folders[i]; i++) {
        const char *folder = slot->policy.folders[i], *rest = rest_below(folder, path);
        if (!rest)
            continue;
        int descriptor = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0)
            continue;
        result = look(descriptor, rest, read, link, ret_stat);
        close(descriptor);
        if (result >= 0)
            break;
    }
    return result;
}

/* What the call names by `folder` and the name at `address`; an empty name is an error. */
static int64_t find(HearthSlot *slot, uint64_t folder, uint64_t address, bool read, bool link,
                    struct stat *ret_stat)
{
    char path[1 + HEARTH_SYSTEM_PATH_MAX];
    path[0] = '/'; /* the folder that relative names count from */
    if (!hearth_call_read_string(slot, path + 1, address, HEARTH_SYSTEM_PATH_MAX))
        return -EFAULT;
    if (path[1] == '\0')
        return -ENOENT;
    if (path[1] == '/')
        return look_in_folders(slot, path + 1, read, link, ret_stat);
    if ((int)folder == AT_FDCWD)
        return look_in_folders(slot, path, read, link, ret_stat);
    const HearthOpenFile *file = hearth_system_file(slot, folder);
    if (!file)
        return -EBADF;
    return file->given ? -ENOTDIR : look(file->descriptor, path + 1, read, link, ret_stat);
}

static int64_t open_file(HearthSlot *slot, uint64_t folder, uint64_t address, uint64_t flags)
{
    struct stat stat;
    if (!has_folders(slot))
        hearth_system_refuse(slot, "openat");
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & WRITING))
        return -EACCES;
    int64_t descriptor = find(slot, folder, address, true, false, &stat);
    if (descriptor < 0)
        return descriptor;
    if ((flags & O_DIRECTORY) && !S_ISDIR(stat.st_mode)) {
        close((int)descriptor);
        return -ENOTDIR;
    }
    return hearth_system_file_add(slot, (int)descriptor);
}

int64_t hearth_system_open(HearthSlot *slot, const uint64_t *arguments)
{
    return open_file(slot, (uint64_t)AT_FDCWD, arguments[0], arguments[1]);
}

int64_t hearth_system_openat(HearthSlot *slot, const uint64_t *arguments)
{
    return open_file(slot, arguments[0], arguments[1], arguments[2]);
}

/* --- Looking ---------------------------------------------------------------------------------- */

static int64_t stat_name(HearthSlot *slot, uint64_t folder, const uint64_t *arguments, bool link)
{
    struct stat stat;
    int64_t result = find(slot, folder, arguments[0], false, link, &stat);
    if (result < 0)
        return result;
    hearth_system_blank_stat(&stat);
    return hearth_system_put(slot, arguments[1], &stat, sizeof stat);
}

int64_t hearth_system_stat(HearthSlot *slot, const uint64_t *arguments)
{
    return stat_name(slot, (uint64_t)AT_FDCWD, arguments, false);
}

int64_t hearth_system_lstat(HearthSlot *slot, const uint64_t *arguments)
{
    return stat_name(slot, (uint64_t)AT_FDCWD, arguments, true);
}

/* True if the call means the descriptor itself: it gives no name, or an empty one, and says so. */
static bool means_descriptor(HearthSlot *slot, uint64_t address, uint64_t flags)
{
    char first = '\0';
    if (!(flags & AT_EMPTY_PATH))
        return false;
    return address == 0 || (hearth_call_read(slot, &first, address, 1) && first == '\0');
}

int64_t hearth_system_newfstatat(HearthSlot *slot, const uint64_t *arguments)
{
    if (means_descriptor(slot, arguments[1], arguments[3])) {
        const uint64_t own[2] = {arguments[0], arguments[2]};
        return hearth_system_fstat(slot, own);
    }
    return stat_name(slot, arguments[0], arguments + 1, arguments[3] & AT_SYMLINK_NOFOLLOW);
}

static struct statx statx_of(const struct stat *stat)
{
    const struct statx_timestamp then = {.tv_sec = HEARTH_SYSTEM_EPOCH};
    return (struct statx){.stx_mask = STATX_BASIC_STATS,
                          .stx_blksize = (uint32_t)stat->st_blksize,
                          .stx_nlink = 1,
                          .stx_uid = HEARTH_SYSTEM_NOBODY,
                          .stx_gid = HEARTH_SYSTEM_NOBODY,
                          .stx_mode = (uint16_t)stat->st_mode,
                          .stx_ino = stat->st_ino,
                          .stx_size = (uint64_t)stat->st_size,
                          .stx_blocks = (uint64_t)stat->st_blocks,
                          .stx_atime = then,
                          .stx_ctime = then,
                          .stx_mtime = then};
}

int64_t hearth_system_statx(HearthSlot *slot, const uint64_t *arguments)
{
    struct stat stat = {0};
    int64_t result = 0;
    if (means_descriptor(slot, arguments[1], arguments[2])) {
        const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
        if (!file)
            return -EBADF;
        if (fstat(file->descriptor, &stat) != 0)
            return -errno;
    } else {
        result = find(slot, arguments[0], arguments[1], false, arguments[2] & AT_SYMLINK_NOFOLLOW,
                      &stat);
    }
    if (result < 0)
        return result;
    hearth_system_blank_stat(&stat);
    struct statx extended = statx_of(&stat);
    return hearth_system_put(slot, arguments[4], &extended, sizeof extended);
}

/* Tried rather than asked: the file is opened if it is to be readable. */
static int64_t access_name(HearthSlot *slot, uint64_t folder, uint64_t address, uint64_t mode)
{
    struct stat stat;
    if (mode & ~(uint64_t)(R_OK | W_OK | X_OK))
        return -EINVAL;
    int64_t result = find(slot, folder, address, mode & R_OK, false, &stat);
    if (result < 0)
        return result;
    if (mode & R_OK)
        close((int)result);
    if (mode & W_OK)
        return -EROFS;
    return (mode & X_OK) && !S_ISDIR(stat.st_mode) ? -EACCES : 0;
}

int64_t hearth_system_access(HearthSlot *slot, const uint64_t *arguments)
{
    return access_name(slot, (uint64_t)AT_FDCWD, arguments[0], arguments[1]);
}

int64_t hearth_system_faccessat(HearthSlot *slot, const uint64_t *arguments)
{
    return access_name(slot, arguments[0], arguments[1], arguments[2]);
}

int64_t hearth_system_faccessat2(HearthSlot *slot, const uint64_t *arguments)
{
    return access_name(slot, arguments[0], arguments[1], arguments[2]);
}

int64_t hearth_system_getcwd(HearthSlot *slot, const uint64_t *arguments)
{
    static const char root[] = "/";
    if (arguments[1] < sizeof root)
        return -ERANGE;
    return hearth_call_write(slot, arguments[0], root, sizeof root) ? (int64_t)sizeof root
                                                                    : -EFAULT;
}
