#include "devices/session.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"

#include <string.h>

#define READ_SIZE (512 * 1024)                /* bytes given to a sink at once, at most */
#define CANCEL_US (G_USEC_PER_SEC / 2)        /* for a driver to notice a CANCEL */
#define AHEAD_OBJECTS 24                      /* fetches asked for and not yet taken */
#define AHEAD_BYTES ((gint64)8 * 1024 * 1024) /* of those together, about */

/* A fetch that was asked for. */
typedef struct {
    HearthDeviceObject *object;
    guint32 serial;
} Ahead;

/* Where a fetch stands between the socket, which announces, and the pipe, which carries. */
typedef struct {
    guint64 announced; /* bytes that DATA said will be in the pipe */
    guint64 got;       /* of those, bytes read */
    guint64 total;     /* bytes that END or ERROR said went into the pipe */
    gboolean ended;
} Flow;

struct HearthSession {
    HearthLink *link;
    gboolean broken;
    gboolean can_change;
    GQueue ahead; /* of Ahead*, in the order of their serials */
    gint64 ahead_bytes;
    guint8 *buffer; /* READ_SIZE bytes */
};

static gboolean protocol_error(GError **error, const char *reason)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL, "the driver broke the protocol: %s",
                reason);
    return FALSE;
}

static void ahead_free(gpointer data)
{
    Ahead *ahead = data;
    hearth_device_object_free(ahead->object);
    g_free(ahead);
}

HearthSession *hearth_session_start(const char *program, const char *const *arguments,
                                    GError **error)
{
    HearthLink *link = hearth_link_start(program, arguments, error);
    if (!link)
        return NULL;
    HearthSession *session = g_new0(HearthSession, 1);
    session->link = link;
    session->buffer = g_malloc(READ_SIZE);
    g_queue_init(&session->ahead);
    return session;
}

void hearth_session_end(HearthSession *session, gboolean politely, GQueue *expected)
{
    Ahead *ahead;
    if (!session)
        return;
    hearth_link_stop(session->link, politely && !session->broken);
    while ((ahead = g_queue_pop_tail(&session->ahead))) {
        g_queue_push_head(expected, g_steal_pointer(&ahead->object));
        ahead_free(ahead);
    }
    g_free(session->buffer);
    g_free(session);
}

gboolean hearth_session_usable(const HearthSession *session)
{
    return !session->broken;
}

gboolean hearth_session_can_change(const HearthSession *session)
{
    return session->can_change;
}

int hearth_session_pid(const HearthSession *session)
{
    return hearth_link_pid(session->link);
}

static HearthLinkWait wait_of(const HearthCall *call)
{
    return (HearthLinkWait){(gint64)call->timeout_ms * 1000, MAX(call->periods, 1),
                            call->cancellable, call->wake};
}

/* Takes the next answer, which must be to `serial`. An ERROR becomes `error`, and the two ends
 * still agree; any other failure breaks the session. */
static gboolean receive(HearthSession *session, guint32 serial, HearthCall *call,
                        HearthMessage *ret_message, GError **error)
{
    HearthLinkWait wait = wait_of(call);
    if (!hearth_link_receive(session->link, &wait, ret_message, error)) {
        session->broken = TRUE;
        return FALSE;
    }
    if (ret_message->serial == serial)
        return TRUE;
    session->broken = TRUE;
    hearth_message_clear(ret_message);
    return protocol_error(error, "an answer to another request");
}

/* Receives an answer of `kind`; one of another kind breaks the session. */
static gboolean receive_kind(HearthSession *session, guint32 serial, HearthMessageKind kind,
                             HearthCall *call, HearthMessage *ret_message, GError **error)
{
    guint64 piped = 0;
    if (!receive(session, serial, call, ret_message, error))
        return FALSE;
    if (ret_message->kind == kind)
        return TRUE;
    gboolean is_error = ret_message->kind == HEARTH_MESSAGE_ERROR;
    if (is_error)
        hearth_message_get_error(ret_message, &call->state, &piped, error);
    hearth_message_clear(ret_message);
    call->answered = is_error;
    session->broken = !is_error || piped != 0;
    return is_error ? FALSE : protocol_error(error, "an answer of another kind");
}

static gboolean send_request(HearthSession *session, HearthMessageKind kind, GVariant *body, int fd,
                             guint32 *ret_serial, GError **error)
{
    if (hearth_link_send(session->link, kind, body, fd, ret_serial, error))
        return TRUE;
    session->broken = TRUE;
    return FALSE;
}

static gboolean receive_flow(HearthSession *session, guint32 serial, Flow *flow, guint64 *at_offset,
                             HearthShadowDataFunc func, gpointer user_data, HearthCall *call,
                             GError **error);

