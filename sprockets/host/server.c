#include "sprockets/host/server-private.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "sprockets/host/lane-private.h"

#define TRIES 2 /* of a call whose server dies */

struct HearthServer {
    char *runner;
    GMutex lock; /* of all below; held while a server starts */
    GCond lane_freed;
    pid_t pid;        /* 0: not running */
    int control;      /* -1: not running */
    guint generation; /* counts the servers started */
    GPtrArray *paths; /* by slot, elements owned; NULL: nothing in the slot */
    GQueue idle;      /* HearthLane, all of this generation */
    guint lanes_used;
};

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
    g_queue_clear_full(&server->idle, (GDestroyNotify)hearth_lane_free);
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

static gboolean start(HearthServer *server, GError **error)
{
    if (!hearth_lane_spawn(server->runner, NULL, &server->pid, &server->control, error))
        return FALSE;
    server->generation++;
    return TRUE;
}

/* With the lock, and a server running. */
static gboolean load_one(HearthServer *server, guint slot, const char *path,
                         GBytes **ret_description, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (hearth_lane_load(server->control, slot, path, ret_description, &reason))
        return TRUE;
    if (g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_GONE)) {
        stop(server);
        g_prefix_error(&reason, "%s: ", server->runner);
    }
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
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

/* With the lock, and a server running. NULL: out of descriptors or memory, errno says. */
static HearthLane *lane_new(HearthServer *server)
{
    const HearthWireWord word = {HEARTH_WIRE_LANE};
    const struct iovec part = {(void *)&word, sizeof word};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return NULL;
    hearth_autofd int far = ends[1];
    g_autoptr(HearthLane) lane = hearth_lane_new(ends[0]);
    if (!lane)
        return NULL;
    lane->generation = server->generation;
    const int fds[] = {far, lane->shared_fd};
    /* A server that has died is noticed by the call itself. */
    hearth_lane_send(server->control, &part, 1, fds, G_N_ELEMENTS(fds));
    return g_steal_pointer(&lane);
}

static HearthLane *lane_take(HearthServer *server, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    while (server->lanes_used >= HEARTH_WIRE_LANES_MAX)
        g_cond_wait(&server->lane_freed, &server->lock);
    if (!ensure_running(server, error))
        return NULL;
    HearthLane *lane = g_queue_pop_head(&server->idle);
    if (!lane)
        lane = lane_new(server);
    if (lane)
        server->lanes_used++;
    else
        hearth_set_errno(error, errno, "cannot make the memory that a sprocket's result comes in");
    return lane;
}

/* A lane is used again only if its call came to its end: else a child may still be about. */
static void lane_give_back(HearthServer *server, HearthLane *lane, gboolean reusable)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    server->lanes_used--;
    if (reusable && server->pid != 0 && lane->generation == server->generation)
        g_queue_push_head(&server->idle, lane);
    else
        hearth_lane_free(lane);
    g_cond_signal(&server->lane_freed);
}

static void forget_dead(HearthServer *server, guint generation)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    if (server->generation == generation)
        stop(server);
}

gboolean hearth_server_call(HearthServer *server, const HearthJob *job, HearthAnswer *ret_answer,
                            GCancellable *cancellable, GError **error)
{
    for (guint i = 0; i < TRIES; i++) {
        HearthLane *lane = lane_take(server, error);
        if (!lane)
            return FALSE;
        guint generation = lane->generation;
        HearthExchange outcome = hearth_lane_exchange(lane, job, ret_answer, cancellable, error);
        lane_give_back(server, lane, outcome == HEARTH_EXCHANGE_DONE);
        if (outcome != HEARTH_EXCHANGE_DIED)
            return outcome == HEARTH_EXCHANGE_DONE;
        forget_dead(server, generation);
        ret_answer->again = TRUE;
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "%s died in the middle of a call, twice",
                server->runner);
    return FALSE;
}
