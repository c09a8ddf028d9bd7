#include "devices/shadow.h"

#include "devices/session.h"
#include "devices/shadow-private.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TIMEOUT_MS 60000 /* libmtp alone takes 25 s to give a dead phone up */
#define IDLE_TIMEOUT_MS                                                                            \
    45000                  /* libgphoto2 gives up a call after 20 s, and then often tries again */
#define WORKING_PERIODS 20 /* of a listing that works in silence: ten minutes for one folder */
#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS 30000
#define ATTEMPTS 3
#define TURN_US                                                                                    \
    (G_USEC_PER_SEC /                                                                              \
     10)                  /* between two looks at a cancellable while waiting in line              \
                           */
#define EXPECTED_MAX 4096 /* objects */

/*
 * A request, from attempt to attempt:
 *
 *             start worker, open         request
 *   CLOSED ─────────────────────► OPEN ─────────► done: stays OPEN
 *     ▲  ▲                         │
 *     │  └── BUSY, LOCKED,         │ worker died, hung, lied, or said IO, GONE
 *     │      NO_STORAGE: pause,    ▼
 *     │      without end        killed: pause (doubled each time)
 *     └──────────────────────────┘ after `attempts` without progress: the error is the caller's
 *
 * What the driver answers about the object itself (not found, changed, ...) is never tried again.
 */

struct HearthShadow {
    gatomicrefcount references;
    char *program;
    char **arguments; /* (nullable) */
    guint open_timeout_ms, idle_timeout_ms, retry_first_ms, retry_last_ms, attempts;
    gboolean wait_until_free;
    HearthShadowStateFunc state_changed;
    gpointer user_data;
    GDestroyNotify user_data_free;
    int wake; /* eventfd, readable once the device was unplugged */

    GMutex
        lock; /* guards in_use and device; held for copies only, never over a wait on the device */
    GCond turn;
    gboolean in_use; /* a call owns what stands below */
    HearthDevice *device;

    HearthSession *session; /* (nullable): none runs */
    gboolean asked;         /* the session has served a request, and its library may remember */
    gboolean may_change;    /* what the next session is opened with */
    GQueue expected;        /* of HearthDeviceObject*, owned */
};

/* One call of the public functions, as `run` sees it. */
typedef struct Request Request;
struct Request {
    gboolean (*attempt)(HearthShadow *shadow, Request *request, HearthCall *call, GError **error);
    const char *verb; /* "fetch" ... for messages */
    const char *path; /* (nullable) */
    gboolean changes;
    gboolean afresh; /* must not be answered from what a library remembers */
    const HearthDeviceObject *object;
    guint64 offset;
    HearthShadowDataFunc data_func;
    HearthShadowListFunc list_func;
    gpointer user_data;
    GHashTable *seen; /* hashes of objects given to list_func, cast to pointers */
    gboolean again;   /* a listing that was begun before */
    int fd;
    guint64 size, free_bytes, total;
};

void hearth_shadow_options_init(HearthShadowOptions *options)
{
    *options = (HearthShadowOptions){.open_timeout_ms = OPEN_TIMEOUT_MS,
                                     .idle_timeout_ms = IDLE_TIMEOUT_MS,
                                     .retry_first_ms = RETRY_FIRST_MS,
                                     .retry_last_ms = RETRY_LAST_MS,
                                     .attempts = ATTEMPTS,
                                     .wait_until_free = TRUE};
}

/*
 * In a build tree the two programs stand side by side; installed, hearth-device is in libexec of the
 * same prefix. The prefix is not compiled in, so that a package may choose it.
 */
