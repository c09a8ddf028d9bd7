#include "tests/rigs/simulator/usb-claim.h"

/* Before linux/usbdevice_fs.h, whose macros need _IOR and its kin. */
#include <sys/ioctl.h>

#include "tests/rigs/simulator/usb-descriptors.h"
#include "tests/rigs/simulator/usb-pipe.h"

#include <errno.h>
#include <linux/usb/ch9.h>
#include <linux/usbdevice_fs.h>
#include <string.h>

/*
 * Each program that opened the device node is an Opener. An URB goes from `waiting` (all openers',
 * in the order they came) to its opener's `done`, from where it is reaped.
 *
 * The node is a plain file, for which poll() is always ready, so libusb asks for finished URBs in a
 * circle. A question that finds none is answered only after a while, or when one is done; and a later
 * one after a longer while, or a program would look busy that waits for a device that hangs.
 */
#define PATIENCE_FIRST_MS 1
#define PATIENCE_LAST_MS 256
#define PATIENCE_GROWTH 4
/*
 * That a program died while its question was held shows nowhere. So when another one claims the
 * interface, one that has URBs under way and asked nothing for so long is taken for dead, also if it
 * only waits: nothing here has two programs at a device that hangs.
 */
#define SILENCE_US 10000

#define SETUP_BYTES sizeof(struct usb_ctrlrequest)

typedef struct {
    UMockdevIoctlClient *client; /* owned; also the key */
    gboolean claims;
    gboolean asks;        /* a reap waits for its answer */
    gboolean dead;        /* its memory is gone */
    gboolean just_reaped; /* the next question without an answer need not wait */
    gint64 last_asked;    /* monotonic, microseconds */
    GSource *patience;
    guint patience_ms; /* of the next question */
    GQueue done;       /* element-type Urb */
} Opener;

typedef struct {
    Opener *opener;            /* (unowned) */
    UMockdevIoctlData *data;   /* the host's struct usbdevfs_urb */
    UMockdevIoctlData *buffer; /* (nullable) */
} Urb;

struct SimUsbClaim {
    SimDevice *device; /* (unowned) */
    UMockdevIoctlBase *handler;
    SimUsbPipe *pipe;
    GPtrArray *openers;    /* element-type Opener */
    GQueue waiting;        /* element-type Urb */
    GQueue events;         /* element-type GBytes */
    GMainContext *context; /* umockdev's; known from the first ioctl on */
    gboolean gone;
};

static struct usbdevfs_urb *urb_of(Urb *urb)
{
    return (struct usbdevfs_urb *)urb->data->data;
}

static void urb_free(gpointer data)
{
    Urb *urb = data;

    g_object_unref(urb->data);
    g_clear_object(&urb->buffer);
    g_free(urb);
}

/**
 * A client whose program died while we answered it stays open for ever, and umockdev says that it is
 * a critical error to free an open one, which ends a test program. So that one is kept.
 */
static void client_unref(UMockdevIoctlClient *client)
{
    if (!umockdev_ioctl_client_get_connected(client))
        g_object_unref(client);
}

static void opener_free(gpointer data)
{
    Opener *opener = data;

    if (opener->patience != NULL)
        g_source_destroy(opener->patience);
    g_clear_pointer(&opener->patience, g_source_unref);
    g_queue_clear_full(&opener->done, urb_free);
    client_unref(opener->client);
    g_free(opener);
}

static void finish(UMockdevIoctlClient *client, int errnum)
{
    umockdev_ioctl_client_complete(client, errnum ? -1 : 0, errnum);
}

/** Answers the opener's question for a finished URB: with one, or with "none". */
static void answer_reap(SimUsbClaim *claim, Opener *opener)
{
    UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(opener->client);
    g_autoptr(UMockdevIoctlData) place = NULL;
    Urb *urb = g_queue_pop_head(&opener->done);

    opener->asks = FALSE;
    opener->just_reaped = urb != NULL;
    opener->patience_ms = urb != NULL
                              ? PATIENCE_FIRST_MS
                              : MIN(opener->patience_ms * PATIENCE_GROWTH, PATIENCE_LAST_MS);
    if (urb == NULL) {
        finish(opener->client, claim->gone ? ENODEV : EAGAIN);
        return;
    }
    place = umockdev_ioctl_data_resolve(arg, 0, sizeof(gpointer), NULL);
    opener->dead = place == NULL;
    if (place != NULL)
        umockdev_ioctl_data_set_ptr(place, 0, urb->data);
    finish(opener->client, place != NULL ? 0 : EFAULT);
    urb_free(urb);
}

