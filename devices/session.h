#pragma once

#include "devices/link.h"
#include "devices/shadow.h"

/**
 * One run of a device's process, from its start to its end: requests and their answers in order.
 *
 * Private to this folder; for one thread at a time. Tries nothing twice: that is the shadow's part.
 * After a failed call hearth_session_usable() says whether the two ends still agree where they are;
 * if not, the session can only be ended.
 */
typedef struct HearthSession HearthSession;

/** What a call is given, and what it tells besides its result. */
typedef struct {
    GCancellable *cancellable; /* (nullable) */
    int wake;                  /* as in HearthLinkWait */
    guint timeout_ms;          /* without any answer and any work */
    guint periods;             /* of timeout_ms, without any answer; 0 is 1 */
    HearthDeviceState state;   /* out: what an error says of the device; else ATTACHED */
    gboolean progress;         /* out: something new came before the error */
    gboolean answered;         /* out: the error is an answer of the driver */
    gboolean sink_failed;      /* out: the error is the caller's own function's */
} HearthCall;

/** Starts the process; nothing is opened yet. Arguments as hearth_link_start(). */
HearthSession *hearth_session_start(const char *program, const char *const *arguments,
                                    GError **error);
/** Puts what was asked ahead and never taken back to the front of `expected`. */
void hearth_session_end(HearthSession *session, gboolean politely, GQueue *expected);

gboolean hearth_session_usable(const HearthSession *session);
gboolean hearth_session_can_change(const HearthSession *session);
int hearth_session_pid(const HearthSession *session);

/** Opens `device` and fills its vendor, model and serial where the driver knows them better. */
gboolean hearth_session_open(HearthSession *session, HearthDevice *device, gboolean may_change,
                             HearthCall *call, GError **error);

gboolean hearth_session_list(HearthSession *session, HearthShadowListFunc func, gpointer user_data,
                             HearthCall *call, GError **error);

/**
 * Adds to *at_offset as bytes are given; on success the object is at its end. Meanwhile asks ahead
 * for the first of `expected` (of HearthDeviceObject*, owned), to be fetched whole in this order,
 * and takes them out.
 */
gboolean hearth_session_fetch(HearthSession *session, const HearthDeviceObject *object,
                              guint64 *at_offset, GQueue *expected, HearthShadowDataFunc func,
                              gpointer user_data, HearthCall *call, GError **error);

gboolean hearth_session_remove(HearthSession *session, const HearthDeviceObject *object,
                               HearthCall *call, GError **error);
gboolean hearth_session_put(HearthSession *session, const char *path, int fd, guint64 size,
                            HearthCall *call, GError **error);
gboolean hearth_session_space(HearthSession *session, guint64 *ret_free, guint64 *ret_total,
                              HearthCall *call, GError **error);
