#pragma once

#include "devices/device.h"

/**
 * Watches what is plugged in: cameras, phones and players on USB, and mounted volumes with a DCIM
 * folder.
 *
 * A device is announced once, when there is a driver for it, and its removal once. A mounted card
 * is announced as a volume, also when libgphoto2 would show it as a `disk:` camera. Callbacks come
 * on the GMainContext given at construction, never from within a call to the monitor; devices that
 * are there already come first. Devices attached by hand (hearth_device_from_port) are the
 * caller's.
 *
 * All calls must come from the thread of that context.
 */
typedef struct HearthMonitor HearthMonitor;

/** `device` lives for the call. On removal it is the one announced, state GONE. */
typedef void (*HearthMonitorFunc)(const HearthDevice *device, gpointer user_data);

typedef struct {
    HearthMonitorFunc arrived;
    HearthMonitorFunc removed;
    gpointer user_data;
    GDestroyNotify user_data_free; /* (nullable) */
} HearthMonitorFuncs;

/** `context` NULL: the thread's default one. Does nothing before hearth_monitor_start_*. */
HearthMonitor *hearth_monitor_new(GMainContext *context, const HearthMonitorFuncs *funcs);
/** No callback comes after it. */
void hearth_monitor_free(HearthMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthMonitor, hearth_monitor_free)

/**
 * Starts to watch USB. UNSUPPORTED or PERMISSION where the machine has none or forbids it (a
 * container): say so once and go on without.
 */
gboolean hearth_monitor_start_usb(HearthMonitor *monitor, GError **error);

/** Starts to watch the mounted volumes. */
gboolean hearth_monitor_start_volumes(HearthMonitor *monitor, GError **error);