static void urb_finish(SimUsbClaim *claim, Urb *urb, int status, gsize actual)
{
    Opener *opener = urb->opener;

    urb_of(urb)->status = status;
    urb_of(urb)->actual_length = actual;
    g_queue_push_tail(&opener->done, urb);
    if (opener->asks)
        answer_reap(claim, opener);
}

static void pull_all(SimUsbClaim *claim)
{
    Urb *urb;

    claim->gone = TRUE;
    while ((urb = g_queue_pop_head(&claim->waiting)) != NULL)
        urb_finish(claim, urb, -ESHUTDOWN, 0);
    for (guint i = 0; i < claim->openers->len; i++) {
        Opener *opener = claim->openers->pdata[i];

        if (opener->asks)
            answer_reap(claim, opener);
    }
}

static gssize serve_control(SimUsbClaim *claim, Urb *urb)
{
    const struct usb_ctrlrequest *raw = (const struct usb_ctrlrequest *)urb->buffer->data;
    SimUsbSetup setup = {raw->bRequestType, raw->bRequest, GUINT16_FROM_LE(raw->wValue),
                         GUINT16_FROM_LE(raw->wIndex), GUINT16_FROM_LE(raw->wLength)};

    if (urb_of(urb)->buffer_length < (int)(SETUP_BYTES + setup.length))
        return -EPIPE;
    if (setup.type & USB_DIR_IN)
        return sim_usb_control_in(sim_device_identity(claim->device), &setup,
                                  urb->buffer->data + SETUP_BYTES);
    /* Cancel and reset of the Still Image class end what was going on. */
    if ((setup.type & USB_TYPE_MASK) == USB_TYPE_CLASS)
        sim_usb_pipe_reset(claim->pipe);
    return 0;
}

static gssize serve_interrupt(SimUsbClaim *claim, Urb *urb)
{
    g_autoptr(GBytes) event = g_queue_pop_head(&claim->events);
    gsize size;

    if (event == NULL)
        return -EAGAIN;
    size = MIN(g_bytes_get_size(event), (gsize)urb_of(urb)->buffer_length);
    memcpy(urb->buffer->data, g_bytes_get_data(event, NULL), size);
    return size;
}

/** Count of bytes carried, a negative errno the URB ends with, or -EAGAIN: later. */
static gssize serve(SimUsbClaim *claim, Urb *urb)
{
    gsize size = urb_of(urb)->buffer_length;

    if (sim_device_faults(claim->device)->hang)
        return -EAGAIN;
    if (urb->buffer == NULL && size > 0)
        return -EFAULT;
    if (urb_of(urb)->type == USBDEVFS_URB_TYPE_CONTROL)
        return size < SETUP_BYTES ? -EPIPE : serve_control(claim, urb);
    switch (urb_of(urb)->endpoint) {
    case SIM_USB_INTERRUPT_IN:
        return serve_interrupt(claim, urb);
    case SIM_USB_BULK_IN:
        return sim_usb_pipe_read(claim->pipe, urb->buffer ? urb->buffer->data : NULL, size);
    case SIM_USB_BULK_OUT:
        sim_usb_pipe_write(claim->pipe, urb->buffer ? urb->buffer->data : NULL, size);
        return size;
    default:
        return -EPIPE;
    }
}

void sim_usb_claim_go_on(SimUsbClaim *claim)
{
    GList *next;

    for (GList *link = claim->waiting.head; link != NULL && !claim->gone; link = next) {
        Urb *urb = link->data;
        gssize got = serve(claim, urb);

        next = link->next;
        if (got == -EAGAIN)
            continue;
        if (got == -ESHUTDOWN) {
            sim_device_unplug(claim->device);
            return;
        }
        g_queue_delete_link(&claim->waiting, link);
        urb_finish(claim, urb, got < 0 ? got : 0, MAX(got, 0));
        /* A command that went out may have made an answer for what waited before it. */
        next = claim->waiting.head;
    }
}

static void submit(SimUsbClaim *claim, Opener *opener)
{
    UMockdevIoctlClient *client = opener->client;
    UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(client);
    Urb *urb = g_new0(Urb, 1);

    urb->opener = opener;
    urb->data = umockdev_ioctl_data_resolve(arg, 0, sizeof(struct usbdevfs_urb), NULL);
    if (urb->data == NULL) {
        g_free(urb);
        finish(client, EFAULT);
        return;
    }
    if (urb_of(urb)->buffer_length > 0)
        urb->buffer =
            umockdev_ioctl_data_resolve(urb->data, G_STRUCT_OFFSET(struct usbdevfs_urb, buffer),
                                        urb_of(urb)->buffer_length, NULL);
    g_queue_push_tail(&claim->waiting, urb);
    /* The host may go on before its URB is served: else the bytes would cross twice. */
    finish(client, 0);
    sim_usb_claim_go_on(claim);
}

