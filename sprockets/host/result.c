#include "sprockets/host/result-private.h"

#include <string.h>

#include "gateway/base/error.h"
#include "sprockets/host/call-private.h"
#include "sprockets/host/jpeg-header-private.h"
#include "sprockets/host/record-private.h"
#include "sprockets/host/vocabulary.h"

static gboolean refuse(GError **error, const char *key, const char *reason)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s%s%s", key ? key : "",
                key ? ": " : "", reason);
    return FALSE;
}

static GVariant *decode_strv(const HearthRecordValue *value)
{
    GVariantBuilder builder;
    gsize offset = 0;
    g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint32 i = 0, count = hearth_record_strv_count(value); i < count; i++) {
        const char *text = hearth_record_strv_next(value, &offset);
        if (!g_utf8_validate(text, -1, NULL)) {
            g_variant_builder_clear(&builder);
            return NULL;
        }
        g_variant_builder_add(&builder, "s", text);
    }
    return g_variant_builder_end(&builder);
}

/* NULL: the value has text that is not UTF-8. Else floating. */
static GVariant *decode_value(const HearthRecordValue *value)
{
    switch (value->type) {
    case HEARTH_RECORD_STRING:
        if (!g_utf8_validate(hearth_record_string(value), -1, NULL))
            return NULL;
        return g_variant_new_string(hearth_record_string(value));
    case HEARTH_RECORD_UINT:
        return g_variant_new_uint64(hearth_record_uint(value));
    case HEARTH_RECORD_DOUBLE:
        return g_variant_new_double(hearth_record_double(value));
    case HEARTH_RECORD_BOOL:
        return g_variant_new_boolean(hearth_record_bool(value));
    case HEARTH_RECORD_STRV:
        return decode_strv(value);
    }
    return NULL;
}

static gboolean decode_into(HearthRecordReader *reader, GVariantDict *dict, GError **error)
{
    HearthRecordValue value;
    int step;
    while ((step = hearth_record_next(reader, &value)) == 1) {
        if (!g_utf8_validate(value.key, -1, NULL))
            return refuse(error, NULL, "a key is not UTF-8");
        if (g_variant_dict_contains(dict, value.key))
            return refuse(error, value.key, "is there twice");
        GVariant *decoded = decode_value(&value);
        if (!decoded)
            return refuse(error, value.key, "is not UTF-8");
        g_variant_dict_insert_value(dict, value.key, decoded);
    }
    return step == 0 ? TRUE : refuse(error, NULL, "a value is malformed");
}

GVariant *hearth_result_decode(const guint8 *data, gsize size, GError **error)
{
    HearthRecordReader reader;
    if (!hearth_record_open(&reader, data, size)) {
        refuse(error, NULL, "the header is malformed");
        return NULL;
    }
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    if (!decode_into(&reader, &dict, error))
        return NULL;
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* The wire has one width of integer, the vocabulary another. Floating or a new reference. */
static GVariant *narrow(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64) &&
        g_variant_get_uint64(value) <= G_MAXUINT32)
        return g_variant_new_uint32((guint32)g_variant_get_uint64(value));
    return g_variant_ref(value);
}

static GVariant *validate_metadata(GVariant *decoded, const HearthResultContext *context,
                                   GError **error)
{
    g_auto(GVariantBuilder) checked = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    GVariantIter iter;
    const char *key;
    GVariant *child;
    if (context->emitted) {
        refuse(error, NULL, "a metadata hook emits no bytes");
        return NULL;
    }
    g_variant_iter_init(&iter, decoded);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) wide = child;
        g_autoptr(GVariant) value = g_variant_take_ref(narrow(wide));
        if (!hearth_vocabulary_check(key, value, error))
            return NULL;
        g_variant_builder_add(&checked, "{sv}", key, value);
    }
    return g_variant_ref_sink(g_variant_builder_end(&checked));
}

/* What the sprocket says of the picture is only compared: the bytes decide. */
static gboolean says_so(GVariant *decoded, const char *key, guint value, GError **error)
{
    guint64 said;
    if (!g_variant_lookup(decoded, key, "t", &said) || said == value)
        return TRUE;
    return refuse(error, key, "differs from the emitted bytes");
}

