#pragma once

#include "tests/rigs/simulator/device.h"

#include <glib.h>
#include <umockdev.h>

/**
 * The kernel's part of one plugged-in device: what usbfs does for the programs that opened it
 * (claims, URBs, reaping), carried by umockdev's emulated ioctls.
 *
 * Made anew for each time the device is plugged in. The device's lock is held around every call;
 * the handler, which umockdev calls in its own thread, takes it by itself.
 */
typedef struct SimUsbClaim SimUsbClaim;

/** `device` is the caller's. */
SimUsbClaim *sim_usb_claim_new(SimDevice *device);
/** Only once umockdev's thread has ended. */
void sim_usb_claim_free(SimUsbClaim *claim);

/** (transfer none) For umockdev_testbed_attach_ioctl. */
UMockdevIoctlBase *sim_usb_claim_handler(SimUsbClaim *claim);

/** The device is gone: what was submitted ends with ESHUTDOWN, what comes fails with ENODEV. */
void sim_usb_claim_pull(SimUsbClaim *claim);
/** Sends an event over the interrupt pipe, at once or when it is next asked for. */
void sim_usb_claim_event(SimUsbClaim *claim, guint16 code, guint32 param);
/** Serves what could not be served before. */
void sim_usb_claim_go_on(SimUsbClaim *claim);
