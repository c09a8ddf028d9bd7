#pragma once

#include <gio/gio.h>

/**
 * Takes connections at an address, each in a thread of its own, without a main loop: the program
 * that simulates a device may be busy testing it.
 */
typedef struct SimListener SimListener;

/** Runs in the connection's thread; the connection is closed when it returns. */
typedef void (*SimListenerFunc)(GSocketConnection *connection, gpointer user_data);

SimListener *sim_listener_new(GSocketAddress *address, SimListenerFunc func, gpointer user_data,
                              GError **error);
/** Cuts all connections and waits for their threads. */
void sim_listener_free(SimListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SimListener, sim_listener_free)

/** Cuts the connections there are; new ones are still taken. */
void sim_listener_cut(SimListener *listener);
