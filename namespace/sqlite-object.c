#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"
#include "namespace/search-key.h"

static HearthSqlConnection *writer(HearthMetadata *metadata)
{
    return &((HearthSqlite *)metadata)->writer;
}

static HearthFetch fetch_object(HearthSql *sql, HearthObject *ret, GError **error)
{
    HearthFetch fetch = hearth_sql_step(sql, error);
    if (fetch == HEARTH_FETCH_ROW)
        hearth_sqlite_read_object(sql, ret);
    return fetch;
}

HearthFetch hearth_sqlite_get(HearthMetadata *metadata, gint64 ino, HearthObject *ret,
                              GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(writer(metadata), "SELECT " HEARTH_SQL_OBJECT
                                                         " FROM object AS o WHERE o.ino = ?");
    hearth_sql_int(&sql, ino);
    return fetch_object(&sql, ret, error);
}

HearthFetch hearth_sqlite_lookup(HearthMetadata *metadata, gint64 parent, const char *name,
                                 HearthObject *ret, GError **error)
{
    /* "parent > 0" lets the partial index be used. */
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "SELECT " HEARTH_SQL_OBJECT
                          " FROM object AS o WHERE o.parent = ? AND o.name = ? AND o.parent > 0");
    hearth_sql_int(&sql, parent);
    hearth_sql_bytes(&sql, name);
    return fetch_object(&sql, ret, error);
}

static gboolean read_vector(HearthSql *sql, int column, gint64 ino, HearthVersionVector *ret,
                            GError **error)
{
    const guint8 *data = sqlite3_column_blob(sql->statement, column);
    gsize size = (gsize)sqlite3_column_bytes(sql->statement, column);
    if (hearth_version_vector_decode(data, size, ret))
        return TRUE;
    g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT,
                "%s: object %" G_GINT64_FORMAT " has a damaged version vector",
                sql->connection->path, ino);
    return FALSE;
}

HearthFetch hearth_sqlite_get_row(HearthMetadata *metadata, gint64 ino, HearthObjectRow *ret,
                                  GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "SELECT " HEARTH_SQL_OBJECT ", o.vector, o.sequence, o.name"
                                     " FROM object AS o WHERE o.ino = ?");
    hearth_sql_int(&sql, ino);
    HearthFetch fetch = fetch_object(&sql, &ret->object, error);
    if (fetch != HEARTH_FETCH_ROW)
        return fetch;
    if (!read_vector(&sql, HEARTH_SQL_OBJECT_COLUMNS, ino, &ret->vector, error))
        return HEARTH_FETCH_FAILED;
    ret->sequence = (guint64)sqlite3_column_int64(sql.statement, HEARTH_SQL_OBJECT_COLUMNS + 1);
    hearth_sql_column_string(&sql, HEARTH_SQL_OBJECT_COLUMNS + 2, ret->name, sizeof ret->name);
    return fetch;
}

static gboolean fetch_entries(HearthSql *sql, GArray *rows, GError **error)
{
    HearthEntryRow row;
    HearthFetch fetch;
    while ((fetch = fetch_object(sql, &row.object, error)) == HEARTH_FETCH_ROW) {
        hearth_sql_column_string(sql, HEARTH_SQL_OBJECT_COLUMNS, row.name, sizeof row.name);
        g_array_append_val(rows, row);
    }
    return fetch == HEARTH_FETCH_NONE;
}

gboolean hearth_sqlite_list(HearthMetadata *metadata, gint64 folder, gint64 after, guint limit,
                            GArray *rows, GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata),
                   "SELECT " HEARTH_SQL_OBJECT ", o.name FROM object AS o INDEXED BY object_parent"
                   " WHERE o.parent = ? AND o.ino > ? ORDER BY o.ino LIMIT ?");
    hearth_sql_int(&sql, folder);
    /* The root is its own parent, and no entry of itself. */
    hearth_sql_int(&sql, MAX(after, HEARTH_ROOT_INO));
    hearth_sql_int(&sql, limit);
    return fetch_entries(&sql, rows, error);
}

gboolean hearth_sqlite_list_by_name(HearthMetadata *metadata, gint64 folder, const char *after,
                                    guint limit, GArray *rows, GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata),
                   "SELECT " HEARTH_SQL_OBJECT ", o.name FROM object AS o INDEXED BY object_name"
                   " WHERE o.parent = ? AND o.parent > 0 AND o.name > ? ORDER BY o.name LIMIT ?");
    hearth_sql_int(&sql, folder);
    /* The root's own name is empty, and so below every `after`. */
    hearth_sql_bytes(&sql, after ? after : "");
    hearth_sql_int(&sql, limit);
    return fetch_entries(&sql, rows, error);
}

char *hearth_sqlite_target(HearthMetadata *metadata, gint64 ino, GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "SELECT target FROM object WHERE ino = ? AND target IS NOT NULL");
    hearth_sql_int(&sql, ino);
    HearthFetch fetch = hearth_sql_step(&sql, error);
    return fetch == HEARTH_FETCH_ROW ? hearth_sql_column_dup(&sql, 0) : NULL;
}

