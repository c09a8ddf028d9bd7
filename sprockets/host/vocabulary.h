#pragma once

#include <glib.h>

/**
 * The metadata vocabulary: every key that a `metadata` hook may answer with, its type and range.
 *
 * The one place in Hearth where it is written down as code. The host validates results against it,
 * the mount shows the keys as `user.hearth.KEY`, queries accept them as fields. Constant data; safe
 * from any thread.
 */

typedef enum {
    HEARTH_VOCABULARY_STRING, /* GVariant s */
    HEARTH_VOCABULARY_UINT,   /* u */
    HEARTH_VOCABULARY_DOUBLE, /* d */
    HEARTH_VOCABULARY_STRV,   /* as */
} HearthVocabularyType;

typedef struct {
    const char *key; /* "image.width" */
    HearthVocabularyType type;
    double low;       /* numbers: least value; strings: least bytes, without NUL */
    double high;      /* numbers: greatest value; strings and each string of a list: most bytes */
    const char *form; /* strings: "media-type" or "time"; NULL: any text. Never numbers */
    const char *unit; /* "s", "mm", "degrees"; or NULL */
} HearthVocabularyKey;

/** All keys, in the order of the published vocabulary; `ret_count` rows. */
const HearthVocabularyKey *hearth_vocabulary_keys(gsize *ret_count);

/** The row of `key`, or NULL. */
const HearthVocabularyKey *hearth_vocabulary_find(const char *key);

/**
 * Whether `value` (of GVariant type s, u, d or as) may stand under `key`. The error names the key,
 * what was expected and what was found.
 */
gboolean hearth_vocabulary_check(const char *key, GVariant *value, GError **error);

/**
 * Whether `text` is a time as the vocabulary writes it: YYYY-MM-DDTHH:MM:SS, then optionally a
 * point and 1 to 9 digits, then optionally Z or an offset as +HH:MM. The day must exist.
 */
gboolean hearth_vocabulary_is_time(const char *text);
