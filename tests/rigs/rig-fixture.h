#pragma once

#include "devices/shadow.h"
#include "tests/rigs/simulator/device.h"
#include "tests/rigs/simulator/ptpip-wire.h"
#include "tests/rigs/simulator/usb-wire.h"

#include <glib.h>

/**
 * What the tests of Hearth's own worker and shadow on simulated devices share: one device with a
 * folder of files, plugged in, and a shadow before it. Failures of the set-up end the test.
 */

/** How a device is spoken to. */
typedef enum {
    RIG_PTP_USB,   /* libgphoto2 on USB */
    RIG_MTP_USB,   /* libmtp on USB */
    RIG_PTP_PTPIP, /* libgphoto2 on the network */
    RIG_WAY_LAST   /* count of the ways, not a way */
} RigWay;

typedef struct {
    RigWay way;
    char *folder;     /* what the device holds */
    SimUsbBus *bus;   /* NULL on the network */
    SimPtpip *server; /* NULL on USB */
    SimDevice *device;
    HearthShadow *shadow;
    GPtrArray *objects; /* of HearthDeviceObject*: the last listing, without folders */
} RigFixture;

/** A case for `way`, under /rigs/NAME/WAY. `moving` makes handles move from session to session. */
void rig_add(const char *name, RigWay way, void (*test)(RigFixture *, gconstpointer));
/** The same for every way. */
void rig_add_all(const char *name, void (*test)(RigFixture *, gconstpointer));

/** A file on the device, of bytes that depend on its name; tells nobody. */
void rig_make_file(RigFixture *fixture, const char *name, gsize size);
/** Carries out a command of the simulator's control language. */
void rig_tell(RigFixture *fixture, const char *line);
/** The same, in so many milliseconds, from another thread. */
void rig_tell_later(RigFixture *fixture, guint delay_ms, const char *line);

/** Short deadlines and pauses, so that failures are quick. */
void rig_options(HearthShadowOptions *options);
/** Makes fixture->shadow anew, for the port the device has now. NULL: rig_options(). */
void rig_new_shadow(RigFixture *fixture, const HearthShadowOptions *options);
/** (transfer full) A shadow before `device`, which must hang on fixture->bus. */
HearthShadow *rig_shadow_for(RigFixture *fixture, SimDevice *device,
                             const HearthShadowOptions *options);

/** Lists into fixture->objects; must succeed. */
void rig_list(RigFixture *fixture);
gboolean rig_try_list(RigFixture *fixture, GError **error);
/** The listed object whose path ends so; NULL if there is none. */
const HearthDeviceObject *rig_find(RigFixture *fixture, const char *end);

/** (transfer full) The bytes of the object whose path ends so from `offset` on, or NULL. */
GByteArray *rig_fetch(RigFixture *fixture, const char *end, guint64 offset, GError **error);
/** (transfer full) The same for an object, as there may be two of one path. */
GByteArray *rig_fetch_object(RigFixture *fixture, const HearthDeviceObject *object, guint64 offset,
                             GError **error);
/** Fetches it and compares with the file that the device holds. */
void rig_assert_same(RigFixture *fixture, const char *name, guint64 offset);
