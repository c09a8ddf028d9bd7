#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"

#include <string.h>
#include <sys/statvfs.h>

/* A disk with less room for us than this, in bytes, is what made a write fail. */
#define FULL_BELOW (128 * 1024)

/* On a full disk SQLite cannot grow its shared memory, and calls that an I/O error like any other. */
static int code_of_full_disk(const HearthSqlConnection *connection, int code)
{
    struct statvfs status;
    if ((code & 0xff) != SQLITE_IOERR || code == SQLITE_IOERR_READ ||
        statvfs(connection->path, &status) != 0)
        return code;
    guint64 room = (guint64)status.f_bavail * status.f_frsize;
    return room < FULL_BELOW && !(status.f_flag & ST_RDONLY) ? SQLITE_FULL : code;
}

gboolean hearth_sql_error(HearthSqlConnection *connection, int code, GError **error)
{
    HearthError meaning = HEARTH_ERROR_IO;
    code = code_of_full_disk(connection, code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        meaning = HEARTH_ERROR_NO_SPACE;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
        meaning = HEARTH_ERROR_CORRUPT;
        break;
    case SQLITE_READONLY:
        meaning = HEARTH_ERROR_READ_ONLY;
        break;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        meaning = HEARTH_ERROR_PERMISSION;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        meaning = HEARTH_ERROR_BUSY;
        break;
    case SQLITE_NOMEM:
        meaning = HEARTH_ERROR_LIMIT;
        break;
    default:
        break;
    }
    const char *reason = connection->handle ? sqlite3_errmsg(connection->handle) : "";
    /* The message belongs to the last call, which may be another one than that with the code. */
    if (!connection->handle || sqlite3_errcode(connection->handle) != (code & 0xff))
        reason = sqlite3_errstr(code);
    g_set_error(error, HEARTH_ERROR, meaning, "%s: %s", connection->path, reason);
    return FALSE;
}

gboolean hearth_sql_execute(HearthSqlConnection *connection, const char *text, GError **error)
{
    int code = sqlite3_exec(connection->handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK || hearth_sql_error(connection, code, error);
}

HearthSql hearth_sql(HearthSqlConnection *connection, const char *text)
{
    HearthSql sql = {connection, g_hash_table_lookup(connection->statements, text), 1, SQLITE_OK};
    if (!sql.statement) {
        sql.code = sqlite3_prepare_v3(connection->handle, text, -1, SQLITE_PREPARE_PERSISTENT,
                                      &sql.statement, NULL);
        if (sql.statement)
            g_hash_table_insert(connection->statements, (gpointer)text, sql.statement);
    }
    return sql;
}

void hearth_sql_done(HearthSql *sql)
{
    if (sql->statement)
        sqlite3_reset(sql->statement);
    sql->statement = NULL;
}

static void note(HearthSql *sql, int code)
{
    if (sql->code == SQLITE_OK)
        sql->code = code;
}

void hearth_sql_int(HearthSql *sql, gint64 value)
{
    note(sql, sqlite3_bind_int64(sql->statement, sql->next++, value));
}

void hearth_sql_double(HearthSql *sql, double value)
{
    note(sql, sqlite3_bind_double(sql->statement, sql->next++, value));
}

void hearth_sql_null(HearthSql *sql)
{
    note(sql, sqlite3_bind_null(sql->statement, sql->next++));
}

void hearth_sql_blob(HearthSql *sql, const void *data, gsize size)
{
    /* A NULL pointer would bind NULL; an empty blob is meant. */
    note(sql,
         sqlite3_bind_blob64(sql->statement, sql->next++, size ? data : "", size, SQLITE_STATIC));
}

void hearth_sql_text(HearthSql *sql, const char *text)
{
    note(sql, sqlite3_bind_text(sql->statement, sql->next++, text, -1, SQLITE_STATIC));
}

void hearth_sql_bytes(HearthSql *sql, const char *text)
{
    hearth_sql_blob(sql, text, strlen(text));
}

HearthFetch hearth_sql_step(HearthSql *sql, GError **error)
{
    int code = sql->code == SQLITE_OK ? sqlite3_step(sql->statement) : sql->code;
    if (code == SQLITE_ROW)
        return HEARTH_FETCH_ROW;
    if (code == SQLITE_DONE)
        return HEARTH_FETCH_NONE;
    hearth_sql_error(sql->connection, code, error);
    return HEARTH_FETCH_FAILED;
}

gboolean hearth_sql_run(HearthSql *sql, GError **error)
{
    HearthFetch fetch;
    do
        fetch = hearth_sql_step(sql, error);
    while (fetch == HEARTH_FETCH_ROW);
    return fetch == HEARTH_FETCH_NONE;
}

void hearth_sql_column_bytes(HearthSql *sql, int column, void *data, gsize size)
{
    const void *from = sqlite3_column_blob(sql->statement, column);
    gboolean fits = from && (gsize)sqlite3_column_bytes(sql->statement, column) == size;
    if (fits)
        memcpy(data, from, size);
    else
        memset(data, 0, size);
}

void hearth_sql_column_string(HearthSql *sql, int column, char *text, gsize size)
{
    const void *from = sqlite3_column_blob(sql->statement, column);
    gsize length = MIN((gsize)sqlite3_column_bytes(sql->statement, column), size - 1);
    if (from)
        memcpy(text, from, length);
    text[from ? length : 0] = '\0';
}

char *hearth_sql_column_dup(HearthSql *sql, int column)
{
    const void *from = sqlite3_column_blob(sql->statement, column);
    return g_strndup(from ? from : "", (gsize)sqlite3_column_bytes(sql->statement, column));
}

void hearth_sqlite_read_object(HearthSql *sql, HearthObject *ret)
{
    sqlite3_stmt *row = sql->statement;
    ret->ino = sqlite3_column_int64(row, 0);
    hearth_sql_column_bytes(sql, 1, ret->id.bytes, HEARTH_ID_SIZE);
    ret->parent = sqlite3_column_int64(row, 2);
    ret->kind = (HearthKind)sqlite3_column_int(row, 3);
    ret->mode = (mode_t)sqlite3_column_int(row, 4);
    ret->uid = (uid_t)sqlite3_column_int64(row, 5);
    ret->gid = (gid_t)sqlite3_column_int64(row, 6);
    ret->size = sqlite3_column_int64(row, 7);
    ret->mtime_ns = sqlite3_column_int64(row, 8);
    ret->ctime_ns = sqlite3_column_int64(row, 9);
    ret->birth_ns = sqlite3_column_int64(row, 10);
    ret->version = (guint64)sqlite3_column_int64(row, 11);
    hearth_sql_column_bytes(sql, 12, ret->content.bytes, HEARTH_CONTENT_ID_SIZE);
}
