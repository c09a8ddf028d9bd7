#pragma once

#include <gio/gio.h>
#include <sys/uio.h>

#include "sprockets/host/answer-private.h"

/**
 * The host's end of one call at a time in another process: a socket, the memory that the result comes in,
 * and the file that the call emits to (wire-private.h). Also how such a process is started.
 *
 * Threads: a lane is used by one thread at a time, the rest from any thread.
 */
typedef struct {
    guint generation; /* its owner's */
    gboolean alone;   /* a resident is at the other end, which is killed to cancel a call */
    int socket;
    int shared_fd;
    int emit_fd;
    guint8 *shared; /* HEARTH_SHARED_SIZE bytes */
} HearthLane;

/** `socket` goes to the lane. NULL: out of descriptors or memory, errno says. */
HearthLane *hearth_lane_new(int socket);
void hearth_lane_free(HearthLane *lane);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthLane, hearth_lane_free)

typedef enum {
    HEARTH_EXCHANGE_DONE,      /* the answer is filled */
    HEARTH_EXCHANGE_DIED,      /* the other end is gone, hung, or spoke nonsense */
    HEARTH_EXCHANGE_LATE,      /* of a lane that is alone: it did not answer in time */
    HEARTH_EXCHANGE_CANCELLED, /* the same: the call goes on until somebody kills it */
    HEARTH_EXCHANGE_FAILED,    /* our own failure, with an error */
} HearthExchange;

HearthExchange hearth_lane_exchange(HearthLane *lane, const HearthJob *job, HearthAnswer *answer,
                                    GCancellable *cancellable, GError **error);

/** Starts `runner` with `flavour` (NULL: none) and a socket, whose near end is `ret_socket`. */
gboolean hearth_lane_spawn(const char *runner, const char *flavour, pid_t *ret_pid, int *ret_socket,
                           GError **error);

/** Sends one packet with up to two descriptors. FALSE: the other end is gone. */
gboolean hearth_lane_send(int socket, const struct iovec *parts, gsize count, const int *fds,
                          gsize fd_count);

/** Has `path` loaded into `slot` at the other end of `socket`. GONE: it died; INVALID: the reason. */
gboolean hearth_lane_load(int socket, guint slot, const char *path, GBytes **ret_description,
                          GError **error);
