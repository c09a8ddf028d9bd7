#include "tests/rigs/simulator/usb-descriptors.h"

#include "tests/rigs/simulator/usb-pipe.h"

#include <errno.h>
#include <linux/usb/ch9.h>
#include <string.h>

/* Numbers that stand in no table of libgphoto2 or libmtp: the device must be known by its class. */
#define VENDOR_ID 0x1209
#define PRODUCT_PTP 0x4801
#define PRODUCT_MTP 0x4802
#define PRODUCT_PLAYER 0x4803

#define STRING_VENDOR 1
#define STRING_MODEL 2
#define STRING_SERIAL 3
#define STRING_INTERFACE 4
#define STRING_MICROSOFT 0xee
/* Request by which the host asks for the compatible id; ours to choose. */
#define MICROSOFT_REQUEST 0x4d
#define MICROSOFT_COMPATIBLE_ID 4

#define REQUEST_DEVICE_STATUS 0x67

static guint16 product(const SimIdentity *identity)
{
    if (identity->persona == SIM_PERSONA_PTP)
        return PRODUCT_PTP;
    return identity->vendor_class ? PRODUCT_PLAYER : PRODUCT_MTP;
}

static void put_endpoint(GByteArray *out, guint8 address, guint8 attributes, guint16 packet,
                         guint8 interval)
{
    sim_put_u8(out, USB_DT_ENDPOINT_SIZE);
    sim_put_u8(out, USB_DT_ENDPOINT);
    sim_put_u8(out, address);
    sim_put_u8(out, attributes);
    sim_put_u16(out, packet);
    sim_put_u8(out, interval);
}

static void put_interface(GByteArray *out, const SimIdentity *identity)
{
    const guint8 still_image[] = {USB_CLASS_STILL_IMAGE, 1, 1};
    const guint8 own[] = {USB_CLASS_VENDOR_SPEC, 0xff, 0};

    sim_put_u8(out, USB_DT_INTERFACE_SIZE);
    sim_put_u8(out, USB_DT_INTERFACE);
    sim_put_u8(out, 0); /* number */
    sim_put_u8(out, 0); /* alternate setting */
    sim_put_u8(out, 3); /* endpoints */
    g_byte_array_append(out, identity->vendor_class ? own : still_image, sizeof own);
    sim_put_u8(out, identity->persona == SIM_PERSONA_MTP ? STRING_INTERFACE : 0);
    put_endpoint(out, SIM_USB_BULK_IN, USB_ENDPOINT_XFER_BULK, SIM_USB_PACKET, 0);
    put_endpoint(out, SIM_USB_BULK_OUT, USB_ENDPOINT_XFER_BULK, SIM_USB_PACKET, 0);
    put_endpoint(out, SIM_USB_INTERRUPT_IN, USB_ENDPOINT_XFER_INT, 28, 9);
}

GByteArray *sim_usb_descriptors(const SimIdentity *identity)
{
    GByteArray *out = g_byte_array_new();

    sim_put_u8(out, USB_DT_DEVICE_SIZE);
    sim_put_u8(out, USB_DT_DEVICE);
    sim_put_u16(out, 0x0200); /* USB 2 */
    sim_put_u8(out, 0);       /* class, subclass and protocol: by interface */
    sim_put_u8(out, 0);
    sim_put_u8(out, 0);
    sim_put_u8(out, 64);
    sim_put_u16(out, VENDOR_ID);
    sim_put_u16(out, product(identity));
    sim_put_u16(out, 0x0100);
    sim_put_u8(out, STRING_VENDOR);
    sim_put_u8(out, STRING_MODEL);
    sim_put_u8(out, STRING_SERIAL);
    sim_put_u8(out, 1); /* configurations */

    sim_put_u8(out, USB_DT_CONFIG_SIZE);
    sim_put_u8(out, USB_DT_CONFIG);
    sim_put_u16(out, USB_DT_CONFIG_SIZE + USB_DT_INTERFACE_SIZE + 3 * USB_DT_ENDPOINT_SIZE);
    sim_put_u8(out, 1);    /* interfaces */
    sim_put_u8(out, 1);    /* its value */
    sim_put_u8(out, 0);    /* no name */
    sim_put_u8(out, 0xc0); /* powered by itself */
    sim_put_u8(out, 1);    /* 2 mA */
    put_interface(out, identity);
    return out;
}

static gssize answer(const SimUsbSetup *setup, guint8 *room, const void *data, gsize size)
{
    size = MIN(size, setup->length);
    memcpy(room, data, size);
    return size;
}

/** (transfer none) */
static const char *string_of(const SimIdentity *identity, guint8 number)
{
    switch (number) {
    case STRING_VENDOR:
        return "Hearth";
    case STRING_MODEL:
        return identity->model;
    case STRING_SERIAL:
        return identity->serial;
    case STRING_INTERFACE:
        return "MTP";
    case STRING_MICROSOFT:
        return identity->persona == SIM_PERSONA_MTP ? "MSFT100M" : NULL;
    default:
        return NULL;
    }
}