static void discard(SimUsbClaim *claim, Opener *opener)
{
    gulong address = *(gulong *)umockdev_ioctl_client_get_arg(opener->client)->data;

    for (GList *link = claim->waiting.head; link != NULL; link = link->next) {
        Urb *urb = link->data;

        if (urb->opener == opener && urb->data->client_addr == address) {
            g_queue_delete_link(&claim->waiting, link);
            finish(opener->client, 0);
            urb_finish(claim, urb, -ENOENT, 0);
            return;
        }
    }
    finish(opener->client, EINVAL);
}

static gboolean patience_ends(gpointer data)
{
    SimUsbClaim *claim = ((gpointer *)data)[0];
    Opener *opener = ((gpointer *)data)[1];

    sim_device_lock(claim->device);
    if (!g_source_is_destroyed(g_main_current_source()) && opener->asks)
        answer_reap(claim, opener);
    sim_device_unlock(claim->device);
    return G_SOURCE_REMOVE;
}

static void reap(SimUsbClaim *claim, Opener *opener)
{
    gpointer *closure;

    opener->asks = TRUE;
    if (!g_queue_is_empty(&opener->done) || opener->just_reaped || claim->gone) {
        answer_reap(claim, opener);
        return;
    }
    if (opener->patience != NULL)
        g_source_destroy(opener->patience);
    g_clear_pointer(&opener->patience, g_source_unref);
    closure = g_new(gpointer, 2);
    closure[0] = claim;
    closure[1] = opener;
    opener->patience = g_timeout_source_new(opener->patience_ms);
    g_source_set_callback(opener->patience, patience_ends, closure, g_free);
    g_source_attach(opener->patience, claim->context);
}

static gboolean has_urbs(SimUsbClaim *claim, const Opener *opener)
{
    for (GList *link = claim->waiting.head; link != NULL; link = link->next)
        if (((Urb *)link->data)->opener == opener)
            return TRUE;
    return !g_queue_is_empty((GQueue *)&opener->done);
}

static void forget_opener(SimUsbClaim *claim, guint where);

static gboolean is_dead(SimUsbClaim *claim, const Opener *opener)
{
    return opener->dead || !umockdev_ioctl_client_get_connected(opener->client) ||
           (has_urbs(claim, opener) && g_get_monotonic_time() - opener->last_asked > SILENCE_US);
}

/** Nobody tells when a program closes the node or dies. */
static void bury_dead(SimUsbClaim *claim, const Opener *living)
{
    for (guint i = claim->openers->len; i-- > 0;)
        if (claim->openers->pdata[i] != living && is_dead(claim, claim->openers->pdata[i]))
            forget_opener(claim, i);
}

static int claim_interface(SimUsbClaim *claim, Opener *opener)
{
    bury_dead(claim, opener);
    for (guint i = 0; i < claim->openers->len; i++) {
        const Opener *other = claim->openers->pdata[i];

        if (other != opener && other->claims)
            return EBUSY;
    }
    if (sim_device_faults(claim->device)->busy)
        return EBUSY;
    opener->claims = TRUE;
    return 0;
}

static int release_interface(Opener *opener)
{
    if (!opener->claims)
        return EINVAL;
    opener->claims = FALSE;
    return 0;
}

static int capabilities(Opener *opener)
{
    UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(opener->client);
    g_autoptr(UMockdevIoctlData) word = umockdev_ioctl_data_resolve(arg, 0, sizeof(guint32), NULL);

    if (word == NULL)
        return EFAULT;
    *(guint32 *)word->data = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                             USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
    return 0;
}

static int reset_device(SimUsbClaim *claim)
{
    sim_usb_pipe_reset(claim->pipe);
    sim_responder_reset(sim_device_responder(claim->device));
    return 0;
}

/** The ioctls that are answered at once: an errno. */
static int simple_ioctl(SimUsbClaim *claim, Opener *opener, gulong request)
{
    switch (request) {
    case USBDEVFS_GET_CAPABILITIES:
        return capabilities(opener);
    case USBDEVFS_CLAIMINTERFACE:
        return claim_interface(claim, opener);
    case USBDEVFS_RELEASEINTERFACE:
        return release_interface(opener);
    case USBDEVFS_SETINTERFACE:
    case USBDEVFS_SETCONFIGURATION:
        return 0;
    case USBDEVFS_CLEAR_HALT:
        sim_usb_pipe_clear_halt(claim->pipe);
        return 0;
    case USBDEVFS_RESET:
        return reset_device(claim);
    case USBDEVFS_GETDRIVER:
    case USBDEVFS_IOCTL:
        return ENODATA; /* no driver of the kernel's holds it */
    default:
        return ENOTTY;
    }
}

