#include "tests/rigs/simulator/usb-pipe.h"

#include "tests/rigs/simulator/ptp-codes.h"

#include <errno.h>
#include <string.h>

enum { CONTAINER_COMMAND = 1, CONTAINER_DATA = 2, CONTAINER_RESPONSE = 3, CONTAINER_EVENT = 4 };

/* Length, type, code and transaction. Bytes. */
#define HEADER_BYTES 12
#define LENGTH_UNKNOWN 0xffffffff

/**
 * States of the pipe:
 *
 *   IDLE --command--> AWAIT_DATA (it sends data) --data--> IN_DATA or IN_RESPONSE
 *   IDLE --command--> IN_DATA (reply has data) or IN_RESPONSE
 *   IN_DATA --all read--> IN_RESPONSE --all read--> IDLE
 *
 * A container that fills its last packet is followed by an empty one: `empty_packet`.
 */
typedef enum { IDLE, AWAIT_DATA, IN_DATA, IN_RESPONSE } PipeState;

struct SimUsbPipe {
    SimDevice *device; /* (unowned) */
    PipeState state;
    SimOperation operation;
    GByteArray *received; /* data of the host, with its header, while AWAIT_DATA */
    guint64 expected;     /* bytes of `received`, header included */
    SimReply *reply;
    guint64 position; /* in the container that is being sent */
    gboolean empty_packet;
    gboolean halted;
};

SimUsbPipe *sim_usb_pipe_new(SimDevice *device)
{
    SimUsbPipe *pipe = g_new0(SimUsbPipe, 1);

    pipe->device = device;
    pipe->received = g_byte_array_new();
    return pipe;
}

void sim_usb_pipe_free(SimUsbPipe *pipe)
{
    if (pipe == NULL)
        return;
    g_byte_array_unref(pipe->received);
    sim_reply_free(pipe->reply);
    g_free(pipe);
}

void sim_usb_pipe_reset(SimUsbPipe *pipe)
{
    pipe->state = IDLE;
    pipe->empty_packet = FALSE;
    pipe->halted = FALSE;
    g_byte_array_set_size(pipe->received, 0);
    g_clear_pointer(&pipe->reply, sim_reply_free);
}

void sim_usb_pipe_clear_halt(SimUsbPipe *pipe)
{
    if (pipe->halted)
        sim_usb_pipe_reset(pipe);
}

static void put_header(GByteArray *out, guint32 length, guint16 type, guint16 code, guint32 id)
{
    sim_put_u32(out, length);
    sim_put_u16(out, type);
    sim_put_u16(out, code);
    sim_put_u32(out, id);
}

static void run(SimUsbPipe *pipe, GByteArray *data)
{
    g_clear_pointer(&pipe->reply, sim_reply_free);
    pipe->reply = sim_responder_handle(sim_device_responder(pipe->device), &pipe->operation, data);
    pipe->position = 0;
    pipe->state = pipe->reply->has_data ? IN_DATA : IN_RESPONSE;
}

static void take_command(SimUsbPipe *pipe, const guint8 *data, gsize size)
{
    SimReader reader = sim_reader_over(data, size);

    sim_usb_pipe_reset(pipe);
    memset(&pipe->operation, 0, sizeof pipe->operation);
    sim_skip(&reader, sizeof(guint32) + sizeof(guint16));
    pipe->operation.code = sim_get_u16(&reader);
    pipe->operation.transaction = sim_get_u32(&reader);
    while (reader.at < reader.end && pipe->operation.count < G_N_ELEMENTS(pipe->operation.params))
        pipe->operation.params[pipe->operation.count++] = sim_get_u32(&reader);
    if (sim_operation_sends_data(pipe->operation.code)) {
        pipe->state = AWAIT_DATA;
        pipe->expected = 0;
    } else {
        run(pipe, NULL);
    }
}

