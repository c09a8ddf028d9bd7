#include <stdint.h>

#include "sprockets/host/result-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes decode to a refusal or to values; values of metadata then hold to the vocabulary. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const HearthResultContext context = {0};
    g_autoptr(GVariant) decoded = hearth_result_decode(data, size, NULL);
    g_autoptr(GVariant) values =
        decoded ? hearth_result_validate("metadata", decoded, &context, NULL) : NULL;
    if (values && !g_variant_is_normal_form(values))
        g_error("a result that is not in normal form");
    return 0;
}
