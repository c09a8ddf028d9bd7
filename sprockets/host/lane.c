#include "sprockets/host/lane-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#define LOAD_TIMEOUT_MS 20000 /* of one sprocket; the server itself gives up after 5 s */
#define GRACE_MS 5000         /* beyond a call's wall time, before the other end counts as hung */

/* --- The other end ----------------------------------------------------------------------------- */

/* posix_spawn shares our memory until the exec: its cost does not grow with the daemon. */
static int spawn(const char *runner, const char *flavour, int control, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char name[] = "hearth-sprocket";
    char *const argv[] = {name, (char *)flavour, NULL};
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, control, HEARTH_WIRE_CONTROL_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, HEARTH_WIRE_CONTROL_FD + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failure = posix_spawn(ret_pid, runner, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

gboolean hearth_lane_spawn(const char *runner, const char *flavour, pid_t *ret_pid, int *ret_socket,
                           GError **error)
{
    int ends[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return hearth_set_errno(error, errno, "cannot make a socket for %s", runner);
    int failure = spawn(runner, flavour, ends[1], &pid);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        return hearth_set_errno(error, failure, "cannot start %s", runner);
    }
    *ret_pid = pid;
    *ret_socket = ends[0];
    return TRUE;
}

gboolean hearth_lane_send(int socket, const struct iovec *parts, gsize count, const int *fds,
                          gsize fd_count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    if (fd_count > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, fd_count * sizeof(int));
    }
    gssize sent;
    do {
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

/* Waits for a packet of exactly `size` bytes. FALSE: died, hung, or spoke nonsense. */
static gboolean receive_packet(int socket, void *packet, gsize size, int timeout_ms)
{
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    for (;;) {
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        int ready = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (ready > 0)
            return recv(socket, packet, size, 0) == (gssize)size;
        if (ready == 0 || errno != EINTR)
            return FALSE;
    }
}

gboolean hearth_lane_load(int socket, guint slot, const char *path, GBytes **ret_description,
                          GError **error)
{
    HearthWireLoad load = {.op = HEARTH_WIRE_LOAD, .slot = slot};
    g_autofree HearthWireLoaded *answer = g_new0(HearthWireLoaded, 1);
    const struct iovec part = {&load, sizeof load};
    if (g_strlcpy(load.path, path, sizeof load.path) >= sizeof load.path) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NAME_TOO_LONG, "%s: the path is too long",
                    path);
        return FALSE;
    }
    if (!hearth_lane_send(socket, &part, 1, NULL, 0) ||
        !receive_packet(socket, answer, sizeof *answer, LOAD_TIMEOUT_MS) ||
        answer->size > sizeof answer->description) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "it died while it loaded %s", path);
        return FALSE;
    }
    answer->problem[sizeof answer->problem - 1] = '\0';
    if (answer->problem[0]) {
        g_autofree char *problem = g_utf8_make_valid(answer->problem, -1);
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: %s", path, problem);
        return FALSE;
    }
    if (ret_description)
        *ret_description = g_bytes_new(answer->description, answer->size);
    return TRUE;
}

/* --- Lanes ------------------------------------------------------------------------------------- */

void hearth_lane_free(HearthLane *lane)
{
    if (!lane)
        return;
    if (lane->shared)
        munmap(lane->shared, HEARTH_SHARED_SIZE);
    hearth_close_at(&lane->socket);
    hearth_close_at(&lane->shared_fd);
    hearth_close_at(&lane->emit_fd);
    g_free(lane);
}

static gboolean make_memory(HearthLane *lane)
{
    lane->shared_fd = memfd_create("hearth-result", MFD_CLOEXEC);
    lane->emit_fd = memfd_create("hearth-emit", MFD_CLOEXEC);
    if (lane->shared_fd < 0 || lane->emit_fd < 0 ||
        ftruncate(lane->shared_fd, HEARTH_SHARED_SIZE) < 0)
        return FALSE;
    void *shared =
        mmap(NULL, HEARTH_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, lane->shared_fd, 0);
    if (shared == MAP_FAILED)
        return FALSE;
    lane->shared = shared;
    return TRUE;
}

HearthLane *hearth_lane_new(int socket)
{
    g_autoptr(HearthLane) lane = g_new0(HearthLane, 1);
    lane->socket = socket;
    lane->shared_fd = lane->emit_fd = -1;
    return make_memory(lane) ? g_steal_pointer(&lane) : NULL;
}

/* --- A call ------------------------------------------------------------------------------------ */

