#include "devices/monitor-private.h"

#include "devices/device-private.h"
#include "gateway/base/error.h"
#include "gateway/base/id.h"

#include <libusb.h>
#include <stdio.h>
#include <string.h>

/*
 * A thread of its own turns libusb's events. The hotplug callback only notes what happened, since
 * no call to libusb may block in it; the look at the device comes after it, and comes again while
 * the kernel and udev are still at work on a new one. Nothing here opens a device: names come from
 * sysfs, so a camera that another program holds is announced too.
 */

#define STILL_IMAGE_CLASS 6
#define TURN_US (G_USEC_PER_SEC / 5) /* between two looks at a new device */
#define LOOKS_MAX 15   /* then it is not for us: three seconds, udev has long finished */
#define EARLY_LOOKS 10 /* while udev, if it runs, may still be at work */
#define UDEV_CONTROL "/run/udev/control"
#define PORTS_MAX 7 /* USB allows no deeper chain of hubs */
#define SYSFS "/sys/bus/usb/devices"

typedef struct {
    libusb_device *device; /* a reference */
    guint looks;
    gboolean left;
} Note;

struct HearthUsbWatch {
    libusb_context *usb;
    libusb_hotplug_callback_handle callback;
    HearthMonitorInbox *inbox;
    GThread *thread;
    gint stopping;  /* atomic */
    GMutex lock;    /* guards noted; held for queue operations only */
    GQueue noted;   /* of Note: from the callback, which may run in the starting thread */
    GQueue looking; /* of Note: the thread's own */
};

static void note_free(gpointer data)
{
    Note *note = data;
    libusb_unref_device(note->device);
    g_free(note);
}

const char *hearth_usb_driver(const HearthUsbTraits *traits)
{
    if (traits->says_mtp)
        return "mtp";
    /* libmtp's table has cameras too, which libgphoto2 knows better. */
    if (traits->udev_mtp && !(traits->still_image && traits->udev_gphoto))
        return "mtp";
    return traits->still_image || traits->udev_gphoto ? "gphoto2" : NULL;
}

/* "1-2.3": how sysfs calls the device; NULL for a root hub. */
static char *sysfs_name(libusb_device *device)
{
    guint8 ports[PORTS_MAX];
    int count = libusb_get_port_numbers(device, ports, PORTS_MAX);
    if (count <= 0)
        return NULL;
    GString *name = g_string_new(NULL);
    g_string_printf(name, "%u", libusb_get_bus_number(device));
    for (int i = 0; i < count; i++)
        g_string_append_printf(name, "%c%u", i == 0 ? '-' : '.', ports[i]);
    return g_string_free(name, FALSE);
}

/* An attribute as text for people; "" if it is not there. */
static char *read_attribute(const char *name, const char *attribute)
{
    g_autofree char *path = g_build_filename(SYSFS, name, attribute, NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    return hearth_device_clean_text(g_strstrip(text), -1);
}

static void read_interfaces(libusb_device *device, const char *name, HearthUsbTraits *traits)
{
    struct libusb_config_descriptor *config = NULL;
    if (libusb_get_active_config_descriptor(device, &config) != 0 &&
        libusb_get_config_descriptor(device, 0, &config) != 0)
        return;
    for (guint i = 0; i < config->bNumInterfaces; i++) {
        const struct libusb_interface *interface = &config->interface[i];
        for (int j = 0; j < interface->num_altsetting; j++)
            if (interface->altsetting[j].bInterfaceClass == STILL_IMAGE_CLASS)
                traits->still_image = TRUE;
        g_autofree char *folder = g_strdup_printf(
            "%s:%u.%u", name, config->bConfigurationValue,
            interface->num_altsetting > 0 ? interface->altsetting[0].bInterfaceNumber : i);
        g_autofree char *text = read_attribute(folder, "interface");
        if (strstr(text, "MTP"))
            traits->says_mtp = TRUE;
    }
    libusb_free_config_descriptor(config);
}

static gboolean read_traits(const char *path, HearthUsbTraits *traits)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return FALSE;
    traits->udev_mtp = traits->udev_mtp || strstr(text, "ID_MTP_DEVICE=1");
    traits->udev_gphoto = traits->udev_gphoto || strstr(text, "ID_GPHOTO2=1");
    return TRUE;
}

/*
 * What udev's rules found out, from its own records: /run/udev/data/c189:4 has "E:NAME=VALUE".
 * TRUE once they are there. A made-up device (umockdev) has its properties beside the kernel's.
 */
static gboolean read_udev(const char *name, HearthUsbTraits *traits)
{
    g_autofree char *number = read_attribute(name, "dev");
    g_autofree char *records = g_strconcat("/run/udev/data/c", number, NULL);
    g_autofree char *uevent = g_build_filename(SYSFS, name, "uevent", NULL);
    read_traits(uevent, traits);
    return *number && !strchr(number, '/') && read_traits(records, traits);
}

