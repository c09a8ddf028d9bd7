#pragma once

#include "devices/monitor.h"

/*
 * What the monitor shares with the threads that watch USB and the mounts. They may look at slow
 * things; they report through an inbox, and the monitor's own context does the rest.
 */

/** Carries reports to the monitor's context. Any thread; outlives the monitor while referenced. */
typedef struct HearthMonitorInbox HearthMonitorInbox;

HearthMonitorInbox *hearth_monitor_inbox_ref(HearthMonitorInbox *inbox);
void hearth_monitor_inbox_unref(HearthMonitorInbox *inbox);

/**
 * Reports that `device` is at `place` ("usb:1-2", "mount:45" ...) now, or with NULL, that nothing is
 * there any more. Takes over `device`.
 */
void hearth_monitor_inbox_post(HearthMonitorInbox *inbox, const char *place, HearthDevice *device);

typedef struct HearthUsbWatch HearthUsbWatch;
HearthUsbWatch *hearth_usb_watch_start(HearthMonitorInbox *inbox, GError **error);
void hearth_usb_watch_stop(HearthUsbWatch *watch);

typedef struct HearthVolumeWatch HearthVolumeWatch;
HearthVolumeWatch *hearth_volume_watch_start(HearthMonitorInbox *inbox, GError **error);
void hearth_volume_watch_stop(HearthVolumeWatch *watch);

/** One line of /proc/self/mountinfo. Strings are owned. */
typedef struct {
    guint id;
    char *point; /* unescaped */
    char *type;
} HearthMount;

/** FALSE if `line` is not one, or the mount cannot be a card: other kinds of file system, "/". */
gboolean hearth_mount_parse(const char *line, HearthMount *ret_mount);
void hearth_mount_clear(HearthMount *mount);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthMount, hearth_mount_clear)

/** What decides which driver a USB device gets. */
typedef struct {
    gboolean still_image; /* an interface of class 6: PTP */
    gboolean says_mtp;    /* an interface is named so */
    gboolean udev_mtp;    /* ID_MTP_DEVICE: libmtp's table or probe knows it */
    gboolean udev_gphoto; /* ID_GPHOTO2: libgphoto2's table knows it */
} HearthUsbTraits;

/** "mtp", "gphoto2", or NULL when the device is not for us. */
const char *hearth_usb_driver(const HearthUsbTraits *traits);
