#include "tests/rigs/simulator/listener.h"

struct SimListener {
    GSocketListener *socket;
    GCancellable *stop;
    GThread *acceptor;
    SimListenerFunc func;
    gpointer user_data;
    GMutex lock;
    GPtrArray *threads;     /* element-type GThread; only the acceptor's until it ended */
    GPtrArray *connections; /* element-type GSocketConnection; under `lock` */
};

typedef struct {
    SimListener *listener;
    GSocketConnection *connection; /* owned */
} Peer;

static gpointer serve(gpointer data)
{
    Peer *peer = data;

    peer->listener->func(peer->connection, peer->listener->user_data);
    g_mutex_lock(&peer->listener->lock);
    g_ptr_array_remove(peer->listener->connections, peer->connection);
    g_mutex_unlock(&peer->listener->lock);
    g_io_stream_close(G_IO_STREAM(peer->connection), NULL, NULL);
    g_object_unref(peer->connection);
    g_free(peer);
    return NULL;
}

static gpointer accept_all(gpointer data)
{
    SimListener *listener = data;
    GSocketConnection *connection;

    while ((connection = g_socket_listener_accept(listener->socket, NULL, listener->stop, NULL))) {
        Peer *peer = g_new(Peer, 1);

        *peer = (Peer){listener, connection};
        g_mutex_lock(&listener->lock);
        g_ptr_array_add(listener->connections, g_object_ref(connection));
        g_mutex_unlock(&listener->lock);
        g_ptr_array_add(listener->threads, g_thread_new("simulator-peer", serve, peer));
    }
    return NULL;
}

SimListener *sim_listener_new(GSocketAddress *address, SimListenerFunc func, gpointer user_data,
                              GError **error)
{
    g_autoptr(GSocketListener) socket = g_socket_listener_new();
    SimListener *listener;

    if (!g_socket_listener_add_address(socket, address, G_SOCKET_TYPE_STREAM,
                                       G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, error))
        return NULL;
    listener = g_new0(SimListener, 1);
    listener->socket = g_steal_pointer(&socket);
    listener->stop = g_cancellable_new();
    listener->func = func;
    listener->user_data = user_data;
    listener->threads = g_ptr_array_new();
    listener->connections = g_ptr_array_new_with_free_func(g_object_unref);
    g_mutex_init(&listener->lock);
    listener->acceptor = g_thread_new("simulator-accept", accept_all, listener);
    return listener;
}

void sim_listener_cut(SimListener *listener)
{
    g_mutex_lock(&listener->lock);
    for (guint i = 0; i < listener->connections->len; i++)
        g_socket_shutdown(g_socket_connection_get_socket(listener->connections->pdata[i]), TRUE,
                          TRUE, NULL);
    g_mutex_unlock(&listener->lock);
}

void sim_listener_free(SimListener *listener)
{
    if (listener == NULL)
        return;
    g_cancellable_cancel(listener->stop);
    g_thread_join(listener->acceptor);
    sim_listener_cut(listener);
    for (guint i = 0; i < listener->threads->len; i++)
        g_thread_join(listener->threads->pdata[i]);
    g_socket_listener_close(listener->socket);
    g_object_unref(listener->socket);
    g_object_unref(listener->stop);
    g_ptr_array_unref(listener->threads);
    g_ptr_array_unref(listener->connections);
    g_mutex_clear(&listener->lock);
    g_free(listener);
}
