/* Texts of EXIF as UTF-8. */
#include "sprockets/standard/photo-private.h"

#include <string.h>

static size_t put_code_point(char *text, uint32_t c)
{
    if (c < 0x80) {
        text[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        text[0] = (char)(0xc0 | c >> 6);
        text[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        text[0] = (char)(0xe0 | c >> 12);
        text[1] = (char)(0x80 | (c >> 6 & 0x3f));
        text[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    text[0] = (char)(0xf0 | c >> 18);
    text[1] = (char)(0x80 | (c >> 12 & 0x3f));
    text[2] = (char)(0x80 | (c >> 6 & 0x3f));
    text[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Bytes of the UTF-8 character at `at`; 0 if there is none: overlong, a surrogate, cut off. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (length <= 1 || length > left || at[0] > 0xf4)
        return length == 1 ? 1 : 0;
    uint32_t c = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3f);
    }
    return c < LEAST[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : length;
}

static bool is_utf8(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length(text + i, size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

/* Takes out control characters and the blanks at both ends; false if nothing is left. */
bool photo_text_tidy(char *text)
{
    size_t used = 0, start;
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at >= 0x20 ? *at != 0x7f : *at == '\n' || *at == '\t')
            text[used++] = *at;
    while (used > 0 && strchr(" \n\t", text[used - 1]))
        used--;
    text[used] = '\0';
    start = strspn(text, " \n\t");
    memmove(text, text + start, used - start + 1);
    return text[0] != '\0';
}

/* The standard says ASCII. Writers put UTF-8 or Latin-1; what is valid as the first is taken so. */
bool photo_text_read(const uint8_t *value, size_t value_size, char *text, size_t size)
{
    size_t length = strnlen((const char *)value, value_size), used = 0;
    if (is_utf8(value, length) && length < size) {
        memcpy(text, value, length);
        used = length;
    } else {
        for (size_t i = 0; i < length && used + 4 < size; i++)
            if (value[i] < 0x80 || value[i] >= 0xa0)
                used += put_code_point(text + used, value[i]);
    }
    text[used] = '\0';
    return photo_text_tidy(text);
}

/* The XP tags: UTF-16, little-endian whatever the file is. */
bool photo_text_read_wide(const uint8_t *value, size_t value_size, char *text, size_t size)
{
    size_t used = 0, units = value_size / 2;
    for (size_t i = 0; i < units && used + 5 < size; i++) {
        uint32_t c = value[2 * i] | (uint32_t)value[2 * i + 1] << 8;
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < units) {
            uint32_t low = value[2 * i + 2] | (uint32_t)value[2 * i + 3] << 8;
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i++;
            }
        }
        if (c == 0)
            break;
        if (c < 0xd800 || c >= 0xe000)
            used += put_code_point(text + used, c);
    }
    text[used] = '\0';
    return photo_text_tidy(text);
}
