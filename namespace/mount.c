#include "namespace/mount.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "namespace/mount-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* One request of the kernel; the largest that Linux lets a file system have. */
#define WRITE_MAX (1024 * 1024) /* bytes */
/* How far the kernel reads ahead: eight times its default, since a round trip to here costs more
 * than one to a disk's queue. */
#define READ_AHEAD_KIB 1024
/* Requests the kernel may send without one waiting for them (reading ahead). */
#define BACKGROUND_MAX 64
/* What fusermount3 reads before it mounts for a user. */
#define FUSE_CONFIG "/etc/fuse.conf"
/* Origins of mounts begin here: large, so that no other part's tag is met by chance. */
#define FIRST_ORIGIN 0x46555345u

/* --- What several operations need --- */

void hearth_mount_reply_error(fuse_req_t req, const GError *error)
{
    fuse_reply_err(req, error != NULL ? hearth_error_to_errno(error) : EIO);
}

gboolean hearth_mount_check_name(fuse_req_t req, const char *name)
{
    if (strlen(name) <= HEARTH_NAME_MAX)
        return TRUE;
    fuse_reply_err(req, ENAMETOOLONG);
    return FALSE;
}

gint64 hearth_mount_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}

static struct timespec time_of(gint64 ns)
{
    gint64 second = G_GINT64_CONSTANT(1000000000), rest = ns % second;
    if (rest < 0)
        rest += second;
    return (struct timespec){.tv_sec = (ns - rest) / second, .tv_nsec = rest};
}

static mode_t type_of(HearthKind kind)
{
    switch (kind) {
    case HEARTH_KIND_FOLDER:
        return S_IFDIR;
    case HEARTH_KIND_SYMLINK:
        return S_IFLNK;
    case HEARTH_KIND_FILE:
        break;
    }
    return S_IFREG;
}

void hearth_mount_fill_stat(HearthMount *mount, const HearthObject *object, struct stat *ret_stat)
{
    *ret_stat = (struct stat){
        .st_ino = (ino_t)object->ino,
        .st_mode = type_of(object->kind) | object->mode,
        /* One for folders too: programs take it as "not counted" and look for themselves. */
        .st_nlink = object->parent != 0 || object->ino == HEARTH_ROOT_INO,
        .st_uid = object->uid,
        .st_gid = object->gid,
        .st_size = object->size,
        .st_blksize = 4096,
        .st_blocks = (object->size + 511) / 512,
        .st_atim = time_of(object->mtime_ns),
        .st_mtim = time_of(object->mtime_ns),
        .st_ctim = time_of(object->ctime_ns),
    };
}

void hearth_mount_fill_entry(HearthMount *mount, const HearthObject *object,
                             struct fuse_entry_param *ret_entry)
{
    *ret_entry = (struct fuse_entry_param){
        .ino = (fuse_ino_t)object->ino,
        .generation = mount->generation,
        .attr_timeout = HEARTH_MOUNT_CACHE_S,
        .entry_timeout = HEARTH_MOUNT_CACHE_S,
    };
    hearth_mount_fill_stat(mount, object, &ret_entry->attr);
}

/* --- The session --- */

static void mount_init(void *data, struct fuse_conn_info *conn)
{
    conn->max_write = WRITE_MAX;
    conn->max_readahead = READ_AHEAD_KIB * 1024;
    conn->max_background = BACKGROUND_MAX;
    conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
    conn->time_gran = 1;
    conn->want |= conn->capable & (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                                   FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS |
                                   FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_EXPLICIT_INVAL_DATA);
    /* Bytes are hashed on their way, so they must come through memory. Pages go when we say so, not
     * with every new time of change. The kernel clears set-user-id bits itself, by a setattr. */
    conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_AUTO_INVAL_DATA |
                              FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_HANDLE_KILLPRIV);
}

static struct fuse_lowlevel_ops operations(void)
{
    struct fuse_lowlevel_ops ops = {.init = mount_init};
    hearth_mount_add_file_operations(&ops);
    hearth_mount_add_dir_operations(&ops);
    hearth_mount_add_attr_operations(&ops);
    hearth_mount_add_xattr_operations(&ops);
    return ops;
}

static void log_to_glib(enum fuse_log_level level, const char *format, va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    g_debug("libfuse: %s", g_strchomp(text));
}

static gpointer loop_run(gpointer data)
{
    HearthMount *mount = data;
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, mount->threads);
    fuse_loop_cfg_set_idle_threads(config, mount->threads);
    fuse_loop_cfg_set_clone_fd(config, 1);
    int result = fuse_session_loop_mt(mount->session, config);
    g_debug("mount %s ended: %d", mount->path, result);
    fuse_loop_cfg_destroy(config);
    return NULL;
}

gboolean hearth_mount_may_allow_other(void)
{
    g_autofree char *text = NULL;
    if (geteuid() == 0)
        return TRUE;
    if (!g_file_get_contents(FUSE_CONFIG, &text, NULL, NULL))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        if (strcmp(g_strstrip(*line), "user_allow_other") == 0)
            return TRUE;
    return FALSE;
}

static gboolean open_session(HearthMount *mount, gboolean allow_other, GError **error)
{
    struct fuse_lowlevel_ops ops = operations();
    g_autofree char *options = g_strconcat("default_permissions,fsname=hearth,subtype=hearth",
                                           allow_other ? ",allow_other" : "", NULL);
    char *argv[] = {(char *)"hearth", (char *)"-o", options, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    fuse_set_log_func(log_to_glib);
    mount->session = fuse_session_new(&args, &ops, sizeof ops, mount);
    fuse_opt_free_args(&args);
    if (mount->session != NULL && fuse_session_mount(mount->session, mount->path) == 0)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_FAILED, "cannot mount the tree at %s",
                mount->path);
    g_clear_pointer(&mount->session, fuse_session_destroy);
    return FALSE;
}

