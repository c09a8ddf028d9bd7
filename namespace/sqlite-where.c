#include "namespace/sqlite-private.h"

#include "namespace/search-key.h"

#include <string.h>

typedef enum {
    VALUE_INT,
    VALUE_DOUBLE,
    VALUE_BLOB, /* names and paths: bytes */
    VALUE_TEXT,
} ValueType;

typedef struct {
    ValueType type;
    gint64 whole;
    double number;
    char *text; /* (owned) */
} Value;

static void value_clear(gpointer value)
{
    g_free(((Value *)value)->text);
}

HearthSqlWhere *hearth_sql_where_new(void)
{
    HearthSqlWhere *where = g_new0(HearthSqlWhere, 1);
    where->text = g_string_new(NULL);
    where->values = g_array_new(FALSE, FALSE, sizeof(Value));
    g_array_set_clear_func(where->values, value_clear);
    return where;
}

void hearth_sql_where_free(HearthSqlWhere *where)
{
    if (!where)
        return;
    g_string_free(where->text, TRUE);
    g_array_unref(where->values);
    g_free(where);
}

int hearth_sql_where_bind(const HearthSqlWhere *where, sqlite3_stmt *statement, int first)
{
    for (guint i = 0; i < where->values->len; i++, first++) {
        const Value *value = &g_array_index(where->values, Value, i);
        switch (value->type) {
        case VALUE_INT:
            sqlite3_bind_int64(statement, first, value->whole);
            break;
        case VALUE_DOUBLE:
            sqlite3_bind_double(statement, first, value->number);
            break;
        case VALUE_BLOB:
            sqlite3_bind_blob64(statement, first, value->text, strlen(value->text),
                                SQLITE_TRANSIENT);
            break;
        case VALUE_TEXT:
            sqlite3_bind_text(statement, first, value->text, -1, SQLITE_TRANSIENT);
            break;
        }
    }
    return first;
}

/* --- Comparisons --- */

static void put(HearthSqlWhere *where, const char *text)
{
    g_string_append(where->text, text);
}

static void put_value(HearthSqlWhere *where, ValueType type, const HearthQueryNode *node,
                      gboolean high)
{
    Value value = {.type = type};
    if (type == VALUE_INT)
        value.whole = high ? node->whole_high : node->whole;
    else if (type == VALUE_DOUBLE)
        value.number = node->number;
    else
        value.text = g_strdup(high && node->text_high ? node->text_high : node->text);
    g_array_append_val(where->values, value);
    put(where, "?");
}

static gboolean is_span(const HearthQueryNode *node)
{
    return node->text_high != NULL ||
           (node->type == HEARTH_QUERY_WHOLE && node->whole_high != node->whole);
}

/* The least text above all that begin with `text`, as a value of its own; FALSE: there is none. */
static gboolean put_after_prefix(HearthSqlWhere *where, ValueType type, const char *column,
                                 const char *text)
{
    gsize length = strlen(text);
    while (length > 0 && (guchar)text[length - 1] == 0xff)
        length--;
    if (length == 0)
        return FALSE;
    Value value = {.type = type, .text = g_strndup(text, length)};
    value.text[length - 1]++;
    g_array_append_val(where->values, value);
    g_string_append_printf(where->text, " AND %s < ?", column);
    return TRUE;
}

static void put_prefix(HearthSqlWhere *where, ValueType type, const char *column,
                       const HearthQueryNode *node)
{
    put(where, column);
    put(where, " >= ");
    put_value(where, type, node, FALSE);
    /* Text is compared as bytes too, so that the end of a range may cut a character. */
    put_after_prefix(where, type, column, node->text);
}

static void put_contains(HearthSqlWhere *where, ValueType type, const char *column,
                         const HearthQueryNode *node)
{
    g_string_append_printf(where->text, "instr(%s, ", column);
    put_value(where, type, node, FALSE);
    put(where, ") > 0");
}

static void put_equal(HearthSqlWhere *where, ValueType type, const char *column,
                      const HearthQueryNode *node)
{
    put(where, column);
    put(where, is_span(node) ? " >= " : " = ");
    put_value(where, type, node, FALSE);
    if (!is_span(node))
        return;
    g_string_append_printf(where->text, " AND %s < ", column);
    put_value(where, type, node, TRUE);
}

