#include "devices/monitor.h"

#include "devices/monitor-private.h"

#include <string.h>

typedef struct {
    char *place;
    HearthDevice *device; /* (nullable) */
} Report;

struct HearthMonitorInbox {
    gatomicrefcount references;
    GMutex lock; /* guards reports and source; never held while a callback runs */
    GQueue reports;
    GSource *source; /* (nullable): will take the reports */
    GMainContext *context;
    HearthMonitor *monitor; /* borrowed, NULL once freed; the context's thread only */
};

struct HearthMonitor {
    HearthMonitorFuncs funcs;
    HearthMonitorInbox *inbox;
    HearthUsbWatch *usb;        /* (nullable) */
    HearthVolumeWatch *volumes; /* (nullable) */
    GHashTable *places;         /* place (owned) → HearthDevice (owned): what is there */
    GHashTable *announced;      /* id (borrowed from places) → its place (borrowed) */
};

static void report_free(Report *report)
{
    g_free(report->place);
    hearth_device_free(report->device);
    g_free(report);
}

static HearthMonitorInbox *inbox_new(HearthMonitor *monitor, GMainContext *context)
{
    HearthMonitorInbox *inbox = g_new0(HearthMonitorInbox, 1);
    g_atomic_ref_count_init(&inbox->references);
    g_mutex_init(&inbox->lock);
    g_queue_init(&inbox->reports);
    inbox->context = context ? g_main_context_ref(context) : g_main_context_ref_thread_default();
    inbox->monitor = monitor;
    return inbox;
}

HearthMonitorInbox *hearth_monitor_inbox_ref(HearthMonitorInbox *inbox)
{
    g_atomic_ref_count_inc(&inbox->references);
    return inbox;
}

void hearth_monitor_inbox_unref(HearthMonitorInbox *inbox)
{
    if (!g_atomic_ref_count_dec(&inbox->references))
        return;
    g_queue_clear_full(&inbox->reports, (GDestroyNotify)report_free);
    g_main_context_unref(inbox->context);
    g_mutex_clear(&inbox->lock);
    g_free(inbox);
}

static void announce(HearthMonitor *monitor, const char *place, const HearthDevice *device)
{
    g_hash_table_insert(monitor->announced, device->id, (gpointer)place);
    monitor->funcs.arrived(device, monitor->funcs.user_data);
}

/* Something else with the same id, which was kept quiet while `place` stood for it. */
static const char *find_twin(HearthMonitor *monitor, const char *id, HearthDevice **ret_device)
{
    GHashTableIter iter;
    gpointer place, device;
    g_hash_table_iter_init(&iter, monitor->places);
    while (g_hash_table_iter_next(&iter, &place, &device))
        if (strcmp(((HearthDevice *)device)->id, id) == 0) {
            *ret_device = device;
            return place;
        }
    return NULL;
}

static void leave_place(HearthMonitor *monitor, const char *place)
{
    char *owned_place = NULL;
    HearthDevice *gone = NULL, *twin = NULL;
    if (!g_hash_table_steal_extended(monitor->places, place, (gpointer *)&owned_place,
                                     (gpointer *)&gone))
        return;
    if (g_hash_table_lookup(monitor->announced, gone->id) == owned_place) {
        g_hash_table_remove(monitor->announced, gone->id);
        gone->state = HEARTH_DEVICE_GONE;
        monitor->funcs.removed(gone, monitor->funcs.user_data);
        const char *other = find_twin(monitor, gone->id, &twin);
        if (other)
            announce(monitor, other, twin);
    }
    hearth_device_free(gone);
    g_free(owned_place);
}

static void enter_place(HearthMonitor *monitor, const char *place, HearthDevice *device)
{
    char *key = g_strdup(place);
    leave_place(monitor, place);
    g_hash_table_insert(monitor->places, key, device);
    if (!g_hash_table_contains(monitor->announced, device->id))
        announce(monitor, key, device);
}

static gboolean take_reports(gpointer data)
{
    HearthMonitorInbox *inbox = data;
    g_mutex_lock(&inbox->lock);
    g_clear_pointer(&inbox->source, g_source_unref);
    GQueue reports = inbox->reports;
    g_queue_init(&inbox->reports);
    g_mutex_unlock(&inbox->lock);
    Report *report;
    while ((report = g_queue_pop_head(&reports))) {
        /* A callback may free the monitor. */
        if (inbox->monitor && report->device)
            enter_place(inbox->monitor, report->place, g_steal_pointer(&report->device));
        else if (inbox->monitor)
            leave_place(inbox->monitor, report->place);
        report_free(report);
    }
    return G_SOURCE_REMOVE;
}

void hearth_monitor_inbox_post(HearthMonitorInbox *inbox, const char *place, HearthDevice *device)
{
    Report *report = g_new(Report, 1);
    *report = (Report){g_strdup(place), device};
    g_mutex_lock(&inbox->lock);
    g_queue_push_tail(&inbox->reports, report);
    if (!inbox->source) {
        inbox->source = g_idle_source_new();
        g_source_set_priority(inbox->source, G_PRIORITY_DEFAULT);
        g_source_set_callback(inbox->source, take_reports, hearth_monitor_inbox_ref(inbox),
                              (GDestroyNotify)hearth_monitor_inbox_unref);
        g_source_attach(inbox->source, inbox->context);
    }
    g_mutex_unlock(&inbox->lock);
}

HearthMonitor *hearth_monitor_new(GMainContext *context, const HearthMonitorFuncs *funcs)
{
    HearthMonitor *monitor = g_new0(HearthMonitor, 1);
    monitor->funcs = *funcs;
    monitor->inbox = inbox_new(monitor, context);
    monitor->places =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)hearth_device_free);
    monitor->announced = g_hash_table_new(g_str_hash, g_str_equal);
    return monitor;
}

gboolean hearth_monitor_start_usb(HearthMonitor *monitor, GError **error)
{
    g_return_val_if_fail(!monitor->usb, TRUE);
    monitor->usb = hearth_usb_watch_start(monitor->inbox, error);
    return monitor->usb != NULL;
}

gboolean hearth_monitor_start_volumes(HearthMonitor *monitor, GError **error)
{
    g_return_val_if_fail(!monitor->volumes, TRUE);
    monitor->volumes = hearth_volume_watch_start(monitor->inbox, error);
    return monitor->volumes != NULL;
}

void hearth_monitor_free(HearthMonitor *monitor)
{
    if (!monitor)
        return;
    hearth_usb_watch_stop(monitor->usb);
    hearth_volume_watch_stop(monitor->volumes);
    monitor->inbox->monitor = NULL;
    hearth_monitor_inbox_unref(monitor->inbox);
    g_hash_table_unref(monitor->announced);
    g_hash_table_unref(monitor->places);
    if (monitor->funcs.user_data_free)
        monitor->funcs.user_data_free(monitor->funcs.user_data);
    g_free(monitor);
}
