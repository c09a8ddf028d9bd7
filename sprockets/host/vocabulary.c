#include "sprockets/host/vocabulary.h"

#include <math.h>
#include <string.h>

#include "gateway/base/error.h"

#define NAME_MAX_BYTES 256   /* makes, models, serials, codecs */
#define TITLE_MAX_BYTES 1024 /* titles, artists, albums */
#define TEXT_MAX_BYTES 16383 /* descriptions */
#define KEYWORD_MAX_BYTES 256
#define KEYWORDS_MAX 1024
#define EDGE_MAX 1000000.0    /* pixels */
#define DURATION_MAX 31536000 /* s: a year */

#define STRING(key, most)                                                                          \
    {                                                                                              \
        key, HEARTH_VOCABULARY_STRING, 1, most, NULL, NULL                                         \
    }
#define UINT(key, low, high, unit)                                                                 \
    {                                                                                              \
        key, HEARTH_VOCABULARY_UINT, low, high, NULL, unit                                         \
    }
#define DOUBLE(key, low, high, unit)                                                               \
    {                                                                                              \
        key, HEARTH_VOCABULARY_DOUBLE, low, high, NULL, unit                                       \
    }

static const HearthVocabularyKey KEYS[] = {
    {"media.type", HEARTH_VOCABULARY_STRING, 3, 127, "media-type", NULL},
    UINT("image.width", 1, EDGE_MAX, "px"),
    UINT("image.height", 1, EDGE_MAX, "px"),
    UINT("image.orientation", 1, 8, NULL),
    {"time.taken", HEARTH_VOCABULARY_STRING, 19, 35, "time", NULL},
    STRING("camera.make", NAME_MAX_BYTES),
    STRING("camera.model", NAME_MAX_BYTES),
    STRING("camera.serial", NAME_MAX_BYTES),
    STRING("lens.model", NAME_MAX_BYTES),
    DOUBLE("exposure.time", 1e-9, 1e6, "s"),
    DOUBLE("exposure.fnumber", 0.01, 10000, NULL),
    UINT("exposure.iso", 1, 100000000, NULL),
    DOUBLE("exposure.focal", 0.01, 1e6, "mm"),
    DOUBLE("gps.latitude", -90, 90, "degrees"),
    DOUBLE("gps.longitude", -180, 180, "degrees"),
    DOUBLE("gps.altitude", -20000, 1e6, "m"),
    UINT("image.rating", 0, 5, NULL),
    STRING("text.title", TITLE_MAX_BYTES),
    STRING("text.description", TEXT_MAX_BYTES),
    {"text.keywords", HEARTH_VOCABULARY_STRV, 1, KEYWORD_MAX_BYTES, NULL, NULL},
    STRING("audio.title", TITLE_MAX_BYTES),
    STRING("audio.artist", TITLE_MAX_BYTES),
    STRING("audio.album", TITLE_MAX_BYTES),
    STRING("audio.albumartist", TITLE_MAX_BYTES),
    STRING("audio.genre", TITLE_MAX_BYTES),
    STRING("audio.composer", TITLE_MAX_BYTES),
    UINT("audio.track", 1, 99999, NULL),
    UINT("audio.disc", 1, 9999, NULL),
    UINT("audio.year", 1, 9999, NULL),
    DOUBLE("audio.duration", 0, DURATION_MAX, "s"),
    UINT("audio.bitrate", 1, 1000000000, "bit/s"),
    UINT("audio.samplerate", 1, 100000000, "Hz"),
    UINT("audio.channels", 1, 1024, NULL),
    UINT("video.width", 1, EDGE_MAX, "px"),
    UINT("video.height", 1, EDGE_MAX, "px"),
    STRING("video.codec", NAME_MAX_BYTES),
    STRING("audio.codec", NAME_MAX_BYTES),
    DOUBLE("video.duration", 0, DURATION_MAX, "s"),
    DOUBLE("video.framerate", 0.0001, 1e6, "1/s"),
};

const HearthVocabularyKey *hearth_vocabulary_keys(gsize *ret_count)
{
    *ret_count = G_N_ELEMENTS(KEYS);
    return KEYS;
}

const HearthVocabularyKey *hearth_vocabulary_find(const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
        if (strcmp(KEYS[i].key, key) == 0)
            return &KEYS[i];
    return NULL;
}

/* Reads `digits` digits at *at, which moves on; -1 if there are fewer. */
static int read_number(const char **at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (!g_ascii_isdigit(**at))
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static gboolean take(const char **at, char wanted)
{
    if (**at != wanted)
        return FALSE;
    (*at)++;
    return TRUE;
}

static gboolean take_date(const char **at)
{
    int year = read_number(at, 4);
    gboolean dashed = take(at, '-');
    int month = dashed ? read_number(at, 2) : -1;
    int day = month > 0 && take(at, '-') ? read_number(at, 2) : -1;
    return year > 0 && day > 0 && month <= 12 &&
           g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year);
}

