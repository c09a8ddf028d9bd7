#include "web/server-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"
#include "web/guard-private.h"
#include "web/reply-private.h"
#include "web/route-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Bytes for the headers of a request and one piece of its body. More makes small requests slower.
 */
#define CONNECTION_MEMORY (64 * 1024)
#define CONNECTION_LIMIT 256
#define CONNECTION_LIMIT_PER_ADDRESS 64
/* Seconds without a byte in either direction. */
#define CONNECTION_TIMEOUT_S 120
#define STACK_SIZE (256 * 1024)
/* Longest body of a request that is not an upload, bytes. */
#define BODY_MAX (1024 * 1024)
/* Bytes of a refused body that are read so that the client gets to the answer. */
#define SWALLOW_MAX (64 * 1024 * 1024)

/* --- One request --- */

static enum MHD_Result answer_problem(HearthRequest *request, const GError *problem,
                                      const char *allow, gboolean close)
{
    g_auto(HearthReply) reply = {0};
    hearth_reply_problem(&reply, problem);
    if (allow)
        hearth_reply_header(&reply, MHD_HTTP_HEADER_ALLOW, allow);
    if (problem->domain == HEARTH_HTTP_ERROR && problem->code == MHD_HTTP_CONTENT_TOO_LARGE)
        close = TRUE;
    if (close)
        hearth_reply_header(&reply, MHD_HTTP_HEADER_CONNECTION, "close");
    g_debug("%s %s: %s", request->method, request->target, problem->message);
    return hearth_reply_send(&reply, request);
}

/* What an upload holds is let go before the answer: who has the answer finds the spool empty. */
static void end_upload(HearthRequest *request)
{
    if (request->route && request->route->upload)
        request->route->upload->end(request);
}

/* A client that waits for "100 Continue", or brings much, is told at once; of any other the body is
 * read first, since a connection closed with bytes unread may lose the answer. */
static gboolean refuses_at_once(const HearthRequest *request)
{
    const char *length = hearth_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    guint64 size = 0;
    if (hearth_request_header(request, MHD_HTTP_HEADER_EXPECT))
        return TRUE;
    return length && (!g_ascii_string_to_unsigned(length, 10, 0, G_MAXUINT64, &size, NULL) ||
                      size > BODY_MAX);
}

static gboolean accept_request(HearthRequest *request, char **ret_allow, GError **error)
{
    if (!hearth_guard_access(request, error) || !hearth_request_parse_target(request, error) ||
        !hearth_route_find(request, ret_allow, error))
        return FALSE;
    const HearthUpload *upload = request->route->upload;
    return !upload || upload->begin(request, error);
}

/* The headers are there. */
static enum MHD_Result begin_request(HearthRequest *request, const char *method)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *allow = NULL;
    request->method = method;
    __atomic_add_fetch(&request->server->requests, 1, __ATOMIC_RELAXED);
    if (!hearth_guard_framing(request, &problem))
        return answer_problem(request, problem, NULL, TRUE);
    if (accept_request(request, &allow, &problem))
        return MHD_YES;
    end_upload(request);
    if (allow || refuses_at_once(request))
        return answer_problem(request, problem, allow, FALSE);
    request->refusal = g_steal_pointer(&problem);
    return MHD_YES;
}

static void keep_body(HearthRequest *request, const char *data, gsize size)
{
    if (request->body->len + size <= BODY_MAX)
        g_byte_array_append(request->body, (const guint8 *)data, (guint)size);
    else
        g_set_error(&request->refusal, HEARTH_HTTP_ERROR, MHD_HTTP_CONTENT_TOO_LARGE,
                    "the body of such a request is at most 1 MiB");
}

static enum MHD_Result take_body(HearthRequest *request, const char *data, size_t *size)
{
    if (request->refusal)
        request->swallowed += *size;
    else if (!request->route->upload)
        keep_body(request, data, *size);
    else if (!request->route->upload->write(request, data, *size, &request->refusal))
        end_upload(request);
    *size = 0;
    return request->swallowed > SWALLOW_MAX ? MHD_NO : MHD_YES;
}

/* All of the body is there. */
static enum MHD_Result finish_request(HearthRequest *request)
{
    g_autoptr(GError) problem = NULL;
    g_auto(HearthReply) reply = {0};
    if (request->refusal)
        return answer_problem(request, request->refusal, NULL, FALSE);
    gboolean done = request->route->handle(request, &reply, &problem);
    end_upload(request);
    return done ? hearth_reply_send(&reply, request)
                : answer_problem(request, problem, NULL, FALSE);
}

static enum MHD_Result on_access(void *data, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload_data,
                                 size_t *upload_size, void **context)
{
    HearthRequest *request = *context;
    if (!request->method)
        return begin_request(request, method);
    if (*upload_size > 0)
        return take_body(request, upload_data, upload_size);
    return finish_request(request);
}

static void *on_target(void *data, const char *target, struct MHD_Connection *connection)
{
    const HearthListener *listener = data;
    HearthRequest *request = hearth_request_new(listener, target, connection);
    request->server = listener->server;
    request->options = &listener->server->options;
    request->losses = hearth_store_losses(request->options->store);
    return request;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    hearth_request_free(*context);
    *context = NULL;
}

static void on_log(void *data, const char *format, va_list arguments) G_GNUC_PRINTF(2, 0);
static void on_log(void *data, const char *format, va_list arguments)
{
    g_autofree char *line = g_strdup_vprintf(format, arguments);
    g_debug("http: %s", g_strchomp(line));
}

/* --- Listeners --- */