static char *find_program(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = g_path_get_dirname(self ? self : "/");
    g_autofree char *beside = g_build_filename(folder, "hearth-device", NULL);
    if (g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer(&beside);
    return g_build_filename(folder, "..", HEARTH_LIBEXECDIR, "hearth", "hearth-device", NULL);
}

HearthShadow *hearth_shadow_new(const HearthDevice *device, const HearthShadowOptions *options)
{
    HearthShadowOptions defaults;
    hearth_shadow_options_init(&defaults);
    if (!options)
        options = &defaults;
    HearthShadow *shadow = g_new0(HearthShadow, 1);
    g_atomic_ref_count_init(&shadow->references);
    shadow->program = options->worker ? g_strdup(options->worker) : find_program();
    shadow->arguments = g_strdupv((char **)options->arguments);
    shadow->open_timeout_ms = options->open_timeout_ms;
    shadow->idle_timeout_ms = options->idle_timeout_ms;
    shadow->retry_first_ms = options->retry_first_ms;
    shadow->retry_last_ms = options->retry_last_ms;
    shadow->attempts = MAX(options->attempts, 1);
    shadow->wait_until_free = options->wait_until_free;
    shadow->state_changed = options->state_changed;
    shadow->user_data = options->user_data;
    shadow->user_data_free = options->user_data_free;
    shadow->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_mutex_init(&shadow->lock);
    g_cond_init(&shadow->turn);
    shadow->device = hearth_device_copy(device);
    g_queue_init(&shadow->expected);
    return shadow;
}

HearthShadow *hearth_shadow_ref(HearthShadow *shadow)
{
    g_atomic_ref_count_inc(&shadow->references);
    return shadow;
}

static void end_session(HearthShadow *shadow, gboolean politely)
{
    hearth_session_end(shadow->session, politely, &shadow->expected);
    shadow->session = NULL;
}

static void clear_expected(HearthShadow *shadow)
{
    g_queue_clear_full(&shadow->expected, (GDestroyNotify)hearth_device_object_free);
}

void hearth_shadow_unref(HearthShadow *shadow)
{
    if (!shadow || !g_atomic_ref_count_dec(&shadow->references))
        return;
    end_session(shadow, TRUE);
    clear_expected(shadow);
    hearth_close_at(&shadow->wake);
    hearth_device_free(shadow->device);
    g_mutex_clear(&shadow->lock);
    g_cond_clear(&shadow->turn);
    g_strfreev(shadow->arguments);
    g_free(shadow->program);
    if (shadow->user_data_free)
        shadow->user_data_free(shadow->user_data);
    g_free(shadow);
}

HearthDevice *hearth_shadow_dup_device(HearthShadow *shadow)
{
    g_mutex_lock(&shadow->lock);
    HearthDevice *copy = hearth_device_copy(shadow->device);
    g_mutex_unlock(&shadow->lock);
    return copy;
}

static void set_state(HearthShadow *shadow, HearthDeviceState state, const char *message)
{
    g_mutex_lock(&shadow->lock);
    HearthDevice *device = shadow->device;
    gboolean changed = device->state != state || g_strcmp0(device->message, message) != 0;
    if (changed) {
        device->state = state;
        g_free(device->message);
        device->message = g_strdup(message);
    }
    g_mutex_unlock(&shadow->lock);
    if (!changed || !shadow->state_changed)
        return;
    g_autoptr(HearthDevice) copy = hearth_shadow_dup_device(shadow);
    shadow->state_changed(copy, shadow->user_data);
}

static gboolean is_unplugged(HearthShadow *shadow)
{
    struct pollfd woken = {.fd = shadow->wake, .events = POLLIN};
    return poll(&woken, 1, 0) > 0;
}

/* Waits for this call's turn; FALSE if it is not wanted any more. */
static gboolean enter(HearthShadow *shadow, GCancellable *cancellable, GError **error)
{
    g_mutex_lock(&shadow->lock);
    while (shadow->in_use && !g_cancellable_is_cancelled(cancellable))
        g_cond_wait_until(&shadow->turn, &shadow->lock, g_get_monotonic_time() + TURN_US);
    gboolean mine = !shadow->in_use;
    if (mine)
        shadow->in_use = TRUE;
    g_mutex_unlock(&shadow->lock);
    if (!mine)
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "cancelled");
    return mine;
}

