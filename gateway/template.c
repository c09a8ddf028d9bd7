#include "gateway/template.h"

#include "gateway/base/error.h"

#include <string.h>

#define MAX_PART 255      /* bytes of a name, as everywhere */
#define MAX_TAIL 100      /* bytes of an extension that are kept whole */
#define MAX_TEMPLATE 1024 /* bytes of the text */
#define MAX_FIELD 120     /* bytes taken from a field that a file says of itself */

/* Stands where a date is wanted and none is known. */
#define UNDATED "Undated"

typedef enum {
    FIELD_LITERAL, /* text of the template itself */
    FIELD_YEAR,
    FIELD_MONTH,
    FIELD_DAY,
    FIELD_HOUR,
    FIELD_MINUTE,
    FIELD_SECOND,
    FIELD_CAMERA,
    FIELD_NAME,
    FIELD_EXT,
    FIELD_DEVICE,
    FIELD_ARTIST,
    FIELD_ALBUM,
    FIELD_TRACK,
    FIELD_TITLE,
    FIELD_GENRE,
} FieldKind;

static const char *const FIELD_WORDS[] = {
    [FIELD_LITERAL] = "",      [FIELD_YEAR] = "year",     [FIELD_MONTH] = "month",
    [FIELD_DAY] = "day",       [FIELD_HOUR] = "hour",     [FIELD_MINUTE] = "minute",
    [FIELD_SECOND] = "second", [FIELD_CAMERA] = "camera", [FIELD_NAME] = "name",
    [FIELD_EXT] = "ext",       [FIELD_DEVICE] = "device", [FIELD_ARTIST] = "artist",
    [FIELD_ALBUM] = "album",   [FIELD_TRACK] = "track",   [FIELD_TITLE] = "title",
    [FIELD_GENRE] = "genre",
};

typedef struct {
    FieldKind kind;
    char *text; /* of a literal */
} Piece;

struct HearthTemplate {
    GPtrArray *parts; /* element-type GArray of Piece, at least one; the last is the name */
};

/* --- Parsing ----------------------------------------------------------------------------------- */

static void piece_clear(gpointer piece)
{
    g_free(((Piece *)piece)->text);
}

static void add_literal(GArray *part, const char *text, gsize size)
{
    if (size == 0)
        return;
    Piece piece = {.kind = FIELD_LITERAL, .text = g_strndup(text, size)};
    g_array_append_val(part, piece);
}

static gboolean add_field(GArray *part, const char *word, GError **error)
{
    for (guint kind = FIELD_YEAR; kind < G_N_ELEMENTS(FIELD_WORDS); kind++) {
        if (g_str_equal(FIELD_WORDS[kind], word)) {
            Piece piece = {.kind = kind};
            g_array_append_val(part, piece);
            return TRUE;
        }
    }
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "has the unknown field {%s}", word);
    return FALSE;
}

static GArray *parse_part(const char *text, GError **error)
{
    g_autoptr(GArray) part = g_array_new(FALSE, TRUE, sizeof(Piece));
    g_array_set_clear_func(part, piece_clear);
    while (text[0] != '\0') {
        gsize literal = strcspn(text, "{}");
        add_literal(part, text, literal);
        text += literal;
        if (text[0] == '\0')
            break;
        const char *end = text[0] == '{' ? strchr(text, '}') : NULL;
        if (!end) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "has a brace without its other");
            return NULL;
        }
        g_autofree char *word = g_strndup(text + 1, (gsize)(end - text) - 1);
        if (!add_field(part, word, error))
            return NULL;
        text = end + 1;
    }
    return g_steal_pointer(&part);
}

static gboolean part_has_field(const GArray *part)
{
    for (guint i = 0; i < part->len; i++)
        if (g_array_index(part, Piece, i).kind != FIELD_LITERAL)
            return TRUE;
    return FALSE;
}

/* The extension is added to every name; a template that ends in ".{ext}" means just that. */
static void drop_extension(GArray *part)
{
    if (part->len < 2 || g_array_index(part, Piece, part->len - 1).kind != FIELD_EXT)
        return;
    Piece *dot = &g_array_index(part, Piece, part->len - 2);
    if (dot->kind != FIELD_LITERAL || !g_str_has_suffix(dot->text, "."))
        return;
    dot->text[strlen(dot->text) - 1] = '\0';
    g_array_set_size(part, part->len - 1);
}

