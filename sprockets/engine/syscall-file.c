#include "sprockets/engine/syscall-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Files by number. The call's own numbers begin high, so that it never takes a number of the host's
 * for one of its own. Positions are kept here and data is read by position: a descriptor that the
 * host gave stays where it is. Duplicates are entries with the same descriptor; they move together.
 * Folders alone use the position of our descriptor.
 */

#define FREE (-1)
#define CHUNK (16 * 1024)   /* bytes on the host's stack */
#define PIECE (1024 * 1024) /* bytes between two looks at the clock */
#define MOST 0x7ffff000u    /* bytes: what the kernel reads at most at a time */
#define VECTORS_MAX 1024u   /* IOV_MAX */
#define ENTRY_MAX 8192      /* bytes of folder entries at a time */
#define ENTRY_LEAST 280u    /* bytes: one entry of the longest name */

typedef struct {
    uint64_t address;
    uint64_t size;
} Span;

/* --- The table -------------------------------------------------------------------------------- */

static bool is_given(const HearthSlot *slot, int number)
{
    for (uint32_t i = 0; i < slot->policy.descriptor_count; i++)
        if (slot->policy.descriptors[i] == number)
            return true;
    return false;
}

static HearthOpenFile *find_entry(HearthSlot *slot, int number)
{
    for (unsigned i = 0; i < slot->file_count; i++)
        if (slot->files[i].number == number)
            return &slot->files[i];
    return NULL;
}

static HearthOpenFile *free_entry(HearthSlot *slot)
{
    HearthOpenFile *file = find_entry(slot, FREE);
    if (!file && slot->file_count < HEARTH_DESCRIPTORS_MAX) {
        file = &slot->files[slot->file_count++];
        file->number = FREE;
    }
    return file;
}

HearthOpenFile *hearth_system_file(HearthSlot *slot, uint64_t number)
{
    int wanted = (int)number; /* as the kernel does */
    if (wanted < 0)
        return NULL;
    HearthOpenFile *file = find_entry(slot, wanted);
    if (!file && is_given(slot, wanted) && (file = free_entry(slot)))
        *file = (HearthOpenFile){.number = wanted, .descriptor = wanted, .given = true};
    return file && file->descriptor >= 0 ? file : NULL;
}

/* An entry with the lowest number from `least` on; NULL: too many. */
static HearthOpenFile *new_entry(HearthSlot *slot, int least)
{
    unsigned open = 0;
    for (unsigned i = 0; i < slot->file_count; i++)
        open += slot->files[i].number >= HEARTH_SYSTEM_FIRST_FILE &&
                !is_given(slot, slot->files[i].number);
    if (open >= slot->limits.descriptors)
        return NULL;
    if (least < HEARTH_SYSTEM_FIRST_FILE)
        least = HEARTH_SYSTEM_FIRST_FILE;
    while (find_entry(slot, least) || is_given(slot, least))
        least++;
    HearthOpenFile *file = free_entry(slot);
    if (file)
        file->number = least;
    return file;
}

int64_t hearth_system_file_add(HearthSlot *slot, int descriptor)
{
    HearthOpenFile *file = new_entry(slot, 0);
    if (!file) {
        close(descriptor);
        return -EMFILE;
    }
    file->descriptor = descriptor;
    file->given = false;
    file->offset = 0;
    file->mode = 0;
    return file->number;
}

static bool is_shared(const HearthSlot *slot, const HearthOpenFile *file)
{
    for (unsigned i = 0; i < slot->file_count; i++) {
        const HearthOpenFile *other = &slot->files[i];
        if (other != file && other->number != FREE && other->descriptor == file->descriptor)
            return true;
    }
    return false;
}

static void drop(HearthSlot *slot, HearthOpenFile *file)
{
    if (!file->given && !is_shared(slot, file))
        close(file->descriptor);
    file->descriptor = -1;
    file->number = FREE;
}