/* --- The mount point --- */

/* Best done as root; others have the helper of the FUSE package for it. */
static gboolean unmount(const char *path, gboolean lazily)
{
    if (geteuid() == 0)
        return umount2(path, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0 || errno == EINVAL;
    char *argv[] = {(char *)"fusermount3", (char *)"-q",
                    (char *)"-u",          lazily ? (char *)"-z" : (char *)"--",
                    (char *)path,          NULL};
    int status = -1;
    GSpawnFlags flags =
        G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL;
    return g_spawn_sync(NULL, argv, NULL, flags, NULL, NULL, NULL, NULL, &status, NULL) &&
           status == 0;
}

static gboolean check_fuse(GError **error)
{
    hearth_autofd int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED,
                "this machine has no FUSE for us: /dev/fuse: %s", g_strerror(errno));
    return FALSE;
}

/* A daemon that was killed leaves a mount that nobody answers for. A stat may still be answered from
 * what the kernel keeps; the free space is never kept. */
static gboolean check_mount_point(const char *path, GError **error)
{
    struct statvfs space;
    if (statvfs(path, &space) != 0 && (errno == ENOTCONN || errno == ECONNABORTED))
        unmount(path, TRUE);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &reason);
    if (dir == NULL) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_FOUND, "cannot mount at %s: %s", path,
                    reason->message);
        return FALSE;
    }
    if (g_dir_read_name(dir) == NULL)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NOT_EMPTY, "cannot mount at %s: it is not empty",
                path);
    return FALSE;
}

/* The kernel caps a file system's own wish at its default; the owner of the machine may set more.
 * Without the right to do so reading ahead is shorter, nothing else. */
static void widen_read_ahead(dev_t device)
{
    g_autofree char *path =
        g_strdup_printf("/sys/class/bdi/%u:%u/read_ahead_kb", major(device), minor(device));
    g_autofree char *text = g_strdup_printf("%d\n", READ_AHEAD_KIB);
    hearth_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        hearth_write_all(fd, text, strlen(text), path, NULL);
}

/* --- Starting and stopping --- */

static guint64 generation_of(HearthStore *store)
{
    /* The kernel keeps 32 bits of it. */
    HearthId incarnation = hearth_store_incarnation(store);
    guint32 number;
    memcpy(&number, incarnation.bytes, sizeof number);
    return number;
}

static HearthMount *mount_new(HearthStore *store, const HearthMountOptions *options)
{
    static gint count;
    HearthMount *mount = g_new0(HearthMount, 1);
    mount->store = store;
    mount->contents = hearth_store_contents(store);
    mount->origin = FIRST_ORIGIN + (guint)g_atomic_int_add(&count, 1);
    mount->generation = generation_of(store);
    mount->path = g_strdup(options->path);
    mount->threads = options->threads != 0 ? options->threads : MAX(4, g_get_num_processors() * 2);
    g_mutex_init(&mount->nodes_lock);
    mount->nodes = g_hash_table_new(g_int64_hash, g_int64_equal);
    mount->kept = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    g_queue_init(&mount->kept_order);
    return mount;
}

static void mount_free(HearthMount *mount)
{
    g_queue_clear(&mount->kept_order);
    g_hash_table_unref(mount->kept);
    g_hash_table_unref(mount->nodes);
    g_mutex_clear(&mount->nodes_lock);
    g_free(mount->path);
    g_free(mount);
}

HearthMount *hearth_mount_start(HearthStore *store, const HearthMountOptions *options,
                                GError **error)
{
    struct stat status;
    if (!check_fuse(error) || !check_mount_point(options->path, error))
        return NULL;
    HearthMount *mount = mount_new(store, options);
    if (!open_session(mount, options->allow_other, error)) {
        mount_free(mount);
        return NULL;
    }
    /* Listens before the kernel can have asked for anything that it might then keep too long. */
    mount->notifier = hearth_mount_notifier_new(mount);
    mount->loop = g_thread_new("hearth-mount", loop_run, mount);
    if (stat(mount->path, &status) == 0) {
        mount->device = status.st_dev;
        widen_read_ahead(status.st_dev);
    }
    return mount;
}

/* Ends the connection although files of it are in use: their users get ENOTCONN. Without this the
 * threads would serve them until the last one is closed. */
static void sever(HearthMount *mount)
{
    if (geteuid() == 0) {
        umount2(mount->path, MNT_FORCE | UMOUNT_NOFOLLOW);
        unmount(mount->path, TRUE);
        return;
    }
    unmount(mount->path, TRUE);
    g_autofree char *path =
        g_strdup_printf("/sys/fs/fuse/connections/%u/abort", minor(mount->device));
    hearth_autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        hearth_write_all(fd, "1", 1, path, NULL);
}

void hearth_mount_stop(HearthMount *mount)
{
    if (mount == NULL)
        return;
    if (!unmount(mount->path, FALSE))
        sever(mount);
    g_thread_join(mount->loop);
    /* Only now, when no request is left that could ask something of it. */
    g_clear_pointer(&mount->notifier, hearth_mount_notifier_free);
    hearth_mount_commit_all(mount);
    hearth_store_sync(mount->store, NULL);
    fuse_session_unmount(mount->session);
    fuse_session_destroy(mount->session);
    mount_free(mount);
}
