#pragma once

#include <glib.h>

/**
 * Names in addresses. A name is any bytes but NUL and '/', so one that is no UTF-8 crosses
 * percent-encoded and comes back exactly.
 */

/** Encodes all but A-Z a-z 0-9 - . _ ~ and '/'; (transfer full). */
char *hearth_uri_encode_path(const char *path);

/** The same, and '/' too: a name, or a value in a query. */
char *hearth_uri_encode(const char *name);

/**
 * Decodes %XX. HEARTH_ERROR_INVALID for '%' without two hexadecimal digits and for a NUL. `plus`
 * says that '+' stands for a space, as in a query. (transfer full)
 */
char *hearth_uri_decode(const char *text, gsize length, gboolean plus, GError **error);

/**
 * The segments of a path, each decoded: "/a/b%2Dc/" is "a", "b-c". Refused with
 * HEARTH_ERROR_INVALID: a path that does not begin with '/', an empty segment but for the last, and
 * after decoding '/', "." and "..". Elements are char *, freed with the array.
 */
GPtrArray *hearth_uri_split_path(const char *path, gsize length, GError **error);

/** The fields of a query, decoded: name -> value, "" without one; of a name given twice, the last.
 */
GHashTable *hearth_uri_split_query(const char *query, GError **error);