static char *make_usb_id(const struct libusb_device_descriptor *descriptor, const char *serial,
                         const char *name)
{
    char vendor[5], product[5];
    g_snprintf(vendor, sizeof vendor, "%04x", descriptor->idVendor);
    g_snprintf(product, sizeof product, "%04x", descriptor->idProduct);
    /* Two of a kind without a serial number are told apart by their sockets. */
    return hearth_device_make_id(
        (const char *const[]){"usb", vendor, product, *serial ? serial : name, NULL});
}

/* NULL: not for us, or not yet. While `early`, a device that udev has not judged yet is not yet. */
static HearthDevice *look_at(libusb_device *device, gboolean early)
{
    struct libusb_device_descriptor descriptor;
    HearthUsbTraits traits = {0};
    g_autofree char *name = sysfs_name(device);
    if (!name || libusb_get_device_descriptor(device, &descriptor) != 0)
        return NULL;
    read_interfaces(device, name, &traits);
    gboolean judged = read_udev(name, &traits);
    const char *driver = hearth_usb_driver(&traits);
    if (!driver || (early && !judged && !traits.says_mtp))
        return NULL;
    g_autofree char *serial = read_attribute(name, "serial");
    HearthDevice *found = g_new0(HearthDevice, 1);
    found->id = make_usb_id(&descriptor, serial, name);
    found->driver = g_strdup(driver);
    /* As libgphoto2 writes it: three digits each. */
    found->port = g_strdup_printf("usb:%03u,%03u", libusb_get_bus_number(device),
                                  libusb_get_device_address(device));
    found->vendor = read_attribute(name, "manufacturer");
    found->model = read_attribute(name, "product");
    found->serial = g_steal_pointer(&serial);
    return found;
}

static char *place_of(libusb_device *device)
{
    return g_strdup_printf("usb:%u,%u", libusb_get_bus_number(device),
                           libusb_get_device_address(device));
}

static int note_event(libusb_context *usb, libusb_device *device, libusb_hotplug_event event,
                      void *user_data)
{
    HearthUsbWatch *watch = user_data;
    Note *note = g_new0(Note, 1);
    note->device = libusb_ref_device(device);
    note->left = event == LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
    g_mutex_lock(&watch->lock);
    g_queue_push_tail(&watch->noted, note);
    g_mutex_unlock(&watch->lock);
    return 0;
}

/* A device that left is not looked at any more. */
static void forget(HearthUsbWatch *watch, libusb_device *device)
{
    for (GList *link = watch->looking.head, *next; link; link = next) {
        next = link->next;
        if (((Note *)link->data)->device != device)
            continue;
        note_free(link->data);
        g_queue_delete_link(&watch->looking, link);
    }
}

static void take_notes(HearthUsbWatch *watch)
{
    for (;;) {
        g_mutex_lock(&watch->lock);
        Note *note = g_queue_pop_head(&watch->noted);
        g_mutex_unlock(&watch->lock);
        if (!note)
            return;
        if (!note->left) {
            g_queue_push_tail(&watch->looking, note);
            continue;
        }
        g_autofree char *place = place_of(note->device);
        forget(watch, note->device);
        hearth_monitor_inbox_post(watch->inbox, place, NULL);
        note_free(note);
    }
}

static void look_once(HearthUsbWatch *watch)
{
    gboolean udev = g_file_test(UDEV_CONTROL, G_FILE_TEST_EXISTS);
    for (GList *link = watch->looking.head, *next; link; link = next) {
        next = link->next;
        Note *note = link->data;
        HearthDevice *found = look_at(note->device, udev && note->looks < EARLY_LOOKS);
        if (found) {
            g_autofree char *place = place_of(note->device);
            hearth_monitor_inbox_post(watch->inbox, place, found);
        } else if (++note->looks < LOOKS_MAX) {
            continue;
        }
        note_free(note);
        g_queue_delete_link(&watch->looking, link);
    }
}

static gpointer turn_events(gpointer data)
{
    HearthUsbWatch *watch = data;
    while (!g_atomic_int_get(&watch->stopping)) {
        take_notes(watch);
        look_once(watch);
        /* While nothing is new there is nothing to look at again: only an event wakes us. */
        struct timeval wait = {.tv_sec = watch->looking.length ? 0 : 60,
                               .tv_usec = watch->looking.length ? TURN_US : 0};
        libusb_handle_events_timeout_completed(watch->usb, &wait, NULL);
    }
    return NULL;
}

