#pragma once

#include "tests/rigs/simulator/responder.h"

#include <glib.h>

/**
 * What a simulated device says of itself to USB: descriptors, strings, and the control requests of
 * the Still Image class and of Microsoft's OS descriptors (which libmtp asks for).
 */

#define SIM_USB_BULK_IN 0x81
#define SIM_USB_BULK_OUT 0x02
#define SIM_USB_INTERRUPT_IN 0x83

/** (transfer full) The device and configuration descriptors, one after the other. */
GByteArray *sim_usb_descriptors(const SimIdentity *identity);

/** The eight bytes that begin a control transfer. */
typedef struct {
    guint8 type;
    guint8 request;
    guint16 value;
    guint16 index;
    guint16 length;
} SimUsbSetup;

/** Answers a control request that reads: count of bytes put at `room`, or -EPIPE for a stall. */
gssize sim_usb_control_in(const SimIdentity *identity, const SimUsbSetup *setup, guint8 *room);

/** (transfer full) How umockdev wants the device described. `node` is "bus/usb/001/002". */
char *sim_usb_sysfs(const SimIdentity *identity, guint port, guint bus, guint address);