static void leave(HearthShadow *shadow)
{
    g_mutex_lock(&shadow->lock);
    shadow->in_use = FALSE;
    g_cond_signal(&shadow->turn);
    g_mutex_unlock(&shadow->lock);
}

/* Pauses before attempt number `failures` + 1. FALSE: cancelled, or the device is gone. */
static gboolean pause_for(HearthShadow *shadow, guint failures, GCancellable *cancellable,
                          GError **error)
{
    guint64 wait_ms = (guint64)shadow->retry_first_ms << MIN(failures - 1, 16);
    GPollFD cancel = {.fd = -1};
    gboolean watched = cancellable && g_cancellable_make_pollfd(cancellable, &cancel);
    struct pollfd fds[] = {{.fd = shadow->wake, .events = POLLIN},
                           {.fd = watched ? cancel.fd : -1, .events = POLLIN}};
    poll(fds, G_N_ELEMENTS(fds), (int)MIN(wait_ms, (guint64)shadow->retry_last_ms));
    if (watched)
        g_cancellable_release_fd(cancellable);
    if (fds[1].revents)
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "cancelled");
    else if (fds[0].revents)
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "the device was unplugged");
    return !fds[0].revents && !fds[1].revents;
}

static HearthCall make_call(HearthShadow *shadow, GCancellable *cancellable, guint timeout_ms)
{
    return (HearthCall){.cancellable = cancellable, .wake = shadow->wake, .timeout_ms = timeout_ms};
}

static gboolean open_once(HearthShadow *shadow, GCancellable *cancellable, HearthCall *call,
                          GError **error)
{
    g_autoptr(HearthDevice) device = hearth_shadow_dup_device(shadow);
    *call = make_call(shadow, cancellable, shadow->open_timeout_ms);
    shadow->asked = FALSE;
    shadow->session =
        hearth_session_start(shadow->program, (const char *const *)shadow->arguments, error);
    if (!shadow->session)
        return FALSE;
    if (!hearth_session_open(shadow->session, device, shadow->may_change, call, error)) {
        end_session(shadow, FALSE);
        return FALSE;
    }
    g_mutex_lock(&shadow->lock);
    device->state = shadow->device->state;
    hearth_device_free(shadow->device);
    shadow->device = g_steal_pointer(&device);
    g_mutex_unlock(&shadow->lock);
    set_state(shadow, HEARTH_DEVICE_READY, NULL);
    return TRUE;
}

static gboolean needs_a_person(HearthDeviceState state)
{
    return state == HEARTH_DEVICE_BUSY || state == HEARTH_DEVICE_LOCKED ||
           state == HEARTH_DEVICE_NO_STORAGE;
}

