#include "namespace/search-key.h"

#include <string.h>

static gboolean is_ascii(const char *text)
{
    for (; *text; text++)
        if ((guchar)*text >= 0x80)
            return FALSE;
    return TRUE;
}

char *hearth_search_key(const char *text)
{
    if (is_ascii(text))
        return g_ascii_strdown(text, -1);
    if (!g_utf8_validate(text, -1, NULL))
        return g_strdup(text);
    g_autofree char *composed = g_utf8_normalize(text, -1, G_NORMALIZE_NFKC);
    g_autofree char *folded = g_utf8_casefold(composed, -1);
    /* Folding can take a text out of its normal form (U+0345 for one). */
    return g_utf8_normalize(folded, -1, G_NORMALIZE_NFKC);
}
