#pragma once

#include <glib.h>

/**
 * The query language of find, persistent queries and exports: FIELD OP VALUE joined by and, or,
 * not and parentheses.
 *
 *   query   = term { "or" term }
 *   term    = factor { "and" factor }
 *   factor  = "not" factor | "(" query ")" | FIELD OP VALUE
 *   OP      = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" (contains) | "^=" (begins with)
 *   FIELD   = path name kind size mtime type device rating, or a key of the metadata vocabulary
 *   VALUE   = number | size | date | word | "string" (\" and \\ within)
 *
 * A size is a number of bytes, or of K, M, G or T (1024 each). A date is 2026, 2026-11, 2026-11-20
 * or goes on with T10, T10:00, T10:00:00; it is local time for mtime, and for time.taken what the
 * camera's clock showed.
 *
 * Text compares without regard to case and Unicode normalisation. A date stands for all of its
 * span: `time.taken = 2026-11-20` is that day; and so `> 2026` is what comes after that year. A
 * string list matches if one of its strings does. An object without the field matches only `!=`
 * and what stands under `not`.
 *
 * A parsed query is immutable and may be used from any thread.
 */
typedef struct HearthQuery HearthQuery;

/** Longest query, bytes. */
#define HEARTH_QUERY_MAX 4096
/** Deepest nesting of parentheses and not. */
#define HEARTH_QUERY_DEPTH 32
/** Most comparisons in one query. */
#define HEARTH_QUERY_TERMS 128

/** GVariant type of an attribute's values ("s", "u", "d" or "as"); NULL: there is no such key. */
typedef const char *(*HearthAttributeTypeFunc)(const char *key);

/** `type_of` says which attributes there are; NULL: any word with a dot is one, of the type its
 * value looks like. HEARTH_ERROR_INVALID with "column N: expected WHAT" for a bad query. */
HearthQuery *hearth_query_parse(const char *text, HearthAttributeTypeFunc type_of, GError **error);
void hearth_query_free(HearthQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthQuery, hearth_query_free)

typedef enum {
    HEARTH_QUERY_AND,
    HEARTH_QUERY_OR,
    HEARTH_QUERY_NOT,  /* `left` alone */
    HEARTH_QUERY_TEST, /* field, operator, value */
} HearthQueryNodeKind;

typedef enum {
    HEARTH_QUERY_EQUAL,
    HEARTH_QUERY_NOT_EQUAL,
    HEARTH_QUERY_LESS,
    HEARTH_QUERY_AT_MOST,
    HEARTH_QUERY_GREATER,
    HEARTH_QUERY_AT_LEAST,
    HEARTH_QUERY_CONTAINS,
    HEARTH_QUERY_PREFIX,
} HearthQueryOperator;

typedef enum {
    HEARTH_QUERY_PATH,
    HEARTH_QUERY_NAME,
    HEARTH_QUERY_KIND,   /* whole: HearthKind */
    HEARTH_QUERY_SIZE,   /* whole: bytes */
    HEARTH_QUERY_MTIME,  /* whole: nanoseconds since 1970 */
    HEARTH_QUERY_DEVICE, /* text: a source in the ledger */
    HEARTH_QUERY_ATTRIBUTE,
} HearthQueryField;

typedef enum {
    HEARTH_QUERY_WHOLE,  /* whole, whole_high */
    HEARTH_QUERY_NUMBER, /* number */
    HEARTH_QUERY_TEXT,   /* text, text_high */
} HearthQueryType;

/**
 * One node of a parsed query. A value that stands for a span (a date) goes from its low end to
 * below its high end; any other value has both ends alike, or `text_high` NULL.
 */
typedef struct HearthQueryNode HearthQueryNode;
struct HearthQueryNode {
    HearthQueryNodeKind kind;
    HearthQueryNode *left, *right; /* (owned) (nullable) */
    HearthQueryField field;
    HearthQueryOperator op;
    HearthQueryType type;
    char *key;       /* (owned) of an attribute, else NULL */
    char *text;      /* (owned) search key of the value */
    char *text_high; /* (owned) (nullable) */
    gint64 whole, whole_high;
    double number;
};

/** The root of the query; borrowed. */
const HearthQueryNode *hearth_query_root(const HearthQuery *query);
