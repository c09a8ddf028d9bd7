#pragma once

#include "devices/device.h"

#include <gio/gio.h>

/**
 * What hearthd and a hearth-device process say to one another.
 *
 * Private to this folder. The two hold the ends of one SOCK_SEQPACKET pair and of one pipe. A
 * message is one packet: a head of four 32-bit words in the machine's order (kind, serial, bytes of
 * the body, bytes attached), a body that is a GVariant of the kind's type, and attached bytes. A
 * request has the next serial number; its answers carry the same one. Answers come in the order of
 * the requests, so that a fetch can be asked for while the one before it is still on the way.
 *
 *     hearthd                                   hearth-device
 *     OPEN 1 driver, place, may-change  ──►
 *       + the pipe's write end                  opens the device, goes into its sandbox
 *                                       ◄──     OPENED 1 vendor, model, serial, can-change
 *     LIST 2                            ──►
 *                                       ◄──     ENTRIES 2 many objects      (any number of times)
 *                                       ◄──     END 2
 *     FETCH 3 path, size, time, from    ──►
 *     FETCH 4 ...                       ──►
 *                                       ◄──     DATA 3 n                    (any number of times)
 *                                      ◄━━      n bytes through the pipe
 *                                       ◄──     END 3 bytes in all, in the pipe + attached rest
 *                                       ◄──     END 4 a small file is all attached
 *     REMOVE, PUT + a file, SPACE       ──►
 *                                       ◄──     END, or SPACE_IS
 *     CANCEL 4                          ──►     ends what runs and what waits, up to number 4
 *                                       ◄──     ERROR 4 cancelled
 *     CLOSE                             ──►     exits
 *
 * ERROR may stand for any END; like END it says how many bytes of its fetch went into the pipe, so
 * that both agree where the next one begins. DATA announces at most HEARTH_MESSAGE_PIECE bytes.
 *
 * The process that reads device bytes may be taken over by a hostile device, so hearthd checks all
 * of this on receipt: sizes, GVariant normal form, that the kind is an answer, that descriptors
 * come only where they belong (never from the process).
 */

/** Longest packet, all told. */
#define HEARTH_MESSAGE_MAX (192 * 1024)
/** Most bytes attached to one message: files up to here need no pipe. */
#define HEARTH_MESSAGE_ATTACHED_MAX (64 * 1024)
/** Most bytes that one DATA announces. */
#define HEARTH_MESSAGE_PIECE (1024 * 1024)
/** Bytes of entries after which a listing sends what it has. */
#define HEARTH_MESSAGE_ENTRIES (48 * 1024)

typedef enum {
    HEARTH_MESSAGE_OPEN = 1,
    HEARTH_MESSAGE_LIST,
    HEARTH_MESSAGE_FETCH,
    HEARTH_MESSAGE_REMOVE,
    HEARTH_MESSAGE_PUT,
    HEARTH_MESSAGE_SPACE,
    HEARTH_MESSAGE_CANCEL,
    HEARTH_MESSAGE_CLOSE,
    HEARTH_MESSAGE_OPENED, /* the first answer */
    HEARTH_MESSAGE_ENTRIES_ARE,
    HEARTH_MESSAGE_DATA,
    HEARTH_MESSAGE_SPACE_IS,
    HEARTH_MESSAGE_END,
    HEARTH_MESSAGE_ERROR,
    HEARTH_MESSAGE_LAST /* count of the kinds, not a kind */
} HearthMessageKind;

/* Bodies, in the order of the kinds above. */
#define HEARTH_MESSAGE_TYPE_OPEN "(sayb)"   /* driver, place, may change the medium */
#define HEARTH_MESSAGE_TYPE_FETCH "(ayxxt)" /* path, size, time, from byte */
#define HEARTH_MESSAGE_TYPE_REMOVE "(ayxx)" /* path, size, time */
#define HEARTH_MESSAGE_TYPE_PUT "(ayt)"     /* path, size */
#define HEARTH_MESSAGE_TYPE_OPENED "(sssb)" /* vendor, model, serial, can change the medium */
#define HEARTH_MESSAGE_TYPE_ENTRY                                                                  \
    "(ayxxusss)" /* path, size, time, flags, type, storage, refusal                                \
                  */
#define HEARTH_MESSAGE_TYPE_ENTRIES "a" HEARTH_MESSAGE_TYPE_ENTRY
#define HEARTH_MESSAGE_TYPE_DATA "(u)"      /* bytes that follow in the pipe */
#define HEARTH_MESSAGE_TYPE_SPACE_IS "(tt)" /* bytes free, in all */
#define HEARTH_MESSAGE_TYPE_END "(t)"       /* bytes in the pipe since the request */
#define HEARTH_MESSAGE_TYPE_ERROR "(uuts)"  /* code, device state, bytes in the pipe, reason */

/** A message that came in. Body and attachment live in the buffer it was received into. */
typedef struct {
    HearthMessageKind kind;
    guint32 serial;
    GVariant *body;         /* of the kind's type, in normal form */
    const guint8 *attached; /* (nullable) */
    gsize attached_size;
    int fd; /* -1, or owned */
} HearthMessage;

/** Drops the body and closes the descriptor. */
void hearth_message_clear(HearthMessage *message);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthMessage, hearth_message_clear)

/**
 * Reads one packet; PROTOCOL if anything about it is wrong. `bytes` must be aligned to 8 and
 * outlive the message.
 */
gboolean hearth_message_parse(const guint8 *bytes, gsize size, HearthMessage *ret_message,
                              GError **error);

/**
 * Sends one message; takes a floating `body`, which may be NULL for a kind without one. `fd` -1, or
 * a descriptor to pass. BUSY if the socket is non-blocking and full, GONE if the other end is
 * closed.
 */
gboolean hearth_message_send(int socket, HearthMessageKind kind, guint32 serial, GVariant *body,
                             const void *attached, gsize attached_size, int fd, GError **error);

/**
 * Receives one packet into `buffer` (HEARTH_MESSAGE_MAX bytes, aligned to 8). `flags` are
 * recvmsg's. GONE at the end of the conversation, BUSY if nothing is there and the call must not
 * wait.
 */
gboolean hearth_message_receive(int socket, guint8 *buffer, int flags, HearthMessage *ret_message,
                                GError **error);

/** Adds `object` to a builder of HEARTH_MESSAGE_TYPE_ENTRIES; returns about how many bytes it took.
 */
gsize hearth_message_add_entry(GVariantBuilder *builder, const HearthDeviceObject *object);

/**
 * Takes entry `index` of a body of ENTRIES_ARE, with every rule of HearthDeviceObject checked;
 * PROTOCOL names what is wrong. Clear the result.
 */
gboolean hearth_message_get_entry(GVariant *body, gsize index, HearthDeviceObject *ret_object,
                                  GError **error);

/** A path as a GVariant of type "ay" without NUL. Floating. */
GVariant *hearth_message_path(const char *path);

/** The checked path of an "ay"; NULL with PROTOCOL set if no object can have it. Free the result.
 */
char *hearth_message_dup_path(GVariant *bytes, GError **error);

/** The code, device state and reason of an ERROR; the state is ATTACHED when it says nothing of it.
 */
void hearth_message_get_error(const HearthMessage *message, HearthDeviceState *ret_state,
                              guint64 *ret_count, GError **error);
