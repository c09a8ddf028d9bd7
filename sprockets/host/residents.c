#include "sprockets/host/residents-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "gateway/base/error.h"
#include "sprockets/host/lane-private.h"

#define PROCESSES_MAX 16 /* of one sprocket, on however many processors */
#define TRIES 2          /* of a call whose process dies */

typedef struct {
    HearthLane *lane;
    pid_t pid;
} Resident;

/* Those of one sprocket. */
typedef struct {
    GQueue idle; /* Resident; the last one used is the first: its memory is warm */
    guint count; /* with those at work */
} Crew;

struct HearthResidents {
    char *runner;
    guint most; /* of a crew */
    GMutex lock;
    GCond given_back;
    GHashTable *crews; /* path -> Crew; under the lock */
};

/* Its wait status. Ours and not yet reaped: its number is its own. */
static int resident_kill(Resident *resident)
{
    int status = 0;
    kill(resident->pid, SIGKILL);
    while (waitpid(resident->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    hearth_lane_free(resident->lane);
    g_free(resident);
    return status;
}

static void crew_free(Crew *crew)
{
    Resident *resident;
    while ((resident = g_queue_pop_head(&crew->idle)))
        resident_kill(resident);
    g_free(crew);
}

HearthResidents *hearth_residents_new(const char *runner)
{
    HearthResidents *residents = g_new0(HearthResidents, 1);
    residents->runner = g_strdup(runner);
    residents->most = CLAMP(g_get_num_processors(), 1, PROCESSES_MAX);
    residents->crews =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)crew_free);
    g_mutex_init(&residents->lock);
    g_cond_init(&residents->given_back);
    return residents;
}

void hearth_residents_free(HearthResidents *residents)
{
    if (!residents)
        return;
    g_hash_table_unref(residents->crews);
    g_mutex_clear(&residents->lock);
    g_cond_clear(&residents->given_back);
    g_free(residents->runner);
    g_free(residents);
}

/* --- Starting ---------------------------------------------------------------------------------- */

static gboolean load(Resident *resident, const char *path, GError **error)
{
    const HearthWireWord word = {HEARTH_WIRE_LANE};
    const struct iovec part = {(void *)&word, sizeof word};
    const int fds[] = {resident->lane->shared_fd, resident->lane->emit_fd};
    if (!hearth_lane_load(resident->lane->socket, 0, path, NULL, error))
        return FALSE;
    if (hearth_lane_send(resident->lane->socket, &part, 1, fds, G_N_ELEMENTS(fds)))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "it died after it had loaded %s", path);
    return FALSE;
}

static Resident *resident_new(const HearthResidents *residents, const char *path, GError **error)
{
    pid_t pid;
    int socket;
    if (!hearth_lane_spawn(residents->runner, "--resident", &pid, &socket, error))
        return NULL;
    Resident *resident = g_new0(Resident, 1);
    resident->pid = pid;
    resident->lane = hearth_lane_new(socket);
    if (resident->lane) {
        resident->lane->alone = TRUE;
        if (load(resident, path, error))
            return resident;
        g_prefix_error(error, "%s: ", residents->runner);
    } else {
        hearth_set_errno(error, errno, "cannot make the memory that a sprocket's result comes in");
    }
    resident_kill(resident);
    return NULL;
}

/* --- The crew ---------------------------------------------------------------------------------- */

/* With the lock. */
static Crew *crew_of(HearthResidents *residents, const char *path)
{
    Crew *crew = g_hash_table_lookup(residents->crews, path);
    if (!crew) {
        crew = g_new0(Crew, 1);
        g_queue_init(&crew->idle);
        g_hash_table_insert(residents->crews, g_strdup(path), crew);
    }
    return crew;
}

static void leave(HearthResidents *residents, Crew *crew, Resident *idle)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&residents->lock);
    if (idle)
        g_queue_push_head(&crew->idle, idle);
    else
        crew->count--;
    g_cond_broadcast(&residents->given_back);
}

/* One that nobody else uses; started, without the lock, if none is idle. */
static Resident *take(HearthResidents *residents, const char *path, Crew **ret_crew, GError **error)
{
    g_mutex_lock(&residents->lock);
    Crew *crew = crew_of(residents, path);
    while (g_queue_is_empty(&crew->idle) && crew->count >= residents->most)
        g_cond_wait(&residents->given_back, &residents->lock);
    Resident *resident = g_queue_pop_head(&crew->idle);
    crew->count += resident == NULL;
    g_mutex_unlock(&residents->lock);
    if (!resident && !(resident = resident_new(residents, path, error)))
        leave(residents, crew, NULL);
    *ret_crew = crew;
    return resident;
}

/* --- Calls ------------------------------------------------------------------------------------- */

/* It died of the call, twice: that is the call's doing. */
static void answer_death(HearthAnswer *answer, int status)
{
    HearthWireEnded *ended = &answer->ended;
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    *ended = (HearthWireEnded){.op = HEARTH_WIRE_ENDED, .wait_status = status};
    if (name)
        g_snprintf(ended->rule, sizeof ended->rule, "SIG%s", name);
    else
        g_strlcpy(ended->rule, "exit", sizeof ended->rule);
}

static gboolean conclude(HearthExchange outcome, HearthAnswer *answer, GError **error)
{
    if (outcome == HEARTH_EXCHANGE_LATE)
        answer->ended = (HearthWireEnded){.op = HEARTH_WIRE_ENDED, .kill = HEARTH_WIRE_KILL_WALL};
    if (outcome == HEARTH_EXCHANGE_CANCELLED)
        answer->ended = (HearthWireEnded){.op = HEARTH_WIRE_ENDED, .kill = HEARTH_WIRE_KILL_CANCEL};
    return outcome != HEARTH_EXCHANGE_FAILED;
}

gboolean hearth_residents_call(HearthResidents *residents, const char *path, const HearthJob *job,
                               HearthAnswer *ret_answer, GCancellable *cancellable, GError **error)
{
    HearthJob here = *job;
    int status = 0;
    here.slot = 0;
    for (guint i = 0; i < TRIES; i++) {
        Crew *crew;
        Resident *resident = take(residents, path, &crew, error);
        if (!resident)
            return FALSE;
        HearthExchange outcome =
            hearth_lane_exchange(resident->lane, &here, ret_answer, cancellable, error);
        if (outcome == HEARTH_EXCHANGE_DONE) {
            leave(residents, crew, resident);
            return TRUE;
        }
        status = resident_kill(resident);
        leave(residents, crew, NULL);
        if (outcome != HEARTH_EXCHANGE_DIED)
            return conclude(outcome, ret_answer, error);
        ret_answer->again = TRUE;
    }
    answer_death(ret_answer, status);
    return TRUE;
}
