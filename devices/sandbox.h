#pragma once

#include <glib.h>

/**
 * What hearth-device gives up, so that a device that takes it over through a bug of its library
 * holds almost nothing. Private to hearth-device and its tests; called on its one thread.
 *
 * Before the device is opened: no new privileges, no debugging, no core files, an empty network
 * (but for PTP/IP), and Landlock: of the file system only what the driver needs to open. After: an
 * unprivileged user, and a list of the system calls that are left; the others fail with EPERM.
 *
 * What each driver still has afterwards, and why:
 *
 * - volume, and gphoto2 on disk: folders and files below the volume are opened for reading, since
 *   that is the device. With `may_change` they may also be made and deleted there.
 * - gphoto2 on USB, mtp: ioctl on the one open USB node, which carries every transfer. No file can
 *   be opened.
 * - gphoto2 on ptpip: the open connections; socket() and connect() too, since the library opens its
 *   event connection anew after an error. No file can be opened.
 *
 * All: memory, threads (libusb has one), clocks, signals of its own, the socket and pipe to
 * hearthd.
 */
typedef struct {
    const char *driver; /* its name */
    const char *place;  /* as for HearthDriver.open */
    gboolean may_change;
} HearthSandbox;

/** Before the device is opened. Where the kernel lacks a wall the others stand. */
gboolean hearth_sandbox_begin(const HearthSandbox *sandbox, GError **error);

/** After the device is opened. FALSE must end the process. */
gboolean hearth_sandbox_close(const HearthSandbox *sandbox, GError **error);

/** The folder a place names on this machine, or NULL: USB, network. Points into `place`. */
const char *hearth_sandbox_folder(const HearthSandbox *sandbox);