static gssize string_descriptor(const SimIdentity *identity, const SimUsbSetup *setup, guint8 *room)
{
    static const guint8 languages[] = {4, USB_DT_STRING, 0x09, 0x04}; /* English */
    guint8 number = setup->value & 0xff;
    const char *text = string_of(identity, number);
    g_autoptr(GByteArray) out = g_byte_array_new();
    SimText units;

    if (number == 0)
        return answer(setup, room, languages, sizeof languages);
    if (text == NULL)
        return -EPIPE;
    units = sim_text_from_utf8(text);
    if (number == STRING_MICROSOFT)
        units.units[units.length - 1] = MICROSOFT_REQUEST;
    sim_put_u8(out, 2 + 2 * units.length);
    sim_put_u8(out, USB_DT_STRING);
    for (gsize i = 0; i < units.length; i++)
        sim_put_u16(out, units.units[i]);
    sim_text_clear(&units);
    return answer(setup, room, out->data, out->len);
}

static gssize standard_request(const SimIdentity *identity, const SimUsbSetup *setup, guint8 *room)
{
    static const guint8 configuration[] = {1};
    static const guint8 status[2] = {0, 0};
    g_autoptr(GByteArray) all = NULL;

    switch (setup->request) {
    case USB_REQ_GET_CONFIGURATION:
        return answer(setup, room, configuration, sizeof configuration);
    case USB_REQ_GET_STATUS:
        return answer(setup, room, status, sizeof status);
    case USB_REQ_GET_DESCRIPTOR:
        all = sim_usb_descriptors(identity);
        if (setup->value >> 8 == USB_DT_STRING)
            return string_descriptor(identity, setup, room);
        if (setup->value >> 8 == USB_DT_DEVICE)
            return answer(setup, room, all->data, USB_DT_DEVICE_SIZE);
        if (setup->value >> 8 == USB_DT_CONFIG)
            return answer(setup, room, all->data + USB_DT_DEVICE_SIZE,
                          all->len - USB_DT_DEVICE_SIZE);
        return -EPIPE;
    default:
        return -EPIPE;
    }
}

static gssize compatible_id(const SimUsbSetup *setup, guint8 *room)
{
    guint8 id[40] = {sizeof id, 0, 0, 0, 0, 1, MICROSOFT_COMPATIBLE_ID, 0, 1};

    id[17] = 1;
    memcpy(id + 18, "MTP", 3);
    return answer(setup, room, id, sizeof id);
}

gssize sim_usb_control_in(const SimIdentity *identity, const SimUsbSetup *setup, guint8 *room)
{
    static const guint8 ready[] = {4, 0, 0x01, 0x20};

    switch (setup->type & USB_TYPE_MASK) {
    case USB_TYPE_STANDARD:
        return standard_request(identity, setup, room);
    case USB_TYPE_CLASS:
        if (setup->request == REQUEST_DEVICE_STATUS)
            return answer(setup, room, ready, sizeof ready);
        return -EPIPE;
    case USB_TYPE_VENDOR:
        if (identity->persona == SIM_PERSONA_MTP && setup->request == MICROSOFT_REQUEST &&
            setup->index == MICROSOFT_COMPATIBLE_ID)
            return compatible_id(setup, room);
        return -EPIPE;
    default:
        return -EPIPE;
    }
}

char *sim_usb_sysfs(const SimIdentity *identity, guint port, guint bus, guint address)
{
    g_autoptr(GByteArray) descriptors = sim_usb_descriptors(identity);
    g_autoptr(GString) hex = g_string_new(NULL);
    gboolean mtp = identity->persona == SIM_PERSONA_MTP;

    for (guint i = 0; i < descriptors->len; i++)
        g_string_append_printf(hex, "%02x", descriptors->data[i]);
    return g_strdup_printf(
        "P: /devices/usb%u/%u-%u\nN: bus/usb/%03u/%03u\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n"
        "E: DRIVER=usb\nE: BUSNUM=%03u\nE: DEVNUM=%03u\nE: DEVNAME=/dev/bus/usb/%03u/%03u\n"
        "E: ID_SERIAL_SHORT=%s\nE: ID_MODEL=%s\n%s"
        "A: busnum=%u\\n\nA: devnum=%u\\n\nA: bConfigurationValue=1\\n\nA: speed=480\\n\n"
        "A: idVendor=%04x\\n\nA: idProduct=%04x\\n\nA: serial=%s\\n\nA: product=%s\\n\n"
        "A: manufacturer=Hearth\\n\nH: descriptors=%s\n",
        bus, bus, port, bus, address, bus, address, bus, address, identity->serial, identity->model,
        mtp ? "E: ID_MTP_DEVICE=1\nE: ID_MEDIA_PLAYER=1\n"
            : "E: ID_GPHOTO2=1\nE: GPHOTO2_DRIVER=PTP\n",
        bus, address, VENDOR_ID, product(identity), identity->serial, identity->model, hex->str);
}
