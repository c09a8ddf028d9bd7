#include "web/json.h"

#include "gateway/base/error.h"
#include "gateway/base/number.h"
#include "web/uri.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* Longest JSON text that is read, bytes. */
#define TEXT_MAX (64 << 20)
/* Deepest nesting that is read: far more than any request of ours, far less than a stack holds. */
#define DEPTH_MAX 32

/* --- Printing --- */

typedef struct {
    GString *out;
    gboolean pretty;
    guint depth;
} Printer;

static void print_value(Printer *printer, GVariant *value);

static void print_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const guchar *at = (const guchar *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            g_string_append_printf(out, "\\%c", *at);
        else if (*at == '\n')
            g_string_append(out, "\\n");
        else if (*at < 0x20 || *at == 0x7f)
            g_string_append_printf(out, "\\u%04x", *at);
        else
            g_string_append_c(out, (char)*at);
    }
    g_string_append_c(out, '"');
}

static void print_double(GString *out, double number)
{
    char text[HEARTH_DOUBLE_TEXT];
    g_string_append(out, isfinite(number) ? hearth_double_to_text(number, text) : "null");
}

static void new_line(Printer *printer)
{
    if (!printer->pretty)
        return;
    g_string_append_c(printer->out, '\n');
    for (guint i = 0; i < printer->depth; i++)
        g_string_append(printer->out, "  ");
}

static void begin_member(Printer *printer, gboolean *first, const char *key)
{
    if (!*first)
        g_string_append_c(printer->out, ',');
    *first = FALSE;
    new_line(printer);
    if (!key)
        return;
    print_string(printer->out, key);
    g_string_append(printer->out, printer->pretty ? ": " : ":");
}

/* A name: readable under KEY and, when that is not exact, percent-encoded under KEY_bytes. */
static void print_name(Printer *printer, gboolean *first, const char *key, const char *bytes)
{
    g_autofree char *text = g_utf8_make_valid(bytes, -1);
    begin_member(printer, first, key);
    print_string(printer->out, text);
    if (strcmp(text, bytes) == 0)
        return;
    g_autofree char *exact_key = g_strconcat(key, "_bytes", NULL);
    g_autofree char *exact = hearth_uri_encode_path(bytes);
    begin_member(printer, first, exact_key);
    print_string(printer->out, exact);
}

static void print_dictionary(Printer *printer, GVariant *dictionary)
{
    GVariantIter iter;
    GVariant *entry;
    gboolean first = TRUE;
    g_string_append_c(printer->out, '{');
    printer->depth++;
    g_variant_iter_init(&iter, dictionary);
    while ((entry = g_variant_iter_next_value(&iter))) {
        g_autoptr(GVariant) owned = entry, key = g_variant_get_child_value(entry, 0);
        g_autoptr(GVariant) boxed = g_variant_get_child_value(entry, 1);
        g_autoptr(GVariant) value = g_variant_is_of_type(boxed, G_VARIANT_TYPE_VARIANT)
                                        ? g_variant_get_variant(boxed)
                                        : g_variant_ref(boxed);
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_BYTESTRING)) {
            print_name(printer, &first, g_variant_get_string(key, NULL),
                       g_variant_get_bytestring(value));
            continue;
        }
        begin_member(printer, &first, g_variant_get_string(key, NULL));
        print_value(printer, value);
    }
    printer->depth--;
    if (!first)
        new_line(printer);
    g_string_append_c(printer->out, '}');
}

static void print_array(Printer *printer, GVariant *array)
{
    gsize count = g_variant_n_children(array);
    gboolean first = TRUE;
    g_string_append_c(printer->out, '[');
    printer->depth++;
    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) element = g_variant_get_child_value(array, i);
        begin_member(printer, &first, NULL);
        print_value(printer, element);
    }
    printer->depth--;
    if (!first)
        new_line(printer);
    g_string_append_c(printer->out, ']');
}

static gboolean print_number(GString *out, GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_BYTE:
        g_string_append_printf(out, "%u", g_variant_get_byte(value));
        return TRUE;
    case G_VARIANT_CLASS_INT16:
        g_string_append_printf(out, "%d", g_variant_get_int16(value));
        return TRUE;
    case G_VARIANT_CLASS_UINT16:
        g_string_append_printf(out, "%u", g_variant_get_uint16(value));
        return TRUE;
    case G_VARIANT_CLASS_INT32:
        g_string_append_printf(out, "%d", g_variant_get_int32(value));
        return TRUE;
    case G_VARIANT_CLASS_UINT32:
        g_string_append_printf(out, "%u", g_variant_get_uint32(value));
        return TRUE;
    case G_VARIANT_CLASS_INT64:
        g_string_append_printf(out, "%" G_GINT64_FORMAT, g_variant_get_int64(value));
        return TRUE;
    case G_VARIANT_CLASS_UINT64:
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, g_variant_get_uint64(value));
        return TRUE;
    case G_VARIANT_CLASS_DOUBLE:
        print_double(out, g_variant_get_double(value));
        return TRUE;
    default:
        return FALSE;
    }
}

