#include "gateway/base/id.h"

#include <string.h>
#include <sys/random.h>

HearthId hearth_id_new(void)
{
    HearthId id;
    /* Cannot be cut short or interrupted for so few bytes once the pool is seeded. */
    if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
        g_error("the kernel gave no random bytes");
    return id;
}

gboolean hearth_id_is_none(const HearthId *id)
{
    static const HearthId NONE;
    return hearth_id_equal(id, &NONE);
}

gboolean hearth_id_equal(const HearthId *a, const HearthId *b)
{
    return memcmp(a->bytes, b->bytes, HEARTH_ID_SIZE) == 0;
}

char *hearth_id_to_text(const HearthId *id, char text[HEARTH_ID_TEXT])
{
    hearth_hex_encode(id->bytes, HEARTH_ID_SIZE, text);
    return text;
}

gboolean hearth_id_from_text(const char *text, HearthId *ret_id)
{
    HearthId id;
    if (strlen(text) != 2 * HEARTH_ID_SIZE || !hearth_hex_decode(text, id.bytes, HEARTH_ID_SIZE))
        return FALSE;
    *ret_id = id;
    return TRUE;
}

void hearth_hex_encode(const guint8 *bytes, gsize size, char *text)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (gsize i = 0; i < size; i++) {
        text[2 * i] = DIGITS[bytes[i] >> 4];
        text[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    text[2 * size] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

gboolean hearth_hex_decode(const char *text, guint8 *bytes, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return FALSE;
        bytes[i] = (guint8)(high << 4 | low);
    }
    return TRUE;
}
