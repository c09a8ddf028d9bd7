#include "tests/rigs/simulator/usb-wire.h"

#include "tests/rigs/simulator/usb-claim.h"
#include "tests/rigs/simulator/usb-descriptors.h"

#include <umockdev.h>

#define BUS_NUMBER 1
/* The root hub has address 1; every plug takes the next, as the kernel does. */
#define FIRST_ADDRESS 2

struct SimUsbBus {
    UMockdevTestbed *testbed;
    GPtrArray *ports;   /* element-type SimUsbPort */
    guint next_address; /* under `lock` */
    GMutex lock;
};

typedef struct {
    SimUsbBus *bus;     /* (unowned) */
    SimDevice *device;  /* (unowned) */
    guint number;       /* from 1 */
    guint address;      /* 0: nothing plugged in */
    SimUsbClaim *claim; /* of the device that is plugged in, or was last */
    GPtrArray *past;    /* claims of earlier plugs: their clients may not have gone yet */
} SimUsbPort;

static char *node_of(guint address)
{
    return g_strdup_printf("/dev/bus/usb/%03u/%03u", BUS_NUMBER, address);
}

static char *syspath_of(SimUsbPort *port)
{
    return g_strdup_printf("/sys/devices/usb%u/%u-%u", BUS_NUMBER, BUS_NUMBER, port->number);
}

static gboolean port_plug(gpointer wire, GError **error)
{
    SimUsbPort *port = wire;
    const SimIdentity *identity = sim_device_identity(port->device);
    g_autofree char *sysfs = NULL;
    g_autofree char *node = NULL;

    if (port->address != 0)
        return TRUE;
    g_mutex_lock(&port->bus->lock);
    port->address = port->bus->next_address++;
    g_mutex_unlock(&port->bus->lock);
    node = node_of(port->address);
    sysfs = sim_usb_sysfs(identity, port->number, BUS_NUMBER, port->address);
    port->claim = sim_usb_claim_new(port->device);
    g_ptr_array_add(port->past, port->claim);
    /* Before the event of the new device is sent, it must be possible to open it. */
    return umockdev_testbed_attach_ioctl(port->bus->testbed, node,
                                         sim_usb_claim_handler(port->claim), error) &&
           umockdev_testbed_add_from_string(port->bus->testbed, sysfs, error);
}

static void port_unplug(gpointer wire)
{
    SimUsbPort *port = wire;
    g_autofree char *node = node_of(port->address);
    g_autofree char *syspath = syspath_of(port);

    if (port->address == 0)
        return;
    port->address = 0;
    sim_usb_claim_pull(port->claim);
    umockdev_testbed_uevent(port->bus->testbed, syspath, "remove");
    umockdev_testbed_detach_ioctl(port->bus->testbed, node, NULL);
    umockdev_testbed_remove_device(port->bus->testbed, syspath);
}

static void port_event(gpointer wire, guint16 code, guint32 param)
{
    SimUsbPort *port = wire;

    if (port->address != 0)
        sim_usb_claim_event(port->claim, code, param);
}

static void port_changed(gpointer wire)
{
    SimUsbPort *port = wire;

    if (port->address != 0)
        sim_usb_claim_go_on(port->claim);
}

static const SimWireFunctions port_functions = {port_plug, port_unplug, port_event, port_changed};

static void port_free(gpointer data)
{
    SimUsbPort *port = data;

    sim_device_unplug(port->device);
    sim_device_set_wire(port->device, NULL, NULL);
    g_ptr_array_unref(port->past);
    g_free(port);
}

static void add_root_hub(SimUsbBus *bus)
{
    umockdev_testbed_add_from_string(
        bus->testbed,
        "P: /devices/usb1\nN: bus/usb/001/001\nE: SUBSYSTEM=usb\n"
        "E: DEVTYPE=usb_device\nE: BUSNUM=001\nE: DEVNUM=001\n"
        "E: DEVNAME=/dev/bus/usb/001/001\nA: busnum=1\\n\n"
        "A: devnum=1\\n\nA: bConfigurationValue=1\\n\nA: speed=480\\n\n"
        "H: descriptors=12010002090001406b1d0200050100000001"
        "0902190001010000e0090400000109000000070581030400ff\n",
        NULL);
}

SimUsbBus *sim_usb_bus_new(void)
{
    SimUsbBus *bus = g_new0(SimUsbBus, 1);

    g_mutex_init(&bus->lock);
    bus->testbed = umockdev_testbed_new();
    bus->ports = g_ptr_array_new_with_free_func(port_free);
    bus->next_address = FIRST_ADDRESS;
    add_root_hub(bus);
    return bus;
}

void sim_usb_bus_free(SimUsbBus *bus)
{
    if (bus == NULL)
        return;
    for (guint i = 0; i < bus->ports->len; i++)
        sim_device_unplug(((SimUsbPort *)bus->ports->pdata[i])->device);
    /* Stops the thread that serves the claims, before they are freed. */
    g_object_unref(bus->testbed);
    g_ptr_array_unref(bus->ports);
    g_mutex_clear(&bus->lock);
    g_free(bus);
}

void sim_usb_bus_attach(SimUsbBus *bus, SimDevice *device)
{
    SimUsbPort *port = g_new0(SimUsbPort, 1);

    port->bus = bus;
    port->device = device;
    port->past = g_ptr_array_new_with_free_func((GDestroyNotify)sim_usb_claim_free);
    g_ptr_array_add(bus->ports, port);
    port->number = bus->ports->len;
    sim_device_set_wire(device, &port_functions, port);
}

char *sim_usb_bus_port_of(SimUsbBus *bus, SimDevice *device)
{
    for (guint i = 0; i < bus->ports->len; i++) {
        SimUsbPort *port = bus->ports->pdata[i];

        if (port->device == device && port->address != 0)
            return g_strdup_printf("usb:%03u,%03u", BUS_NUMBER, port->address);
    }
    return NULL;
}
