#pragma once

#include <glib.h>

/**
 * Where an imported file goes: a path with fields in braces, such as
 * "/Photos/{year}/{year}-{month}-{day}/{name}".
 *
 * Fields: year month day hour minute second camera name ext device artist album track title genre.
 * `{name}` is the file's name without its tail (see hearth_template_join()); the tail is always kept,
 * so a template need not say {ext}.
 *
 * What comes out is always a clean absolute path, whatever a file says of itself: no empty part, no
 * "." or "..", no part over 255 bytes, no separator or control character from a field. Immutable
 * once parsed, safe from any thread.
 */
typedef struct HearthTemplate HearthTemplate;

/** HEARTH_ERROR_INVALID for an unknown field, an unclosed brace, a path that is not absolute, or a
 * last part without any field. */
HearthTemplate *hearth_template_parse(const char *text, GError **error);
void hearth_template_free(HearthTemplate *template);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthTemplate, hearth_template_free)

/** What is known; NULL and 0 mean "not". All borrowed. */
typedef struct {
    gboolean has_time; /* the six below are valid; they are on the camera's wall */
    int year, month, day, hour, minute, second;
    const char *camera; /* model, or make and model */
    const char *stem;   /* for {name}: bytes */
    const char *ext;    /* without the dot: bytes */
    const char *device;
    const char *artist, *album, *title, *genre;
    guint track;
} HearthTemplateFields;

/** The folder: "/Photos/2026/2026-11-20", "/" at least. (transfer full) */
char *hearth_template_folder(const HearthTemplate *template, const HearthTemplateFields *fields);

/** The template's last part: what a name begins with. Not yet a name. (transfer full) */
char *hearth_template_stem(const HearthTemplate *template, const HearthTemplateFields *fields);

/**
 * The name that `stem` makes: with " (number)" when `number` is over 1, then `tail`, which is the
 * extension with its dot and may be more (".CR2.xmp"). Never longer than 255 bytes: the stem is
 * cut, at a character. (transfer full)
 */
char *hearth_template_join(const char *stem, guint number, const char *tail);