static void put_order(HearthSqlWhere *where, ValueType type, const char *column,
                      const HearthQueryNode *node)
{
    gboolean span = is_span(node);
    /* What is at most a span lies below its end; what is greater, at its end or above. */
    gboolean high = span && (node->op == HEARTH_QUERY_AT_MOST || node->op == HEARTH_QUERY_GREATER);
    const char *op = "";
    if (node->op == HEARTH_QUERY_LESS)
        op = " < ";
    else if (node->op == HEARTH_QUERY_AT_MOST)
        op = span ? " < " : " <= ";
    else if (node->op == HEARTH_QUERY_GREATER)
        op = span ? " >= " : " > ";
    else
        op = " >= ";
    put(where, column);
    put(where, op);
    put_value(where, type, node, high);
}

/* The comparison itself; != is the caller's. */
static void put_comparison(HearthSqlWhere *where, ValueType type, const char *column,
                           const HearthQueryNode *node)
{
    put(where, "(");
    switch (node->op) {
    case HEARTH_QUERY_EQUAL:
    case HEARTH_QUERY_NOT_EQUAL:
        put_equal(where, type, column, node);
        break;
    case HEARTH_QUERY_CONTAINS:
        put_contains(where, type, column, node);
        break;
    case HEARTH_QUERY_PREFIX:
        put_prefix(where, type, column, node);
        break;
    default:
        put_order(where, type, column, node);
        break;
    }
    put(where, ")");
}

static void put_key(HearthSqlWhere *where, const char *key)
{
    Value value = {.type = VALUE_TEXT, .text = g_strdup(key)};
    g_array_append_val(where->values, value);
    put(where, "(SELECT number FROM attribute_key WHERE name = ?)");
}

static ValueType attribute_type(const HearthQueryNode *node)
{
    return node->type == HEARTH_QUERY_NUMBER ? VALUE_DOUBLE : VALUE_TEXT;
}

static void put_attribute(HearthSqlWhere *where, const HearthQueryNode *node)
{
    const char *column = "hearth_fold(a.value)";
    /* The plus keeps SQLite from walking the index of all objects for each one that is tried. */
    if (hearth_sqlite_is_indexed(node->key))
        column = "+a.search";
    else if (node->type == HEARTH_QUERY_NUMBER)
        column = "a.value";
    put(where, "EXISTS (SELECT 1 FROM attribute AS a WHERE a.ino = o.ino AND a.key = ");
    put_key(where, node->key);
    put(where, " AND ");
    put_comparison(where, attribute_type(node), column, node);
    put(where, ")");
}

static void put_test(HearthSqlWhere *where, const HearthQueryNode *node)
{
    put(where, node->op == HEARTH_QUERY_NOT_EQUAL ? "NOT (" : "(");
    switch (node->field) {
    case HEARTH_QUERY_PATH:
        put_comparison(where, VALUE_BLOB, "hearth_path_key(o.parent, o.key)", node);
        break;
    case HEARTH_QUERY_NAME:
        put_comparison(where, VALUE_BLOB, "o.key", node);
        break;
    case HEARTH_QUERY_KIND:
        put_comparison(where, VALUE_INT, "o.kind", node);
        break;
    case HEARTH_QUERY_SIZE:
        put_comparison(where, VALUE_INT, "o.size", node);
        break;
    case HEARTH_QUERY_MTIME:
        put_comparison(where, VALUE_INT, "o.mtime", node);
        break;
    case HEARTH_QUERY_DEVICE:
        put(where, "EXISTS (SELECT 1 FROM ledger AS l WHERE l.ino = o.ino AND ");
        put_comparison(where, VALUE_TEXT, "hearth_fold(l.source)", node);
        put(where, ")");
        break;
    case HEARTH_QUERY_ATTRIBUTE:
        put_attribute(where, node);
        break;
    }
    put(where, ")");
}

void hearth_sql_where_add(HearthSqlWhere *where, const HearthQueryNode *node)
{
    if (node->kind == HEARTH_QUERY_TEST) {
        put_test(where, node);
        return;
    }
    put(where, node->kind == HEARTH_QUERY_NOT ? "(NOT " : "(");
    hearth_sql_where_add(where, node->left);
    if (node->right) {
        put(where, node->kind == HEARTH_QUERY_AND ? " AND " : " OR ");
        hearth_sql_where_add(where, node->right);
    }
    put(where, ")");
}

/* --- What an index can give --- */

/* Folders in a path that is looked up step by step; SQLite bounds how deep a SELECT may nest. */
#define DRIVE_DEPTH 64

/* What goes by the last part of the path in the folders that go by the parts before; and, when it
 * is the beginning of a path, all that lies below. */