void hearth_system_file_end(HearthSlot *slot)
{
    for (unsigned i = 0; i < slot->file_count; i++)
        if (slot->files[i].number != FREE)
            drop(slot, &slot->files[i]);
    slot->file_count = 0;
}

int64_t hearth_system_close(HearthSlot *slot, const uint64_t *arguments)
{
    HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    if (!file)
        return -EBADF;
    if (is_given(slot, file->number))
        file->descriptor = -1; /* the entry stays, or the number would be given anew */
    else
        drop(slot, file);
    return 0;
}

static int64_t duplicate(HearthSlot *slot, const HearthOpenFile *file, int least)
{
    HearthOpenFile *copy = new_entry(slot, least);
    if (!copy)
        return -EMFILE;
    copy->descriptor = file->descriptor;
    copy->given = file->given;
    copy->offset = file->offset;
    return copy->number;
}

int64_t hearth_system_dup(HearthSlot *slot, const uint64_t *arguments)
{
    const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    return file ? duplicate(slot, file, 0) : -EBADF;
}

static bool is_log(uint64_t number)
{
    return (uint32_t)number == STDOUT_FILENO || (uint32_t)number == STDERR_FILENO;
}

int64_t hearth_system_fcntl(HearthSlot *slot, const uint64_t *arguments)
{
    const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    if (!file && !is_log(arguments[0]))
        return -EBADF;
    switch ((uint32_t)arguments[1]) {
    case F_GETFD:
        return FD_CLOEXEC;
    case F_GETFL:
        return file ? O_RDONLY : O_WRONLY;
    case F_SETFD: /* there is nothing to execute, and nothing blocks */
    case F_SETFL:
        return 0;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (arguments[2] > 1024)
            return -EINVAL;
        return file ? duplicate(slot, file, (int)arguments[2]) : -EMFILE;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return -ENOLCK;
    default:
        return -EINVAL;
    }
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void move_to(HearthSlot *slot, const HearthOpenFile *file, uint64_t offset)
{
    for (unsigned i = 0; i < slot->file_count; i++)
        if (slot->files[i].descriptor == file->descriptor)
            slot->files[i].offset = offset;
}

/* By way of our own memory: the call's may be foreign or not be committed yet. */
static int64_t read_chunk(HearthSlot *slot, int descriptor, Span to, uint64_t offset)
{
    char bytes[CHUNK];
    ssize_t got =
        pread(descriptor, bytes, to.size < sizeof bytes ? to.size : sizeof bytes, (off_t)offset);
    if (got < 0)
        return -errno;
    return hearth_call_write(slot, to.address, bytes, (uint64_t)got) ? got : -EFAULT;
}

/* Straight into the window where that is possible. */
static int64_t read_piece(HearthSlot *slot, int descriptor, Span to, uint64_t offset)
{
    if (to.size > PIECE)
        to.size = PIECE;
    if (to.size > CHUNK / 4 && hearth_slot_owns(slot, to.address, to.size)) {
        ssize_t got = pread(descriptor, (void *)to.address, to.size, (off_t)offset);
        if (got >= 0)
            return got;
        if (errno != EFAULT)
            return -errno;
    }
    return read_chunk(slot, descriptor, to, offset);
}

/* As many bytes as there are: a library may take a short read for the end of the file. */
static int64_t read_at(HearthSlot *slot, int descriptor, Span to, uint64_t offset)
{
    uint64_t done = 0;
    if ((int64_t)offset < 0)
        return -EINVAL;
    if (to.size > MOST)
        to.size = MOST;
    while (done < to.size && !atomic_load_explicit(&slot->expired, memory_order_relaxed)) {
        Span rest = {to.address + done, to.size - done};
        int64_t got = read_piece(slot, descriptor, rest, offset + done);
        if (got < 0)
            return done > 0 ? (int64_t)done : got;
        if (got == 0)
            break;
        done += (uint64_t)got;
    }
    return (int64_t)done;
}

/* `offset`: NULL: from the position of the file, which moves. */
static int64_t read_spans(HearthSlot *slot, const uint64_t *arguments, const uint64_t *offset)
{
    const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    uint64_t at, done = 0;
    if (!file)
        return -EBADF;
    if (arguments[2] > VECTORS_MAX)
        return -EINVAL;
    at = offset ? *offset : file->offset;
    for (uint64_t i = 0; i < arguments[2]; i++) {
        Span to;
        if (!hearth_call_read(slot, &to, arguments[1] + i * sizeof to, sizeof to))
            return -EFAULT;
        int64_t got = read_at(slot, file->descriptor, to, at + done);
        if (got < 0 && done == 0)
            return got;
        if (got > 0)
            done += (uint64_t)got;
        if (got < 0 || (uint64_t)got < to.size)
            break;
    }
    if (!offset)
        move_to(slot, file, at + done);
    return (int64_t)done;
}

int64_t hearth_system_read(HearthSlot *slot, const uint64_t *arguments)
{
    const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    if (!file)
        return -EBADF;
    int64_t got = read_at(slot, file->descriptor, (Span){arguments[1], arguments[2]}, file->offset);
    if (got > 0)
        move_to(slot, file, file->offset + (uint64_t)got);
    return got;
}

int64_t hearth_system_pread64(HearthSlot *slot, const uint64_t *arguments)
{
    const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    if (!file)
        return -EBADF;
    return read_at(slot, file->descriptor, (Span){arguments[1], arguments[2]}, arguments[3]);
}

int64_t hearth_system_readv(HearthSlot *slot, const uint64_t *arguments)
{
    return read_spans(slot, arguments, NULL);
}

int64_t hearth_system_preadv(HearthSlot *slot, const uint64_t *arguments)
{
    return read_spans(slot, arguments, &arguments[3]);
}

int64_t hearth_system_preadv2(HearthSlot *slot, const uint64_t *arguments)
{
    if (arguments[5])
        return -EOPNOTSUPP;
    return read_spans(slot, arguments, arguments[3] == UINT64_MAX ? NULL : &arguments[3]);
}

/* --- Position and kind ------------------------------------------------------------------------ */

/* Asked once: a file has one size for the whole of a call. */
static int64_t learn(HearthOpenFile *file)
{
    struct stat stat;
    if (file->mode)
        return 0;
    if (fstat(file->descriptor, &stat) != 0)
        return -errno;
    file->mode = stat.st_mode;
    file->size = (uint64_t)stat.st_size;
    return 0;
}

static int64_t seek(HearthSlot *slot, HearthOpenFile *file, int64_t by, unsigned from)
{
    int64_t to, base = 0, failure = learn(file);
    if (failure)
        return failure;
    if (S_ISDIR(file->mode)) {
        to = file->given ? -1 : lseek(file->descriptor, by, (int)from);
        return to >= 0 ? to : -EINVAL;
    }
    if (from == SEEK_DATA || from == SEEK_HOLE) {
        /* As a file without holes. */
        if (by < 0 || by >= (int64_t)file->size)
            return -ENXIO;
        to = from == SEEK_DATA ? by : (int64_t)file->size;
    } else {
        if (from == SEEK_CUR)
            base = (int64_t)file->offset;
        else if (from == SEEK_END)
            base = (int64_t)file->size;
        if (from > SEEK_END || __builtin_add_overflow(base, by, &to) || to < 0)
            return -EINVAL;
    }
    move_to(slot, file, (uint64_t)to);
    return to;
}

int64_t hearth_system_lseek(HearthSlot *slot, const uint64_t *arguments)
{
    HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    if (!file)
        return is_log(arguments[0]) ? -ESPIPE : -EBADF;
    return seek(slot, file, (int64_t)arguments[1], (uint32_t)arguments[2]);
}

void hearth_system_blank_stat(struct stat *stat)
{
    const struct timespec then = {.tv_sec = HEARTH_SYSTEM_EPOCH};
    off_t size = S_ISREG(stat->st_mode) ? stat->st_size : 0;
    mode_t mode = (stat->st_mode & S_IFMT) | (S_ISDIR(stat->st_mode) ? 0555 : 0444);
    *stat = (struct stat){.st_ino = 1,
                          .st_nlink = 1,
                          .st_mode = mode,
                          .st_uid = HEARTH_SYSTEM_NOBODY,
                          .st_gid = HEARTH_SYSTEM_NOBODY,
                          .st_size = size,
                          .st_blksize = 4096,
                          .st_blocks = (size + 511) / 512,
                          .st_atim = then,
                          .st_mtim = then,
                          .st_ctim = then};
}

int64_t hearth_system_fstat(HearthSlot *slot, const uint64_t *arguments)
{
    HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    struct stat stat = {.st_mode = S_IFIFO}; /* what the log looks like to stdio */
    if (!file && !is_log(arguments[0]))
        return -EBADF;
    int64_t failure = file ? learn(file) : 0;
    if (failure)
        return failure;
    if (file)
        stat = (struct stat){.st_mode = file->mode, .st_size = (off_t)file->size};
    hearth_system_blank_stat(&stat);
    return hearth_system_put(slot, arguments[1], &stat, sizeof stat);
}

int64_t hearth_system_getdents64(HearthSlot *slot, const uint64_t *arguments)
{
    const HearthOpenFile *file = hearth_system_file(slot, arguments[0]);
    char bytes[ENTRY_MAX] __attribute__((aligned(8)));
    uint64_t size = (uint32_t)arguments[2] < sizeof bytes ? (uint32_t)arguments[2] : sizeof bytes;
    if (!file)
        return -EBADF;
    if (file->given)
        return -ENOTDIR; /* its position is the host's */
    if (size < ENTRY_LEAST)
        return -EINVAL;
    long got = syscall(SYS_getdents64, file->descriptor, bytes, size);
    if (got < 0)
        return -errno;
    for (long at = 0; at < got;) {
        struct dirent64 *entry = (struct dirent64 *)(bytes + at);
        entry->d_ino = 1;
        at += entry->d_reclen;
    }
    return hearth_call_write(slot, arguments[1], bytes, (uint64_t)got) ? got : -EFAULT;
}

/* --- The log ---------------------------------------------------------------------------------- */

/* What goes beyond the limit of the log is lost, which the call is not told. */
static int64_t log_span(HearthSlot *slot, Span from)
{
    HearthEngineResult *result = slot->result;
    uint32_t most = sizeof result->log - 1;
    if (slot->limits.log_size < most)
        most = slot->limits.log_size;
    uint64_t room = result->log_size < most ? most - result->log_size : 0;
    uint64_t size = from.size < room ? from.size : room;
    if (!hearth_call_read(slot, result->log + result->log_size, from.address, size))
        return -EFAULT;
    result->log_size += (uint32_t)size;
    result->log[result->log_size] = '\0';
    return (int64_t)(from.size < MOST ? from.size : MOST);
}

int64_t hearth_system_write(HearthSlot *slot, const uint64_t *arguments)
{
    if (!is_log(arguments[0]))
        hearth_system_refuse(slot, "write");
    return log_span(slot, (Span){arguments[1], arguments[2]});
}

int64_t hearth_system_writev(HearthSlot *slot, const uint64_t *arguments)
{
    int64_t done = 0;
    if (!is_log(arguments[0]))
        hearth_system_refuse(slot, "writev");
    if (arguments[2] > VECTORS_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < arguments[2]; i++) {
        Span from;
        if (!hearth_call_read(slot, &from, arguments[1] + i * sizeof from, sizeof from))
            return -EFAULT;
        int64_t written = log_span(slot, from);
        if (written < 0)
            return written;
        done += written;
    }
    return done;
}
