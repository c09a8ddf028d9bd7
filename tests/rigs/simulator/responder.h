#pragma once

#include "tests/rigs/simulator/faults.h"
#include "tests/rigs/simulator/store.h"

#include <glib.h>

/**
 * The device's side of PTP and MTP, without a wire: an operation goes in, a reply comes out. The
 * wires (USB, PTP/IP) frame both.
 *
 * Not thread-safe: the device's lock is held around every call.
 */
typedef struct SimResponder SimResponder;

typedef enum {
    SIM_PERSONA_PTP, /* a still camera */
    SIM_PERSONA_MTP, /* a media player or a phone */
} SimPersona;

/** One operation of the host; also the parameters of a response. */
typedef struct {
    guint16 code;
    guint32 transaction;
    guint32 params[5];
    guint count; /* of `params`; the rest are zero */
} SimOperation;

typedef struct {
    SimPersona persona;
    const char *model;
    const char *serial;
    gboolean moving_handles; /* a handle means another object in the next session */
    gboolean vendor_class;   /* says it is of no USB class, as many players do */
} SimIdentity;

/** What the device answers. Data, if there is any, is read piece by piece with sim_reply_read. */
typedef struct {
    guint16 code;
    guint32 transaction;
    guint32 params[5];
    guint count;
    gboolean has_data;
    guint64 announced; /* bytes of data its header claims */
    guint64 size;      /* bytes of data that are really sent */
    GByteArray *data;  /* (nullable) a data set */
    guint32 noise;     /* not 0: the data is noise from this seed */
    SimObject *object; /* (nullable) (unowned) a file, from `offset` on */
    guint64 offset;
} SimReply;

/** `store` and `faults` stay the caller's and must outlive the responder. */
SimResponder *sim_responder_new(const SimIdentity *identity, SimStore *store, SimFaults *faults);
void sim_responder_free(SimResponder *responder);

/** Whether the host sends data with this operation. */
gboolean sim_operation_sends_data(guint16 code);

/** `data` is what the host sent, or NULL. (transfer full) */
SimReply *sim_responder_handle(SimResponder *responder, const SimOperation *operation,
                               GByteArray *data);
void sim_reply_free(SimReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimReply, sim_reply_free)

/** Up to `size` bytes of the reply's data at `position`; the count. */
gsize sim_reply_read(SimReply *reply, guint64 position, void *buffer, gsize size);

/** Ends the session, as a reset does. */
void sim_responder_reset(SimResponder *responder);

/** The handle that `index` has in this session; SIM_ROOT: that of the root in answers, 0. */
guint32 sim_responder_handle_of(SimResponder *responder, guint index);
