#pragma once

#include "devices/device.h"

/**
 * A driver: how hearth-device speaks to one kind of device.
 *
 * Private to this folder. A driver runs in its own process, on one thread, for one device, and may
 * block, crash or hang there: the shadow in hearthd deals with it. It finds objects by path, size
 * and time; what handles it has live no longer than its session. It never acts on a path that
 * hearth_device_check_path() refuses: the worker has checked those that come in.
 */
typedef struct HearthDriverSession HearthDriverSession; /* each driver's own */

/** What a driver learns of its device when it opens it. Strings are owned, and may be NULL. */
typedef struct {
    char *vendor;
    char *model;
    char *serial;
    gboolean can_change; /* objects may be removed and put in this session */
} HearthDriverIdentity;

/**
 * Takes one object of a listing; FALSE with `error` set (cancelled, a limit passed, hearthd gone)
 * ends it. The path need not be checked: a bad one is listed with a refusal.
 */
typedef gboolean (*HearthDriverListFunc)(const HearthDeviceObject *object, gpointer user_data,
                                         GError **error);

/** Where a fetch puts its bytes; see below. */
typedef struct HearthSink HearthSink;

typedef struct {
    const char *name;
    /** `place` is the port without its scheme for "volume", the whole port text for the others. */
    HearthDriverSession *(*open)(const char *place, gboolean may_change,
                                 HearthDriverIdentity *ret_identity, GError **error);
    /** Everything, folders before what is in them. */
    gboolean (*list)(HearthDriverSession *session, HearthDriverListFunc func, gpointer user_data,
                     GError **error);
    /** CONFLICT unless size and time are still those of `object`. */
    gboolean (*fetch)(HearthDriverSession *session, const HearthDeviceObject *object,
                      guint64 offset, HearthSink *sink, GError **error);
    gboolean (*remove)(HearthDriverSession *session, const HearthDeviceObject *object,
                       GError **error);
    gboolean (*put)(HearthDriverSession *session, const char *path, int fd, guint64 size,
                    GError **error);
    gboolean (*space)(HearthDriverSession *session, guint64 *ret_free, guint64 *ret_total,
                      GError **error);
    void (*close)(HearthDriverSession *session);
} HearthDriver;

extern const HearthDriver HEARTH_DRIVER_VOLUME;
extern const HearthDriver HEARTH_DRIVER_GPHOTO2;
extern const HearthDriver HEARTH_DRIVER_MTP;

/** Most bytes a driver should ask its device for in one call: some cameras choke on more. */
#define HEARTH_DRIVER_PIECE (1024 * 1024)

/**
 * Errors of this domain say that the device itself is not usable now; the code is a
 * HearthDeviceState and the message says what to do.
 */
#define HEARTH_DRIVER_STATE_ERROR (hearth_driver_state_error_quark())
GQuark hearth_driver_state_error_quark(void);

/* Sentences for a person, the same whichever library said so. */
gboolean hearth_driver_set_busy(GError **error);
gboolean hearth_driver_set_locked(GError **error);
gboolean hearth_driver_set_no_storage(GError **error);
gboolean hearth_driver_set_gone(GError **error);

/** CONFLICT: `path` is not what was listed any more. */
gboolean hearth_driver_set_changed(GError **error, const char *path);

/** TRUE if both are the same object, as far as size and time can tell. */
gboolean hearth_driver_same(const HearthDeviceObject *listed, gint64 size, gint64 mtime);

/**
 * Gives `func` an object named `name` in `folder` ("" for the root); `rest` has its other fields.
 * A name no path may hold makes it a refusal.
 */
gboolean hearth_driver_emit(const char *folder, const char *name, const HearthDeviceObject *rest,
                            HearthDriverListFunc func, gpointer user_data, GError **error);

/** Gives `func` an object that cannot be fetched, because of `reason`. */
gboolean hearth_driver_refuse(const char *folder, const char *name, gboolean is_folder,
                              const char *reason, HearthDriverListFunc func, gpointer user_data,
                              GError **error);

/** TRUE if `name` is a folder of an operating system's own, which no listing enters. */
gboolean hearth_driver_is_system_folder(const char *name);

/** TRUE if the file system of `fd` stores the wall clock instead of UTC (FAT). */
gboolean hearth_driver_is_wall_clock(int fd);

/* The sink of a fetch (sink.c). Each fails with CANCELLED or GONE when nobody wants the rest. */

gboolean hearth_sink_write(HearthSink *sink, const void *data, gsize size, GError **error);

/** Moves `size` bytes at `offset` of the file `fd`, without a copy if they are many; `ret_moved`
 * is less at the end of the file. `name` is for the error. */
gboolean hearth_sink_move(HearthSink *sink, int fd, guint64 offset, guint64 size,
                          guint64 *ret_moved, const char *name, GError **error);