/* Waits as long as it takes while only a person can help. */
static gboolean ensure_open(HearthShadow *shadow, GCancellable *cancellable, HearthCall *call,
                            GError **error)
{
    if (shadow->session && !hearth_session_usable(shadow->session))
        end_session(shadow, FALSE);
    if (is_unplugged(shadow)) {
        end_session(shadow, FALSE);
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "the device was unplugged");
        return FALSE;
    }
    for (guint failures = 1; !shadow->session; failures++) {
        g_autoptr(GError) failure = NULL;
        if (open_once(shadow, cancellable, call, &failure))
            return TRUE;
        if (needs_a_person(call->state))
            set_state(shadow, call->state, failure->message);
        if (!needs_a_person(call->state) || !shadow->wait_until_free) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        if (!pause_for(shadow, failures, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean is_about_object(const GError *failure)
{
    if (failure->domain != HEARTH_ERROR)
        return FALSE;
    switch ((HearthError)failure->code) {
    case HEARTH_ERROR_INVALID:
    case HEARTH_ERROR_NOT_FOUND:
    case HEARTH_ERROR_EXISTS:
    case HEARTH_ERROR_NOT_DIRECTORY:
    case HEARTH_ERROR_IS_DIRECTORY:
    case HEARTH_ERROR_NOT_EMPTY:
    case HEARTH_ERROR_NAME_TOO_LONG:
    case HEARTH_ERROR_LOOP:
    case HEARTH_ERROR_PERMISSION:
    case HEARTH_ERROR_READ_ONLY:
    case HEARTH_ERROR_NO_SPACE:
    case HEARTH_ERROR_CONFLICT:
    case HEARTH_ERROR_UNSUPPORTED:
    case HEARTH_ERROR_LIMIT:
        return TRUE;
    default:
        return FALSE;
    }
}

/* TRUE if trying again cannot help. */
static gboolean is_final(HearthShadow *shadow, const HearthCall *call, const GError *failure)
{
    return call->sink_failed || g_cancellable_is_cancelled(call->cancellable) ||
           is_unplugged(shadow) || (call->answered && is_about_object(failure)) ||
           (needs_a_person(call->state) && !shadow->wait_until_free);
}

/* libgphoto2 and libmtp see no new file, and go on listing a device that is gone. */
static gboolean remembers(HearthShadow *shadow)
{
    return strcmp(shadow->device->driver, "volume") != 0;
}

static gboolean try_once(HearthShadow *shadow, Request *request, GCancellable *cancellable,
                         HearthCall *call, GError **error)
{
    *call = make_call(shadow, cancellable, shadow->idle_timeout_ms);
    if (request->changes)
        shadow->may_change = TRUE;
    if (request->changes && shadow->session && !hearth_session_can_change(shadow->session))
        end_session(shadow, TRUE);
    if (request->afresh && shadow->session && shadow->asked && remembers(shadow))
        end_session(shadow, TRUE);
    if (!ensure_open(shadow, cancellable, call, error))
        return FALSE;
    *call = make_call(shadow, cancellable, shadow->idle_timeout_ms);
    shadow->asked |= request->attempt != NULL;
    return !request->attempt || request->attempt(shadow, request, call, error);
}

/* Names device and object; says what state a failure leaves the device in. */
static void report(HearthShadow *shadow, const Request *request, const HearthCall *call,
                   guint failures, GError *failure, GError **error)
{
    g_autoptr(HearthDevice) device = hearth_shadow_dup_device(shadow);
    g_autofree char *name = hearth_device_name(device);
    g_autofree char *path = request->path ? g_utf8_make_valid(request->path, -1) : NULL;
    if (call->sink_failed || g_error_matches(failure, HEARTH_ERROR, HEARTH_ERROR_CANCELLED)) {
        g_propagate_error(error, failure);
        return;
    }
    if (is_unplugged(shadow))
        set_state(shadow, HEARTH_DEVICE_GONE, NULL);
    else if (!shadow->session && !needs_a_person(device->state))
        set_state(shadow, HEARTH_DEVICE_FAILED, failure->message);
    g_set_error(error, failure->domain, failure->code, "%s: cannot %s%s%s: %s%s", name,
                request->verb, path ? " " : "", path ? path : "", failure->message,
                failures > 1 ? "; tried several times" : "");
    g_error_free(failure);
}

static gboolean run_attempts(HearthShadow *shadow, Request *request, GCancellable *cancellable,
                             GError **error)
{
    for (guint failures = 0;;) {
        HearthCall call;
        GError *failure = NULL;
        if (g_cancellable_is_cancelled(cancellable)) {
            g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_CANCELLED, "cancelled");
            return FALSE;
        }
        if (try_once(shadow, request, cancellable, &call, &failure))
            return TRUE;
        gboolean final = is_final(shadow, &call, failure);
        if (call.progress)
            failures = 0;
        failures++;
        /* A library that failed once answers nonsense afterwards: always a fresh process. */
        if (!final || (shadow->session && !hearth_session_usable(shadow->session)))
            end_session(shadow, FALSE);
        if (final || failures >= shadow->attempts) {
            report(shadow, request, &call, failures, failure, error);
            return FALSE;
        }
        g_clear_error(&failure);
        if (!pause_for(shadow, failures, cancellable, error))
            return FALSE;
    }
}

static gboolean run(HearthShadow *shadow, Request *request, GCancellable *cancellable,
                    GError **error)
{
    if (!enter(shadow, cancellable, error))
        return FALSE;
    gboolean done = run_attempts(shadow, request, cancellable, error);
    leave(shadow);
    return done;
}

gboolean hearth_shadow_open(HearthShadow *shadow, GCancellable *cancellable, GError **error)
{
    Request request = {.verb = "open the device"};
    return run(shadow, &request, cancellable, error);
}

static guint64 hash_object(const HearthDeviceObject *object)
{
    guint64 hash = 0xcbf29ce484222325; /* FNV-1a */
    const guint64 NUMBERS[] = {(guint64)object->size, (guint64)object->mtime};
    for (const char *at = object->path; *at; at++)
        hash = (hash ^ (guint8)*at) * 0x100000001b3;
    for (gsize i = 0; i < G_N_ELEMENTS(NUMBERS); i++)
        hash = (hash ^ NUMBERS[i]) * 0x100000001b3;
    return hash;
}

/* What the first try gave is not given again by the second. */
static gboolean list_new(const HearthDeviceObject *object, gpointer user_data)
{
    Request *request = user_data;
    gboolean is_new =
        g_hash_table_add(request->seen, (gpointer)(guintptr)hash_object(object)) || !request->again;
    return !is_new || request->list_func(object, request->user_data);
}

static gboolean attempt_list(HearthShadow *shadow, Request *request, HearthCall *call,
                             GError **error)
{
    guint before = g_hash_table_size(request->seen);
    /* Only a listing may be silent: a fetch that gives no byte hangs, even if its driver spins. */
    call->periods = WORKING_PERIODS;
    gboolean done = hearth_session_list(shadow->session, list_new, request, call, error);
    call->progress = g_hash_table_size(request->seen) > before;
    request->again = TRUE;
    return done;
}

gboolean hearth_shadow_list(HearthShadow *shadow, HearthShadowListFunc func, gpointer user_data,
                            GCancellable *cancellable, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    Request request = {.attempt = attempt_list,
                       .verb = "list its files",
                       .afresh = TRUE,
                       .list_func = func,
                       .user_data = user_data,
                       .seen = seen};
    return run(shadow, &request, cancellable, error);
}

void hearth_shadow_expect(HearthShadow *shadow, const HearthDeviceObject *const *objects,
                          gsize count)
{
    if (!enter(shadow, NULL, NULL))
        return;
    clear_expected(shadow);
    for (gsize i = 0; i < MIN(count, (gsize)EXPECTED_MAX); i++)
        if (!objects[i]->refusal && !objects[i]->is_folder)
            g_queue_push_tail(&shadow->expected, hearth_device_object_copy(objects[i]));
    leave(shadow);
}

static gboolean same_object(const HearthDeviceObject *a, const HearthDeviceObject *b)
{
    return a->size == b->size && a->mtime == b->mtime && strcmp(a->path, b->path) == 0;
}

static gboolean set_wrong_size(const HearthDeviceObject *object, guint64 end, GError **error)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                "%s has %" G_GINT64_FORMAT
                " bytes by the device's own word, and it sent %s%" G_GUINT64_FORMAT,
                object->path, object->size, end > (guint64)object->size ? "at least " : "", end);
    return FALSE;
}

