#include <stdint.h>
#include <string.h>

#include "web/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be printed, and what was printed can be read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *exact = g_memdup2(data, size);
    g_autoptr(GVariant) value = size > 0 ? hearth_json_parse(exact, (gssize)size, NULL) : NULL;
    if (!value)
        return 0;
    g_autofree char *text = hearth_json_print(value);
    g_autofree char *pretty = hearth_json_print_pretty(value);
    g_autoptr(GVariant) again = hearth_json_parse(text, -1, NULL);
    g_autoptr(GVariant) from_pretty = hearth_json_parse(pretty, -1, NULL);
    if (!again || !from_pretty)
        g_error("cannot be read again: %s", text);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        g_free(hearth_json_lookup_bytes(value, "path"));
    return 0;
}
