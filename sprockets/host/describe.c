#include "sprockets/host/describe-private.h"

#include <stdio.h>
#include <string.h>

#define ID_MAX 128     /* bytes */
#define VERSION_MAX 32 /* bytes */

static bool is_id(const char *id)
{
    size_t length = id ? strnlen(id, ID_MAX + 1) : 0;
    return length > 0 && length <= ID_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == length;
}

static const char *put_hooks(const SprocketHook *hooks, HearthRecordWriter *writer)
{
    const char *names[HEARTH_DESCRIBE_HOOKS_MAX];
    size_t count = 0;
    for (; hooks && hooks->name; hooks++) {
        if (count == HEARTH_DESCRIBE_HOOKS_MAX)
            return "it has more than 16 hooks";
        if (!hooks->run)
            return "a hook has no function";
        names[count++] = hooks->name;
    }
    if (count == 0)
        return "it has no hooks";
    hearth_record_put_strv(writer, "hooks", names, count);
    return NULL;
}

typedef struct {
    const char *media[HEARTH_DESCRIBE_TYPES_MAX];
    const char *extensions[HEARTH_DESCRIBE_TYPES_MAX];
    const char *magics[HEARTH_DESCRIBE_TYPES_MAX];
    const char *offsets[HEARTH_DESCRIBE_TYPES_MAX];
    char magic_text[HEARTH_DESCRIBE_TYPES_MAX][2 * HEARTH_DESCRIBE_MAGIC_MAX + 1];
    char offset_text[HEARTH_DESCRIBE_TYPES_MAX][12];
} Columns;

static const char *fill_row(Columns *columns, size_t row, const SprocketType *type)
{
    static const char DIGITS[] = "0123456789abcdef";
    char *text = columns->magic_text[row];
    uint32_t length = type->magic ? type->magic_length : 0;
    if (length > HEARTH_DESCRIBE_MAGIC_MAX ||
        type->magic_offset > HEARTH_DESCRIBE_MAGIC_END - HEARTH_DESCRIBE_MAGIC_MAX)
        return "a type's magic is too long or too far into the file";
    for (uint32_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)type->magic[i];
        *text++ = DIGITS[byte >> 4];
        *text++ = DIGITS[byte & 15];
    }
    *text = '\0';
    snprintf(columns->offset_text[row], sizeof columns->offset_text[row], "%u", type->magic_offset);
    columns->media[row] = type->media_type;
    columns->extensions[row] = type->extensions ? type->extensions : "";
    columns->magics[row] = columns->magic_text[row];
    columns->offsets[row] = columns->offset_text[row];
    return NULL;
}

static const char *put_types(const SprocketType *types, HearthRecordWriter *writer)
{
    Columns columns;
    size_t count = 0;
    for (; types && types->media_type; types++) {
        if (count == HEARTH_DESCRIBE_TYPES_MAX)
            return "it has more than 64 types";
        const char *problem = fill_row(&columns, count++, types);
        if (problem)
            return problem;
    }
    hearth_record_put_strv(writer, "types", columns.media, count);
    hearth_record_put_strv(writer, "extensions", columns.extensions, count);
    hearth_record_put_strv(writer, "magics", columns.magics, count);
    hearth_record_put_strv(writer, "offsets", columns.offsets, count);
    return NULL;
}

const char *hearth_describe(const SprocketDescriptor *sprocket, HearthRecordWriter *writer)
{
    if (sprocket->api != SPROCKET_API)
        return "it was built for another version of sprocket.h";
    if (!is_id(sprocket->id))
        return "its id is not 1 to 128 of a-z 0-9 . - _";
    if (!sprocket->version || strnlen(sprocket->version, VERSION_MAX + 1) > VERSION_MAX)
        return "its version is missing or longer than 32 bytes";
    hearth_record_put_string(writer, "id", sprocket->id);
    hearth_record_put_string(writer, "version", sprocket->version);
    if (sprocket->description)
        hearth_record_put_string(writer, "description", sprocket->description);
    const char *problem = put_hooks(sprocket->hooks, writer);
    if (!problem)
        problem = put_types(sprocket->types, writer);
    if (!problem && writer->problem != HEARTH_RECORD_GOOD)
        problem = "its table is too large, or a text in it is missing";
    return problem;
}