static void dispatch(SimUsbClaim *claim, Opener *opener, gulong request)
{
    opener->last_asked = g_get_monotonic_time();
    /* It does something else than wait. */
    if (request != USBDEVFS_REAPURB && request != USBDEVFS_REAPURBNDELAY)
        opener->patience_ms = PATIENCE_FIRST_MS;
    if (request == USBDEVFS_REAPURB || request == USBDEVFS_REAPURBNDELAY)
        reap(claim, opener);
    else if (claim->gone)
        finish(opener->client, ENODEV);
    else if (request == USBDEVFS_SUBMITURB)
        submit(claim, opener);
    else if (request == USBDEVFS_DISCARDURB)
        discard(claim, opener);
    else
        finish(opener->client, simple_ioctl(claim, opener, request));
}

static Opener *find_opener(SimUsbClaim *claim, UMockdevIoctlClient *client, guint *where)
{
    for (guint i = 0; i < claim->openers->len; i++) {
        Opener *opener = claim->openers->pdata[i];

        if (opener->client == client) {
            *where = i;
            return opener;
        }
    }
    return NULL;
}

/** The program closed the node, or died. The device keeps its session, as real ones do. */
static void forget_opener(SimUsbClaim *claim, guint where)
{
    Opener *opener = claim->openers->pdata[where];
    GList *next;

    for (GList *link = claim->waiting.head; link != NULL; link = next) {
        next = link->next;
        if (((Urb *)link->data)->opener == opener) {
            urb_free(link->data);
            g_queue_delete_link(&claim->waiting, link);
        }
    }
    if (opener->claims)
        sim_usb_pipe_reset(claim->pipe);
    /* One that was only slow, and taken for dead, must not wait for ever. */
    if (opener->asks)
        finish(opener->client, ENODEV);
    g_ptr_array_remove_index(claim->openers, where);
}

static Opener *opener_for(SimUsbClaim *claim, UMockdevIoctlClient *client)
{
    guint where;
    Opener *opener = find_opener(claim, client, &where);

    if (opener != NULL)
        return opener;
    opener = g_new0(Opener, 1);
    opener->client = g_object_ref(client);
    opener->patience_ms = PATIENCE_FIRST_MS;
    g_queue_init(&opener->done);
    g_ptr_array_add(claim->openers, opener);
    return opener;
}

static gboolean handle_ioctl(UMockdevIoctlBase *handler, UMockdevIoctlClient *client,
                             SimUsbClaim *claim)
{
    sim_device_lock(claim->device);
    if (claim->context == NULL)
        claim->context = g_main_context_ref_thread_default();
    dispatch(claim, opener_for(claim, client), umockdev_ioctl_client_get_request(client));
    sim_device_unlock(claim->device);
    return TRUE;
}

SimUsbClaim *sim_usb_claim_new(SimDevice *device)
{
    SimUsbClaim *claim = g_new0(SimUsbClaim, 1);

    claim->device = device;
    claim->pipe = sim_usb_pipe_new(device);
    claim->openers = g_ptr_array_new_with_free_func(opener_free);
    g_queue_init(&claim->waiting);
    g_queue_init(&claim->events);
    claim->handler = umockdev_ioctl_base_new();
    g_signal_connect(claim->handler, "handle-ioctl", G_CALLBACK(handle_ioctl), claim);
    return claim;
}

void sim_usb_claim_free(SimUsbClaim *claim)
{
    if (claim == NULL)
        return;
    g_signal_handlers_disconnect_by_data(claim->handler, claim);
    g_queue_clear_full(&claim->waiting, urb_free);
    g_queue_clear_full(&claim->events, (GDestroyNotify)g_bytes_unref);
    g_ptr_array_unref(claim->openers);
    g_object_unref(claim->handler);
    sim_usb_pipe_free(claim->pipe);
    g_clear_pointer(&claim->context, g_main_context_unref);
    g_free(claim);
}

UMockdevIoctlBase *sim_usb_claim_handler(SimUsbClaim *claim)
{
    return claim->handler;
}

void sim_usb_claim_pull(SimUsbClaim *claim)
{
    pull_all(claim);
}

void sim_usb_claim_event(SimUsbClaim *claim, guint16 code, guint32 param)
{
    g_queue_push_tail(&claim->events, sim_usb_event_container(code, param));
    sim_usb_claim_go_on(claim);
}
