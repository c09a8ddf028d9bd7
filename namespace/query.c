#include "namespace/query.h"

#include "gateway/base/error.h"
#include "namespace/object.h"
#include "namespace/search-key.h"

#include <math.h>
#include <string.h>

struct HearthQuery {
    HearthQueryNode *root;
};

typedef enum {
    TOKEN_END,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPERATOR,
    TOKEN_WORD,
    TOKEN_STRING,
} TokenKind;

typedef struct {
    const char *start; /* of the whole query */
    const char *at;    /* after the token */
    HearthAttributeTypeFunc type_of;
    guint depth, terms;
    GError **error;

    TokenKind token;
    const char *token_start;
    HearthQueryOperator op;
    GString *word; /* of TOKEN_WORD and TOKEN_STRING */
} Parser;

static HearthQueryNode *parse_or(Parser *parser);

static void node_free(HearthQueryNode *node)
{
    if (!node)
        return;
    node_free(node->left);
    node_free(node->right);
    g_free(node->key);
    g_free(node->text);
    g_free(node->text_high);
    g_free(node);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthQueryNode, node_free)

/* --- Words --- */

/* Columns are characters from 1; bytes that continue a character count nothing. */
static gboolean complain(Parser *parser, const char *where, const char *expected)
{
    guint column = 1;
    for (const char *at = parser->start; at < where; at++)
        column += ((guchar)*at & 0xc0) != 0x80;
    g_set_error(parser->error, HEARTH_ERROR, HEARTH_ERROR_INVALID, "column %u: expected %s", column,
                expected);
    return FALSE;
}

static gboolean scan_string(Parser *parser)
{
    parser->token = TOKEN_STRING;
    for (const char *at = parser->token_start + 1; *at; at++) {
        if (*at == '"') {
            parser->at = at + 1;
            return TRUE;
        }
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
        g_string_append_c(parser->word, *at);
    }
    return complain(parser, parser->at + strlen(parser->at), "a closing quote (\")");
}

static const struct {
    const char *text;
    HearthQueryOperator op;
} OPERATORS[] = {
    /* The longer ones first. */
    {"!=", HEARTH_QUERY_NOT_EQUAL}, {"<=", HEARTH_QUERY_AT_MOST}, {">=", HEARTH_QUERY_AT_LEAST},
    {"^=", HEARTH_QUERY_PREFIX},    {"=", HEARTH_QUERY_EQUAL},    {"<", HEARTH_QUERY_LESS},
    {">", HEARTH_QUERY_GREATER},    {"~", HEARTH_QUERY_CONTAINS},
};

static gboolean scan_operator(Parser *parser)
{
    for (gsize i = 0; i < G_N_ELEMENTS(OPERATORS); i++)
        if (g_str_has_prefix(parser->at, OPERATORS[i].text)) {
            parser->token = TOKEN_OPERATOR;
            parser->op = OPERATORS[i].op;
            parser->at += strlen(OPERATORS[i].text);
            return TRUE;
        }
    return FALSE;
}

static gboolean advance(Parser *parser)
{
    parser->at += strspn(parser->at, " \t\r\n");
    parser->token_start = parser->at;
    g_string_truncate(parser->word, 0);
    switch (*parser->at) {
    case '\0':
        parser->token = TOKEN_END;
        return TRUE;
    case '(':
    case ')':
        parser->token = *parser->at++ == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
        return TRUE;
    case '"':
        return scan_string(parser);
    default:
        break;
    }
    if (scan_operator(parser))
        return TRUE;
    gsize length = strcspn(parser->at, " \t\r\n()\"=<>~^!");
    if (length == 0)
        return complain(parser, parser->at, "= != < <= > >= ~ or ^=");
    parser->token = TOKEN_WORD;
    g_string_append_len(parser->word, parser->at, (gssize)length);
    parser->at += length;
    return TRUE;
}

static gboolean at_keyword(const Parser *parser, const char *keyword)
{
    return parser->token == TOKEN_WORD && g_ascii_strcasecmp(parser->word->str, keyword) == 0;
}

/* --- Values --- */

/* Parts of a date as written; those left out are at their least. */
typedef struct {
    int part[6]; /* year, month, day, hour, minute, second */
    int count;
} Date;

/* `digits` of them into `value`. */
static gboolean scan_number(const char **at, int digits, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (!g_ascii_isdigit(**at))
            return FALSE;
        *value = *value * 10 + (**at - '0');
    }
    return TRUE;
}

