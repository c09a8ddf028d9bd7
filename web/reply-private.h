#pragma once

#include "web/request-private.h"

/** Problems that have a status of their own; every other one is a HEARTH_ERROR. The code of an
 * error of this domain is the status. */
#define HEARTH_HTTP_ERROR (hearth_http_error_quark())
GQuark hearth_http_error_quark(void);

/** Drops a reply that was not sent. */
void hearth_reply_clear(HearthReply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthReply, hearth_reply_clear)

/** Each sets `reply` and returns TRUE, so that a handler can end with it. A floating value is
 * taken. */
gboolean hearth_reply_json(HearthReply *reply, guint status, GVariant *value);
gboolean hearth_reply_text(HearthReply *reply, const char *media_type, const char *text);
gboolean hearth_reply_bytes(HearthReply *reply, const char *media_type, GBytes *bytes);
gboolean hearth_reply_empty(HearthReply *reply, guint status);

/** `value` (a{sv} or aa{sv}) with `status`, or FALSE when it is NULL: `error` is then set. Takes
 * `value`, floating or not. */
gboolean hearth_reply_host_value(HearthReply *reply, guint status, const char *key,
                                 GVariant *value);

void hearth_reply_header(HearthReply *reply, const char *name, const char *value);

/** The problem document (RFC 9457) for `error`. */
void hearth_reply_problem(HearthReply *reply, const GError *error);

/** Sends the reply and frees it. */
enum MHD_Result hearth_reply_send(HearthReply *reply, HearthRequest *request);

/** "HEARTH_ERROR_UNSUPPORTED: this gateway has no WHAT"; always FALSE. */
gboolean hearth_reply_unsupported(GError **error, const char *what);

/** Nanoseconds since 1970 as ISO 8601 in UTC, all nine digits; (transfer full). */
char *hearth_reply_moment(gint64 ns);
/** The same as an HTTP date. */
char *hearth_reply_http_date(gint64 ns);
