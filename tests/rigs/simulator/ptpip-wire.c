#include "tests/rigs/simulator/ptpip-wire.h"

#include "gateway/base/error.h"
#include "tests/rigs/simulator/listener.h"

#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* Types of packets (CIPA DC-005). */
enum {
    PACKET_INIT_COMMAND = 1,
    PACKET_INIT_COMMAND_ACK = 2,
    PACKET_INIT_EVENT = 3,
    PACKET_INIT_EVENT_ACK = 4,
    PACKET_REQUEST = 6,
    PACKET_RESPONSE = 7,
    PACKET_EVENT = 8,
    PACKET_START_DATA = 9,
    PACKET_DATA = 10,
    PACKET_END_DATA = 12,
    PACKET_PING = 13,
    PACKET_PONG = 14,
};

#define HEADER_BYTES 8
#define PTPIP_PORT 15740
/* Addresses tried before giving up. */
#define ADDRESS_TRIES 20
/* A packet of the host longer than this is refused. Bytes. */
#define PACKET_MAX (64 * 1024 * 1024)
/* Bytes of data per packet to the host. */
#define PIECE_BYTES (256 * 1024)
/* How often a frozen connection looks whether it may go on, or was cut. Microseconds. */
#define HANG_POLL_US 5000

struct SimPtpip {
    SimDevice *device; /* (unowned); its lock protects what follows */
    SimListener *listener;
    char *host;
    gboolean plugged;
    GSocketConnection *event; /* (nullable) (unowned) the one for events */
};

typedef struct {
    SimPtpip *server;
    GSocketConnection *connection;
    GInputStream *in;
    GOutputStream *out;
} Peer;

/** Blocks while the device hangs; FALSE when it was pulled. */
static gboolean may_go_on(SimPtpip *server)
{
    for (;;) {
        gboolean hang;
        gboolean plugged;

        sim_device_lock(server->device);
        hang = sim_device_faults(server->device)->hang;
        plugged = server->plugged;
        sim_device_unlock(server->device);
        if (!plugged || !hang)
            return plugged;
        g_usleep(HANG_POLL_US);
    }
}

static gboolean send_packet(GOutputStream *out, guint32 type, const GByteArray *body)
{
    g_autoptr(GByteArray) packet = g_byte_array_new();

    sim_put_u32(packet, HEADER_BYTES + body->len);
    sim_put_u32(packet, type);
    g_byte_array_append(packet, body->data, body->len);
    return g_output_stream_write_all(out, packet->data, packet->len, NULL, NULL, NULL);
}

/** (transfer full) The body of the next packet, or NULL at the end. */
static GByteArray *receive_packet(Peer *peer, guint32 *type)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    guint32 header[2];
    gsize got = 0;

    if (!g_input_stream_read_all(peer->in, header, sizeof header, &got, NULL, NULL) ||
        got != sizeof header)
        return NULL;
    header[0] = GUINT32_FROM_LE(header[0]);
    if (header[0] < HEADER_BYTES || header[0] > PACKET_MAX)
        return NULL;
    *type = GUINT32_FROM_LE(header[1]);
    g_byte_array_set_size(body, header[0] - HEADER_BYTES);
    if (!g_input_stream_read_all(peer->in, body->data, body->len, &got, NULL, NULL) ||
        got != body->len)
        return NULL;
    return g_steal_pointer(&body);
}

static gboolean greet(Peer *peer, guint32 type)
{
    static const guint8 guid[16] = "hearth-simulator";
    g_autoptr(GByteArray) body = g_byte_array_new();
    const char *model = sim_device_identity(peer->server->device)->model;
    glong units = 0;
    g_autofree gunichar2 *name = g_utf8_to_utf16(model, -1, NULL, &units, NULL);

    if (type == PACKET_INIT_EVENT) {
        sim_device_lock(peer->server->device);
        peer->server->event = peer->connection;
        sim_device_unlock(peer->server->device);
        return send_packet(peer->out, PACKET_INIT_EVENT_ACK, body);
    }
    sim_put_u32(body, 1); /* number of the connection */
    g_byte_array_append(body, guid, sizeof guid);
    for (glong i = 0; i <= units; i++)
        sim_put_u16(body, name[i]);
    sim_put_u32(body, 0x00010000); /* version 1.0 */
    return send_packet(peer->out, PACKET_INIT_COMMAND_ACK, body);
}

