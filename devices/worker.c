#include "devices/conversation.h"
#include "devices/device-private.h"
#include "devices/driver.h"
#include "devices/sandbox.h"
#include "devices/sink.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * hearth-device: one process, one device, one driver. Standard input is the conversation with
 * hearthd (message.h). It exits when hearthd is gone, without a goodbye when a library hangs.
 */

/* The conversation, away from the low numbers: libgphoto2 closes descriptor 0 with a connection. */
static int conversation_fd = -1;
#define FIRST_FREE_FD 3
#define LISTING_PAUSE_US (G_USEC_PER_SEC / 4) /* between two parts of a listing, at most */

typedef struct {
    HearthConversation conversation;
    const HearthDriver *driver;
    HearthDriverSession *session; /* NULL until OPEN succeeded */
    guint32 serial;               /* of the request being served */
} Worker;

/* A listing on its way out. */
typedef struct {
    Worker *worker;
    GVariantBuilder entries;
    gsize size;  /* bytes in entries, about */
    gint64 sent; /* monotonic microseconds */
    guint64 count;
} Listing;

static const HearthDriver *find_driver(const char *name)
{
    static const HearthDriver *const DRIVERS[] = {&HEARTH_DRIVER_VOLUME, &HEARTH_DRIVER_GPHOTO2,
                                                  &HEARTH_DRIVER_MTP};
    for (gsize i = 0; i < G_N_ELEMENTS(DRIVERS); i++)
        if (g_str_equal(DRIVERS[i]->name, name))
            return DRIVERS[i];
    return NULL;
}

static gboolean answer(Worker *worker, HearthMessageKind kind, GVariant *body, GError **error)
{
    return hearth_message_send(worker->conversation.socket, kind, worker->serial, body, NULL, 0, -1,
                               error);
}

static gboolean answer_end(Worker *worker, GError **error)
{
    return answer(worker, HEARTH_MESSAGE_END, g_variant_new(HEARTH_MESSAGE_TYPE_END, (guint64)0),
                  error);
}

static HearthError code_of_state(HearthDeviceState state)
{
    switch (state) {
    case HEARTH_DEVICE_GONE:
        return HEARTH_ERROR_GONE;
    case HEARTH_DEVICE_BUSY:
    case HEARTH_DEVICE_LOCKED:
    case HEARTH_DEVICE_NO_STORAGE:
        return HEARTH_ERROR_BUSY;
    case HEARTH_DEVICE_ATTACHED:
    case HEARTH_DEVICE_READY:
    case HEARTH_DEVICE_FAILED:
    case HEARTH_DEVICE_STATE_LAST:
        break;
    }
    return HEARTH_ERROR_FAILED;
}

static gboolean answer_error(Worker *worker, const GError *failure, guint64 piped, GError **error)
{
    HearthDeviceState state = HEARTH_DEVICE_ATTACHED;
    HearthError code = HEARTH_ERROR_FAILED;
    if (failure->domain == HEARTH_DRIVER_STATE_ERROR) {
        state = (HearthDeviceState)failure->code;
        code = code_of_state(state);
    } else if (failure->domain == HEARTH_ERROR) {
        code = (HearthError)failure->code;
    }
    g_autofree char *reason = g_utf8_make_valid(failure->message, -1);
    return answer(worker, HEARTH_MESSAGE_ERROR,
                  g_variant_new(HEARTH_MESSAGE_TYPE_ERROR, code, state, piped, reason), error);
}

/* A library may hang for minutes while hearthd is long gone. */
static void *watch_hangup(void *unused)
{
    struct pollfd watched = {.fd = conversation_fd, .events = 0};
    while (poll(&watched, 1, -1) < 0 || !(watched.revents & (POLLHUP | POLLERR | POLLNVAL)))
        continue;
    _exit(0);
}

