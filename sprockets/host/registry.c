#include "sprockets/host/registry-private.h"

#include <string.h>

#include "gateway/base/error.h"
#include "sprockets/host/describe-private.h"

/* Marks of a fit; a sum of them orders candidates. */
#define FIT_EXTENSION 1
#define FIT_MEDIA_TYPE 2
#define FIT_MAGIC 4

static void type_free(HearthSprocketType *type)
{
    g_free(type->media_type);
    g_strfreev(type->extensions);
    g_free(type->magic);
    g_free(type);
}

HearthSprocket *hearth_sprocket_new(guint slot, const char *path)
{
    HearthSprocket *sprocket = g_new0(HearthSprocket, 1);
    sprocket->slot = slot;
    sprocket->path = g_strdup(path);
    sprocket->types = g_ptr_array_new_with_free_func((GDestroyNotify)type_free);
    return sprocket;
}

void hearth_sprocket_free(HearthSprocket *sprocket)
{
    if (!sprocket)
        return;
    g_free(sprocket->path);
    g_free(sprocket->id);
    g_free(sprocket->version);
    g_free(sprocket->description);
    g_strfreev(sprocket->hooks);
    g_ptr_array_unref(sprocket->types);
    g_free(sprocket->last_error);
    g_free(sprocket);
}

static gboolean refuse(GError **error, const char *reason)
{
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "its table is malformed: %s", reason);
    return FALSE;
}

/* NULL: no such key, or text that is not UTF-8. */
static char *get_string(GBytes *record, const char *key)
{
    HearthRecordValue value;
    gsize size;
    const void *data = g_bytes_get_data(record, &size);
    if (!hearth_record_find(data, size, key, HEARTH_RECORD_STRING, &value) ||
        !g_utf8_validate(hearth_record_string(&value), -1, NULL))
        return NULL;
    return g_strdup(hearth_record_string(&value));
}

static char **get_strv(GBytes *record, const char *key)
{
    HearthRecordValue value;
    gsize size, offset = 0;
    const void *data = g_bytes_get_data(record, &size);
    if (!hearth_record_find(data, size, key, HEARTH_RECORD_STRV, &value))
        return NULL;
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    for (guint32 i = 0, count = hearth_record_strv_count(&value); i < count; i++) {
        const char *text = hearth_record_strv_next(&value, &offset);
        if (!g_utf8_validate(text, -1, NULL))
            return NULL;
        g_ptr_array_add(strings, g_strdup(text));
    }
    g_ptr_array_add(strings, NULL);
    return (char **)g_ptr_array_steal(strings, NULL);
}

static gboolean parse_magic(HearthSprocketType *type, const char *magic, const char *offset)
{
    gsize digits = strlen(magic);
    guint64 number;
    if (!g_ascii_string_to_unsigned(offset, 10, 0, HEARTH_DESCRIBE_MAGIC_END, &number, NULL) ||
        digits % 2 != 0 || digits / 2 > HEARTH_DESCRIBE_MAGIC_MAX)
        return FALSE;
    type->magic_offset = number;
    type->magic_size = digits / 2;
    type->magic = digits ? g_malloc(digits / 2) : NULL;
    for (gsize i = 0; i < digits; i += 2) {
        if (!g_ascii_isxdigit(magic[i]) || !g_ascii_isxdigit(magic[i + 1]))
            return FALSE;
        type->magic[i / 2] =
            (guint8)(g_ascii_xdigit_value(magic[i]) << 4 | g_ascii_xdigit_value(magic[i + 1]));
    }
    return TRUE;
}

static gboolean describe_types(HearthSprocket *sprocket, GBytes *record, GError **error)
{
    g_auto(GStrv) types = get_strv(record, "types"), extensions = get_strv(record, "extensions");
    g_auto(GStrv) magics = get_strv(record, "magics"), offsets = get_strv(record, "offsets");
    if (!types || !extensions || !magics || !offsets)
        return refuse(error, "types are missing");
    guint count = g_strv_length(types);
    if (g_strv_length(extensions) != count || g_strv_length(magics) != count ||
        g_strv_length(offsets) != count)
        return refuse(error, "types are incomplete");
    for (guint i = 0; i < count; i++) {
        HearthSprocketType *type = g_new0(HearthSprocketType, 1);
        g_ptr_array_add(sprocket->types, type);
        type->media_type = g_strdup(types[i]);
        type->extensions = g_strsplit(extensions[i], " ", -1);
        if (!parse_magic(type, magics[i], offsets[i]))
            return refuse(error, "a magic is malformed");
    }
    return TRUE;
}