static gboolean send_response(Peer *peer, const SimReply *reply)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    sim_put_u16(body, reply->code);
    sim_put_u32(body, reply->transaction);
    for (guint i = 0; i < reply->count; i++)
        sim_put_u32(body, reply->params[i]);
    return send_packet(peer->out, PACKET_RESPONSE, body);
}

/** One piece of a reply's data, counted against `failafter`; FALSE when the cable is out. */
static gboolean send_piece(Peer *peer, SimReply *reply, guint64 position, gsize size)
{
    SimFaults *faults = sim_device_faults(peer->server->device);
    g_autoptr(GByteArray) body = g_byte_array_new();
    gboolean fails;

    if (!may_go_on(peer->server))
        return FALSE;
    sim_put_u32(body, reply->transaction);
    g_byte_array_set_size(body, sizeof(guint32) + size);
    sim_device_lock(peer->server->device);
    fails = faults->fail_after < size;
    if (fails)
        sim_device_unplug(peer->server->device);
    else if (faults->fail_after != G_MAXUINT64)
        faults->fail_after -= size;
    sim_reply_read(reply, position, body->data + sizeof(guint32), size);
    sim_device_unlock(peer->server->device);
    return !fails &&
           send_packet(peer->out, position + size == reply->size ? PACKET_END_DATA : PACKET_DATA,
                       body);
}

static gboolean send_data(Peer *peer, SimReply *reply)
{
    g_autoptr(GByteArray) start = g_byte_array_new();
    guint64 position = 0;

    sim_put_u32(start, reply->transaction);
    sim_put_u64(start, reply->announced);
    if (!send_packet(peer->out, PACKET_START_DATA, start))
        return FALSE;
    do {
        gsize size = MIN(PIECE_BYTES, reply->size - position);

        if (!send_piece(peer, reply, position, size))
            return FALSE;
        position += size;
    } while (position < reply->size);
    return TRUE;
}

/** (transfer full) What the host sends along with an operation, or NULL at the end. */
static GByteArray *receive_data(Peer *peer)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    guint32 type = 0;

    while (type != PACKET_END_DATA) {
        g_autoptr(GByteArray) body = receive_packet(peer, &type);

        if (body == NULL || body->len < sizeof(guint32))
            return NULL;
        if (type == PACKET_DATA || type == PACKET_END_DATA)
            g_byte_array_append(data, body->data + sizeof(guint32), body->len - sizeof(guint32));
    }
    return g_steal_pointer(&data);
}

static gboolean run_request(Peer *peer, const GByteArray *body)
{
    SimReader reader = sim_reader_over(body->data, body->len);
    SimOperation operation = {0};
    g_autoptr(GByteArray) data = NULL;
    g_autoptr(SimReply) reply = NULL;

    sim_skip(&reader, sizeof(guint32)); /* whether data follows */
    operation.code = sim_get_u16(&reader);
    operation.transaction = sim_get_u32(&reader);
    while (reader.at < reader.end && operation.count < G_N_ELEMENTS(operation.params))
        operation.params[operation.count++] = sim_get_u32(&reader);
    if (sim_operation_sends_data(operation.code) && (data = receive_data(peer)) == NULL)
        return FALSE;
    if (!may_go_on(peer->server))
        return FALSE;
    sim_device_lock(peer->server->device);
    reply = sim_responder_handle(sim_device_responder(peer->server->device), &operation, data);
    sim_device_unlock(peer->server->device);
    return (!reply->has_data || send_data(peer, reply)) && send_response(peer, reply);
}

