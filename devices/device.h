#pragma once

#include <glib.h>

/**
 * What is plugged in, as the rest of Hearth sees it: a device and the objects on it.
 *
 * Plain structs without locks. A device is known by an id that is the same at every plug-in; an
 * object is known by its path, size and time, never by a handle, which changes between sessions.
 * All text of a HearthDevice is valid UTF-8 without control characters, whatever the device said
 * of itself; paths of objects are bytes.
 */

/** Longest path of an object that is listed, in bytes without the final NUL. */
#define HEARTH_DEVICE_MAX_PATH 4096
/** Longest name in a path; a longer one is listed with a refusal. */
#define HEARTH_DEVICE_MAX_NAME 255
/** Folders inside one another that a listing follows. */
#define HEARTH_DEVICE_MAX_DEPTH 64
/** Objects of one device, folders included. A listing that meets more ends with LIMIT. */
#define HEARTH_DEVICE_MAX_OBJECTS 4000000

/** The size of an object whose device does not know it, or is known to report it wrongly. */
#define HEARTH_SIZE_UNKNOWN (-1)
/** The time of an object that has none. */
#define HEARTH_MTIME_UNKNOWN G_MININT64

typedef enum {
    HEARTH_DEVICE_ATTACHED, /* seen, no driver has spoken to it yet */
    HEARTH_DEVICE_READY,    /* its driver answers */
    HEARTH_DEVICE_BUSY,     /* another program holds it; tried again by itself */
    HEARTH_DEVICE_LOCKED,   /* it waits for a person to unlock or allow it; tried again by itself */
    HEARTH_DEVICE_NO_STORAGE, /* no card or charging only; tried again by itself */
    HEARTH_DEVICE_FAILED,     /* given up until it is plugged in again or asked for anew */
    HEARTH_DEVICE_GONE,       /* unplugged or unmounted */
    HEARTH_DEVICE_STATE_LAST  /* count of the states, not a state */
} HearthDeviceState;

/** All strings are owned; none is NULL but where said. */
typedef struct {
    char *id;     /* a-z 0-9 . _ - only, at most 100 bytes; stable: safe as a file name */
    char *driver; /* "volume", "gphoto2" or "mtp" */
    char *port;   /* disk:PATH volume:PATH ptpip:HOST[:PORT] usb:BUS,DEV */
    char *vendor; /* may be empty, as the next two */
    char *model;
    char *serial;
    HearthDeviceState state;
    char *message; /* (nullable): one sentence for a person: what is wrong and what to do */
} HearthDevice;

HearthDevice *hearth_device_copy(const HearthDevice *device);
void hearth_device_free(HearthDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthDevice, hearth_device_free)

/**
 * The device behind a port that a person or a test named. For `volume:` and `disk:` the folder must
 * exist, and its path becomes absolute; for `usb:` the device must be plugged in. INVALID for text
 * that is no port, NOT_FOUND for a place that is not there.
 */
HearthDevice *hearth_device_from_port(const char *port, GError **error);

/** "ready", "busy" ...: the word of a state in JSON and the log. */
const char *hearth_device_state_word(HearthDeviceState state);

/** What to call the device in a sentence: vendor and model, else its id. Free the result. */
char *hearth_device_name(const HearthDevice *device);

/**
 * One file or folder of a device.
 *
 * `mtime` counts seconds of the clock on the device's wall from 1970-01-01 00:00 on that wall, when
 * `mtime_is_utc` is FALSE: cameras do not say their zone. When it is TRUE it is a true Unix time
 * (a volume whose file system stores UTC).
 *
 * An object with a `refusal` is listed so that it can be reported; it cannot be fetched. Its path
 * is then made printable and may be cut.
 */
typedef struct {
    char *path;   /* bytes: begins with '/', parts without '/', NUL, "." and ".." */
    gint64 size;  /* bytes, or HEARTH_SIZE_UNKNOWN */
    gint64 mtime; /* seconds, or HEARTH_MTIME_UNKNOWN */
    gboolean mtime_is_utc;
    gboolean is_folder;
    char *media_type; /* (nullable): "image/jpeg"...: what the device claims; only a hint */
    char *storage;    /* (nullable): which of the device's storages it is on */
    char *refusal;    /* (nullable): why it cannot be fetched, for a person */
} HearthDeviceObject;

HearthDeviceObject *hearth_device_object_copy(const HearthDeviceObject *object);
/** Frees what `object` owns, not the struct itself, and zeroes it. */
void hearth_device_object_clear(HearthDeviceObject *object);
void hearth_device_object_free(HearthDeviceObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthDeviceObject, hearth_device_object_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthDeviceObject, hearth_device_object_clear)