static gboolean send_call(HearthLane *lane, const HearthJob *job)
{
    HearthWireCall call = {
        .op = HEARTH_WIRE_CALL,
        .slot = job->slot,
        .input_size = job->input_size,
        .memory = job->limits.memory,
        .emit_size = job->limits.emit_size,
        .cpu_ms = job->limits.cpu_ms,
        .wall_ms = job->limits.wall_ms,
        .result_size = job->limits.result_size,
        .log_size = job->limits.log_size,
        .params_size = (guint32)job->params_size,
    };
    const struct iovec parts[] = {{&call, sizeof call}, {(void *)job->params, job->params_size}};
    const int fds[] = {job->fd, lane->emit_fd};
    g_strlcpy(call.hook, job->hook, sizeof call.hook);
    memset(lane->shared, 0, sizeof(HearthShared));
    return hearth_lane_send(lane->socket, parts, G_N_ELEMENTS(parts), fds, G_N_ELEMENTS(fds));
}

/* Waits for ENDED. A cancellation asks for it early, and does without it of a lane that is alone. */
static HearthExchange wait_ended(HearthLane *lane, const HearthJob *job, GCancellable *cancellable)
{
    const HearthWireWord word = {HEARTH_WIRE_CANCEL};
    const struct iovec part = {(void *)&word, sizeof word};
    GPollFD cancelled = {.fd = -1};
    gboolean watched = cancellable && g_cancellable_make_pollfd(cancellable, &cancelled);
    struct pollfd set[] = {{.fd = lane->socket, .events = POLLIN},
                           {.fd = cancelled.fd, .events = POLLIN}};
    gint64 deadline = g_get_monotonic_time() + ((gint64)job->limits.wall_ms + GRACE_MS) * 1000;
    gboolean given_up = FALSE;
    int ready;
    do {
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        ready = poll(set, G_N_ELEMENTS(set), left > 0 ? (int)MIN(left, G_MAXINT) : 0);
        if (ready > 0 && set[1].revents) {
            given_up = lane->alone && !set[0].revents;
            if (!lane->alone)
                hearth_lane_send(lane->socket, &part, 1, NULL, 0);
            set[1].fd = -1;
        }
    } while (!given_up && ((ready < 0 && errno == EINTR) || (ready > 0 && !set[0].revents)));
    if (watched)
        g_cancellable_release_fd(cancellable);
    if (given_up)
        return HEARTH_EXCHANGE_CANCELLED;
    if (ready == 0 && lane->alone)
        return HEARTH_EXCHANGE_LATE;
    return ready > 0 ? HEARTH_EXCHANGE_DONE : HEARTH_EXCHANGE_DIED;
}

static gboolean take_emitted(HearthLane *lane, const HearthJob *job, HearthAnswer *answer,
                             GError **error)
{
    struct stat state;
    if (fstat(lane->emit_fd, &state) < 0)
        return hearth_set_errno(error, errno, "what a sprocket emitted");
    if (state.st_size == 0)
        return TRUE;
    gsize size = MIN((guint64)state.st_size, job->limits.emit_size);
    g_autofree guint8 *data = g_malloc(size);
    gssize got = hearth_pread_up_to(lane->emit_fd, data, size, 0, "what a sprocket emitted", error);
    if (got < 0)
        return FALSE;
    answer->emitted = g_bytes_new_take(g_steal_pointer(&data), (gsize)got);
    if (ftruncate(lane->emit_fd, 0) < 0 || lseek(lane->emit_fd, 0, SEEK_SET) < 0)
        return hearth_set_errno(error, errno, "what a sprocket emitted");
    return TRUE;
}

HearthExchange hearth_lane_exchange(HearthLane *lane, const HearthJob *job, HearthAnswer *answer,
                                    GCancellable *cancellable, GError **error)
{
    HearthWireEnded *ended = &answer->ended;
    if (!send_call(lane, job))
        return HEARTH_EXCHANGE_DIED;
    HearthExchange outcome = wait_ended(lane, job, cancellable);
    if (outcome != HEARTH_EXCHANGE_DONE)
        return outcome;
    if (recv(lane->socket, ended, sizeof *ended, 0) != (gssize)sizeof *ended ||
        ended->outcome >= HEARTH_ENGINE_OUTCOMES)
        return HEARTH_EXCHANGE_DIED;
    ended->rule[sizeof ended->rule - 1] = '\0';
    ended->symbol[sizeof ended->symbol - 1] = '\0';
    hearth_answer_copy(answer, lane->shared, job);
    return take_emitted(lane, job, answer, error) ? HEARTH_EXCHANGE_DONE : HEARTH_EXCHANGE_FAILED;
}
