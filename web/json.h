#pragma once

#include <glib.h>

/**
 * GVariant to JSON text and back: the only place that knows the JSON library.
 *
 * To JSON: a{sv} and a{s*} become objects, arrays and tuples arrays, numbers numbers (a NaN or an
 * infinity is null), b a boolean, v its value. A byte string (ay ending in NUL) in a dictionary is
 * a name: under KEY stands readable text, in which each byte that is no UTF-8 is U+FFFD, and, only
 * when that is not exact, under KEY_bytes the bytes percent-encoded. Elsewhere it is the readable
 * text.
 *
 * From JSON: objects become a{sv}, arrays av, whole numbers x, others d, strings s, true and false
 * b; null is left out. Text that is no JSON, nests deeper than 32 or is longer than 64 MiB fails
 * with HEARTH_ERROR_INVALID.
 */

/** JSON of `value`, without line breaks; (transfer full). A floating `value` is not taken. */
char *hearth_json_print(GVariant *value);

/** The same for people: indented, ending in a line break. */
char *hearth_json_print_pretty(GVariant *value);

/** Reads JSON; the result is not floating. `size` -1: up to NUL. */
GVariant *hearth_json_parse(const char *text, gssize size, GError **error);

/** The exact bytes of the name KEY of an a{sv} from JSON: KEY_bytes if there, else KEY; NULL if
 * neither is. (transfer full) */
char *hearth_json_lookup_bytes(GVariant *dictionary, const char *key);
