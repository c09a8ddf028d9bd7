#pragma once

#include "tests/rigs/simulator/device.h"

#include <glib.h>

/**
 * A USB port of this machine, made of umockdev: what is plugged in is seen by unmodified libusb,
 * udev clients, libgphoto2 and libmtp in every process that runs under umockdev-wrapper with this
 * bus's UMOCKDEV_DIR in its environment (it is set for this process and those it starts).
 *
 * The program itself must run under umockdev-wrapper. One bus per process at a time. Devices are
 * served by a thread of umockdev's.
 */
typedef struct SimUsbBus SimUsbBus;

SimUsbBus *sim_usb_bus_new(void);
void sim_usb_bus_free(SimUsbBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimUsbBus, sim_usb_bus_free)

/**
 * Gives `device` a port; it is not plugged in yet: sim_device_plug. The device stays the caller's
 * and must outlive the bus.
 */
void sim_usb_bus_attach(SimUsbBus *bus, SimDevice *device);

/** (transfer full) "usb:001,003" as libgphoto2 calls it, or NULL while it is out. */
char *sim_usb_bus_port_of(SimUsbBus *bus, SimDevice *device);
