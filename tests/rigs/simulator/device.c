#include "tests/rigs/simulator/device.h"

#include "gateway/base/error.h"
#include "tests/rigs/simulator/ptp-codes.h"
#include "tests/rigs/simulator/scenes.h"

#include <string.h>

struct SimDevice {
    GRecMutex lock; /* everything below */
    SimIdentity identity;
    SimStore *store;
    SimFaults faults;
    SimResponder *responder;
    const SimWireFunctions *functions; /* (nullable) */
    gpointer wire;                     /* (unowned) */
};

SimDevice *sim_device_new(const SimIdentity *identity, const char *folder)
{
    SimDevice *device = g_new0(SimDevice, 1);

    g_rec_mutex_init(&device->lock);
    device->identity = *identity;
    device->identity.model = g_strdup(identity->model);
    device->identity.serial = g_strdup(identity->serial);
    device->store = sim_store_new(folder);
    sim_faults_init(&device->faults);
    device->responder = sim_responder_new(identity, device->store, &device->faults);
    return device;
}

void sim_device_free(SimDevice *device)
{
    if (device == NULL)
        return;
    sim_responder_free(device->responder);
    sim_store_free(device->store);
    g_free((char *)device->identity.model);
    g_free((char *)device->identity.serial);
    g_rec_mutex_clear(&device->lock);
    g_free(device);
}

void sim_device_set_wire(SimDevice *device, const SimWireFunctions *functions, gpointer wire)
{
    sim_device_lock(device);
    device->functions = functions;
    device->wire = wire;
    sim_device_unlock(device);
}

void sim_device_lock(SimDevice *device)
{
    g_rec_mutex_lock(&device->lock);
}

void sim_device_unlock(SimDevice *device)
{
    g_rec_mutex_unlock(&device->lock);
}

SimStore *sim_device_store(SimDevice *device)
{
    return device->store;
}

SimFaults *sim_device_faults(SimDevice *device)
{
    return &device->faults;
}

SimResponder *sim_device_responder(SimDevice *device)
{
    return device->responder;
}

const SimIdentity *sim_device_identity(SimDevice *device)
{
    return &device->identity;
}

gboolean sim_device_plug(SimDevice *device, GError **error)
{
    gboolean done = TRUE;

    sim_device_lock(device);
    sim_responder_reset(device->responder);
    if (device->functions != NULL)
        done = device->functions->plug(device->wire, error);
    sim_device_unlock(device);
    return done;
}

void sim_device_unplug(SimDevice *device)
{
    sim_device_lock(device);
    device->faults.fail_after = G_MAXUINT64;
    if (device->functions != NULL)
        device->functions->unplug(device->wire);
    sim_device_unlock(device);
}

static void send_event(SimDevice *device, guint16 code, guint32 param)
{
    if (device->functions != NULL)
        device->functions->event(device->wire, code, param);
}

static void rescan(SimDevice *device)
{
    g_autoptr(GArray) added = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) removed = g_array_new(FALSE, FALSE, sizeof(guint));

    sim_store_rescan(device->store, added, removed);
    for (guint i = 0; i < added->len; i++)
        send_event(device, PTP_EVENT_OBJECT_ADDED,
                   sim_responder_handle_of(device->responder, g_array_index(added, guint, i)));
    for (guint i = 0; i < removed->len; i++)
        send_event(device, PTP_EVENT_OBJECT_REMOVED,
                   sim_responder_handle_of(device->responder, g_array_index(removed, guint, i)));
}

static gboolean set_broken(SimDevice *device, const char *name, GError **error)
{
    SimObject *object = name ? sim_store_find(device->store, name) : NULL;

    if (object == NULL)
        return hearth_set_errno(error, ENOENT, "broken %s", name ? name : "");
    object->broken = TRUE;
    return TRUE;
}

static gboolean run_event(SimDevice *device, char **words, GError **error)
{
    guint n_words = g_strv_length(words);

    if (n_words != 3) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "event CODE HANDLE");
        return FALSE;
    }
    send_event(device, g_ascii_strtoull(words[1], NULL, 16), g_ascii_strtoull(words[2], NULL, 0));
    return TRUE;
}

/** Commands that are not faults. */
static gboolean run_action(SimDevice *device, char **words, GError **error)
{
    if (strcmp(words[0], "plug") == 0)
        return sim_device_plug(device, error);
    if (strcmp(words[0], "unplug") == 0)
        sim_device_unplug(device);
    else if (strcmp(words[0], "rescan") == 0)
        rescan(device);
    else if (strcmp(words[0], "event") == 0)
        return run_event(device, words, error);
    else if (strcmp(words[0], "broken") == 0)
        return set_broken(device, words[1], error);
    else if (strcmp(words[0], "scene") == 0)
        return sim_scene_add(device->store, words[1] ? words[1] : "", error);
    else
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no such command: %s", words[0]);
    return *error == NULL;
}

gboolean sim_device_command(SimDevice *device, const char *line, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(GError) local = NULL;
    gboolean locked_before;

    if (words[0] == NULL)
        return TRUE;
    sim_device_lock(device);
    locked_before = device->faults.locked;
    if (!sim_faults_set(&device->faults, words, &local) && local == NULL)
        run_action(device, words, &local);
    /* What a phone says when its owner unlocks it. */
    if (locked_before != device->faults.locked)
        send_event(device, locked_before ? PTP_EVENT_STORE_ADDED : PTP_EVENT_STORE_REMOVED,
                   0x00010001);
    if (device->functions != NULL)
        device->functions->changed(device->wire);
    sim_device_unlock(device);
    if (local == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}