static gboolean drive_path(HearthSqlWhere *where, const HearthQueryNode *node)
{
    g_auto(GStrv) parts = g_strsplit(node->text, "/", -1);
    guint count = g_strv_length(parts);
    gboolean by_prefix = node->op == HEARTH_QUERY_PREFIX;
    if (node->text[0] != '/' || count > DRIVE_DEPTH ||
        (!by_prefix && node->op != HEARTH_QUERY_EQUAL))
        return FALSE;
    HearthQueryNode last = {.op = node->op, .type = HEARTH_QUERY_TEXT, .text = parts[count - 1]};
    put(where, "WITH RECURSIVE top (ino) AS (SELECT d.ino FROM object AS d WHERE d.parent IN (");
    for (guint i = 1; i + 1 < count; i++)
        put(where, "SELECT p.ino FROM object AS p INDEXED BY object_key WHERE +p.parent IN (");
    put(where, "VALUES (1)");
    for (guint i = 1; i + 1 < count; i++) {
        put(where, ") AND p.key = ");
        HearthQueryNode part = {.text = parts[i]};
        put_value(where, VALUE_BLOB, &part, FALSE);
    }
    /* The root is its own parent. */
    put(where, ") AND d.ino > 1 AND ");
    put_comparison(where, VALUE_BLOB, "d.key", &last);
    put(where, ")");
    /* Only folders are climbed down; what lies in them comes from the index alone. */
    if (by_prefix)
        put(where, ", below (ino) AS (SELECT ino FROM top UNION ALL SELECT c.ino FROM below"
                   " JOIN object AS c INDEXED BY object_folder ON c.parent = below.ino"
                   " WHERE c.kind = 1) SELECT o.ino FROM below CROSS JOIN object AS o"
                   " INDEXED BY object_parent ON o.parent = below.ino UNION ALL");
    put(where, " SELECT ino FROM top");
    return TRUE;
}

static gboolean drive_name(HearthSqlWhere *where, const HearthQueryNode *node)
{
    put(where, "SELECT o.ino FROM object AS o INDEXED BY object_key WHERE ");
    put_comparison(where, VALUE_BLOB, "o.key", node);
    return TRUE;
}

static gboolean drive_attribute(HearthSqlWhere *where, const HearthQueryNode *node)
{
    if (node->op == HEARTH_QUERY_CONTAINS || !hearth_sqlite_is_indexed(node->key))
        return FALSE;
    put(where, "SELECT a.ino FROM attribute AS a INDEXED BY attribute_search"
               " WHERE a.search IS NOT NULL AND a.key = ");
    put_key(where, node->key);
    put(where, " AND ");
    put_comparison(where, attribute_type(node), "a.search", node);
    return TRUE;
}

gboolean hearth_sql_where_drive(HearthSqlWhere *where, const HearthQueryNode *node)
{
    if (node->kind != HEARTH_QUERY_TEST || node->op == HEARTH_QUERY_NOT_EQUAL)
        return FALSE;
    switch (node->field) {
    case HEARTH_QUERY_PATH:
        return drive_path(where, node);
    case HEARTH_QUERY_NAME:
        return drive_name(where, node);
    case HEARTH_QUERY_ATTRIBUTE:
        return drive_attribute(where, node);
    default:
        return FALSE;
    }
}

/* --- Functions --- */

static void fold(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (text)
        sqlite3_result_text(context, hearth_search_key(text), -1, g_free);
}

static void path_key(sqlite3_context *context, int count, sqlite3_value **values)
{
    HearthSqlite *db = sqlite3_user_data(context);
    const void *data = sqlite3_value_blob(values[1]);
    g_autofree char *key = g_strndup(data ? data : "", (gsize)sqlite3_value_bytes(values[1]));
    char *path = hearth_sqlite_path_key(db, sqlite3_value_int64(values[0]), key);
    if (path)
        sqlite3_result_blob64(context, path, strlen(path), g_free);
}

gboolean hearth_sql_add_functions(HearthSqlite *db, GError **error)
{
    const int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
    sqlite3 *reader = db->reader.handle;
    int code = sqlite3_create_function(reader, "hearth_fold", 1, flags | SQLITE_DETERMINISTIC, db,
                                       fold, NULL, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_create_function(reader, "hearth_path_key", 2, flags, db, path_key, NULL, NULL);
    return code == SQLITE_OK || hearth_sql_error(&db->reader, code, error);
}
