#pragma once

#include "web/request-private.h"

/** How an object of the tree looks in JSON. Both results are floating. */

/** `name` and `path` may be NULL: then the keys, and `href` without a path, are left out. */
GVariant *hearth_entry_new(const HearthObject *object, const char *name, const char *path);
/** The same with path, attributes and, of a symlink, its target. */
GVariant *hearth_entry_new_full(HearthStore *store, const HearthObject *object, const char *path,
                                GError **error);

/** "folder", "file", "symlink". */
const char *hearth_entry_kind_word(HearthKind kind);

/** The strong validator of a file's bytes, in quotes; (transfer full). */
char *hearth_entry_etag(const HearthObject *object);

/** The last name of a path; "" of the root. */
const char *hearth_entry_name(const char *path);
