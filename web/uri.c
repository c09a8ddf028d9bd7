#include "web/uri.h"

#include "gateway/base/error.h"

#include <string.h>

static char *encode(const char *text, const char *kept)
{
    GString *out = g_string_sized_new(strlen(text) + 16);
    for (const guchar *at = (const guchar *)text; *at; at++) {
        if (g_ascii_isalnum(*at) || strchr(kept, *at))
            g_string_append_c(out, (char)*at);
        else
            g_string_append_printf(out, "%%%02X", *at);
    }
    return g_string_free(out, FALSE);
}

char *hearth_uri_encode_path(const char *path)
{
    return encode(path, "-._~/");
}

char *hearth_uri_encode(const char *name)
{
    return encode(name, "-._~");
}

/* The byte that "%XX" at `at` stands for, or -1. */
static int decode_escape(const char *at, const char *end)
{
    if (end - at < 3 || !g_ascii_isxdigit(at[1]) || !g_ascii_isxdigit(at[2]))
        return -1;
    return g_ascii_xdigit_value(at[1]) * 16 + g_ascii_xdigit_value(at[2]);
}

char *hearth_uri_decode(const char *text, gsize length, gboolean plus, GError **error)
{
    g_autoptr(GString) out = g_string_sized_new(length + 1);
    const char *end = text + length;
    for (const char *at = text; at < end; at++) {
        int byte = (guchar)*at;
        if (byte == '%') {
            byte = decode_escape(at, end);
            at += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        if (byte <= 0) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                        byte == 0 ? "the address holds a NUL"
                                  : "the address holds a %% without two hexadecimal digits");
            return NULL;
        }
        g_string_append_c(out, (char)byte);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static gboolean is_name(const char *segment, GError **error)
{
    if (*segment && !strchr(segment, '/') && strcmp(segment, ".") != 0 &&
        strcmp(segment, "..") != 0)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                "the address holds \"%s\" where a name should stand", segment);
    return FALSE;
}

GPtrArray *hearth_uri_split_path(const char *path, gsize length, GError **error)
{
    g_autoptr(GPtrArray) segments = g_ptr_array_new_with_free_func(g_free);
    const char *at = path, *end = path + length;
    if (length == 0 || *path != '/') {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the address does not begin with /");
        return NULL;
    }
    while (at < end && ++at < end) {
        const char *slash = memchr(at, '/', (gsize)(end - at));
        const char *stop = slash ? slash : end;
        char *segment = hearth_uri_decode(at, (gsize)(stop - at), FALSE, error);
        if (!segment)
            return NULL;
        g_ptr_array_add(segments, segment);
        if (!is_name(segment, error))
            return NULL;
        at = stop;
    }
    return g_steal_pointer(&segments);
}

GHashTable *hearth_uri_split_query(const char *query, GError **error)
{
    g_autoptr(GHashTable) fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (const char *at = query; *at;) {
        gsize length = strcspn(at, "&");
        const char *equals = memchr(at, '=', length);
        gsize name_length = equals ? (gsize)(equals - at) : length;
        const char *value_at = equals ? equals + 1 : at + length;
        g_autofree char *name = hearth_uri_decode(at, name_length, TRUE, error);
        g_autofree char *value =
            name ? hearth_uri_decode(value_at, (gsize)(at + length - value_at), TRUE, error) : NULL;
        if (!value)
            return NULL;
        if (length > 0)
            g_hash_table_replace(fields, g_steal_pointer(&name), g_steal_pointer(&value));
        at += length + (at[length] == '&');
    }
    return g_steal_pointer(&fields);
}
