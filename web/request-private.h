#pragma once

#include "web/server.h"

#include <microhttpd.h>

/**
 * One request from its first line to its end, and the answer to it.
 *
 * A request belongs to the thread of its connection. It is made when the address line is read,
 * checked when the headers are (guard-private.h), given to the route that fits, fed with the body,
 * and answered; it is freed when the answer has gone out or the connection broke.
 */
typedef struct HearthRequest HearthRequest;
typedef struct HearthRoute HearthRoute;

/** A status and a body; `response` is freed with it unless it was sent. */
typedef struct {
    guint status;
    struct MHD_Response *response;
} HearthReply;

/** What an upload does with bytes as they come; NULL functions for a body that is kept whole. */
typedef struct {
    /* The headers are there: refuse before the body crosses, or get ready. */
    gboolean (*begin)(HearthRequest *request, GError **error);
    gboolean (*write)(HearthRequest *request, const void *data, gsize size, GError **error);
    void (*end)(HearthRequest *request); /* frees `upload_data`; more than once does no harm */
} HearthUpload;

/** One line of the routing table. */
struct HearthRoute {
    const char *method;
    const char *pattern; /* see route-private.h */
    gboolean (*handle)(HearthRequest *request, HearthReply *reply, GError **error);
    const HearthUpload *upload; /* nullable */
};

/** One of the two listeners. */
typedef struct {
    HearthWebServer *server; /* borrowed */
    struct MHD_Daemon *daemon;
    gboolean full;     /* the Unix socket: everything is allowed */
    guint16 port;      /* of TCP, else 0 */
    char *socket_path; /* removed at the end; nullable */
} HearthListener;

struct HearthRequest {
    const HearthListener *listener;
    const HearthWebOptions *options;
    HearthWebServer *server;
    struct MHD_Connection *connection;
    char *target;        /* as it came: path and query, still encoded */
    const char *method;  /* borrowed from the connection; NULL until the headers are read */
    GPtrArray *segments; /* of the path, decoded */
    guint fixed;         /* segments that the pattern's words took */
    GHashTable *query;   /* decoded fields */
    const HearthRoute *route;
    GByteArray *body;     /* of a request without upload functions */
    gpointer upload_data; /* owned by the route's upload */
    GError *refusal;      /* why the body goes nowhere: answered when it has been swallowed */
    guint64 swallowed;    /* bytes read for nothing since */
    guint64 losses;       /* of the store when the request came, see hearth_request_sync() */
};

HearthRequest *hearth_request_new(const HearthListener *listener, const char *target,
                                  struct MHD_Connection *connection);
void hearth_request_free(HearthRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthRequest, hearth_request_free)

/** Makes what the request changed durable; fails also if another was told of its loss meanwhile. */
gboolean hearth_request_sync(const HearthRequest *request, GError **error);

/** The path and the query, decoded, into `segments` and `query`. */
gboolean hearth_request_parse_target(HearthRequest *request, GError **error);

/** A header by name, or NULL; borrowed. */
const char *hearth_request_header(const HearthRequest *request, const char *name);
/** A field of the query, or NULL; borrowed. */
const char *hearth_request_query(const HearthRequest *request, const char *name);
/** TRUE if the field is there and is neither "0" nor "false". */
gboolean hearth_request_flag(const HearthRequest *request, const char *name);
/** A whole number from 0 to `max`, `fallback` if the field is not there. */
gboolean hearth_request_number(const HearthRequest *request, const char *name, guint64 fallback,
                               guint64 max, guint64 *ret_number, GError **error);
/** The last segment that a "*" of the pattern took. */
const char *hearth_request_argument(const HearthRequest *request);
/** What "**" of the pattern took, as a path of the tree: "/", "/a/b"; (transfer full). */
char *hearth_request_tree_path(const HearthRequest *request);
/** The body as an a{sv}; an empty body is an empty one. */
GVariant *hearth_request_json(const HearthRequest *request, GError **error);
