#include "devices/message.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    guint32 kind;
    guint32 serial;
    guint32 body;     /* bytes */
    guint32 attached; /* bytes */
} MessageHead;

#define HEAD_SIZE sizeof(MessageHead) /* 16: the body after it is aligned to 8 */

enum { ENTRY_MTIME_IS_UTC = 1 << 0, ENTRY_IS_FOLDER = 1 << 1, ENTRY_KNOWN_FLAGS = 3 };

/* NULL: the kind has no body. */
static const char *const BODY_TYPES[HEARTH_MESSAGE_LAST] = {
    [HEARTH_MESSAGE_OPEN] = HEARTH_MESSAGE_TYPE_OPEN,
    [HEARTH_MESSAGE_FETCH] = HEARTH_MESSAGE_TYPE_FETCH,
    [HEARTH_MESSAGE_REMOVE] = HEARTH_MESSAGE_TYPE_REMOVE,
    [HEARTH_MESSAGE_PUT] = HEARTH_MESSAGE_TYPE_PUT,
    [HEARTH_MESSAGE_OPENED] = HEARTH_MESSAGE_TYPE_OPENED,
    [HEARTH_MESSAGE_ENTRIES_ARE] = HEARTH_MESSAGE_TYPE_ENTRIES,
    [HEARTH_MESSAGE_DATA] = HEARTH_MESSAGE_TYPE_DATA,
    [HEARTH_MESSAGE_SPACE_IS] = HEARTH_MESSAGE_TYPE_SPACE_IS,
    [HEARTH_MESSAGE_END] = HEARTH_MESSAGE_TYPE_END,
    [HEARTH_MESSAGE_ERROR] = HEARTH_MESSAGE_TYPE_ERROR,
};

static gboolean protocol_error(GError **error, const char *reason)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_PROTOCOL, "bad message: %s", reason);
    return FALSE;
}

void hearth_message_clear(HearthMessage *message)
{
    g_clear_pointer(&message->body, g_variant_unref);
    /* A zeroed message holds no descriptor either. */
    if (message->fd > 0)
        close(message->fd);
    message->fd = -1;
}

static GVariant *parse_body(guint32 kind, const guint8 *bytes, gsize size)
{
    const char *type = BODY_TYPES[kind];
    if (!type)
        return size == 0 ? g_variant_ref_sink(g_variant_new_tuple(NULL, 0)) : NULL;
    g_autoptr(GVariant) body = g_variant_ref_sink(
        g_variant_new_from_data(G_VARIANT_TYPE(type), bytes, size, FALSE, NULL, NULL));
    return g_variant_is_normal_form(body) ? g_steal_pointer(&body) : NULL;
}

gboolean hearth_message_parse(const guint8 *bytes, gsize size, HearthMessage *ret_message,
                              GError **error)
{
    MessageHead head;
    if (size < HEAD_SIZE || size > HEARTH_MESSAGE_MAX)
        return protocol_error(error, "its size");
    memcpy(&head, bytes, HEAD_SIZE);
    if (head.kind == 0 || head.kind >= HEARTH_MESSAGE_LAST)
        return protocol_error(error, "its kind");
    /* Each is bounded first, so that the sum cannot wrap. */
    if (head.body > HEARTH_MESSAGE_MAX || head.attached > HEARTH_MESSAGE_ATTACHED_MAX ||
        HEAD_SIZE + head.body + head.attached != size)
        return protocol_error(error, "its parts");
    GVariant *body = parse_body(head.kind, bytes + HEAD_SIZE, head.body);
    if (!body)
        return protocol_error(error, "its body");
    *ret_message = (HearthMessage){.kind = (HearthMessageKind)head.kind,
                                   .serial = head.serial,
                                   .body = body,
                                   .attached = bytes + HEAD_SIZE + head.body,
                                   .attached_size = head.attached,
                                   .fd = -1};
    return TRUE;
}

static void attach_descriptor(struct msghdr *packet, char *control, gsize size, int fd)
{
    packet->msg_control = control;
    packet->msg_controllen = size;
    struct cmsghdr *head = CMSG_FIRSTHDR(packet);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
}

static gboolean send_failed(GError **error)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_BUSY, "the socket is full");
        return FALSE;
    }
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "the other end is closed");
        return FALSE;
    }
    return hearth_set_errno(error, errno, "cannot use the socket");
}

