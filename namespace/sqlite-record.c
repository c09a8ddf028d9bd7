#include "namespace/sqlite-private.h"

static HearthSqlConnection *writer(HearthMetadata *metadata)
{
    return &((HearthSqlite *)metadata)->writer;
}

/* --- Trash --- */

gboolean hearth_sqlite_add_trash(HearthMetadata *metadata, const HearthTrashRow *row,
                                 GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "INSERT INTO trash (ino, parent, path, trashed) VALUES (?, ?, ?, ?)");
    hearth_sql_int(&sql, row->object.ino);
    hearth_sql_int(&sql, row->old_parent);
    hearth_sql_bytes(&sql, row->path);
    hearth_sql_int(&sql, row->trashed_ns);
    return hearth_sql_run(&sql, error);
}

gboolean hearth_sqlite_drop_trash(HearthMetadata *metadata, gint64 ino, GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(writer(metadata), "DELETE FROM trash WHERE ino = ?1");
    hearth_sql_int(&sql, ino);
    return hearth_sql_run(&sql, error);
}

#define TRASH_COLUMNS HEARTH_SQL_OBJECT ", t.parent, t.trashed, t.path"

static HearthFetch fetch_trash(HearthSql *sql, HearthTrashRow *ret, GError **error)
{
    HearthFetch fetch = hearth_sql_step(sql, error);
    if (fetch != HEARTH_FETCH_ROW)
        return fetch;
    hearth_sqlite_read_object(sql, &ret->object);
    ret->old_parent = sqlite3_column_int64(sql->statement, HEARTH_SQL_OBJECT_COLUMNS);
    ret->trashed_ns = sqlite3_column_int64(sql->statement, HEARTH_SQL_OBJECT_COLUMNS + 1);
    ret->path = hearth_sql_column_dup(sql, HEARTH_SQL_OBJECT_COLUMNS + 2);
    return fetch;
}

HearthFetch hearth_sqlite_get_trash(HearthMetadata *metadata, gint64 ino, HearthTrashRow *ret,
                                    GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "SELECT " TRASH_COLUMNS " FROM trash AS t"
                                     " JOIN object AS o ON o.ino = t.ino WHERE t.ino = ?");
    hearth_sql_int(&sql, ino);
    return fetch_trash(&sql, ret, error);
}

gboolean hearth_sqlite_trash(HearthMetadata *metadata, gint64 before_ns, gint64 before_ino,
                             guint limit, GArray *rows, GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "SELECT " TRASH_COLUMNS " FROM trash AS t INDEXED BY trash_time"
                          " CROSS JOIN object AS o ON o.ino = t.ino"
                          " WHERE (t.trashed, t.ino) < (?, ?)"
                          " ORDER BY t.trashed DESC, t.ino DESC LIMIT ?");
    hearth_sql_int(&sql, before_ns);
    hearth_sql_int(&sql, before_ino);
    hearth_sql_int(&sql, limit);
    HearthTrashRow row;
    HearthFetch fetch;
    while ((fetch = fetch_trash(&sql, &row, error)) == HEARTH_FETCH_ROW)
        g_array_append_val(rows, row);
    return fetch == HEARTH_FETCH_NONE;
}

/* --- Log --- */