static gboolean scan_date(const char *text, Date *date)
{
    static const char BEFORE[] = {0, '-', '-', 'T', ':', ':'};
    static const int LOW[] = {1, 1, 1, 0, 0, 0}, HIGH[] = {9999, 12, 31, 23, 59, 60};
    *date = (Date){.part = {1, 1, 1, 0, 0, 0}};
    while (*text) {
        int i = date->count;
        if (i == 6 || (i > 0 && g_ascii_toupper(*text++) != BEFORE[i]) ||
            !scan_number(&text, i == 0 ? 4 : 2, &date->part[i]) || date->part[i] < LOW[i] ||
            date->part[i] > HIGH[i])
            return FALSE;
        date->count++;
    }
    return date->count > 0 && g_date_valid_dmy((GDateDay)date->part[2], (GDateMonth)date->part[1],
                                               (GDateYear)date->part[0]);
}

static gboolean date_to_ns(const Date *date, gint64 *ret_low, gint64 *ret_high)
{
    g_autoptr(GDateTime) low =
        g_date_time_new_local(date->part[0], date->part[1], date->part[2], date->part[3],
                              date->part[4], MIN(date->part[5], 59));
    g_autoptr(GDateTime) high =
        low ? g_date_time_add_full(low, date->count == 1, date->count == 2, date->count == 3,
                                   date->count == 4, date->count == 5, date->count == 6)
            : NULL;
    /* What does not fit in 64 bits of nanoseconds ends at the year 2262. */
    const gint64 most = G_MAXINT64 / 1000000000, least = -most;
    if (!high)
        return FALSE;
    *ret_low = CLAMP(g_date_time_to_unix(low), least, most) * 1000000000;
    *ret_high = CLAMP(g_date_time_to_unix(high), least, most) * 1000000000;
    return TRUE;
}

static const char DATE_FORM[] = "a date such as 2026-11-20 or 2026-11-20T10:00:00";

static gboolean take_mtime(Parser *parser, HearthQueryNode *node)
{
    Date date;
    node->type = HEARTH_QUERY_WHOLE;
    return (scan_date(parser->word->str, &date) &&
            date_to_ns(&date, &node->whole, &node->whole_high)) ||
           complain(parser, parser->token_start, DATE_FORM);
}

/* Dates in attributes are text, and sort as such: what begins with the date is its span. */
static gboolean take_time(Parser *parser, HearthQueryNode *node)
{
    Date date;
    node->type = HEARTH_QUERY_TEXT;
    if (!scan_date(parser->word->str, &date))
        return complain(parser, parser->token_start, DATE_FORM);
    node->text = hearth_search_key(parser->word->str);
    node->text_high = g_strconcat(node->text, "\x7f", NULL);
    return TRUE;
}

static gboolean take_number(Parser *parser, HearthQueryNode *node)
{
    char *end;
    node->type = HEARTH_QUERY_NUMBER;
    node->number = g_ascii_strtod(parser->word->str, &end);
    return (parser->word->len > 0 && *end == '\0' && isfinite(node->number)) ||
           complain(parser, parser->token_start, "a number");
}

static gboolean take_size(Parser *parser, HearthQueryNode *node)
{
    static const char UNITS[] = "KMGT";
    char *end;
    double value = g_ascii_strtod(parser->word->str, &end);
    const char *unit = *end ? strchr(UNITS, g_ascii_toupper(*end)) : NULL;
    if (unit) {
        value = ldexp(value, 10 * (int)(unit - UNITS + 1));
        end++;
    }
    node->type = HEARTH_QUERY_WHOLE;
    if (parser->word->len == 0 || *end != '\0' || !(value >= 0 && value < 9e18))
        return complain(parser, parser->token_start, "a size such as 500, 10M or 2G");
    node->whole = node->whole_high = (gint64)value;
    return TRUE;
}

static gboolean take_kind(Parser *parser, HearthQueryNode *node)
{
    static const char *const KINDS[] = {"folder", "file", "symlink"};
    node->type = HEARTH_QUERY_WHOLE;
    for (gsize i = 0; i < G_N_ELEMENTS(KINDS); i++)
        if (g_ascii_strcasecmp(parser->word->str, KINDS[i]) == 0) {
            node->whole = node->whole_high = HEARTH_KIND_FOLDER + (gint64)i;
            return TRUE;
        }
    return complain(parser, parser->token_start, "file, folder or symlink");
}

static gboolean take_text(Parser *parser, HearthQueryNode *node)
{
    node->type = HEARTH_QUERY_TEXT;
    node->text = hearth_search_key(parser->word->str);
    return TRUE;
}

