#pragma once

#include "tests/rigs/simulator/responder.h"

/** Shared by responder.c (operations) and properties.c (MTP's object properties). */
struct SimResponder {
    SimIdentity identity;
    SimStore *store;
    SimFaults *faults;
    gboolean open;  /* a session */
    guint sessions; /* opened so far */
    guint pending;  /* object that SendObject will fill; SIM_ROOT: none */
    guint32 noise;  /* seed of the next noise */
};

#define SIM_STORAGE_ID 0x00010001

/** The object that `handle` names in this session, or NULL. */
SimObject *sim_responder_object(SimResponder *responder, guint32 handle);

/** What is told of its size: with the faults that lie about it. */
guint64 sim_responder_announced_size(SimResponder *responder, const SimObject *object);
guint16 sim_responder_format(SimResponder *responder, const SimObject *object);

/** Each fills reply->data or returns the code of a refusal. */
guint16 sim_props_supported(SimReply *reply);
guint16 sim_props_describe(const SimOperation *operation, SimReply *reply);
guint16 sim_props_value(SimResponder *responder, const SimOperation *operation, SimReply *reply);
guint16 sim_props_list(SimResponder *responder, const SimOperation *operation, SimReply *reply);