static gboolean check_text(const char *text, GError **error)
{
    const char *why = NULL;
    if (text[0] != '/')
        why = "does not begin with /";
    else if (strlen(text) > MAX_TEMPLATE)
        why = "is longer than 1,024 bytes";
    else if (!g_utf8_validate(text, -1, NULL))
        why = "is not UTF-8";
    else if (strstr(text, "//"))
        why = "has an empty part";
    if (!why)
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s", why);
    return FALSE;
}

HearthTemplate *hearth_template_parse(const char *text, GError **error)
{
    if (!check_text(text, error))
        return NULL;
    g_autoptr(HearthTemplate) template = g_new0(HearthTemplate, 1);
    template->parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_auto(GStrv) parts = g_strsplit(text + 1, "/", -1);
    for (char **at = parts; *at; at++) {
        if (g_str_equal(*at, ".") || g_str_equal(*at, "..")) {
            g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "has the part \"%s\"", *at);
            return NULL;
        }
        GArray *part = parse_part(*at, error);
        if (!part)
            return NULL;
        g_ptr_array_add(template->parts, part);
    }
    GArray *last = g_ptr_array_index(template->parts, template->parts->len - 1);
    if (!part_has_field(last)) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID,
                    "would give every file the same name: its last part has no field");
        return NULL;
    }
    drop_extension(last);
    return g_steal_pointer(&template);
}

void hearth_template_free(HearthTemplate *template)
{
    if (!template)
        return;
    g_ptr_array_unref(template->parts);
    g_free(template);
}

/* --- Expanding --------------------------------------------------------------------------------- */

static gboolean is_date(FieldKind kind)
{
    return kind >= FIELD_YEAR && kind <= FIELD_SECOND;
}

/* Appends what a file says of itself, so that it reads the same on every system: no separators,
 * controls or characters that Windows refuses, no blanks at the ends. */
static void append_value(GString *out, const char *value, const char *otherwise)
{
    g_autofree char *valid = g_utf8_make_valid(value && value[0] != '\0' ? value : otherwise, -1);
    g_autoptr(GString) clean = g_string_new(NULL);
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (g_unichar_iscntrl(c) || (c < 128 && strchr("/\\:*?\"<>|", (int)c)))
            c = '_';
        if (clean->len + 4 > MAX_FIELD)
            break;
        g_string_append_unichar(clean, c);
    }
    g_strstrip(clean->str);
    g_string_append(out, clean->str[0] != '\0' ? clean->str : otherwise);
}

/* {name} is kept byte for byte, but for what no name may have. */
static void append_bytes(GString *out, const char *bytes)
{
    for (; bytes && *bytes; bytes++)
        g_string_append_c(out, *bytes == '/' ? '_' : *bytes);
}

static void append_number(GString *out, int value, int digits)
{
    g_string_append_printf(out, "%0*d", digits, value);
}

static void append_piece(GString *out, const Piece *piece, const HearthTemplateFields *fields)
{
    switch (piece->kind) {
    case FIELD_LITERAL:
        g_string_append(out, piece->text);
        return;
    case FIELD_YEAR:
        append_number(out, fields->year, 4);
        return;
    case FIELD_MONTH:
        append_number(out, fields->month, 2);
        return;
    case FIELD_DAY:
        append_number(out, fields->day, 2);
        return;
    case FIELD_HOUR:
        append_number(out, fields->hour, 2);
        return;
    case FIELD_MINUTE:
        append_number(out, fields->minute, 2);
        return;
    case FIELD_SECOND:
        append_number(out, fields->second, 2);
        return;
    case FIELD_CAMERA:
        append_value(out, fields->camera, "Unknown camera");
        return;
    case FIELD_NAME:
        append_bytes(out, fields->stem);
        return;
    case FIELD_EXT:
        append_bytes(out, fields->ext);
        return;
    case FIELD_DEVICE:
        append_value(out, fields->device, "device");
        return;
    case FIELD_ARTIST:
        append_value(out, fields->artist, "Unknown artist");
        return;
    case FIELD_ALBUM:
        append_value(out, fields->album, "Unknown album");
        return;
    case FIELD_TRACK:
        if (fields->track > 0)
            append_number(out, (int)MIN(fields->track, 9999), 2);
        return;
    case FIELD_TITLE:
        if (fields->title && fields->title[0] != '\0')
            append_value(out, fields->title, "");
        else
            append_bytes(out, fields->stem);
        return;
    case FIELD_GENRE:
        append_value(out, fields->genre, "Unknown genre");
        return;
    }
}