/* Each part on its own, as the names in the tree are. */
static gboolean take_path(Parser *parser, HearthQueryNode *node)
{
    g_auto(GStrv) parts = g_strsplit(parser->word->str, "/", -1);
    for (char **part = parts; *part; part++) {
        char *key = hearth_search_key(*part);
        g_free(*part);
        *part = key;
    }
    node->type = HEARTH_QUERY_TEXT;
    node->text = g_strjoinv("/", parts);
    return TRUE;
}

/* Without a vocabulary the value says what it is. */
static gboolean take_any(Parser *parser, HearthQueryNode *node)
{
    char *end;
    g_ascii_strtod(parser->word->str, &end);
    gboolean number = parser->token == TOKEN_WORD && end != parser->word->str && *end == '\0';
    return number ? take_number(parser, node) : take_text(parser, node);
}

/* --- Fields --- */

typedef gboolean (*TakeFunc)(Parser *parser, HearthQueryNode *node);

typedef enum {
    OPERATORS_ALL,
    OPERATORS_ORDER, /* no ~ and ^= */
    OPERATORS_SAME,  /* = and != */
} Allowed;

static const struct {
    const char *name;
    HearthQueryField field;
    const char *key; /* a short name of an attribute */
    TakeFunc take;
    Allowed allowed;
} FIELDS[] = {
    {"path", HEARTH_QUERY_PATH, NULL, take_path, OPERATORS_ALL},
    {"name", HEARTH_QUERY_NAME, NULL, take_text, OPERATORS_ALL},
    {"kind", HEARTH_QUERY_KIND, NULL, take_kind, OPERATORS_SAME},
    {"size", HEARTH_QUERY_SIZE, NULL, take_size, OPERATORS_ORDER},
    {"mtime", HEARTH_QUERY_MTIME, NULL, take_mtime, OPERATORS_ORDER},
    {"device", HEARTH_QUERY_DEVICE, NULL, take_text, OPERATORS_ALL},
    {"type", HEARTH_QUERY_ATTRIBUTE, "media.type", take_text, OPERATORS_ALL},
    {"rating", HEARTH_QUERY_ATTRIBUTE, "image.rating", take_number, OPERATORS_ORDER},
};

/* What comes after a field's name. */
typedef struct {
    TakeFunc take;
    Allowed allowed;
} Rest;

static gboolean take_attribute(Parser *parser, HearthQueryNode *node, Rest *rest)
{
    const char *word = parser->word->str;
    const char *type = parser->type_of ? parser->type_of(word) : NULL;
    if (!type && (parser->type_of || !strchr(word, '.')))
        return FALSE;
    *rest = (Rest){take_any, OPERATORS_ALL};
    if (type && (*type == 'u' || *type == 'd'))
        *rest = (Rest){take_number, OPERATORS_ORDER};
    else if (g_str_has_prefix(word, "time."))
        *rest = (Rest){take_time, OPERATORS_ORDER};
    else if (type)
        rest->take = take_text;
    node->field = HEARTH_QUERY_ATTRIBUTE;
    node->key = g_strdup(word);
    return TRUE;
}

static gboolean take_field(Parser *parser, HearthQueryNode *node, Rest *rest)
{
    if (parser->token != TOKEN_WORD)
        return complain(parser, parser->token_start, "a field, not or (");
    for (gsize i = 0; i < G_N_ELEMENTS(FIELDS); i++)
        if (strcmp(parser->word->str, FIELDS[i].name) == 0) {
            node->field = FIELDS[i].field;
            node->key = g_strdup(FIELDS[i].key);
            *rest = (Rest){FIELDS[i].take, FIELDS[i].allowed};
            return advance(parser);
        }
    if (take_attribute(parser, node, rest))
        return advance(parser);
    return complain(parser, parser->token_start,
                    "path, name, kind, size, mtime, type, device, rating or a metadata key");
}

static gboolean take_operator(Parser *parser, HearthQueryNode *node, Allowed allowed)
{
    gboolean by_text = parser->op == HEARTH_QUERY_CONTAINS || parser->op == HEARTH_QUERY_PREFIX;
    gboolean same = parser->op == HEARTH_QUERY_EQUAL || parser->op == HEARTH_QUERY_NOT_EQUAL;
    gboolean is_operator = parser->token == TOKEN_OPERATOR;
    if (allowed == OPERATORS_SAME && !(is_operator && same))
        return complain(parser, parser->token_start, "= or !=");
    if (allowed == OPERATORS_ORDER && (!is_operator || by_text))
        return complain(parser, parser->token_start, "= != < <= > or >=");
    if (!is_operator)
        return complain(parser, parser->token_start, "= != < <= > >= ~ or ^=");
    node->op = parser->op;
    return advance(parser);
}

