#pragma once

#include <glib.h>

/**
 * The form of a name or text under which `find` compares: equal for texts that differ only in case
 * or in Unicode normalisation (NFKC, case-folded). Bytes that are not UTF-8 stay as they are.
 * (transfer full)
 */
char *hearth_search_key(const char *text);
