#pragma once

#include "web/server.h"

/**
 * A store in a folder of its own under a server, with a daemon that is played: what the tests of
 * the web and of the command run against.
 *
 * The played daemon keeps devices that are attached to it; an import of one is a job that is done
 * after a few looks at it.
 */
typedef struct {
    char *state; /* folder, removed at the end */
    char *socket_path;
    HearthStore *store;
    HearthWebEvents *events;
    HearthWebServer *server;
    guint16 port;
    GMutex lock;        /* protects what follows */
    GPtrArray *devices; /* char *: ports; the id is "device-N" */
    guint jobs;         /* begun so far; the id is "job-N" */
    guint looks;        /* at a job, since the last one began */
    gboolean cancelled; /* the last job */
    char *imported;     /* the last path that an import named; nullable */
} House;

House *house_new(void);
void house_free(House *house);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(House, house_free)

/** Stops the server and the store, or starts them on the state. */
void house_stop(House *house);
void house_start(House *house);
/** One after the other. */
void house_restart(House *house);

/** Makes a file with `text` at `path`, parents and all; its object. */
HearthObject house_add(House *house, const char *path, const char *text);
/** The same with `size` bytes that differ everywhere. */
HearthObject house_add_bytes(House *house, const char *path, gsize size);
/** The n-th of those bytes. */
guint8 house_byte(gsize n);

/** What the played daemon was asked last; strings are (transfer full). */
char *house_imported(House *house);
char *house_attached(House *house, guint device);
gboolean house_was_cancelled(House *house);
guint house_jobs(House *house);

/** TRUE if something stands at `path`. */
gboolean house_has(House *house, const char *path);
/** The bytes of the file at `path`; fails the test if there is none. */
GBytes *house_read(House *house, const char *path);
/** Files in the spool: what an upload left behind. */
guint house_spooled(House *house);

/**
 * Sends `size` bytes of `request` to the socket (`tcp` FALSE) or to loopback, and reads until the
 * answer is whole or the connection ends. Free with g_free.
 */
char *house_talk(House *house, gboolean tcp, const char *request, gsize size, gsize *ret_size);

/** A connection of one's own. */
int house_connect(House *house, gboolean tcp);
