#include <stdint.h>
#include <string.h>

#include "web/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken as a name is one, and its encoding gives it back. */
static void check_name(const char *name)
{
    g_autofree char *encoded = hearth_uri_encode(name);
    g_autofree char *decoded = hearth_uri_decode(encoded, strlen(encoded), FALSE, NULL);
    if (g_strcmp0(decoded, name) != 0)
        g_error("a name changed on its way: %s", encoded);
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        g_error("taken as a name: %s", encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GPtrArray) segments = hearth_uri_split_path((const char *)data, size, NULL);
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GHashTable) fields = hearth_uri_split_query(text, NULL);
    for (guint i = 0; segments && i < segments->len; i++)
        check_name(g_ptr_array_index(segments, i));
    return 0;
}