/* Cuts to `limit` bytes, not inside a character if the text is UTF-8. */
static void cut(GString *text, gsize limit)
{
    if (text->len <= limit)
        return;
    gsize at = limit;
    while (at > 0 && at + 3 > limit && ((guint8)text->str[at] & 0xC0) == 0x80)
        at--;
    if (((guint8)text->str[at] & 0xC0) == 0x80)
        at = limit;
    g_string_truncate(text, at);
}

static void strip_blanks(GString *text)
{
    g_strstrip(text->str);
    text->len = strlen(text->str);
}

/* TRUE if the part asks for a date that is not known; it is then not expanded. */
static gboolean part_lacks_date(const GArray *part, const HearthTemplateFields *fields)
{
    for (guint i = 0; !fields->has_time && i < part->len; i++)
        if (is_date(g_array_index(part, Piece, i).kind))
            return TRUE;
    return FALSE;
}

static GString *expand_part(const GArray *part, const HearthTemplateFields *fields)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < part->len; i++) {
        const Piece *piece = &g_array_index(part, Piece, i);
        if (fields->has_time || !is_date(piece->kind))
            append_piece(out, piece, fields);
    }
    return out;
}

char *hearth_template_folder(const HearthTemplate *template, const HearthTemplateFields *fields)
{
    g_autoptr(GString) path = g_string_new(NULL);
    gboolean undated = FALSE;
    for (guint i = 0; i + 1 < template->parts->len; i++) {
        const GArray *part = g_ptr_array_index(template->parts, i);
        if (part_lacks_date(part, fields)) {
            /* "/{year}/{year}-{month}" is one folder for all that has no date, not two. */
            if (!undated)
                g_string_append(path, "/" UNDATED);
            undated = TRUE;
            continue;
        }
        g_autoptr(GString) text = expand_part(part, fields);
        strip_blanks(text);
        cut(text, MAX_PART);
        if (text->len == 0 || g_str_equal(text->str, ".") || g_str_equal(text->str, ".."))
            g_string_assign(text, "_");
        g_string_append_printf(path, "/%s", text->str);
    }
    if (path->len == 0)
        g_string_assign(path, "/");
    return g_string_free(g_steal_pointer(&path), FALSE);
}

char *hearth_template_stem(const HearthTemplate *template, const HearthTemplateFields *fields)
{
    const GArray *last = g_ptr_array_index(template->parts, template->parts->len - 1);
    g_autoptr(GString) stem = expand_part(last, fields);
    /* What is nothing but {name} stays as it was given, blanks and all. */
    if (last->len > 1)
        strip_blanks(stem);
    if (stem->len == 0)
        g_string_assign(stem, part_lacks_date(last, fields) ? UNDATED : "_");
    return g_string_free(g_steal_pointer(&stem), FALSE);
}

char *hearth_template_join(const char *stem, guint number, const char *tail)
{
    g_autoptr(GString) name = g_string_new(stem);
    g_autoptr(GString) end = g_string_new(NULL);
    if (number > 1)
        g_string_append_printf(end, " (%u)", number);
    append_bytes(strlen(tail) <= MAX_TAIL ? end : name, tail);
    cut(name, MAX_PART - end->len);
    g_string_append_len(name, end->str, (gssize)end->len);
    if (name->len == 0 || g_str_equal(name->str, ".") || g_str_equal(name->str, ".."))
        g_string_assign(name, "_");
    return g_string_free(g_steal_pointer(&name), FALSE);
}