static void bind_content(HearthSql *sql, const HearthContentId *content)
{
    if (hearth_content_id_is_none(content))
        hearth_sql_null(sql);
    else
        hearth_sql_blob(sql, content->bytes, HEARTH_CONTENT_ID_SIZE);
}

gboolean hearth_sqlite_insert(HearthMetadata *metadata, const HearthObjectRow *row,
                              const char *target, GError **error)
{
    const HearthObject *object = &row->object;
    guint8 vector[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    gsize vector_size = hearth_version_vector_encode(&row->vector, vector);
    g_autofree char *key = hearth_search_key(row->name);
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata),
        "INSERT INTO object (ino, id, parent, kind, mode, uid, gid, size, mtime, ctime, birth,"
        " version, sequence, name, key, content, vector, target)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    hearth_sql_int(&sql, object->ino);
    hearth_sql_blob(&sql, object->id.bytes, HEARTH_ID_SIZE);
    hearth_sql_int(&sql, object->parent);
    hearth_sql_int(&sql, object->kind);
    hearth_sql_int(&sql, object->mode);
    hearth_sql_int(&sql, object->uid);
    hearth_sql_int(&sql, object->gid);
    hearth_sql_int(&sql, object->size);
    hearth_sql_int(&sql, object->mtime_ns);
    hearth_sql_int(&sql, object->ctime_ns);
    hearth_sql_int(&sql, object->birth_ns);
    hearth_sql_int(&sql, (gint64)object->version);
    hearth_sql_int(&sql, (gint64)row->sequence);
    hearth_sql_bytes(&sql, row->name);
    hearth_sql_bytes(&sql, key);
    bind_content(&sql, &object->content);
    hearth_sql_blob(&sql, vector, vector_size);
    if (target)
        hearth_sql_bytes(&sql, target);
    else
        hearth_sql_null(&sql);
    return hearth_sql_run(&sql, error);
}

gboolean hearth_sqlite_update(HearthMetadata *metadata, const HearthObjectRow *row, GError **error)
{
    const HearthObject *object = &row->object;
    guint8 vector[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    gsize vector_size = hearth_version_vector_encode(&row->vector, vector);
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata),
                   "UPDATE object SET mode = ?, uid = ?, gid = ?, size = ?, mtime = ?, ctime = ?,"
                   " version = ?, sequence = ?, content = ?, vector = ? WHERE ino = ?");
    hearth_sql_int(&sql, object->mode);
    hearth_sql_int(&sql, object->uid);
    hearth_sql_int(&sql, object->gid);
    hearth_sql_int(&sql, object->size);
    hearth_sql_int(&sql, object->mtime_ns);
    hearth_sql_int(&sql, object->ctime_ns);
    hearth_sql_int(&sql, (gint64)object->version);
    hearth_sql_int(&sql, (gint64)row->sequence);
    bind_content(&sql, &object->content);
    hearth_sql_blob(&sql, vector, vector_size);
    hearth_sql_int(&sql, object->ino);
    return hearth_sql_run(&sql, error);
}

gboolean hearth_sqlite_move(HearthMetadata *metadata, const HearthObjectRow *row, GError **error)
{
    guint8 vector[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    gsize vector_size = hearth_version_vector_encode(&row->vector, vector);
    g_autofree char *key = hearth_search_key(row->name);
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "UPDATE object SET parent = ?, name = ?, key = ?, ctime = ?,"
                                     " sequence = ?, vector = ? WHERE ino = ?");
    hearth_sql_int(&sql, row->object.parent);
    hearth_sql_bytes(&sql, row->name);
    hearth_sql_bytes(&sql, key);
    hearth_sql_int(&sql, row->object.ctime_ns);
    hearth_sql_int(&sql, (gint64)row->sequence);
    hearth_sql_blob(&sql, vector, vector_size);
    hearth_sql_int(&sql, row->object.ino);
    return hearth_sql_run(&sql, error);
}

gboolean hearth_sqlite_touch(HearthMetadata *metadata, gint64 ino, gint64 ns, GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "UPDATE object SET mtime = ?1, ctime = ?1 WHERE ino = ?2");
    hearth_sql_int(&sql, ns);
    hearth_sql_int(&sql, ino);
    return hearth_sql_run(&sql, error);
}

gboolean hearth_sqlite_forget(HearthMetadata *metadata, gint64 ino, GError **error)
{
    static const char *const TEXTS[] = {
        "DELETE FROM trash WHERE ino = ?",
        "DELETE FROM attribute WHERE ino = ?",
        "DELETE FROM version WHERE ino = ?",
        "DELETE FROM object WHERE ino = ?",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        g_auto(HearthSql) sql = hearth_sql(writer(metadata), TEXTS[i]);
        hearth_sql_int(&sql, ino);
        if (!hearth_sql_run(&sql, error))
            return FALSE;
    }
    return TRUE;
}