static gboolean start_watch(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    gboolean started = pthread_create(&thread, &attributes, watch_hangup, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static gboolean open_device(Worker *worker, const char *driver, const char *place,
                            gboolean may_change, HearthDriverIdentity *identity, GError **error)
{
    HearthSandbox sandbox = {driver, place, may_change};
    worker->driver = find_driver(driver);
    if (!worker->driver || worker->session) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no driver %s", driver);
        return FALSE;
    }
    if (!hearth_sandbox_begin(&sandbox, error))
        return FALSE;
    if (!start_watch()) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT, "cannot start a thread");
        return FALSE;
    }
    worker->session = worker->driver->open(place, may_change, identity, error);
    return worker->session && hearth_sandbox_close(&sandbox, error);
}

static char *identity_text(char *text)
{
    g_autofree char *owned = text;
    return hearth_device_clean_text(owned ? owned : "", -1);
}

static gboolean serve_open(Worker *worker, HearthMessage *request, GError **error)
{
    g_autoptr(GVariant) bytes = NULL;
    const char *driver;
    gsize size;
    gboolean may_change;
    HearthDriverIdentity identity = {0};
    g_variant_get(request->body, "(&s@ayb)", &driver, &bytes, &may_change);
    const char *text = g_variant_get_fixed_array(bytes, &size, 1);
    g_autofree char *place = g_strndup(text ? text : "", size);
    worker->conversation.pipe = hearth_steal_fd(&request->fd);
    gboolean opened = open_device(worker, driver, place, may_change, &identity, error);
    g_autofree char *vendor = identity_text(identity.vendor);
    g_autofree char *model = identity_text(identity.model);
    g_autofree char *serial = identity_text(identity.serial);
    return opened && answer(worker, HEARTH_MESSAGE_OPENED,
                            g_variant_new(HEARTH_MESSAGE_TYPE_OPENED, vendor, model, serial,
                                          identity.can_change),
                            error);
}

static gboolean send_entries(Listing *listing, GError **error)
{
    GVariant *entries = g_variant_builder_end(&listing->entries);
    g_variant_builder_init(&listing->entries, G_VARIANT_TYPE(HEARTH_MESSAGE_TYPE_ENTRIES));
    listing->size = 0;
    listing->sent = g_get_monotonic_time();
    return answer(listing->worker, HEARTH_MESSAGE_ENTRIES_ARE, entries, error);
}

static gboolean list_object(const HearthDeviceObject *object, gpointer user_data, GError **error)
{
    Listing *listing = user_data;
    if (++listing->count > HEARTH_DEVICE_MAX_OBJECTS) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_LIMIT,
                    "more than %d files and folders; the listing stopped at %s",
                    HEARTH_DEVICE_MAX_OBJECTS, object->path);
        return FALSE;
    }
    listing->size += hearth_message_add_entry(&listing->entries, object);
    /* A slow device is not a hung one: what it gave goes out in time. */
    if (listing->size < HEARTH_MESSAGE_ENTRIES &&
        g_get_monotonic_time() - listing->sent < LISTING_PAUSE_US)
        return TRUE;
    return hearth_conversation_wanted(&listing->worker->conversation, listing->worker->serial,
                                      error) &&
           send_entries(listing, error);
}

static gboolean serve_list(Worker *worker, GError **error)
{
    Listing listing = {.worker = worker, .sent = g_get_monotonic_time()};
    g_variant_builder_init(&listing.entries, G_VARIANT_TYPE(HEARTH_MESSAGE_TYPE_ENTRIES));
    gboolean done = worker->driver->list(worker->session, list_object, &listing, error);
    done = done && send_entries(&listing, error);
    g_variant_builder_clear(&listing.entries);
    return done && answer_end(worker, error);
}

static gboolean serve_fetch(Worker *worker, const HearthMessage *request, guint64 *ret_piped,
                            GError **error)
{
    g_autoptr(GVariant) bytes = NULL;
    HearthDeviceObject object = {0};
    guint64 offset;
    HearthSink sink = {.conversation = &worker->conversation,
                       .serial = worker->serial,
                       .kept = worker->conversation.kept};
    g_variant_get(request->body, "(@ayxxt)", &bytes, &object.size, &object.mtime, &offset);
    g_autofree char *path = object.path = hearth_message_dup_path(bytes, error);
    gboolean done = path && worker->driver->fetch(worker->session, &object, offset, &sink, error);
    *ret_piped = sink.piped;
    return done && hearth_sink_finish(&sink, error);
}