static void take_data(SimUsbPipe *pipe, const guint8 *data, gsize size)
{
    SimReader reader = sim_reader_over(data, size);

    g_byte_array_append(pipe->received, data, size);
    if (pipe->expected == 0)
        pipe->expected = sim_get_u32(&reader);
    if (pipe->received->len < pipe->expected && size % SIM_USB_PACKET == 0 && size > 0)
        return;
    g_byte_array_remove_range(pipe->received, 0, MIN(HEADER_BYTES, pipe->received->len));
    run(pipe, pipe->received);
    g_byte_array_set_size(pipe->received, 0);
}

void sim_usb_pipe_write(SimUsbPipe *pipe, const guint8 *data, gsize size)
{
    if (pipe->state == AWAIT_DATA)
        take_data(pipe, data, size);
    else if (size >= HEADER_BYTES)
        take_command(pipe, data, size);
}

/** The bytes of the response container from `position` on. */
static gsize read_response(SimUsbPipe *pipe, guint8 *room, gsize size, guint64 *total)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    const SimReply *reply = pipe->reply;

    *total = HEADER_BYTES + reply->count * sizeof(guint32);
    put_header(out, *total, CONTAINER_RESPONSE, reply->code, reply->transaction);
    for (guint i = 0; i < reply->count; i++)
        sim_put_u32(out, reply->params[i]);
    size = MIN(size, out->len - pipe->position);
    memcpy(room, out->data + pipe->position, size);
    return size;
}

static gsize read_data(SimUsbPipe *pipe, guint8 *room, gsize size, guint64 *total)
{
    g_autoptr(GByteArray) header = g_byte_array_new();
    SimReply *reply = pipe->reply;
    guint64 length = reply->announced + HEADER_BYTES;
    gsize from_header = 0;

    *total = reply->size + HEADER_BYTES;
    size = MIN(size, *total - pipe->position);
    put_header(header, MIN(length, LENGTH_UNKNOWN), CONTAINER_DATA, pipe->operation.code,
               reply->transaction);
    if (pipe->position < HEADER_BYTES) {
        from_header = MIN(size, HEADER_BYTES - pipe->position);
        memcpy(room, header->data + pipe->position, from_header);
    }
    if (size > from_header)
        sim_reply_read(reply, pipe->position + from_header - HEADER_BYTES, room + from_header,
                       size - from_header);
    return size;
}

/** One container's next piece; moves on when it is through. */
static gssize read_container(SimUsbPipe *pipe, guint8 *room, gsize size)
{
    guint64 total = 0;
    gsize got = pipe->state == IN_DATA ? read_data(pipe, room, size, &total)
                                       : read_response(pipe, room, size, &total);

    pipe->position += got;
    if (pipe->position < total)
        return got;
    pipe->empty_packet = total % SIM_USB_PACKET == 0 && got == size;
    pipe->position = 0;
    pipe->state = pipe->state == IN_DATA ? IN_RESPONSE : IDLE;
    return got;
}

gssize sim_usb_pipe_read(SimUsbPipe *pipe, guint8 *room, gsize size)
{
    SimFaults *faults = sim_device_faults(pipe->device);
    gssize got;

    if (faults->hang)
        return -EAGAIN;
    if (pipe->empty_packet) {
        pipe->empty_packet = FALSE;
        return 0;
    }
    if (faults->stall && pipe->state != IDLE) {
        faults->stall = FALSE;
        pipe->halted = TRUE;
    }
    if (pipe->halted)
        return -EPIPE;
    if (pipe->state != IN_DATA && pipe->state != IN_RESPONSE)
        return -EAGAIN;
    if (pipe->state == IN_DATA &&
        faults->fail_after < MIN(size, pipe->reply->size + HEADER_BYTES - pipe->position))
        return -ESHUTDOWN;
    got = read_container(pipe, room, size);
    if (faults->fail_after != G_MAXUINT64)
        faults->fail_after -= MIN(faults->fail_after, (guint64)got);
    return got;
}

GBytes *sim_usb_event_container(guint16 code, guint32 param)
{
    GByteArray *out = g_byte_array_new();

    put_header(out, HEADER_BYTES + sizeof param, CONTAINER_EVENT, code, 0);
    sim_put_u32(out, param);
    return g_byte_array_free_to_bytes(out);
}