/* Lets one request that nobody wants any more run to its end. */
static void drain_one(HearthSession *session, guint32 serial, Flow *flow, gint64 until)
{
    gint64 left = until - g_get_monotonic_time();
    HearthCall call = {.wake = -1, .timeout_ms = left > 0 ? (guint)(left / 1000) : 0};
    guint64 at = 0;
    if (left <= 0)
        session->broken = TRUE;
    else
        receive_flow(session, serial, flow, &at, NULL, NULL, &call, NULL);
}

/* Cancels everything asked for and waits until the driver has let go, or gives the session up. */
static void cancel_all(HearthSession *session, guint32 running, Flow *flow)
{
    gint64 until = g_get_monotonic_time() + CANCEL_US;
    const Ahead *last = g_queue_peek_tail(&session->ahead);
    if (session->broken || (!running && !last))
        return;
    hearth_link_cancel(session->link, last ? last->serial : running);
    if (running)
        drain_one(session, running, flow, until);
    Ahead *ahead;
    while ((ahead = g_queue_pop_head(&session->ahead))) {
        Flow none = {0};
        if (!session->broken)
            drain_one(session, ahead->serial, &none, until);
        ahead_free(ahead);
    }
    session->ahead_bytes = 0;
}

/* What was asked ahead stands between the driver and any other request. */
static gboolean begin(HearthSession *session, HearthMessageKind kind, GVariant *body, int fd,
                      guint32 *ret_serial, GError **error)
{
    g_autoptr(GVariant) owned = body ? g_variant_ref_sink(body) : NULL;
    cancel_all(session, 0, NULL);
    if (session->broken)
        return protocol_error(error, "it did not stop when asked");
    return send_request(session, kind, owned, fd, ret_serial, error);
}

/* A wait that the caller ended: the driver may still end its request in time to be kept. */
static gboolean give_up(HearthSession *session, guint32 serial, Flow *flow, const GError *failure)
{
    Flow none = {0};
    if (!g_error_matches(failure, HEARTH_ERROR, HEARTH_ERROR_CANCELLED))
        return FALSE;
    session->broken = FALSE;
    cancel_all(session, serial, flow ? flow : &none);
    return TRUE;
}

static void replace_text(char **text, const char *better)
{
    if (!*better)
        return;
    g_free(*text);
    *text = hearth_device_clean_text(better, -1);
}

/* The drivers of folders take a path, those of ports the port. */
static const char *place_of(const HearthDevice *device)
{
    return g_str_equal(device->driver, "volume") && g_str_has_prefix(device->port, "volume:")
               ? device->port + strlen("volume:")
               : device->port;
}

gboolean hearth_session_open(HearthSession *session, HearthDevice *device, gboolean may_change,
                             HearthCall *call, GError **error)
{
    g_auto(HearthMessage) answer = {.fd = -1};
    const char *vendor, *model, *serial_text, *place = place_of(device);
    guint32 serial;
    GVariant *body = g_variant_new(
        "(s@ayb)", device->driver,
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, place, strlen(place), 1), may_change);
    if (!send_request(session, HEARTH_MESSAGE_OPEN, body, hearth_link_pipe(session->link), &serial,
                      error))
        return FALSE;
    hearth_link_forget_pipe(session->link);
    if (!receive_kind(session, serial, HEARTH_MESSAGE_OPENED, call, &answer, error))
        return FALSE;
    g_variant_get(answer.body, "(&s&s&sb)", &vendor, &model, &serial_text, &session->can_change);
    replace_text(&device->vendor, vendor);
    replace_text(&device->model, model);
    replace_text(&device->serial, serial_text);
    return TRUE;
}

/* TRUE when the listing is at its end or the caller wants no more. */
static gboolean take_entries(HearthSession *session, const HearthMessage *answer,
                             HearthShadowListFunc func, gpointer user_data, HearthCall *call,
                             gboolean *ret_wanted, GError **error)
{
    gsize count = g_variant_n_children(answer->body);
    for (gsize i = 0; i < count && *ret_wanted; i++) {
        g_auto(HearthDeviceObject) object = {0};
        if (!hearth_message_get_entry(answer->body, i, &object, error)) {
            session->broken = TRUE;
            return FALSE;
        }
        *ret_wanted = func(&object, user_data);
        call->progress = TRUE;
    }
    return TRUE;
}

