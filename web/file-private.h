#pragma once

#include "web/reply-private.h"

/**
 * The bytes of a content as an answer, with one range if asked (RFC 9110 sections 13 and 14).
 *
 * No byte leaves that was not checked against its digest: a short answer is checked first and then
 * sent by the kernel, a long one is checked block by block as it goes; if a block is bad, the
 * connection breaks before it.
 */
typedef struct {
    HearthContentId content; /* none: no bytes */
    gint64 size;
    gint64 mtime_ns;
    const char *media_type; /* as claimed; what a browser could run is sent as plain bytes */
} HearthFileAnswer;

gboolean hearth_file_reply(HearthRequest *request, const HearthFileAnswer *file, HearthReply *reply,
                           GError **error);

/** If-None-Match of a read: TRUE, with `reply` set, if the client has it already. */
gboolean hearth_file_is_known(HearthRequest *request, const char *etag, HearthReply *reply);

/** TRUE if the list of an If-Match or If-None-Match holds `etag` or is "*". */
gboolean hearth_file_etag_listed(const char *list, const char *etag);