gboolean hearth_message_send(int socket, HearthMessageKind kind, guint32 serial, GVariant *body,
                             const void *attached, gsize attached_size, int fd, GError **error)
{
    g_autoptr(GVariant) owned = body ? g_variant_ref_sink(body) : NULL;
    g_assert(!BODY_TYPES[kind] == !owned);
    g_assert(!owned || g_variant_is_of_type(owned, G_VARIANT_TYPE(BODY_TYPES[kind])));
    MessageHead head = {(guint32)kind, serial, owned ? (guint32)g_variant_get_size(owned) : 0,
                        (guint32)attached_size};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec parts[3] = {
        {&head, HEAD_SIZE},
        {owned ? (void *)g_variant_get_data(owned) : NULL, head.body},
        {(void *)attached, attached_size},
    };
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};
    if (fd >= 0)
        attach_descriptor(&packet, control, sizeof control, fd);
    while (sendmsg(socket, &packet, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return send_failed(error);
    return TRUE;
}

/* Keeps the one descriptor that may come; any other is closed. TRUE if there was no other. */
static gboolean take_descriptor(struct msghdr *packet, int *ret_fd)
{
    gboolean alone = TRUE;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(packet); head; head = CMSG_NXTHDR(packet, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        gsize count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (gsize i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            if (*ret_fd < 0) {
                *ret_fd = fd;
                continue;
            }
            close(fd);
            alone = FALSE;
        }
    }
    return alone;
}

gboolean hearth_message_receive(int socket, guint8 *buffer, int flags, HearthMessage *ret_message,
                                GError **error)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {buffer, HEARTH_MESSAGE_MAX};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t size;
    while ((size = recvmsg(socket, &packet, flags | MSG_CMSG_CLOEXEC)) < 0)
        if (errno != EINTR)
            return send_failed(error);
    hearth_autofd int fd = -1;
    gboolean alone = take_descriptor(&packet, &fd);
    if (size == 0) {
        g_set_error_literal(error, HEARTH_ERROR, HEARTH_ERROR_GONE, "the other end is closed");
        return FALSE;
    }
    if (!alone || (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return protocol_error(error, "more than one holds");
    if (!hearth_message_parse(buffer, (gsize)size, ret_message, error))
        return FALSE;
    ret_message->fd = hearth_steal_fd(&fd);
    return TRUE;
}

GVariant *hearth_message_path(const char *path)
{
    return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, path, strlen(path), 1);
}

char *hearth_message_dup_path(GVariant *bytes, GError **error)
{
    gsize size;
    const char *path = g_variant_get_fixed_array(bytes, &size, 1);
    const char *reason = path ? hearth_device_check_path(path, size) : "it has no name";
    if (!reason)
        return g_strndup(path, size);
    protocol_error(error, reason);
    return NULL;
}

gsize hearth_message_add_entry(GVariantBuilder *builder, const HearthDeviceObject *object)
{
    guint32 flags =
        (object->mtime_is_utc ? ENTRY_MTIME_IS_UTC : 0) | (object->is_folder ? ENTRY_IS_FOLDER : 0);
    const char *type = object->media_type ? object->media_type : "";
    const char *storage = object->storage ? object->storage : "";
    const char *refusal = object->refusal ? object->refusal : "";
    g_variant_builder_add(builder, "(@ayxxusss)", hearth_message_path(object->path), object->size,
                          object->mtime, flags, type, storage, refusal);
    return strlen(object->path) + strlen(type) + strlen(storage) + strlen(refusal) + 40;
}

static char *text_or_null(const char *text)
{
    return *text ? hearth_device_clean_text(text, -1) : NULL;
}

/* A refused object is only shown, so its path need only be text. */
static char *entry_path(GVariant *bytes, gboolean refused, GError **error)
{
    gsize size;
    const char *path = g_variant_get_fixed_array(bytes, &size, 1);
    if (!refused)
        return hearth_message_dup_path(bytes, error);
    if (path && size > 0 && size <= HEARTH_DEVICE_MAX_PATH && !memchr(path, 0, size) &&
        g_utf8_validate(path, (gssize)size, NULL))
        return g_strndup(path, size);
    protocol_error(error, "the path of a refused object");
    return NULL;
}

gboolean hearth_message_get_entry(GVariant *body, gsize index, HearthDeviceObject *ret_object,
                                  GError **error)
{
    g_autoptr(GVariant) path = NULL;
    gint64 size, mtime;
    guint32 flags;
    const char *type, *storage, *refusal;
    g_autoptr(GVariant) entry = g_variant_get_child_value(body, index);
    g_variant_get(entry, "(@ayxxu&s&s&s)", &path, &size, &mtime, &flags, &type, &storage, &refusal);
    if (size < HEARTH_SIZE_UNKNOWN || flags & ~(guint32)ENTRY_KNOWN_FLAGS)
        return protocol_error(error, "an entry");
    char *checked = entry_path(path, *refusal, error);
    if (!checked)
        return FALSE;
    *ret_object = (HearthDeviceObject){.path = checked,
                                       .size = size,
                                       .mtime = mtime,
                                       .mtime_is_utc = flags & ENTRY_MTIME_IS_UTC,
                                       .is_folder = (flags & ENTRY_IS_FOLDER) != 0,
                                       .media_type = text_or_null(type),
                                       .storage = text_or_null(storage),
                                       .refusal = text_or_null(refusal)};
    return TRUE;
}

void hearth_message_get_error(const HearthMessage *message, HearthDeviceState *ret_state,
                              guint64 *ret_count, GError **error)
{
    guint32 code, state;
    const char *reason;
    g_variant_get(message->body, "(uut&s)", &code, &state, ret_count, &reason);
    *ret_state = state < HEARTH_DEVICE_STATE_LAST ? (HearthDeviceState)state : HEARTH_DEVICE_FAILED;
    g_autofree char *clean = g_utf8_make_valid(reason, -1);
    g_strdelimit(clean, "\r\n\t\033", ' ');
    g_set_error(error, HEARTH_ERROR,
                code < HEARTH_ERROR_LAST ? (HearthError)code : HEARTH_ERROR_PROTOCOL, "%.400s",
                clean);
}
