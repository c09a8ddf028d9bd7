#pragma once

#include "devices/device.h"

#include <gio/gio.h>

/**
 * A shadow stands in hearthd before one device and answers for it.
 *
 * Behind it runs the device's own process, hearth-device, with the one driver; the shadow starts it
 * at the first call that needs it. The process may crash, hang or lie at any moment: every request
 * has a deadline, every byte it sends is checked, and when it fails it is killed, started anew
 * after a pause, and asked again; a fetch goes on at the byte where it was, once the object is seen
 * to be the same still. A request that failed `attempts` times ends with GONE, TIMED_OUT, IO or
 * PROTOCOL and a message that names device, object and cause; the shadow stays usable for the next
 * one.
 *
 * Calls block, so they belong in job threads. Any thread may call; calls on one shadow take turns.
 * Each returns within a second of its cancellable being cancelled, with CANCELLED.
 *
 * A running process holds a volume mounted and a camera claimed: call hearth_shadow_rest() when a
 * job is done.
 */
typedef struct HearthShadow HearthShadow;

/**
 * Told of each change of state or message (see HearthDevice), from the thread of the call that
 * noticed it. `device` lives for the call. Must not call the shadow.
 */
typedef void (*HearthShadowStateFunc)(const HearthDevice *device, gpointer user_data);

/** All strings are copied. Fill with hearth_shadow_options_init() first. */
typedef struct {
    const char *worker; /* path of hearth-device; NULL: beside this program, else libexec */
    const char *const *arguments; /* (nullable): more arguments of it; for tests */
    guint open_timeout_ms;        /* to open the device */
    guint idle_timeout_ms;        /* without a byte, an entry, an answer, or any work seen */
    guint retry_first_ms;         /* pause before the second attempt; doubles each time */
    guint retry_last_ms;          /* longest pause */
    guint attempts;               /* of one request without any progress between them */
    gboolean wait_until_free;     /* wait while BUSY, LOCKED or NO_STORAGE, instead of failing */
    HearthShadowStateFunc state_changed; /* (nullable) */
    gpointer user_data;
    GDestroyNotify user_data_free; /* (nullable): called when the shadow is freed */
} HearthShadowOptions;

/** Sets every field to its default: 60 s, 30 s, 0.5 s to 30 s, 3 attempts, waiting. */
void hearth_shadow_options_init(HearthShadowOptions *options);

/** `options` NULL means the defaults. Starts nothing yet. */
HearthShadow *hearth_shadow_new(const HearthDevice *device, const HearthShadowOptions *options);
HearthShadow *hearth_shadow_ref(HearthShadow *shadow);
/** The last one stops the process. */
void hearth_shadow_unref(HearthShadow *shadow);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthShadow, hearth_shadow_unref)

/** A copy of the device with its present state, and what the driver learned of its names. */
HearthDevice *hearth_shadow_dup_device(HearthShadow *shadow);

/**
 * Opens the device if it is not open. Not needed before other calls; it tells early whether the
 * device answers. While the device is BUSY, LOCKED or has NO_STORAGE it tries again by itself until
 * cancelled (the state callback and hearth_shadow_dup_device() have the message for a person).
 */
gboolean hearth_shadow_open(HearthShadow *shadow, GCancellable *cancellable, GError **error);

/** Called for each object; `object` lives for the call. FALSE stops the listing without error. */
typedef gboolean (*HearthShadowListFunc)(const HearthDeviceObject *object, gpointer user_data);

/**
 * Lists everything on the device, folders before what is in them; an object once, also when the
 * process had to be started anew in the middle. A folder that cannot be read is listed with a
 * refusal, and the rest goes on.
 */
gboolean hearth_shadow_list(HearthShadow *shadow, HearthShadowListFunc func, gpointer user_data,
                            GCancellable *cancellable, GError **error);

/**
 * Says which objects will be fetched next, whole and in this order, so that their bytes are on the
 * way before they are asked for. Replaces what was said before. Only a hint: a fetch of something
 * else just costs what was sent ahead. With small files it makes a fetch several times faster.
 * Never blocks on the device.
 */
void hearth_shadow_expect(HearthShadow *shadow, const HearthDeviceObject *const *objects,
                          gsize count);

/**
 * Called with the bytes in order, up to 1 MiB at a time; `data` lives for the call. FALSE with
 * `error` set ends the fetch with that error.
 */
typedef gboolean (*HearthShadowDataFunc)(const guint8 *data, gsize size, gpointer user_data,
                                         GError **error);

/**
 * Fetches `object` from byte `offset` to its end. On success exactly size - offset bytes were
 * given, if the size is known; when it is not, all that the device has. CONFLICT: the object is not
 * the one that was listed any more. NOT_FOUND: it is not there, and the device is. CORRUPT: the
 * device ended the object before or after its own size.
 */
gboolean hearth_shadow_fetch(HearthShadow *shadow, const HearthDeviceObject *object, guint64 offset,
                             HearthShadowDataFunc func, gpointer user_data,
                             GCancellable *cancellable, GError **error);

/**
 * Deletes `object` from the device if it is still the one that was listed (CONFLICT if not). The
 * process is first started anew with the right to change the medium if it runs without.
 */
gboolean hearth_shadow_remove(HearthShadow *shadow, const HearthDeviceObject *object,
                              GCancellable *cancellable, GError **error);

/**
 * Sends the regular file `fd`, from its beginning, to the new object `path`; missing folders are
 * made. EXISTS if there is one. An object cut short by a failure is removed where the device can.
 */
gboolean hearth_shadow_put(HearthShadow *shadow, const char *path, int fd,
                           GCancellable *cancellable, GError **error);

/** Bytes free and in all, over all storages. UNSUPPORTED if the device does not say. */
gboolean hearth_shadow_space(HearthShadow *shadow, guint64 *ret_free, guint64 *ret_total,
                             GCancellable *cancellable, GError **error);

/** Lets go of the device until the next call: the process ends, a volume can be unmounted. */
void hearth_shadow_rest(HearthShadow *shadow);

/** The device was unplugged: calls fail with GONE, also the one that is running. Any thread. */
void hearth_shadow_unplug(HearthShadow *shadow);
