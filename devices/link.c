#include "devices/link.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_SIZE (1024 * 1024)    /* bytes; the most that needs no privilege */
#define SOCKET_SIZE (1024 * 1024)  /* bytes; answers sent ahead wait here */
#define POLITE_US (G_USEC_PER_SEC) /* for a device to be closed */
/* A process works if it used this part of a period: a USB round trip costs a tenth of a millisecond,
 * and a camera may take fifty for one. */
#define WORKING_SHARE 500
#define KILLED_US (G_USEC_PER_SEC / 5) /* for a killed process to be gone */

struct HearthLink {
    pid_t pid;
    int pidfd; /* -1 on a kernel without: then ends are found by waiting in steps */
    int socket;
    int pipe;       /* read end */
    int pipe_write; /* -1 once the process has it */
    guint32 serial; /* of the last request */
    guint8 *buffer; /* HEARTH_MESSAGE_MAX bytes */
};

/* Killed, but still in the kernel when we looked. */
static GMutex unreaped_lock; /* guards unreaped; held for a few system calls */
static GArray *unreaped;     /* of pid_t */

static void reap_old(void)
{
    g_mutex_lock(&unreaped_lock);
    for (guint i = unreaped ? unreaped->len : 0; i-- > 0;)
        if (waitpid(g_array_index(unreaped, pid_t, i), NULL, WNOHANG) != 0)
            g_array_remove_index_fast(unreaped, i);
    g_mutex_unlock(&unreaped_lock);
}

static void reap_later(pid_t pid)
{
    g_mutex_lock(&unreaped_lock);
    if (!unreaped)
        unreaped = g_array_new(FALSE, FALSE, sizeof(pid_t));
    g_array_append_val(unreaped, pid);
    g_mutex_unlock(&unreaped_lock);
}

/*
 * Little of hearthd's environment gets through: no secret, and TZ=UTC so that the libraries give
 * the wall clock of the device unchanged. The others are for tests: made-up devices and sanitizers.
 */
static GPtrArray *make_environment(void)
{
    static const char *const FIXED[] = {"TZ=UTC", "LC_ALL=C.UTF-8", "HOME=/nonexistent",
                                        "PATH=/usr/bin:/bin"};
    static const char *const PASSED[] = {"LD_PRELOAD",        "LD_LIBRARY_PATH", "UMOCKDEV_DIR",
                                         "UMOCKDEV_DEBUG",    "ASAN_OPTIONS",    "UBSAN_OPTIONS",
                                         "TSAN_OPTIONS",      "CAMLIBS",         "IOLIBS",
                                         "LLVM_PROFILE_FILE", "GCOV_PREFIX"};
    GPtrArray *environment = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < G_N_ELEMENTS(FIXED); i++)
        g_ptr_array_add(environment, g_strdup(FIXED[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(PASSED); i++) {
        const char *value = g_getenv(PASSED[i]);
        if (value)
            g_ptr_array_add(environment, g_strconcat(PASSED[i], "=", value, NULL));
    }
    g_ptr_array_add(environment, NULL);
    return environment;
}

static GPtrArray *make_arguments(const char *program, const char *const *more)
{
    GPtrArray *arguments = g_ptr_array_new();
    g_ptr_array_add(arguments, (gpointer)program);
    for (; more && *more; more++)
        g_ptr_array_add(arguments, (gpointer)*more);
    g_ptr_array_add(arguments, NULL);
    return arguments;
}

/* Signals as at login, and a group of its own: Ctrl-C is for hearthd, which then ends it. */
static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                             POSIX_SPAWN_SETPGROUP);
}