static gboolean set_usb_error(GError **error, int code)
{
    HearthError ours = HEARTH_ERROR_FAILED;
    switch ((enum libusb_error)code) {
    case LIBUSB_ERROR_ACCESS:
        ours = HEARTH_ERROR_PERMISSION;
        break;
    case LIBUSB_ERROR_NO_MEM:
        ours = HEARTH_ERROR_LIMIT;
        break;
    case LIBUSB_ERROR_IO:
    case LIBUSB_ERROR_NO_DEVICE:
    case LIBUSB_ERROR_NOT_FOUND:
    case LIBUSB_ERROR_NOT_SUPPORTED:
    case LIBUSB_ERROR_OTHER:
        ours = HEARTH_ERROR_UNSUPPORTED;
        break;
    case LIBUSB_SUCCESS:
    case LIBUSB_ERROR_INVALID_PARAM:
    case LIBUSB_ERROR_BUSY:
    case LIBUSB_ERROR_TIMEOUT:
    case LIBUSB_ERROR_OVERFLOW:
    case LIBUSB_ERROR_PIPE:
    case LIBUSB_ERROR_INTERRUPTED:
        break;
    }
    g_set_error(error, HEARTH_ERROR, ours, "USB devices cannot be watched here: %s",
                libusb_strerror(code));
    return FALSE;
}

static gboolean register_callback(HearthUsbWatch *watch, GError **error)
{
    const libusb_hotplug_event BOTH = (libusb_hotplug_event)(LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED |
                                                             LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT);
    if (!libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG))
        return set_usb_error(error, LIBUSB_ERROR_NOT_SUPPORTED);
    int result = libusb_hotplug_register_callback(
        watch->usb, BOTH, LIBUSB_HOTPLUG_ENUMERATE, LIBUSB_HOTPLUG_MATCH_ANY,
        LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY, note_event, watch, &watch->callback);
    return result == LIBUSB_SUCCESS || set_usb_error(error, result);
}

HearthUsbWatch *hearth_usb_watch_start(HearthMonitorInbox *inbox, GError **error)
{
    libusb_context *usb;
    int result = libusb_init(&usb);
    if (result != LIBUSB_SUCCESS) {
        set_usb_error(error, result);
        return NULL;
    }
    HearthUsbWatch *watch = g_new0(HearthUsbWatch, 1);
    watch->usb = usb;
    watch->inbox = hearth_monitor_inbox_ref(inbox);
    g_mutex_init(&watch->lock);
    g_queue_init(&watch->noted);
    g_queue_init(&watch->looking);
    if (register_callback(watch, error))
        watch->thread = g_thread_try_new("hearth-usb", turn_events, watch, error);
    if (watch->thread)
        return watch;
    hearth_usb_watch_stop(watch);
    return NULL;
}

void hearth_usb_watch_stop(HearthUsbWatch *watch)
{
    if (!watch)
        return;
    g_atomic_int_set(&watch->stopping, TRUE);
    if (watch->callback)
        libusb_hotplug_deregister_callback(watch->usb, watch->callback);
    libusb_interrupt_event_handler(watch->usb);
    if (watch->thread)
        g_thread_join(watch->thread);
    g_queue_clear_full(&watch->noted, note_free);
    g_queue_clear_full(&watch->looking, note_free);
    libusb_exit(watch->usb);
    hearth_monitor_inbox_unref(watch->inbox);
    g_mutex_clear(&watch->lock);
    g_free(watch);
}

/* The device at `bus`, `number` of a list; NULL if it is not there. */
static HearthDevice *look_for(libusb_context *usb, guint bus, guint number, gboolean *ret_there)
{
    libusb_device **devices;
    HearthDevice *found = NULL;
    ssize_t count = libusb_get_device_list(usb, &devices);
    for (ssize_t i = 0; i < count; i++)
        if (libusb_get_bus_number(devices[i]) == bus &&
            libusb_get_device_address(devices[i]) == number) {
            *ret_there = TRUE;
            found = look_at(devices[i], FALSE);
        }
    if (count >= 0)
        libusb_free_device_list(devices, 1);
    return found;
}

HearthDevice *hearth_device_from_usb(const char *place, GError **error)
{
    libusb_context *usb;
    guint bus, number;
    char rest;
    gboolean there = FALSE;
    if (sscanf(place, "%3u,%3u%c", &bus, &number, &rest) != 2) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "\"usb:%s\" is not usb:BUS,DEV",
                    place);
        return NULL;
    }
    int result = libusb_init(&usb);
    if (result != LIBUSB_SUCCESS) {
        set_usb_error(error, result);
        return NULL;
    }
    HearthDevice *found = look_for(usb, bus, number, &there);
    libusb_exit(usb);
    if (!found)
        g_set_error(error, HEARTH_ERROR, there ? HEARTH_ERROR_UNSUPPORTED : HEARTH_ERROR_NOT_FOUND,
                    there ? "usb:%s is not a camera, a phone or a player"
                          : "nothing is plugged in at usb:%s",
                    place);
    return found;
}
