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
 *   VALUE   = number [K|M|G|T] | "string" (\" and \\ within) | date | bare word
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

/** HEARTH_ERROR_INVALID with "column N: expected WHAT" for a bad one. */
HearthQuery *hearth_query_parse(const char *text, GError **error);
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
    HEARTH_QUERY_KIND,      /* number: HearthKind */
    HEARTH_QUERY_SIZE,      /* number */
    HEARTH_QUERY_MTIME,     /* number, or low and high */
    HEARTH_QUERY_DEVICE,    /* text: a source in the ledger */
    HEARTH_QUERY_ATTRIBUTE, /* `key` */
} HearthQueryField;

typedef enum {
    HEARTH_QUERY_NUMBER,
    HEARTH_QUERY_TEXT,
} HearthQueryType;

typedef struct HearthQueryNode HearthQueryNode;
struct HearthQueryNode {
    HearthQueryNodeKind kind;
    HearthQueryNode *left, *right; /* (owned) (nullable) */
    HearthQueryField field;
    HearthQueryOperator op;
    HearthQueryType type;
    char *key;   /* (owned) of an attribute, else NULL */
    char *text;  /* (owned) search key of the value; NULL unless type is TEXT */
    gint64 low;  /* a date: first nanosecond of its span since 1970, local time; a number */
    double high; /* a date: first nanosecond after its span; else as `number` */
};

/** The root of the query; borrowed. */
const HearthQueryNode *hearth_query_root(const HearthQuery *query);
