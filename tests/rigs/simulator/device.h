#pragma once

#include "tests/rigs/simulator/responder.h"

#include <glib.h>

/**
 * One simulated device: what it holds, what is wrong with it, and the wire it hangs on.
 *
 * Every public function but new and free takes the device's lock; a wire takes it by itself with
 * sim_device_lock, and may call in again while it holds it.
 */
typedef struct SimDevice SimDevice;

/** What a wire (USB, PTP/IP) does for the device; called with the lock held. */
typedef struct {
    gboolean (*plug)(gpointer wire, GError **error);
    void (*unplug)(gpointer wire);
    void (*event)(gpointer wire, guint16 code, guint32 param);
    /** A fault was set or lifted: what waited may go on. */
    void (*changed)(gpointer wire);
} SimWireFunctions;

/** `folder` is what it holds, or NULL for nothing yet. */
SimDevice *sim_device_new(const SimIdentity *identity, const char *folder);
void sim_device_free(SimDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimDevice, sim_device_free)

/** One wire per device; `functions` is static. The wire must outlive its last use here. */
void sim_device_set_wire(SimDevice *device, const SimWireFunctions *functions, gpointer wire);

/**
 * Carries out one line of the control language (README.md), such as "unplug" or
 * "failafter 100000".
 */
gboolean sim_device_command(SimDevice *device, const char *line, GError **error);

/** For wires and tests; hold the lock while they are used. */
void sim_device_lock(SimDevice *device);
void sim_device_unlock(SimDevice *device);
SimStore *sim_device_store(SimDevice *device);
SimFaults *sim_device_faults(SimDevice *device);
SimResponder *sim_device_responder(SimDevice *device);
const SimIdentity *sim_device_identity(SimDevice *device);

/** Pulls it; for a wire whose `failafter` came true, and for tests. */
void sim_device_unplug(SimDevice *device);
gboolean sim_device_plug(SimDevice *device, GError **error);
