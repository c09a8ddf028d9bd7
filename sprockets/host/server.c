#include "sprockets/host/server-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#define LOAD_TIMEOUT_MS 20000 /* of one sprocket; the server itself gives up after 5 s */
#define GRACE_MS 5000         /* beyond a call's wall time, before the server counts as hung */
#define TRIES 2               /* of a call whose server dies */

typedef struct {
    guint generation; /* of the server it belongs to */
    int socket;
    int shared_fd;
    int emit_fd;
    guint8 *shared; /* HEARTH_SHARED_SIZE bytes */
} Lane;

struct HearthServer {
    char *runner;
    GMutex lock; /* of all below; held while a server starts */
    GCond lane_freed;
    pid_t pid;        /* 0: not running */
    int control;      /* -1: not running */
    guint generation; /* counts the servers started */
    GPtrArray *paths; /* by slot, elements owned; NULL: nothing in the slot */
    GQueue idle;      /* Lane, all of this generation */
    guint lanes_used;
};

typedef enum { EXCHANGE_DONE, EXCHANGE_DIED, EXCHANGE_FAILED } Exchange;

static void lane_free(Lane *lane)
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
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lane, lane_free)

HearthServer *hearth_server_new(const char *runner)
{
    HearthServer *server = g_new0(HearthServer, 1);
    server->runner = g_strdup(runner);
    server->control = -1;
    server->paths = g_ptr_array_new_with_free_func(g_free);
    g_queue_init(&server->idle);
    g_mutex_init(&server->lock);
    g_cond_init(&server->lane_freed);
    return server;
}

/* With the lock. The process is ours and not yet reaped, so its number is its own. */
static void stop(HearthServer *server)
{
    hearth_close_at(&server->control);
    g_queue_clear_full(&server->idle, (GDestroyNotify)lane_free);
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    server->pid = 0;
}

void hearth_server_free(HearthServer *server)
{
    if (!server)
        return;
    stop(server);
    g_ptr_array_unref(server->paths);
    g_mutex_clear(&server->lock);
    g_cond_clear(&server->lane_freed);
    g_free(server->runner);
    g_free(server);
}

GPid hearth_server_pid(HearthServer *server)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    return server->pid;
}

/* posix_spawn shares our memory until the exec: its cost does not grow with the daemon. */
static int spawn(const char *runner, int control, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char name[] = "hearth-sprocket";
    char *const argv[] = {name, NULL};
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

static gboolean start(HearthServer *server, GError **error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return hearth_set_errno(error, errno, "cannot make a socket for %s", server->runner);
    int failure = spawn(server->runner, ends[1], &server->pid);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        server->pid = 0;
        return hearth_set_errno(error, failure, "cannot start %s", server->runner);
    }
    server->control = ends[0];
    server->generation++;
    return TRUE;
}

/* Sends one packet with up to two descriptors. FALSE: the other end is gone. */
static gboolean send_packet(int socket, const struct iovec *parts, gsize count, const int *fds,
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

/* With the lock, and a server running. */
static gboolean load_one(HearthServer *server, guint slot, const char *path,
                         GBytes **ret_description, GError **error)
{
    HearthWireLoad load = {.op = HEARTH_WIRE_LOAD, .slot = slot};
    g_autofree HearthWireLoaded *answer = g_new0(HearthWireLoaded, 1);
    const struct iovec part = {&load, sizeof load};
    if (g_strlcpy(load.path, path, sizeof load.path) >= sizeof load.path) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NAME_TOO_LONG, "%s: the path is too long",
                    path);
        return FALSE;
    }
    if (!send_packet(server->control, &part, 1, NULL, 0) ||
        !receive_packet(server->control, answer, sizeof *answer, LOAD_TIMEOUT_MS) ||
        answer->size > sizeof answer->description) {
        stop(server);
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "%s died while it loaded %s",
                    server->runner, path);
        return FALSE;
    }
    answer->problem[sizeof answer->problem - 1] = '\0';
    if (answer->problem[0]) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: %s", path, answer->problem);
        return FALSE;
    }
    if (ret_description)
        *ret_description = g_bytes_new(answer->description, answer->size);
    return TRUE;
}

/* With the lock. What no longer loads is left out: its calls fail one by one, with the reason. */
static gboolean ensure_running(HearthServer *server, GError **error)
{
    if (server->pid != 0)
        return TRUE;
    if (!start(server, error))
        return FALSE;
    for (guint slot = 0; slot < server->paths->len; slot++) {
        const char *path = g_ptr_array_index(server->paths, slot);
        if (path)
            load_one(server, slot, path, NULL, NULL);
        if (server->pid == 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "%s died while it loaded %s",
                        server->runner, path);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean hearth_server_load(HearthServer *server, guint slot, const char *path,
                            GBytes **ret_description, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    if (slot >= HEARTH_WIRE_SLOTS_MAX) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT, "%s: there are %d sprockets already",
                    path, HEARTH_WIRE_SLOTS_MAX);
        return FALSE;
    }
    if (!ensure_running(server, error) || !load_one(server, slot, path, ret_description, error))
        return FALSE;
    if (slot >= server->paths->len)
        g_ptr_array_set_size(server->paths, (gint)slot + 1);
    g_free(server->paths->pdata[slot]);
    server->paths->pdata[slot] = g_strdup(path);
    return TRUE;
}