static void print_text(GString *out, const char *bytes)
{
    g_autofree char *text = g_utf8_make_valid(bytes, -1);
    print_string(out, text);
}

static void print_value(Printer *printer, GVariant *value)
{
    if (print_number(printer->out, value))
        return;
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN)) {
        g_string_append(printer->out, g_variant_get_boolean(value) ? "true" : "false");
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        print_string(printer->out, g_variant_get_string(value, NULL));
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_BYTESTRING)) {
        print_text(printer->out, g_variant_get_bytestring(value));
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
        g_autoptr(GVariant) inner = g_variant_get_variant(value);
        print_value(printer, inner);
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE("a{s*}"))) {
        print_dictionary(printer, value);
    } else if (g_variant_is_container(value)) {
        print_array(printer, value);
    } else {
        g_string_append(printer->out, "null");
    }
}

char *hearth_json_print(GVariant *value)
{
    Printer printer = {.out = g_string_new(NULL)};
    print_value(&printer, value);
    return g_string_free(printer.out, FALSE);
}

char *hearth_json_print_pretty(GVariant *value)
{
    Printer printer = {.out = g_string_new(NULL), .pretty = TRUE};
    print_value(&printer, value);
    g_string_append_c(printer.out, '\n');
    return g_string_free(printer.out, FALSE);
}

/* --- Reading --- */

/* What may stand outside of strings: the library also takes comments and other quotes, which would
 * hide brackets from the count below. */
static gboolean is_structure(char c)
{
    return c != '\0' && strchr("{}[],:+-.0123456789truefalsnE \t\r\n", c);
}

static gboolean refuse_json(GError **error, const char *why)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "the JSON %s", why);
    return FALSE;
}

/* The library's reader recurses without a bound of its own, so depth is counted before it runs. */
static gboolean check_structure(const char *text, gsize size, GError **error)
{
    guint depth = 0;
    gboolean quoted = FALSE;
    for (gsize i = 0; i < size; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && !is_structure(c))
            return refuse_json(error, "holds what is neither a value nor a bracket");
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > DEPTH_MAX)
            return refuse_json(error, "nests deeper than 32 levels");
    }
    return TRUE;
}

static GVariant *read_node(JsonNode *node);

static GVariant *read_object(JsonObject *object)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        GVariant *value = read_node(node);
        if (value)
            g_variant_builder_add(&builder, "{sv}", name, value);
    }
    return g_variant_builder_end(&builder);
}

static GVariant *read_array(JsonArray *array)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("av"));
    for (guint i = 0; i < json_array_get_length(array); i++) {
        GVariant *value = read_node(json_array_get_element(array, i));
        if (value)
            g_variant_builder_add(&builder, "v", value);
    }
    return g_variant_builder_end(&builder);
}

static GVariant *read_scalar(JsonNode *node)
{
    switch (json_node_get_value_type(node)) {
    case G_TYPE_INT64:
        return g_variant_new_int64(json_node_get_int(node));
    case G_TYPE_DOUBLE:
        return g_variant_new_double(json_node_get_double(node));
    case G_TYPE_BOOLEAN:
        return g_variant_new_boolean(json_node_get_boolean(node));
    default:
        return g_variant_new_string(json_node_get_string(node));
    }
}

/* Floating; NULL for null. */
static GVariant *read_node(JsonNode *node)
{
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT:
        return read_object(json_node_get_object(node));
    case JSON_NODE_ARRAY:
        return read_array(json_node_get_array(node));
    case JSON_NODE_VALUE:
        return read_scalar(node);
    default:
        return NULL;
    }
}

GVariant *hearth_json_parse(const char *text, gssize size, GError **error)
{
    gsize length = size < 0 ? strlen(text) : (gsize)size;
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) cause = NULL;
    if (length > TEXT_MAX && !refuse_json(error, "is longer than 64 MiB"))
        return NULL;
    if (!g_utf8_validate_len(text, length, NULL) && !refuse_json(error, "is not UTF-8 without NUL"))
        return NULL;
    if (!check_structure(text, length, error))
        return NULL;
    if (!json_parser_load_from_data(parser, text, (gssize)length, &cause)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "not JSON: %s", cause->message);
        return NULL;
    }
    JsonNode *root = json_parser_get_root(parser);
    GVariant *value = root ? read_node(root) : NULL;
    if (!value && !refuse_json(error, "holds no value"))
        return NULL;
    return g_variant_ref_sink(value);
}

char *hearth_json_lookup_bytes(GVariant *dictionary, const char *key)
{
    g_autofree char *exact_key = g_strconcat(key, "_bytes", NULL);
    const char *exact = NULL, *text = NULL;
    if (g_variant_lookup(dictionary, exact_key, "&s", &exact))
        return hearth_uri_decode(exact, strlen(exact), FALSE, NULL);
    return g_variant_lookup(dictionary, key, "&s", &text) ? g_strdup(text) : NULL;
}