static GVariant *validate_preview(GVariant *decoded, const HearthResultContext *context,
                                  GError **error)
{
    HearthJpegHeader header;
    const char *media_type;
    gsize size = 0;
    const guint8 *data = context->emitted ? g_bytes_get_data(context->emitted, &size) : NULL;
    if (!g_variant_lookup(decoded, "media.type", "&s", &media_type) ||
        strcmp(media_type, "image/jpeg") != 0) {
        refuse(error, "media.type", "a preview is image/jpeg");
        return NULL;
    }
    if (!hearth_jpeg_header_read(data, size, &header, error))
        return NULL;
    if (header.width > context->edge || header.height > context->edge) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "the preview is %ux%u, larger than the %u asked for", header.width,
                    header.height, context->edge);
        return NULL;
    }
    if (!says_so(decoded, "image.width", header.width, error) ||
        !says_so(decoded, "image.height", header.height, error))
        return NULL;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_variant_dict_insert(&dict, "media.type", "s", "image/jpeg");
    g_variant_dict_insert(&dict, "image.width", "u", header.width);
    g_variant_dict_insert(&dict, "image.height", "u", header.height);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* The other hooks of the design get their row here, with what their result is checked by. */
static const struct {
    const char *hook;
    GVariant *(*validate)(GVariant *decoded, const HearthResultContext *context, GError **error);
} HOOKS[] = {
    {"metadata", validate_metadata},
    {"preview", validate_preview},
};

gboolean hearth_result_knows_hook(const char *hook)
{
    for (gsize i = 0; i < G_N_ELEMENTS(HOOKS); i++)
        if (strcmp(HOOKS[i].hook, hook) == 0)
            return TRUE;
    return FALSE;
}

GVariant *hearth_result_validate(const char *hook, GVariant *decoded,
                                 const HearthResultContext *context, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(HOOKS); i++)
        if (strcmp(HOOKS[i].hook, hook) == 0)
            return HOOKS[i].validate(decoded, context, error);
    refuse(error, hook, "is not a hook that results are known of");
    return NULL;
}

static gboolean encode_param(HearthRecordWriter *writer, const char *key, GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_STRING:
        return hearth_record_put_string(writer, key, g_variant_get_string(value, NULL));
    case G_VARIANT_CLASS_UINT32:
        return hearth_record_put_uint(writer, key, g_variant_get_uint32(value));
    case G_VARIANT_CLASS_UINT64:
        return hearth_record_put_uint(writer, key, g_variant_get_uint64(value));
    case G_VARIANT_CLASS_DOUBLE:
        return hearth_record_put_double(writer, key, g_variant_get_double(value));
    case G_VARIANT_CLASS_BOOLEAN:
        return hearth_record_put_bool(writer, key, g_variant_get_boolean(value));
    default:
        return FALSE;
    }
}

gboolean hearth_result_encode_params(GVariant *params, const char *name, const char *media_type,
                                     guint8 *buffer, gsize capacity, gsize *ret_size,
                                     GError **error)
{
    HearthRecordWriter writer;
    GVariantIter iter;
    const char *key;
    GVariant *child;
    hearth_record_begin(&writer, buffer, capacity);
    hearth_record_put_string(&writer, HEARTH_CALL_PARAM_NAME, name ? name : "");
    if (media_type)
        hearth_record_put_string(&writer, HEARTH_CALL_PARAM_TYPE, media_type);
    if (params) {
        g_variant_iter_init(&iter, params);
        while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
            g_autoptr(GVariant) value = child;
            if (!encode_param(&writer, key, value)) {
                g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                            "the parameter %s cannot be handed to a sprocket", key);
                return FALSE;
            }
        }
    }
    if (writer.problem != HEARTH_RECORD_GOOD)
        return refuse(error, name, "the file's name or the parameters are too long");
    *ret_size = hearth_record_end(&writer);
    return TRUE;
}