static gboolean take_packet(Peer *peer)
{
    guint32 type = 0;
    g_autoptr(GByteArray) body = receive_packet(peer, &type);
    g_autoptr(GByteArray) empty = g_byte_array_new();

    if (body == NULL || !may_go_on(peer->server))
        return FALSE;
    switch (type) {
    case PACKET_INIT_COMMAND:
    case PACKET_INIT_EVENT:
        return greet(peer, type);
    case PACKET_REQUEST:
        return run_request(peer, body);
    case PACKET_PING:
        return send_packet(peer->out, PACKET_PONG, empty);
    default:
        return TRUE;
    }
}

static void serve(GSocketConnection *connection, gpointer user_data)
{
    SimPtpip *server = user_data;
    Peer peer = {server, connection, g_io_stream_get_input_stream(G_IO_STREAM(connection)),
                 g_io_stream_get_output_stream(G_IO_STREAM(connection))};

    /* Short packets answer one another: else each would wait for an acknowledgement. */
    g_socket_set_option(g_socket_connection_get_socket(connection), IPPROTO_TCP, TCP_NODELAY, 1,
                        NULL);
    while (may_go_on(server) && take_packet(&peer))
        continue;
    sim_device_lock(server->device);
    if (server->event == connection)
        server->event = NULL;
    else
        sim_responder_reset(sim_device_responder(server->device));
    sim_device_unlock(server->device);
}

static gboolean wire_plug(gpointer wire, GError **error)
{
    ((SimPtpip *)wire)->plugged = TRUE;
    return TRUE;
}

static void wire_unplug(gpointer wire)
{
    SimPtpip *server = wire;

    server->plugged = FALSE;
    sim_listener_cut(server->listener);
}

static void wire_event(gpointer wire, guint16 code, guint32 param)
{
    SimPtpip *server = wire;
    g_autoptr(GByteArray) body = g_byte_array_new();

    if (server->event == NULL)
        return;
    sim_put_u16(body, code);
    sim_put_u32(body, 0);
    sim_put_u32(body, param);
    send_packet(g_io_stream_get_output_stream(G_IO_STREAM(server->event)), PACKET_EVENT, body);
}

static void wire_changed(gpointer wire)
{
}

static const SimWireFunctions wire_functions = {wire_plug, wire_unplug, wire_event, wire_changed};

/** Addresses of the loopback network differ where ports may not. */
static char *random_host(void)
{
    return g_strdup_printf("127.%d.%d.%d", g_random_int_range(1, 255), g_random_int_range(0, 255),
                           g_random_int_range(1, 255));
}

SimPtpip *sim_ptpip_new(SimDevice *device, const char *host, GError **error)
{
    g_autoptr(SimPtpip) server = g_new0(SimPtpip, 1);
    guint tries = host ? 1 : ADDRESS_TRIES;

    server->device = device;
    while (server->listener == NULL && tries-- > 0) {
        g_autoptr(GSocketAddress) address = NULL;

        g_free(server->host);
        server->host = host ? g_strdup(host) : random_host();
        address = g_inet_socket_address_new_from_string(server->host, PTPIP_PORT);
        if (address == NULL) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "no address: %s", host);
            return NULL;
        }
        server->listener = sim_listener_new(address, serve, server, tries ? NULL : error);
    }
    if (server->listener == NULL)
        return NULL;
    sim_device_set_wire(device, &wire_functions, server);
    return g_steal_pointer(&server);
}

void sim_ptpip_free(SimPtpip *server)
{
    if (server == NULL)
        return;
    if (server->listener != NULL) {
        sim_device_unplug(server->device);
        sim_device_set_wire(server->device, NULL, NULL);
    }
    sim_listener_free(server->listener);
    g_free(server->host);
    g_free(server);
}

const char *sim_ptpip_host(SimPtpip *server)
{
    return server->host;
}
