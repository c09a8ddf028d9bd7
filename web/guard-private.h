#pragma once

#include "web/request-private.h"

/**
 * What a request must satisfy before any route sees it.
 *
 * Framing, which the HTTP library is lax about: exactly one Host, at most one Content-Length, not
 * both that and Transfer-Encoding, which is "chunked" and nothing else, no control bytes. Over TCP,
 * besides: Host is loopback with our port, the request comes from no other site's page, and it
 * reads. Errors are HEARTH_HTTP_ERROR.
 */
gboolean hearth_guard_framing(const HearthRequest *request, GError **error);
gboolean hearth_guard_access(const HearthRequest *request, GError **error);
