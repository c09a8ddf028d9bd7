#pragma once

#include "namespace/store.h"
#include "web/events.h"

/**
 * Hearth over HTTP: one API on two listeners, the Unix socket (whoever may open it may do
 * everything) and TCP on loopback (reading only, until there are logins).
 *
 * The server answers from the store by itself; what only the daemon knows it asks through a
 * HearthWebHost. Each connection has a thread of its own, so a host function may block, and several
 * may run at once. start() and stop() belong to one thread; stop() must not be called from a host
 * function.
 */
typedef struct HearthWebServer HearthWebServer;

/**
 * What the daemon supplies. Each function may be called from any thread, several at once, and gets
 * the `data` of HearthWebOptions. A NULL function answers "not supported". A GVariant returned is
 * transfer full (a floating one is sunk); NULL means `error` is set.
 *
 * Dictionaries are a{sv}. A name that may be no UTF-8 is a byte string (ay, ending in NUL), never
 * s: JSON then carries KEY as readable text and, where that is not exact, KEY_bytes
 * percent-encoded. A moment is a string in ISO 8601, UTC. A key without a value is left out. Keys
 * beyond these are passed on as they are.
 *
 * - status: version s, name s, state ay, mount ay (if mounted), uptime_s t, problems as (a sentence
 *   each). The server adds `store` (counts) and `disk` (free, total).
 * - device: id s, name s, driver s, port ay, state s (starting, ready, busy, locked, no-storage,
 *   failed, gone), message s (what a person should do), manufacturer s, model s, serial s, import s
 *   (on, off, ask), files t, job s (the one that uses it).
 * - job: id s, kind s (import, scrub, gc, fsck), state s (waiting, running, done, failed,
 *   cancelled), device s, message s, files_done t, files_total t, bytes_done t, bytes_total t,
 *   rate d (bytes a second), remaining_s d, skipped t, failed t, started s, ended s, error s (a
 *   sentence, when failed), findings as (scrub, fsck), bytes_freed t (gc).
 * - plan entry: source ay (path on the device), path ay (where it goes), action s (import, link,
 *   skip), reason s, size t.
 * - sprocket: id s, version s, hooks as, types as, enabled b, trust s, path ay, description s.
 */
typedef struct {
    GVariant *(*status)(gpointer data, GError **error); /* a{sv} */

    GVariant *(*devices)(gpointer data, GError **error); /* aa{sv} */
    /* `port` is disk:PATH, volume:PATH, ptpip:HOST or usb:BUS,DEV; gives the device. */
    GVariant *(*attach)(gpointer data, const char *port, GError **error);
    gboolean (*detach)(gpointer data, const char *id, GError **error);

    /* `paths` (element type char *, exact bytes): files or folders on the device; NULL: all of it.
     * Gives the job, at once. */
    GVariant *(*import)(gpointer data, const char *device, const char *const *paths,
                        GError **error);
    /* What import() would do, one entry for each file; aa{sv}. May take as long as a listing. */
    GVariant *(*plan)(gpointer data, const char *device, const char *const *paths, GError **error);
    /* Fills the device by its export rules; `options` is a{sv}; gives the job. */
    GVariant *(*export)(gpointer data, const char *device, GVariant *options, GError **error);

    GVariant *(*jobs)(gpointer data, GError **error); /* aa{sv}, newest first */
    GVariant *(*job)(gpointer data, const char *id, GError **error);
    /* Asks the job to stop; it is `cancelled` a moment later. */
    gboolean (*cancel)(gpointer data, const char *id, GError **error);
    /* `kind` is "scrub", "fsck" or "gc"; gives the job. */
    GVariant *(*upkeep)(gpointer data, const char *kind, GError **error);

    GVariant *(*sprockets)(gpointer data, GError **error); /* aa{sv} */

    /* A picture of `object` whose longer edge is at most `edge` pixels. `ret_type` is its media
     * type (transfer full). HEARTH_ERROR_UNSUPPORTED when nothing can draw it. */
    GBytes *(*preview)(gpointer data, const HearthObject *object, guint edge, char **ret_type,
                       GError **error);

    /* a(sssd): name without the "hearth_" in front, "gauge" or "counter", help, value. */
    GVariant *(*metrics)(gpointer data, GError **error);
} HearthWebHost;

typedef struct {
    HearthStore *store;        /* borrowed, outlives the server */
    HearthWebEvents *events;   /* borrowed, outlives the server */
    const HearthWebHost *host; /* borrowed, outlives the server */
    gpointer data;             /* for the host functions */
    HearthOrigin origin;       /* tag of the changes that come over HTTP */
    const char *socket_path;   /* NULL: no Unix socket; a stale one is replaced */
    const char *listen;        /* ADDR:PORT of loopback, port 0: any; NULL: no TCP */
} HearthWebOptions;

/** Opens the listeners and serves. HEARTH_ERROR_INVALID for an address that is not loopback,
 * HEARTH_ERROR_BUSY for one that is taken. */
HearthWebServer *hearth_web_server_start(const HearthWebOptions *options, GError **error);

/** Port of the TCP listener; 0 if there is none. */
guint16 hearth_web_server_port(const HearthWebServer *server);

/** Takes no more requests, closes `events`, ends streams and uploads (what was not finished leaves
 * nothing), removes the socket and frees. */
void hearth_web_server_stop(HearthWebServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthWebServer, hearth_web_server_stop)