static gboolean serve_remove(Worker *worker, const HearthMessage *request, GError **error)
{
    g_autoptr(GVariant) bytes = NULL;
    HearthDeviceObject object = {0};
    g_variant_get(request->body, "(@ayxx)", &bytes, &object.size, &object.mtime);
    g_autofree char *path = object.path = hearth_message_dup_path(bytes, error);
    return path && worker->driver->remove(worker->session, &object, error) &&
           answer_end(worker, error);
}

static gboolean serve_put(Worker *worker, const HearthMessage *request, GError **error)
{
    g_autoptr(GVariant) bytes = NULL;
    guint64 size;
    g_variant_get(request->body, "(@ayt)", &bytes, &size);
    g_autofree char *path = hearth_message_dup_path(bytes, error);
    return path && worker->driver->put(worker->session, path, request->fd, size, error) &&
           answer_end(worker, error);
}

static gboolean serve_space(Worker *worker, GError **error)
{
    guint64 free_bytes, total;
    return worker->driver->space(worker->session, &free_bytes, &total, error) &&
           answer(worker, HEARTH_MESSAGE_SPACE_IS,
                  g_variant_new(HEARTH_MESSAGE_TYPE_SPACE_IS, free_bytes, total), error);
}

static gboolean serve(Worker *worker, HearthMessage *request, guint64 *ret_piped, GError **error)
{
    worker->serial = request->serial;
    *ret_piped = 0;
    if (!worker->session && request->kind != HEARTH_MESSAGE_OPEN) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no device is open");
        return FALSE;
    }
    if (!hearth_conversation_wanted(&worker->conversation, request->serial, error))
        return FALSE;
    switch (request->kind) {
    case HEARTH_MESSAGE_OPEN:
        return serve_open(worker, request, error);
    case HEARTH_MESSAGE_LIST:
        return serve_list(worker, error);
    case HEARTH_MESSAGE_FETCH:
        return serve_fetch(worker, request, ret_piped, error);
    case HEARTH_MESSAGE_REMOVE:
        return serve_remove(worker, request, error);
    case HEARTH_MESSAGE_PUT:
        return serve_put(worker, request, error);
    case HEARTH_MESSAGE_SPACE:
        return serve_space(worker, error);
    default:
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "not a request");
        return FALSE;
    }
}

/* FALSE when the conversation is over. */
static gboolean serve_next(Worker *worker)
{
    g_autoptr(GError) failure = NULL;
    guint64 piped = 0;
    HearthMessage *request = hearth_conversation_next(&worker->conversation, NULL);
    if (!request)
        return FALSE;
    gboolean over = request->kind == HEARTH_MESSAGE_CLOSE;
    gboolean opening = request->kind == HEARTH_MESSAGE_OPEN;
    if (!over && !serve(worker, request, &piped, &failure))
        over = !answer_error(worker, failure, piped, NULL) || opening;
    hearth_conversation_drop(request);
    return !over;
}

/* Leaves the conversation one descriptor, that no library knows. */
static gboolean free_standard_input(void)
{
    hearth_autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO;
}

int main(int argc, char **argv)
{
    Worker worker = {0};
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
        g_printerr("hearth-device is started by hearthd, which speaks to it on a socket.\n");
        return 2;
    }
    /* Names come from libgphoto2 and libmtp in the charset of the locale. */
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    conversation_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (conversation_fd < 0 || !free_standard_input())
        return 1;
    hearth_conversation_init(&worker.conversation, conversation_fd);
    while (serve_next(&worker))
        continue;
    if (worker.session)
        worker.driver->close(worker.session);
    hearth_conversation_clear(&worker.conversation);
    /* The sandbox leaves nothing that exit handlers of the libraries could still do. */
    _exit(0);
}
