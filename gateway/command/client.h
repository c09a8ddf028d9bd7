#pragma once

#include <glib.h>

/**
 * A connection to the daemon's Unix socket, kept open between requests.
 *
 * A client belongs to one thread at a time; several may be open at once. Errors: what the daemon
 * answered, with its code; HEARTH_COMMAND_ERROR_UNREACHABLE when there is no daemon or it went away.
 */
typedef struct HearthClient HearthClient;

HearthClient *hearth_client_new(const char *state);
void hearth_client_free(HearthClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthClient, hearth_client_free)

/** Reads a target below /api/v1: "status", "trash?older_than=5". */
GVariant *hearth_client_get(HearthClient *client, const char *target, GError **error);

/** A request that may carry a body (a{sv}; a floating one is taken; NULL: none). The answer is
 * a{sv}, empty when there was none; `ret_answer` may be NULL. */
gboolean hearth_client_send(HearthClient *client, const char *method, const char *target,
                            GVariant *body, GVariant **ret_answer, GError **error);

/** Told of bytes as they cross; from the thread of the call. */
typedef void (*HearthClientFunc)(gsize bytes, gpointer data);

/** Writes the bytes of the answer to `fd`. `moved` may be NULL. */
gboolean hearth_client_download(HearthClient *client, const char *target, int fd,
                                HearthClientFunc moved, gpointer data, GError **error);

/** Sends `size` bytes of `fd`, from its position, by PUT. */
gboolean hearth_client_upload(HearthClient *client, const char *target, int fd, gint64 size,
                              HearthClientFunc moved, gpointer data, GError **error);

/** Fills up to `size` bytes of `buffer`; 0 ends the body, -1 with `error` breaks it off. */
typedef gssize (*HearthClientSource)(void *buffer, gsize size, gpointer data, GError **error);

/** Sends a body of unknown length by POST, as `source` makes it. */
gboolean hearth_client_post_stream(HearthClient *client, const char *target,
                                   HearthClientSource source, gpointer data, GVariant **ret_answer,
                                   GError **error);

/** Gets each event of a stream; FALSE ends it. */
typedef gboolean (*HearthClientEventFunc)(GVariant *event, gpointer data);
/** Listens to a stream of server-sent events until it ends. */
gboolean hearth_client_listen(HearthClient *client, const char *target, HearthClientEventFunc func,
                              gpointer data, GError **error);

/** "tree" and the percent-encoded path, and `query` ("?stat=1") if not NULL; (transfer full). */
char *hearth_client_tree_target(const char *path, const char *query);