/* --- Grammar --- */

static HearthQueryNode *parse_test(Parser *parser)
{
    g_autoptr(HearthQueryNode) node = g_new0(HearthQueryNode, 1);
    Rest rest = {0};
    node->kind = HEARTH_QUERY_TEST;
    if (++parser->terms > HEARTH_QUERY_TERMS) {
        complain(parser, parser->token_start, "no more than 128 comparisons");
        return NULL;
    }
    if (!take_field(parser, node, &rest) || !take_operator(parser, node, rest.allowed))
        return NULL;
    if (parser->token != TOKEN_WORD && parser->token != TOKEN_STRING) {
        complain(parser, parser->token_start, "a value");
        return NULL;
    }
    return rest.take(parser, node) && advance(parser) ? g_steal_pointer(&node) : NULL;
}

static HearthQueryNode *join(HearthQueryNodeKind kind, HearthQueryNode *left,
                             HearthQueryNode *right)
{
    HearthQueryNode *node = g_new0(HearthQueryNode, 1);
    node->kind = kind;
    node->left = left;
    node->right = right;
    return node;
}

static HearthQueryNode *parse_group(Parser *parser)
{
    g_autoptr(HearthQueryNode) inner = advance(parser) ? parse_or(parser) : NULL;
    if (!inner)
        return NULL;
    if (parser->token != TOKEN_CLOSE) {
        complain(parser, parser->token_start, "and, or or )");
        return NULL;
    }
    return advance(parser) ? g_steal_pointer(&inner) : NULL;
}

static HearthQueryNode *parse_factor(Parser *parser)
{
    gboolean negated = at_keyword(parser, "not");
    if (!negated && parser->token != TOKEN_OPEN)
        return parse_test(parser);
    if (parser->depth == HEARTH_QUERY_DEPTH) {
        complain(parser, parser->token_start, "no more than 32 levels of ( and not");
        return NULL;
    }
    parser->depth++;
    HearthQueryNode *node = NULL;
    if (!negated)
        node = parse_group(parser);
    else if (advance(parser))
        node = parse_factor(parser);
    parser->depth--;
    return node && negated ? join(HEARTH_QUERY_NOT, node, NULL) : node;
}

/* Parts of `next` joined by `keyword`; the tree leans to the left. */
static HearthQueryNode *parse_chain(Parser *parser, const char *keyword, HearthQueryNodeKind kind,
                                    HearthQueryNode *(*next)(Parser *))
{
    g_autoptr(HearthQueryNode) left = next(parser);
    while (left && at_keyword(parser, keyword)) {
        HearthQueryNode *right = advance(parser) ? next(parser) : NULL;
        if (!right)
            return NULL;
        left = join(kind, left, right);
    }
    return g_steal_pointer(&left);
}

static HearthQueryNode *parse_and(Parser *parser)
{
    return parse_chain(parser, "and", HEARTH_QUERY_AND, parse_factor);
}

static HearthQueryNode *parse_or(Parser *parser)
{
    return parse_chain(parser, "or", HEARTH_QUERY_OR, parse_and);
}

HearthQuery *hearth_query_parse(const char *text, HearthAttributeTypeFunc type_of, GError **error)
{
    g_autoptr(GString) word = g_string_new(NULL);
    Parser parser = {.start = text, .at = text, .type_of = type_of, .error = error, .word = word};
    if (strlen(text) > HEARTH_QUERY_MAX) {
        complain(&parser, text + HEARTH_QUERY_MAX, "a query of at most 4096 bytes");
        return NULL;
    }
    g_autoptr(HearthQueryNode) root = advance(&parser) ? parse_or(&parser) : NULL;
    if (!root)
        return NULL;
    if (parser.token != TOKEN_END) {
        complain(&parser, parser.token_start, "and, or or the end");
        return NULL;
    }
    HearthQuery *query = g_new0(HearthQuery, 1);
    query->root = g_steal_pointer(&root);
    return query;
}

void hearth_query_free(HearthQuery *query)
{
    if (!query)
        return;
    node_free(query->root);
    g_free(query);
}

const HearthQueryNode *hearth_query_root(const HearthQuery *query)
{
    return query->root;
}