gboolean hearth_sqlite_append(HearthMetadata *metadata, const HearthChange *change,
                              const HearthVersionVector *vector, GError **error)
{
    guint8 encoded[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    gsize size = hearth_version_vector_encode(vector, encoded);
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "INSERT INTO log (sequence, clock, change, ino, object, kind, parent,"
                          " name, old_parent, old_name, size, content, vector)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    hearth_sql_int(&sql, (gint64)change->sequence);
    hearth_sql_int(&sql, (gint64)change->clock);
    hearth_sql_int(&sql, change->kind);
    hearth_sql_int(&sql, change->ino);
    hearth_sql_blob(&sql, change->object.bytes, HEARTH_ID_SIZE);
    hearth_sql_int(&sql, change->object_kind);
    hearth_sql_int(&sql, change->parent);
    hearth_sql_bytes(&sql, change->name);
    hearth_sql_int(&sql, change->old_parent);
    if (change->old_name)
        hearth_sql_bytes(&sql, change->old_name);
    else
        hearth_sql_null(&sql);
    hearth_sql_int(&sql, change->size);
    if (hearth_content_id_is_none(&change->content))
        hearth_sql_null(&sql);
    else
        hearth_sql_blob(&sql, change->content.bytes, HEARTH_CONTENT_ID_SIZE);
    hearth_sql_blob(&sql, encoded, size);
    return hearth_sql_run(&sql, error);
}

static void read_log_row(HearthSql *sql, HearthLogRow *row)
{
    HearthChange *change = &row->change;
    *change = (HearthChange){0};
    change->sequence = (guint64)sqlite3_column_int64(sql->statement, 0);
    change->clock = (guint64)sqlite3_column_int64(sql->statement, 1);
    change->kind = (HearthChangeKind)sqlite3_column_int(sql->statement, 2);
    change->ino = sqlite3_column_int64(sql->statement, 3);
    hearth_sql_column_bytes(sql, 4, change->object.bytes, HEARTH_ID_SIZE);
    change->object_kind = (HearthKind)sqlite3_column_int(sql->statement, 5);
    change->parent = sqlite3_column_int64(sql->statement, 6);
    hearth_sql_column_string(sql, 7, row->name, sizeof row->name);
    change->old_parent = sqlite3_column_int64(sql->statement, 8);
    hearth_sql_column_string(sql, 9, row->old_name, sizeof row->old_name);
    change->size = sqlite3_column_int64(sql->statement, 10);
    hearth_sql_column_bytes(sql, 11, change->content.bytes, HEARTH_CONTENT_ID_SIZE);
}

gboolean hearth_sqlite_log(HearthMetadata *metadata, guint64 after, guint limit, GArray *rows,
                           GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "SELECT sequence, clock, change, ino, object, kind, parent,"
                                     " name, old_parent, old_name, size, content FROM log"
                                     " WHERE sequence > ? ORDER BY sequence LIMIT ?");
    hearth_sql_int(&sql, (gint64)MIN(after, G_MAXINT64));
    hearth_sql_int(&sql, limit);
    HearthLogRow row;
    HearthFetch fetch;
    while ((fetch = hearth_sql_step(&sql, error)) == HEARTH_FETCH_ROW) {
        read_log_row(&sql, &row);
        g_array_append_val(rows, row);
    }
    return fetch == HEARTH_FETCH_NONE;
}

/* --- Ledger --- */

static void bind_ledger_key(HearthSql *sql, const HearthLedgerEntry *key)
{
    hearth_sql_text(sql, key->source);
    hearth_sql_bytes(sql, key->path);
    hearth_sql_int(sql, key->size);
    hearth_sql_int(sql, key->mtime);
}

HearthFetch hearth_sqlite_ledger_get(HearthMetadata *metadata, const HearthLedgerEntry *key,
                                     HearthLedgerEntry *ret, GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "SELECT content, ino, imported, removed FROM ledger"
                                     " WHERE source = ? AND path = ? AND size = ? AND mtime = ?");
    bind_ledger_key(&sql, key);
    HearthFetch fetch = hearth_sql_step(&sql, error);
    if (fetch != HEARTH_FETCH_ROW)
        return fetch;
    HearthLedgerEntry entry = *key;
    hearth_sql_column_bytes(&sql, 0, entry.content.bytes, HEARTH_CONTENT_ID_SIZE);
    entry.ino = sqlite3_column_int64(sql.statement, 1);
    entry.imported_ns = sqlite3_column_int64(sql.statement, 2);
    entry.removed = sqlite3_column_int(sql.statement, 3) != 0;
    *ret = entry;
    return fetch;
}

gboolean hearth_sqlite_ledger_put(HearthMetadata *metadata, const HearthLedgerEntry *entry,
                                  GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "INSERT OR REPLACE INTO ledger (source, path, size, mtime,"
                                     " content, ino, imported, removed)"
                                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    bind_ledger_key(&sql, entry);
    if (hearth_content_id_is_none(&entry->content))
        hearth_sql_null(&sql);
    else
        hearth_sql_blob(&sql, entry->content.bytes, HEARTH_CONTENT_ID_SIZE);
    hearth_sql_int(&sql, entry->ino);
    hearth_sql_int(&sql, entry->imported_ns);
    hearth_sql_int(&sql, entry->removed);
    return hearth_sql_run(&sql, error);
}