/* No byte past the size that was listed reaches the caller. The session has counted these already.
 */
static gboolean give_bounded(const guint8 *data, gsize size, gpointer user_data, GError **error)
{
    Request *request = user_data;
    const HearthDeviceObject *object = request->object;
    if (object->size >= 0 && request->offset > (guint64)object->size)
        return set_wrong_size(object, request->offset, error);
    return request->data_func(data, size, request->user_data, error);
}

static gboolean attempt_fetch(HearthShadow *shadow, Request *request, HearthCall *call,
                              GError **error)
{
    const HearthDeviceObject *object = request->object,
                             *next = g_queue_peek_head(&shadow->expected);
    if (next && same_object(next, object))
        hearth_device_object_free(g_queue_pop_head(&shadow->expected));
    if (!hearth_session_fetch(shadow->session, object, &request->offset, &shadow->expected,
                              give_bounded, request, call, error))
        return FALSE;
    /* When it ended too early the next attempt goes on from there. */
    return object->size < 0 || request->offset == (guint64)object->size ||
           set_wrong_size(object, request->offset, error);
}

gboolean hearth_shadow_fetch(HearthShadow *shadow, const HearthDeviceObject *object, guint64 offset,
                             HearthShadowDataFunc func, gpointer user_data,
                             GCancellable *cancellable, GError **error)
{
    Request request = {.attempt = attempt_fetch,
                       .verb = "fetch",
                       .path = object->path,
                       .object = object,
                       .offset = offset,
                       .data_func = func,
                       .user_data = user_data};
    if (!object->refusal && !object->is_folder)
        return run(shadow, &request, cancellable, error);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s cannot be fetched: %s", object->path,
                object->refusal ? object->refusal : "it is a folder");
    return FALSE;
}

