#pragma once

#include <glib.h>

/* Numbers as text, the same in every locale. Plain functions for any thread. */

/** Bytes of the text of a double, with its NUL. */
#define HEARTH_DOUBLE_TEXT G_ASCII_DTOSTR_BUF_SIZE

/**
 * Writes the shortest of the decimal forms of `number` that reads back as the same: 0.004 where 17
 * digits give 0.0040000000000000001. Returns `text`.
 */
const char *hearth_double_to_text(double number, char text[HEARTH_DOUBLE_TEXT]);