/* HH:MM or, with `seconds`, HH:MM:SS. */
static gboolean take_clock(const char **at, gboolean seconds)
{
    int hour = read_number(at, 2);
    int minute = hour >= 0 && take(at, ':') ? read_number(at, 2) : -1;
    if (hour > 23 || minute < 0 || minute > 59)
        return FALSE;
    if (!seconds)
        return TRUE;
    int second = take(at, ':') ? read_number(at, 2) : -1;
    return second >= 0 && second <= 59;
}

static gboolean take_fraction(const char **at)
{
    int digits = 0;
    if (!take(at, '.'))
        return TRUE;
    for (; g_ascii_isdigit(**at); (*at)++)
        digits++;
    return digits >= 1 && digits <= 9;
}

gboolean hearth_vocabulary_is_time(const char *text)
{
    const char *at = text;
    if (!take_date(&at) || !take(&at, 'T') || !take_clock(&at, TRUE) || !take_fraction(&at))
        return FALSE;
    if (*at == '\0')
        return TRUE;
    if (take(&at, 'Z'))
        return *at == '\0';
    return (take(&at, '+') || take(&at, '-')) && take_clock(&at, FALSE) && *at == '\0';
}

/* type "/" subtype, each of the characters that RFC 6838 allows; lower case, as we write them. */
static gboolean is_media_type(const char *text)
{
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+";
    gsize type = strspn(text, ALLOWED);
    if (type == 0 || text[type] != '/')
        return FALSE;
    gsize subtype = strspn(text + type + 1, ALLOWED);
    return subtype > 0 && text[type + 1 + subtype] == '\0';
}

static gboolean has_control_character(const char *text)
{
    for (; *text; text++)
        if (((guchar)*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7f)
            return TRUE;
    return FALSE;
}

static gboolean refuse(const HearthVocabularyKey *row, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean refuse(const HearthVocabularyKey *row, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: %s", row->key, reason);
    return FALSE;
}

static gboolean check_string(const HearthVocabularyKey *row, const char *text, GError **error)
{
    gsize length = strlen(text);
    if ((double)length < row->low || (double)length > row->high)
        return refuse(row, error, "%" G_GSIZE_FORMAT " bytes long, not %.0f to %.0f", length,
                      row->low, row->high);
    if (!g_utf8_validate(text, -1, NULL))
        return refuse(row, error, "is not UTF-8");
    if (has_control_character(text))
        return refuse(row, error, "has a control character");
    if (g_strcmp0(row->form, "time") == 0 && !hearth_vocabulary_is_time(text))
        return refuse(row, error, "\"%s\" is not a time as 2026-11-20T10:00:00.5+01:00", text);
    if (g_strcmp0(row->form, "media-type") == 0 && !is_media_type(text))
        return refuse(row, error, "\"%s\" is not a media type as image/jpeg", text);
    return TRUE;
}

static gboolean check_strv(const HearthVocabularyKey *row, GVariant *value, GError **error)
{
    gsize count = g_variant_n_children(value);
    if (count > KEYWORDS_MAX)
        return refuse(row, error, "has %" G_GSIZE_FORMAT " entries, more than %d", count,
                      KEYWORDS_MAX);
    for (gsize i = 0; i < count; i++) {
        const char *text;
        g_variant_get_child(value, i, "&s", &text);
        if (!check_string(row, text, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_number(const HearthVocabularyKey *row, double number, GError **error)
{
    if (!isfinite(number) || number < row->low || number > row->high)
        return refuse(row, error, "%g is not in %g to %g", number, row->low, row->high);
    return TRUE;
}

gboolean hearth_vocabulary_check(const char *key, GVariant *value, GError **error)
{
    static const char *const TYPES[] = {"s", "u", "d", "as"};
    const HearthVocabularyKey *row = hearth_vocabulary_find(key);
    if (!row) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "%s: is not a key of the vocabulary",
                    key);
        return FALSE;
    }
    if (strcmp(g_variant_get_type_string(value), TYPES[row->type]) != 0)
        return refuse(row, error, "has type %s, not %s", g_variant_get_type_string(value),
                      TYPES[row->type]);
    switch (row->type) {
    case HEARTH_VOCABULARY_STRING:
        return check_string(row, g_variant_get_string(value, NULL), error);
    case HEARTH_VOCABULARY_UINT:
        return check_number(row, g_variant_get_uint32(value), error);
    case HEARTH_VOCABULARY_DOUBLE:
        return check_number(row, g_variant_get_double(value), error);
    case HEARTH_VOCABULARY_STRV:
        return check_strv(row, value, error);
    }
    return FALSE;
}
