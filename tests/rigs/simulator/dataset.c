#include "tests/rigs/simulator/dataset.h"

#include <string.h>

/* A PTP string's count is one byte and includes the terminating zero. */
#define TEXT_MAX_UNITS 254

SimText sim_text_from_utf8(const char *utf8)
{
    glong length = 0;
    guint16 *units = g_utf8_to_utf16(utf8, -1, NULL, &length, NULL);

    if (units == NULL)
        units = g_utf8_to_utf16("invalid", -1, NULL, &length, NULL);
    return (SimText){units, MIN((gsize)length, TEXT_MAX_UNITS)};
}

SimText sim_text_copy(const SimText *text)
{
    return (SimText){g_memdup2(text->units, text->length * sizeof *text->units), text->length};
}

void sim_text_clear(SimText *text)
{
    g_clear_pointer(&text->units, g_free);
    text->length = 0;
}

char *sim_text_to_utf8(const SimText *text)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (gsize i = 0; i < text->length; i++) {
        guint16 unit = text->units[i];
        guint16 next = i + 1 < text->length ? text->units[i + 1] : 0;

        if ((unit & 0xfc00) == 0xd800 && (next & 0xfc00) == 0xdc00) {
            g_string_append_unichar(out, 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff));
            i++;
        } else {
            g_string_append_unichar(out, (unit & 0xf800) == 0xd800 ? 0xfffd : unit);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

void sim_put_u8(GByteArray *out, guint8 value)
{
    g_byte_array_append(out, &value, sizeof value);
}

void sim_put_u16(GByteArray *out, guint16 value)
{
    value = GUINT16_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

void sim_put_u32(GByteArray *out, guint32 value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

void sim_put_u64(GByteArray *out, guint64 value)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

void sim_put_text(GByteArray *out, const SimText *text)
{
    sim_put_u8(out, text->length ? text->length + 1 : 0);
    for (gsize i = 0; i < text->length; i++)
        sim_put_u16(out, text->units[i]);
    if (text->length)
        sim_put_u16(out, 0);
}

void sim_put_utf8(GByteArray *out, const char *utf8)
{
    SimText text = sim_text_from_utf8(utf8);

    sim_put_text(out, &text);
    sim_text_clear(&text);
}

void sim_put_u16_array(GByteArray *out, const guint16 *values, gsize count)
{
    sim_put_u32(out, count);
    for (gsize i = 0; i < count; i++)
        sim_put_u16(out, values[i]);
}

SimReader sim_reader_over(const void *data, gsize size)
{
    return (SimReader){data, (const guint8 *)data + size, FALSE};
}

static gboolean take(SimReader *reader, void *value, gsize size)
{
    if (reader->failed || (gsize)(reader->end - reader->at) < size) {
        reader->failed = TRUE;
        memset(value, 0, size);
        return FALSE;
    }
    memcpy(value, reader->at, size);
    reader->at += size;
    return TRUE;
}

guint16 sim_get_u16(SimReader *reader)
{
    guint16 value;

    take(reader, &value, sizeof value);
    return GUINT16_FROM_LE(value);
}

guint32 sim_get_u32(SimReader *reader)
{
    guint32 value;

    take(reader, &value, sizeof value);
    return GUINT32_FROM_LE(value);
}

void sim_skip(SimReader *reader, gsize bytes)
{
    if ((gsize)(reader->end - reader->at) < bytes)
        reader->failed = TRUE;
    else
        reader->at += bytes;
}

SimText sim_get_text(SimReader *reader)
{
    guint8 count = 0;
    SimText text = {NULL, 0};

    take(reader, &count, sizeof count);
    if (count == 0)
        return text;
    text.units = g_new(guint16, count);
    for (guint8 i = 0; i < count; i++)
        text.units[i] = sim_get_u16(reader);
    text.length = count - 1;
    return text;
}