static gboolean lane_make_memory(Lane *lane)
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

/* With the lock, and a server running. NULL: out of descriptors or memory, errno says. */
static Lane *lane_new(HearthServer *server)
{
    g_autoptr(Lane) lane = g_new0(Lane, 1);
    const HearthWireWord word = {HEARTH_WIRE_LANE};
    const struct iovec part = {(void *)&word, sizeof word};
    int ends[2];
    lane->generation = server->generation;
    lane->socket = lane->shared_fd = lane->emit_fd = -1;
    if (!lane_make_memory(lane) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return NULL;
    lane->socket = ends[0];
    const int fds[] = {ends[1], lane->shared_fd};
    /* A server that has died is noticed by the call itself. */
    send_packet(server->control, &part, 1, fds, G_N_ELEMENTS(fds));
    close(ends[1]);
    return g_steal_pointer(&lane);
}

static Lane *lane_take(HearthServer *server, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    while (server->lanes_used >= HEARTH_WIRE_LANES_MAX)
        g_cond_wait(&server->lane_freed, &server->lock);
    if (!ensure_running(server, error))
        return NULL;
    Lane *lane = g_queue_pop_head(&server->idle);
    if (!lane)
        lane = lane_new(server);
    if (lane)
        server->lanes_used++;
    else
        hearth_set_errno(error, errno, "cannot make the memory that a sprocket's result comes in");
    return lane;
}

/* A lane is used again only if its call came to its end: else a child may still be about. */
static void lane_give_back(HearthServer *server, Lane *lane, gboolean reusable)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    server->lanes_used--;
    if (reusable && server->pid != 0 && lane->generation == server->generation)
        g_queue_push_head(&server->idle, lane);
    else
        lane_free(lane);
    g_cond_signal(&server->lane_freed);
}

static void forget_dead(HearthServer *server, guint generation)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    if (server->generation == generation)
        stop(server);
}

static gboolean send_call(Lane *lane, const HearthJob *job)
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
    return send_packet(lane->socket, parts, G_N_ELEMENTS(parts), fds, G_N_ELEMENTS(fds));
}

/* Waits for ENDED; a cancellation asks for it early. */
static gboolean wait_ended(Lane *lane, const HearthJob *job, HearthWireEnded *ret_ended,
                           GCancellable *cancellable)
{
    const HearthWireWord word = {HEARTH_WIRE_CANCEL};
    const struct iovec part = {(void *)&word, sizeof word};
    GPollFD cancelled = {.fd = -1};
    gboolean watched = cancellable && g_cancellable_make_pollfd(cancellable, &cancelled);
    struct pollfd set[] = {{.fd = lane->socket, .events = POLLIN},
                           {.fd = cancelled.fd, .events = POLLIN}};
    gint64 deadline = g_get_monotonic_time() + ((gint64)job->limits.wall_ms + GRACE_MS) * 1000;
    int ready;
    do {
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        ready = poll(set, G_N_ELEMENTS(set), left > 0 ? (int)MIN(left, G_MAXINT) : 0);
        if (ready > 0 && set[1].revents) {
            send_packet(lane->socket, &part, 1, NULL, 0);
            set[1].fd = -1;
        }
    } while ((ready < 0 && errno == EINTR) || (ready > 0 && !set[0].revents));
    if (watched)
        g_cancellable_release_fd(cancellable);
    return ready > 0 &&
           recv(lane->socket, ret_ended, sizeof *ret_ended, 0) == (gssize)sizeof *ret_ended;
}

static gboolean take_emitted(Lane *lane, const HearthJob *job, HearthAnswer *answer, GError **error)
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

static Exchange exchange(Lane *lane, const HearthJob *job, HearthAnswer *answer,
                         GCancellable *cancellable, GError **error)
{
    if (!send_call(lane, job) || !wait_ended(lane, job, &answer->ended, cancellable))
        return EXCHANGE_DIED;
    answer->ended.rule[sizeof answer->ended.rule - 1] = '\0';
    answer->ended.symbol[sizeof answer->ended.symbol - 1] = '\0';
    hearth_answer_copy(answer, lane->shared, job);
    return take_emitted(lane, job, answer, error) ? EXCHANGE_DONE : EXCHANGE_FAILED;
}

gboolean hearth_server_call(HearthServer *server, const HearthJob *job, HearthAnswer *ret_answer,
                            GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < TRIES; i++) {
        Lane *lane = lane_take(server, error);
        if (!lane)
            return FALSE;
        guint generation = lane->generation;
        Exchange outcome = exchange(lane, job, ret_answer, cancellable, error);
        lane_give_back(server, lane, outcome == EXCHANGE_DONE);
        if (outcome != EXCHANGE_DIED)
            return outcome == EXCHANGE_DONE;
        forget_dead(server, generation);
        ret_answer->again = TRUE;
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "%s died in the middle of a call, twice",
                server->runner);
    return FALSE;
}