static gboolean attempt_remove(HearthShadow *shadow, Request *request, HearthCall *call,
                               GError **error)
{
    return hearth_session_remove(shadow->session, request->object, call, error);
}

gboolean hearth_shadow_remove(HearthShadow *shadow, const HearthDeviceObject *object,
                              GCancellable *cancellable, GError **error)
{
    Request request = {.attempt = attempt_remove,
                       .verb = "delete",
                       .path = object->path,
                       .changes = TRUE,
                       .object = object};
    return run(shadow, &request, cancellable, error);
}

static gboolean attempt_put(HearthShadow *shadow, Request *request, HearthCall *call,
                            GError **error)
{
    return hearth_session_put(shadow->session, request->path, request->fd, request->size, call,
                              error);
}

gboolean hearth_shadow_put(HearthShadow *shadow, const char *path, int fd,
                           GCancellable *cancellable, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "only a regular file can be sent to %s", path);
        return FALSE;
    }
    Request request = {.attempt = attempt_put,
                       .verb = "send",
                       .path = path,
                       .changes = TRUE,
                       .fd = fd,
                       .size = (guint64)status.st_size};
    return run(shadow, &request, cancellable, error);
}

static gboolean attempt_space(HearthShadow *shadow, Request *request, HearthCall *call,
                              GError **error)
{
    return hearth_session_space(shadow->session, &request->free_bytes, &request->total, call,
                                error);
}

gboolean hearth_shadow_space(HearthShadow *shadow, guint64 *ret_free, guint64 *ret_total,
                             GCancellable *cancellable, GError **error)
{
    Request request = {.attempt = attempt_space, .verb = "measure its space"};
    if (!run(shadow, &request, cancellable, error))
        return FALSE;
    *ret_free = request.free_bytes;
    *ret_total = request.total;
    return TRUE;
}

void hearth_shadow_rest(HearthShadow *shadow)
{
    if (!enter(shadow, NULL, NULL))
        return;
    end_session(shadow, TRUE);
    clear_expected(shadow);
    shadow->may_change = FALSE;
    leave(shadow);
}

void hearth_shadow_unplug(HearthShadow *shadow)
{
    const guint64 one = 1;
    if (write(shadow->wake, &one, sizeof one) != (ssize_t)sizeof one)
        g_warn_if_reached();
    set_state(shadow, HEARTH_DEVICE_GONE, NULL);
}

int hearth_shadow_worker_pid(HearthShadow *shadow)
{
    if (!enter(shadow, NULL, NULL))
        return 0;
    int pid = shadow->session ? hearth_session_pid(shadow->session) : 0;
    leave(shadow);
    return pid;
}