gboolean hearth_sprocket_describe(HearthSprocket *sprocket, GBytes *description, GError **error)
{
    g_autofree char *id = get_string(description, "id");
    sprocket->version = get_string(description, "version");
    sprocket->description = get_string(description, "description");
    sprocket->hooks = get_strv(description, "hooks");
    if (!id || !sprocket->version || !sprocket->hooks)
        return refuse(error, "id, version or hooks are missing");
    if (!describe_types(sprocket, description, error))
        return FALSE;
    sprocket->id = g_steal_pointer(&id);
    return TRUE;
}

gboolean hearth_sprocket_has_hook(const HearthSprocket *sprocket, const char *hook)
{
    return sprocket->id && g_strv_contains((const char *const *)sprocket->hooks, hook);
}

static gboolean has_extension(const HearthSprocketType *type, const char *name)
{
    const char *dot = name ? strrchr(name, '.') : NULL;
    if (!dot || !dot[1])
        return FALSE;
    for (char **extension = type->extensions; *extension; extension++)
        if (g_ascii_strcasecmp(*extension, dot + 1) == 0)
            return TRUE;
    return FALSE;
}

static guint type_fit(const HearthSprocketType *type, const char *media_type, const char *name,
                      const guint8 *head, gsize head_size)
{
    guint fit = 0;
    if (type->magic) {
        if (type->magic_offset > head_size || type->magic_size > head_size - type->magic_offset ||
            memcmp(head + type->magic_offset, type->magic, type->magic_size) != 0)
            return 0;
        fit += FIT_MAGIC;
    }
    if (media_type && g_ascii_strcasecmp(media_type, type->media_type) == 0)
        fit += FIT_MEDIA_TYPE;
    if (has_extension(type, name))
        fit += FIT_EXTENSION;
    return fit;
}

guint hearth_sprocket_fit(const HearthSprocket *sprocket, const char *media_type, const char *name,
                          const guint8 *head, gsize head_size, const HearthSprocketType **ret_type)
{
    guint best = 0;
    for (guint i = 0; i < sprocket->types->len; i++) {
        const HearthSprocketType *type = g_ptr_array_index(sprocket->types, i);
        guint fit = type_fit(type, media_type, name, head, head_size);
        if (fit > best) {
            best = fit;
            *ret_type = type;
        }
    }
    return best;
}

void hearth_sprocket_set_error(HearthSprocket *sprocket, const char *message)
{
    g_free(sprocket->last_error);
    sprocket->last_error = g_strdup(message);
    sprocket->last_error_time = g_get_real_time() / G_USEC_PER_SEC;
}

void hearth_sprocket_count(HearthSprocket *sprocket, HearthSprocketOutcome outcome, guint64 wall_ns,
                           const char *message)
{
    sprocket->calls++;
    sprocket->outcomes[outcome]++;
    sprocket->busy_ns += wall_ns;
    if (outcome == HEARTH_SPROCKET_RETURNED || outcome == HEARTH_SPROCKET_DECLINED) {
        sprocket->bad_in_a_row = 0;
    } else if (outcome != HEARTH_SPROCKET_NOT_RUN && outcome != HEARTH_SPROCKET_CONFLICT) {
        hearth_sprocket_set_error(sprocket, message);
        if (++sprocket->bad_in_a_row >= HEARTH_SPROCKET_QUARANTINE_AFTER)
            sprocket->quarantined = TRUE;
    }
}

HearthSprocketStatus *hearth_sprocket_status(const HearthSprocket *sprocket)
{
    HearthSprocketStatus *status = g_new0(HearthSprocketStatus, 1);
    status->id = g_strdup(sprocket->id);
    status->version = g_strdup(sprocket->version);
    status->description = g_strdup(sprocket->description);
    status->path = g_strdup(sprocket->path);
    status->hooks = sprocket->id ? g_strdupv(sprocket->hooks) : g_new0(char *, 1);
    g_autoptr(GPtrArray) types = g_ptr_array_new();
    for (guint i = 0; i < sprocket->types->len; i++) {
        const HearthSprocketType *type = g_ptr_array_index(sprocket->types, i);
        g_ptr_array_add(types, g_strdup(type->media_type));
    }
    g_ptr_array_add(types, NULL);
    status->media_types = (char **)g_ptr_array_steal(types, NULL);
    status->calls = sprocket->calls;
    memcpy(status->outcomes, sprocket->outcomes, sizeof status->outcomes);
    status->busy_ns = sprocket->busy_ns;
    status->bad_in_a_row = sprocket->bad_in_a_row;
    status->quarantined = sprocket->quarantined;
    status->mode = sprocket->mode;
    status->last_error = g_strdup(sprocket->last_error);
    status->last_error_time = sprocket->last_error_time;
    return status;
}

void hearth_sprocket_status_free(HearthSprocketStatus *status)
{
    if (!status)
        return;
    g_free(status->id);
    g_free(status->version);
    g_free(status->description);
    g_free(status->path);
    g_strfreev(status->hooks);
    g_strfreev(status->media_types);
    g_free(status->last_error);
    g_free(status);
}