static gboolean receive_list(HearthSession *session, guint32 serial, HearthShadowListFunc func,
                             gpointer user_data, HearthCall *call, GError **error)
{
    gboolean wanted = TRUE;
    while (wanted) {
        g_auto(HearthMessage) answer = {.fd = -1};
        guint64 piped;
        if (!receive(session, serial, call, &answer, error))
            return FALSE;
        if (answer.kind == HEARTH_MESSAGE_END)
            return TRUE;
        if (answer.kind == HEARTH_MESSAGE_ERROR) {
            call->answered = TRUE;
            hearth_message_get_error(&answer, &call->state, &piped, error);
            return FALSE;
        }
        if (answer.kind != HEARTH_MESSAGE_ENTRIES_ARE) {
            session->broken = TRUE;
            return protocol_error(error, "a listing of another kind");
        }
        if (!take_entries(session, &answer, func, user_data, call, &wanted, error))
            return FALSE;
    }
    /* The rest of the listing is of no use to anyone. */
    session->broken = TRUE;
    return TRUE;
}

gboolean hearth_session_list(HearthSession *session, HearthShadowListFunc func, gpointer user_data,
                             HearthCall *call, GError **error)
{
    guint32 serial;
    return begin(session, HEARTH_MESSAGE_LIST, NULL, -1, &serial, error) &&
           receive_list(session, serial, func, user_data, call, error);
}

static GVariant *fetch_body(const HearthDeviceObject *object, guint64 offset)
{
    return g_variant_new("(@ayxxt)", hearth_message_path(object->path), object->size, object->mtime,
                         offset);
}

static void ask_ahead(HearthSession *session, GQueue *objects)
{
    while (!session->broken && session->ahead.length < AHEAD_OBJECTS &&
           session->ahead_bytes < AHEAD_BYTES && objects->length > 0) {
        guint32 serial;
        HearthDeviceObject *object = g_queue_peek_head(objects);
        /* A full socket is no failure: what was asked ahead is enough for now. */
        if (!hearth_link_send(session->link, HEARTH_MESSAGE_FETCH, fetch_body(object, 0), -1,
                              &serial, NULL))
            return;
        Ahead *ahead = g_new(Ahead, 1);
        *ahead = (Ahead){g_queue_pop_head(objects), serial};
        session->ahead_bytes += MAX(object->size, 0);
        g_queue_push_tail(&session->ahead, ahead);
    }
}

/* The serial of a fetch of `object` that is the next to be answered; 0 if there is none. */
static guint32 take_ahead(HearthSession *session, const HearthDeviceObject *object, guint64 offset)
{
    Ahead *ahead = g_queue_peek_head(&session->ahead);
    if (!ahead || offset != 0 || ahead->object->size != object->size ||
        ahead->object->mtime != object->mtime || strcmp(ahead->object->path, object->path) != 0)
        return 0;
    guint32 serial = ahead->serial;
    session->ahead_bytes -= MAX(ahead->object->size, 0);
    g_queue_pop_head(&session->ahead);
    ahead_free(ahead);
    return serial;
}

static gboolean give(const guint8 *data, gsize size, guint64 *at_offset, HearthShadowDataFunc func,
                     gpointer user_data, HearthCall *call, GError **error)
{
    if (size == 0 || !func)
        return TRUE;
    call->progress = TRUE;
    *at_offset += size;
    call->sink_failed = !func(data, size, user_data, error);
    return !call->sink_failed;
}

/* END and ERROR both say how many bytes there are in the pipe; an ERROR is kept for then. */
static gboolean take_end(const HearthMessage *answer, Flow *flow, HearthCall *call,
                         GError **ret_answer, GError **error)
{
    if (answer->kind == HEARTH_MESSAGE_END)
        g_variant_get(answer->body, HEARTH_MESSAGE_TYPE_END, &flow->total);
    else
        hearth_message_get_error(answer, &call->state, &flow->total, ret_answer);
    flow->ended = TRUE;
    if (flow->total < flow->got || flow->total > flow->announced)
        return protocol_error(error, "it sent more or less than it announced");
    return TRUE;
}

static gboolean take_flow_answer(HearthSession *session, guint32 serial, Flow *flow,
                                 guint64 *at_offset, HearthShadowDataFunc func, gpointer user_data,
                                 HearthCall *call, GError **ret_answer, GError **error)
{
    g_auto(HearthMessage) answer = {.fd = -1};
    guint32 more;
    if (!receive(session, serial, call, &answer, error))
        return FALSE;
    switch (answer.kind) {
    case HEARTH_MESSAGE_DATA:
        g_variant_get(answer.body, HEARTH_MESSAGE_TYPE_DATA, &more);
        flow->announced += more;
        if (more > 0 && more <= HEARTH_MESSAGE_PIECE)
            return TRUE;
        break;
    case HEARTH_MESSAGE_END:
        if (answer.attached_size == 0 || flow->announced == 0)
            return take_end(&answer, flow, call, ret_answer, error) &&
                   give(answer.attached, answer.attached_size, at_offset, func, user_data, call,
                        error);
        break;
    case HEARTH_MESSAGE_ERROR:
        return take_end(&answer, flow, call, ret_answer, error);
    default:
        break;
    }
    return protocol_error(error, "a fetch was answered by something else");
}

