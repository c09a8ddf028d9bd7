#pragma once

#include <glib.h>

/** Bytes in an id: 128 bits, drawn at random, never reused. */
#define HEARTH_ID_SIZE 16
/** Characters of an id as text, with the final NUL: 32 lower-case hexadecimal digits. */
#define HEARTH_ID_TEXT (2 * HEARTH_ID_SIZE + 1)

/** The identity of an object, a node or a store. All zero means "none". */
typedef struct {
    guint8 bytes[HEARTH_ID_SIZE];
} HearthId;

/** A new id from the kernel's random source. */
HearthId hearth_id_new(void);

gboolean hearth_id_is_none(const HearthId *id);
gboolean hearth_id_equal(const HearthId *a, const HearthId *b);

/** Writes 32 digits and a NUL to `text`; returns `text`. */
char *hearth_id_to_text(const HearthId *id, char text[HEARTH_ID_TEXT]);

/** Reads exactly 32 lower-case digits followed by NUL; FALSE leaves `ret_id` as it was. */
gboolean hearth_id_from_text(const char *text, HearthId *ret_id);

/** Writes 2 * size digits and a NUL. */
void hearth_hex_encode(const guint8 *bytes, gsize size, char *text);

/** Reads exactly 2 * size lower-case digits; FALSE if another character stands among them. */
gboolean hearth_hex_decode(const char *text, guint8 *bytes, gsize size);
