#include "tests/fuzz/photo-harness.h"

#include "sprockets/host/call-private.h"
#include "sprockets/host/result-private.h"

#define EDGE 320

extern const SprocketDescriptor sprocket_descriptor;

static bool append(HearthCall *call, const void *data, size_t length)
{
    g_byte_array_append(call->emit_data, data, (guint)length);
    return true;
}

static void check(const char *hook, const guint8 *result, gsize size, GBytes *emitted)
{
    const HearthResultContext context = {g_bytes_get_size(emitted) ? emitted : NULL, EDGE};
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) decoded = hearth_result_decode(result, size, &error);
    g_autoptr(GVariant) values =
        decoded ? hearth_result_validate(hook, decoded, &context, &error) : NULL;
    if (!values)
        g_error("%s", error->message);
}

void photo_harness_run(const char *hook, const uint8_t *data, size_t size)
{
    static guint8 result[SPROCKET_RESULT_MAX], params[256];
    HearthCall call;
    size_t result_size;
    gsize params_size;
    g_autoptr(GVariant) given = g_variant_ref_sink(g_variant_new_parsed("{'edge': <%u>}", EDGE));
    hearth_result_encode_params(given, "a.jpg", "image/jpeg", params, sizeof params, &params_size,
                                NULL);
    hearth_call_init(&call, data, size, params, params_size);
    hearth_record_begin(&call.result, result, sizeof result);
    call.emit = append;
    call.emit_left = 16 << 20;
    GByteArray *emitted = g_byte_array_new();
    call.emit_data = emitted;
    int status =
        hearth_call_run(&call, hearth_call_find_hook(&sprocket_descriptor, hook), &result_size);
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(emitted);
    if (status < SPROCKET_OK || status > SPROCKET_FAILED || call.rule)
        g_error("status %d, rule %s", status, call.rule);
    if (status == SPROCKET_OK)
        check(hook, result, result_size, bytes);
}
