#pragma once

#include "tests/rigs/simulator/device.h"

#include <glib.h>

/**
 * PTP over a pair of bulk pipes (USB Still Image class): containers in, containers out, packet by
 * packet as a high-speed device cuts them. The device's lock is held around every call.
 */
typedef struct SimUsbPipe SimUsbPipe;

/** `device` is the caller's. */
SimUsbPipe *sim_usb_pipe_new(SimDevice *device);
void sim_usb_pipe_free(SimUsbPipe *pipe);

/** The host wrote one transfer. */
void sim_usb_pipe_write(SimUsbPipe *pipe, const guint8 *data, gsize size);

/**
 * The host offers `size` bytes of room. Returns the count put there (0: an empty packet), -EAGAIN
 * if there is nothing to say now, -EPIPE for a stall, -ESHUTDOWN when the device was to fail here.
 */
gssize sim_usb_pipe_read(SimUsbPipe *pipe, guint8 *room, gsize size);

/** Forgets what is half said, in both directions. */
void sim_usb_pipe_reset(SimUsbPipe *pipe);
/** Ends a stall. */
void sim_usb_pipe_clear_halt(SimUsbPipe *pipe);

/** (transfer full) An event as the interrupt pipe carries it. */
GBytes *sim_usb_event_container(guint16 code, guint32 param);

/* Bytes in a bulk packet at high speed. */
#define SIM_USB_PACKET 512