/* Reads what the pipe has of this fetch, waiting only while more was promised. */
static gboolean take_pipe(HearthSession *session, Flow *flow, guint64 *at_offset,
                          HearthShadowDataFunc func, gpointer user_data, HearthCall *call,
                          GError **error)
{
    guint64 left = (flow->ended ? flow->total : flow->announced) - flow->got;
    HearthLinkWait wait = wait_of(call);
    /* The bytes come before the answer that counts them: no need to wait after it. */
    gssize got = hearth_link_read(session->link, session->buffer, MIN(left, (guint64)READ_SIZE),
                                  flow->ended ? NULL : &wait, error);
    if (got < 0)
        return FALSE;
    if (got == 0 && flow->ended)
        return protocol_error(error, "it announced more than it sent");
    flow->got += (guint64)got;
    return give(session->buffer, (gsize)got, at_offset, func, user_data, call, error);
}

/*
 * Follows one fetch to its end. The socket is read only while the pipe has nothing that was
 * announced, so what is in the pipe is always this fetch's.
 */
static gboolean receive_flow(HearthSession *session, guint32 serial, Flow *flow, guint64 *at_offset,
                             HearthShadowDataFunc func, gpointer user_data, HearthCall *call,
                             GError **error)
{
    g_autoptr(GError) answer = NULL;
    gboolean going = TRUE;
    while (going && !(flow->ended && flow->got == flow->total)) {
        guint64 before = flow->got;
        if ((flow->ended ? flow->total : flow->announced) > flow->got)
            going = take_pipe(session, flow, at_offset, func, user_data, call, error);
        if (going && !flow->ended && flow->got == before)
            going = take_flow_answer(session, serial, flow, at_offset, func, user_data, call,
                                     &answer, error);
    }
    /* A failed sink is no fault of the driver's; its fetch is still to be drained. */
    session->broken = session->broken || (!going && !call->sink_failed);
    if (!going || !answer)
        return going;
    call->answered = TRUE;
    g_propagate_error(error, g_steal_pointer(&answer));
    return FALSE;
}

gboolean hearth_session_fetch(HearthSession *session, const HearthDeviceObject *object,
                              guint64 *at_offset, GQueue *expected, HearthShadowDataFunc func,
                              gpointer user_data, HearthCall *call, GError **error)
{
    g_autoptr(GError) failure = NULL;
    Flow flow = {0};
    guint32 serial = take_ahead(session, object, *at_offset);
    if (!serial &&
        !begin(session, HEARTH_MESSAGE_FETCH, fetch_body(object, *at_offset), -1, &serial, error))
        return FALSE;
    ask_ahead(session, expected);
    if (receive_flow(session, serial, &flow, at_offset, func, user_data, call, &failure))
        return TRUE;
    if (!call->sink_failed)
        give_up(session, serial, &flow, failure);
    else if (!flow.ended || flow.got < flow.total)
        cancel_all(session, serial, &flow);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static gboolean simple_request(HearthSession *session, HearthMessageKind kind, GVariant *body,
                               int fd, HearthMessageKind wanted, HearthCall *call,
                               HearthMessage *ret_answer, GError **error)
{
    guint32 serial;
    return begin(session, kind, body, fd, &serial, error) &&
           receive_kind(session, serial, wanted, call, ret_answer, error);
}

gboolean hearth_session_remove(HearthSession *session, const HearthDeviceObject *object,
                               HearthCall *call, GError **error)
{
    g_auto(HearthMessage) answer = {.fd = -1};
    GVariant *body =
        g_variant_new("(@ayxx)", hearth_message_path(object->path), object->size, object->mtime);
    return simple_request(session, HEARTH_MESSAGE_REMOVE, body, -1, HEARTH_MESSAGE_END, call,
                          &answer, error);
}

gboolean hearth_session_put(HearthSession *session, const char *path, int fd, guint64 size,
                            HearthCall *call, GError **error)
{
    g_auto(HearthMessage) answer = {.fd = -1};
    return simple_request(session, HEARTH_MESSAGE_PUT,
                          g_variant_new("(@ayt)", hearth_message_path(path), size), fd,
                          HEARTH_MESSAGE_END, call, &answer, error);
}

gboolean hearth_session_space(HearthSession *session, guint64 *ret_free, guint64 *ret_total,
                              HearthCall *call, GError **error)
{
    g_auto(HearthMessage) answer = {.fd = -1};
    if (!simple_request(session, HEARTH_MESSAGE_SPACE, NULL, -1, HEARTH_MESSAGE_SPACE_IS, call,
                        &answer, error))
        return FALSE;
    g_variant_get(answer.body, HEARTH_MESSAGE_TYPE_SPACE_IS, ret_free, ret_total);
    return TRUE;
}