/* Serves from `socket`, which stays the caller's. */
static gboolean serve(HearthListener *listener, GSocket *socket, GError **error)
{
    hearth_autofd int fd = fcntl(g_socket_get_fd(socket), F_DUPFD_CLOEXEC, 3);
    guint per_address = listener->full ? 0 : CONNECTION_LIMIT_PER_ADDRESS;
    listener->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_access, listener, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTION_LIMIT, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_SIZE, MHD_OPTION_URI_LOG_CALLBACK, on_target, listener,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!listener->daemon)
        return hearth_set_errno(error, errno ? errno : EIO, "cannot start the HTTP server");
    hearth_steal_fd(&fd);
    return TRUE;
}

static GSocket *listen_at(GSocketFamily family, GSocketAddress *address, const char *name,
                          GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GSocket) socket =
        g_socket_new(family, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &cause);
    /* A mode given before the address is bound holds from the first moment on. */
    if (socket && family == G_SOCKET_FAMILY_UNIX)
        fchmod(g_socket_get_fd(socket), 0660);
    if (socket && g_socket_bind(socket, address, TRUE, &cause) && g_socket_listen(socket, &cause))
        return g_steal_pointer(&socket);
    gboolean taken = g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
    g_set_error(error, HEARTH_ERROR, taken ? HEARTH_ERROR_BUSY : HEARTH_ERROR_FAILED,
                "cannot listen at %s: %s", name, cause->message);
    return NULL;
}

static gboolean open_unix(HearthListener *listener, const char *path, GError **error)
{
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_NAME_TOO_LONG,
                    "the path of the socket %s is longer than the kernel takes", path);
        return FALSE;
    }
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    listener->full = TRUE;
    unlink(path);
    g_autoptr(GSocket) socket = listen_at(G_SOCKET_FAMILY_UNIX, address, path, error);
    if (!socket)
        return FALSE;
    listener->socket_path = g_strdup(path);
    if (chmod(path, 0660) != 0)
        return hearth_set_errno(error, errno, "cannot set the mode of %s", path);
    return serve(listener, socket, error);
}

static GSocketAddress *parse_loopback(const char *listen, GError **error)
{
    g_autofree char *host = g_strdup(listen);
    char *colon = strrchr(host, ':');
    guint64 port;
    if (colon && g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXUINT16, &port, NULL)) {
        *colon = '\0';
        gboolean bracketed = host[0] == '[' && colon > host && colon[-1] == ']';
        if (bracketed)
            colon[-1] = '\0';
        const char *bare = bracketed ? host + 1 : host;
        g_autoptr(GInetAddress) address =
            g_inet_address_new_from_string(strcmp(bare, "localhost") == 0 ? "127.0.0.1" : bare);
        if (address && g_inet_address_get_is_loopback(address))
            return g_inet_socket_address_new(address, (guint16)port);
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "cannot listen at %s: only loopback can be served, as 127.0.0.1:8380", listen);
    return NULL;
}

static gboolean open_tcp(HearthListener *listener, const char *listen, GError **error)
{
    g_autoptr(GSocketAddress) address = parse_loopback(listen, error);
    if (!address)
        return FALSE;
    g_autoptr(GSocket) socket =
        listen_at(g_socket_address_get_family(address), address, listen, error);
    if (!socket)
        return FALSE;
    g_autoptr(GSocketAddress) bound = g_socket_get_local_address(socket, error);
    if (!bound)
        return FALSE;
    listener->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
    return serve(listener, socket, error);
}

static void close_listener(HearthListener *listener)
{
    if (listener->daemon)
        MHD_stop_daemon(listener->daemon);
    if (listener->socket_path)
        unlink(listener->socket_path);
    g_clear_pointer(&listener->socket_path, g_free);
}

/* --- The server --- */

/* From a thread of the store. */
static gboolean on_change(const HearthChange *change, gpointer data)
{
    HearthWebServer *server = data;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "sequence", "t", change->sequence);
    hearth_web_events_add(server->options.events, "tree", "", g_variant_dict_end(&dict));
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    server->last_sequence = change->sequence;
    g_cond_broadcast(&server->changed);
    return TRUE;
}

gboolean hearth_web_server_wait_log(HearthWebServer *server, guint64 after, guint timeout_ms)
{
    gint64 end = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&server->lock);
    while (!server->stopping && server->last_sequence <= after)
        if (!g_cond_wait_until(&server->changed, &server->lock, end))
            break;
    return !server->stopping;
}

HearthWebServer *hearth_web_server_start(const HearthWebOptions *options, GError **error)
{
    g_autoptr(HearthWebServer) server = g_new0(HearthWebServer, 1);
    server->options = *options;
    server->options.socket_path = g_strdup(options->socket_path);
    server->options.listen = g_strdup(options->listen);
    server->unix_listener.server = server->tcp_listener.server = server;
    g_mutex_init(&server->lock);
    g_cond_init(&server->changed);
    server->watch = hearth_store_watch(options->store, on_change, server, NULL);
    if (options->socket_path && !open_unix(&server->unix_listener, options->socket_path, error))
        return NULL;
    if (options->listen && !open_tcp(&server->tcp_listener, options->listen, error))
        return NULL;
    return g_steal_pointer(&server);
}

guint16 hearth_web_server_port(const HearthWebServer *server)
{
    return server->tcp_listener.port;
}

void hearth_web_server_stop(HearthWebServer *server)
{
    if (!server)
        return;
    g_mutex_lock(&server->lock);
    server->stopping = TRUE;
    g_cond_broadcast(&server->changed);
    g_mutex_unlock(&server->lock);
    hearth_web_events_close(server->options.events);
    close_listener(&server->tcp_listener);
    close_listener(&server->unix_listener);
    hearth_store_unwatch(server->options.store, server->watch);
    g_cond_clear(&server->changed);
    g_mutex_clear(&server->lock);
    g_free((char *)server->options.socket_path);
    g_free((char *)server->options.listen);
    g_free(server);
}