static int spawn(const char *program, const char *const *more, int socket, pid_t *ret_pid)
{
    g_autoptr(GPtrArray) arguments = make_arguments(program, more);
    g_autoptr(GPtrArray) environment = make_environment();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    set_attributes(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    /* The libraries print what the device says; that has no place in our log. */
    if (!g_getenv("HEARTH_DEVICE_STDERR"))
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    int number = posix_spawn(ret_pid, program, &actions, &attributes, (char **)arguments->pdata,
                             (char **)environment->pdata);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return number;
}

static void set_sizes(int socket, int worker, int pipe_end)
{
    int size = SOCKET_SIZE;
    const int ENDS[] = {socket, worker};
    for (gsize i = 0; i < G_N_ELEMENTS(ENDS); i++)
        if (setsockopt(ENDS[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
            setsockopt(ENDS[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    /* A smaller one works too. */
    fcntl(pipe_end, F_SETPIPE_SZ, PIPE_SIZE);
}

HearthLink *hearth_link_start(const char *program, const char *const *arguments, GError **error)
{
    int sockets[2] = {-1, -1}, pipes[2] = {-1, -1};
    reap_old();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
        hearth_set_errno(error, errno, "cannot make a socket pair");
        return NULL;
    }
    hearth_autofd int ours = sockets[0], theirs = sockets[1];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        hearth_set_errno(error, errno, "cannot make a pipe");
        return NULL;
    }
    hearth_autofd int read_end = pipes[0], write_end = pipes[1];
    set_sizes(ours, theirs, read_end);
    fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(read_end, F_SETFL, O_RDONLY | O_NONBLOCK);
    pid_t pid;
    int number = spawn(program, arguments, theirs, &pid);
    if (number != 0) {
        hearth_set_errno(error, number, "cannot start %s", program);
        return NULL;
    }
    HearthLink *link = g_new0(HearthLink, 1);
    *link = (HearthLink){.pid = pid,
                         .pidfd = pidfd_open(pid, 0),
                         .socket = hearth_steal_fd(&ours),
                         .pipe = hearth_steal_fd(&read_end),
                         .pipe_write = hearth_steal_fd(&write_end),
                         .buffer = g_malloc(HEARTH_MESSAGE_MAX)};
    return link;
}

int hearth_link_pid(const HearthLink *link)
{
    return link->pid;
}

int hearth_link_pipe(HearthLink *link)
{
    return link->pipe_write;
}

void hearth_link_forget_pipe(HearthLink *link)
{
    hearth_close_at(&link->pipe_write);
}

/* TRUE once the process is gone and reaped. */
static gboolean wait_for_end(HearthLink *link, gint64 time_us)
{
    gint64 until = g_get_monotonic_time() + time_us;
    struct pollfd ended = {.fd = link->pidfd, .events = POLLIN};
    while (waitpid(link->pid, NULL, WNOHANG) == 0) {
        gint64 left = until - g_get_monotonic_time();
        if (left <= 0)
            return FALSE;
        int wait_ms = (int)(left / 1000) + 1;
        poll(&ended, link->pidfd >= 0, link->pidfd >= 0 ? wait_ms : MIN(wait_ms, 10));
    }
    return TRUE;
}

void hearth_link_stop(HearthLink *link, gboolean politely)
{
    if (!link)
        return;
    gboolean asked = politely && hearth_message_send(link->socket, HEARTH_MESSAGE_CLOSE, 0, NULL,
                                                     NULL, 0, -1, NULL);
    if (!asked || !wait_for_end(link, POLITE_US)) {
        kill(link->pid, SIGKILL);
        if (!wait_for_end(link, KILLED_US))
            reap_later(link->pid);
    }
    hearth_close_at(&link->socket);
    hearth_close_at(&link->pipe);
    hearth_close_at(&link->pipe_write);
    hearth_close_at(&link->pidfd);
    g_free(link->buffer);
    g_free(link);
}

gboolean hearth_link_send(HearthLink *link, HearthMessageKind kind, GVariant *body, int fd,
                          guint32 *ret_serial, GError **error)
{
    if (!hearth_message_send(link->socket, kind, link->serial + 1, body, NULL, 0, fd, error))
        return FALSE;
    *ret_serial = ++link->serial;
    return TRUE;
}

void hearth_link_cancel(HearthLink *link, guint32 serial)
{
    hearth_message_send(link->socket, HEARTH_MESSAGE_CANCEL, serial, NULL, NULL, 0, -1, NULL);
}

static gboolean wait_failed(GError **error, HearthError code, const char *reason)
{
    g_set_error_literal(error, HEARTH_ERROR, code, reason);
    return FALSE;
}

/* Processor time of the process so far, in microseconds. */
static gint64 used_us(const HearthLink *link)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(link->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (gint64)used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

/* Polls for one period after another, while the process works. */
static int poll_periods(const HearthLink *link, const HearthLinkWait *wait, struct pollfd *fds,
                        nfds_t count)
{
    gint64 used = used_us(link);
    for (guint period = 1;; period++) {
        gint64 until = g_get_monotonic_time() + wait->period_us;
        int ready;
        do {
            gint64 left = until - g_get_monotonic_time();
            ready = poll(fds, count, left <= 0 ? 0 : (int)MIN(left / 1000 + 1, G_MAXINT));
        } while (ready < 0 && errno == EINTR);
        gint64 now_used = ready == 0 ? used_us(link) : 0;
        if (ready != 0 || period >= wait->periods ||
            now_used - used < wait->period_us / WORKING_SHARE)
            return ready;
        used = now_used;
    }
}

/* Waits until the socket, or the pipe too if `with_pipe`, has something. */
static gboolean wait_ready(HearthLink *link, const HearthLinkWait *wait, gboolean with_pipe,
                           GError **error)
{
    GPollFD cancel = {.fd = -1};
    gboolean watched = wait->cancellable && g_cancellable_make_pollfd(wait->cancellable, &cancel);
    struct pollfd fds[] = {{.fd = link->socket, .events = POLLIN},
                           {.fd = with_pipe ? link->pipe : -1, .events = POLLIN},
                           {.fd = wait->wake, .events = POLLIN},
                           {.fd = watched ? cancel.fd : -1, .events = POLLIN}};
    int ready = poll_periods(link, wait, fds, G_N_ELEMENTS(fds));
    if (watched)
        g_cancellable_release_fd(wait->cancellable);
    if (ready < 0)
        return hearth_set_errno(error, errno, "cannot wait for the driver");
    if (fds[3].revents)
        return wait_failed(error, HEARTH_ERROR_CANCELLED, "cancelled");
    if (fds[2].revents)
        return wait_failed(error, HEARTH_ERROR_GONE, "the device was unplugged");
    return ready > 0 || wait_failed(error, HEARTH_ERROR_TIMED_OUT, "the driver does not answer");
}

/* Adds to "the other end is closed" how the process ended. */
static void explain_end(HearthLink *link, GError **error)
{
    siginfo_t info = {0};
    if (!error || !g_error_matches(*error, HEARTH_ERROR, HEARTH_ERROR_GONE))
        return;
    g_clear_error(error);
    /* The socket closes a moment before the process is over. */
    struct pollfd ended = {.fd = link->pidfd, .events = POLLIN};
    poll(&ended, link->pidfd >= 0, (int)(KILLED_US / 1000));
    if (waitid(P_PID, (id_t)link->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid &&
        info.si_code != CLD_EXITED)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "the driver died of signal %d (%s)",
                    info.si_status, g_strsignal(info.si_status));
    else
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "the driver ended");
}

static gboolean check_answer(const HearthMessage *message, GError **error)
{
    if (message->fd < 0 && message->kind >= HEARTH_MESSAGE_OPENED)
        return TRUE;
    g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL,
                        "the driver sent what is no answer");
    return FALSE;
}

gboolean hearth_link_receive(HearthLink *link, const HearthLinkWait *wait,
                             HearthMessage *ret_message, GError **error)
{
    for (;;) {
        g_autoptr(GError) failure = NULL;
        g_auto(HearthMessage) message = {.fd = -1};
        if (hearth_message_receive(link->socket, link->buffer, 0, &message, &failure)) {
            if (!check_answer(&message, error))
                return FALSE;
            *ret_message = message;
            message = (HearthMessage){.fd = -1};
            return TRUE;
        }
        if (!g_error_matches(failure, HEARTH_ERROR, HEARTH_ERROR_BUSY)) {
            explain_end(link, &failure);
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        if (!wait_ready(link, wait, FALSE, error))
            return FALSE;
    }
}

gssize hearth_link_read(HearthLink *link, void *data, gsize size, const HearthLinkWait *wait,
                        GError **error)
{
    gboolean waited = FALSE;
    for (;;) {
        ssize_t got = read(link->pipe, data, size);
        if (got > 0)
            return got;
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            hearth_set_errno(error, errno, "cannot read the pipe");
            return -1;
        }
        if (waited || !wait)
            return 0;
        if (!wait_ready(link, wait, TRUE, error))
            return -1;
        waited = TRUE;
    }
}
