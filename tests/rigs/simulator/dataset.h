#pragma once

#include <glib.h>

/**
 * PTP's data sets: little-endian numbers, counted arrays and counted UTF-16 strings.
 *
 * The writing half appends to a GByteArray. The reading half is for what the host sends: it never
 * reads past the end; once it ran out, `failed` is set and every further value is zero.
 */

/** A string as PTP carries it: UTF-16 units, which need not be valid text. At most 254. */
typedef struct {
    guint16 *units; /* owned, `length` of them, without the terminating zero */
    gsize length;
} SimText;

SimText sim_text_from_utf8(const char *utf8);
SimText sim_text_copy(const SimText *text);
void sim_text_clear(SimText *text);
/** (transfer full) UTF-8, with U+FFFD where the units are no text. */
char *sim_text_to_utf8(const SimText *text);

void sim_put_u8(GByteArray *out, guint8 value);
void sim_put_u16(GByteArray *out, guint16 value);
void sim_put_u32(GByteArray *out, guint32 value);
void sim_put_u64(GByteArray *out, guint64 value);
void sim_put_text(GByteArray *out, const SimText *text);
void sim_put_utf8(GByteArray *out, const char *utf8);
/** A counted array of 16-bit numbers. */
void sim_put_u16_array(GByteArray *out, const guint16 *values, gsize count);

typedef struct {
    const guint8 *at;
    const guint8 *end;
    gboolean failed;
} SimReader;

SimReader sim_reader_over(const void *data, gsize size);
guint16 sim_get_u16(SimReader *reader);
guint32 sim_get_u32(SimReader *reader);
void sim_skip(SimReader *reader, gsize bytes);
/** (transfer full: sim_text_clear) */
SimText sim_get_text(SimReader *reader);
