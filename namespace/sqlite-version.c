#include "namespace/sqlite-private.h"

static HearthSqlConnection *writer(HearthMetadata *metadata)
{
    return &((HearthSqlite *)metadata)->writer;
}

/* The columns of a version, in the order read_version() takes them. */
#define VERSION_COLUMNS "version, content, size, mtime, made, node"

static void read_version(HearthSql *sql, HearthVersion *ret)
{
    ret->version = (guint64)sqlite3_column_int64(sql->statement, 0);
    hearth_sql_column_bytes(sql, 1, ret->content.bytes, HEARTH_CONTENT_ID_SIZE);
    ret->size = sqlite3_column_int64(sql->statement, 2);
    ret->mtime_ns = sqlite3_column_int64(sql->statement, 3);
    ret->made_ns = sqlite3_column_int64(sql->statement, 4);
    hearth_sql_column_bytes(sql, 5, ret->node.bytes, HEARTH_ID_SIZE);
}

gboolean hearth_sqlite_add_version(HearthMetadata *metadata, const HearthObjectRow *row,
                                   const HearthVersion *version, GError **error)
{
    guint8 vector[HEARTH_VERSION_VECTOR_MAX * HEARTH_VERSION_VECTOR_ENTRY];
    gsize vector_size = hearth_version_vector_encode(&row->vector, vector);
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "INSERT INTO version (ino, version, content, size, mtime, made, node,"
                          " vector) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    hearth_sql_int(&sql, row->object.ino);
    hearth_sql_int(&sql, (gint64)version->version);
    if (hearth_content_id_is_none(&version->content))
        hearth_sql_null(&sql);
    else
        hearth_sql_blob(&sql, version->content.bytes, HEARTH_CONTENT_ID_SIZE);
    hearth_sql_int(&sql, version->size);
    hearth_sql_int(&sql, version->mtime_ns);
    hearth_sql_int(&sql, version->made_ns);
    hearth_sql_blob(&sql, version->node.bytes, HEARTH_ID_SIZE);
    hearth_sql_blob(&sql, vector, vector_size);
    return hearth_sql_run(&sql, error);
}

HearthFetch hearth_sqlite_get_version(HearthMetadata *metadata, gint64 ino, guint64 version,
                                      HearthVersion *ret, GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(
        writer(metadata), "SELECT " VERSION_COLUMNS " FROM version WHERE ino = ? AND version = ?");
    hearth_sql_int(&sql, ino);
    hearth_sql_int(&sql, (gint64)MIN(version, G_MAXINT64));
    HearthFetch fetch = hearth_sql_step(&sql, error);
    if (fetch == HEARTH_FETCH_ROW)
        read_version(&sql, ret);
    return fetch;
}

static gboolean fetch_versions(HearthSql *sql, GArray *rows, GError **error)
{
    HearthVersion version;
    HearthFetch fetch;
    while ((fetch = hearth_sql_step(sql, error)) == HEARTH_FETCH_ROW) {
        read_version(sql, &version);
        g_array_append_val(rows, version);
    }
    return fetch == HEARTH_FETCH_NONE;
}

gboolean hearth_sqlite_versions(HearthMetadata *metadata, gint64 ino, guint64 below, guint limit,
                                GArray *rows, GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(writer(metadata), "SELECT " VERSION_COLUMNS " FROM version"
                                                         " WHERE ino = ? AND version < ?"
                                                         " ORDER BY version DESC LIMIT ?");
    hearth_sql_int(&sql, ino);
    hearth_sql_int(&sql, (gint64)MIN(below, G_MAXINT64));
    hearth_sql_int(&sql, limit);
    return fetch_versions(&sql, rows, error);
}

HearthFetch hearth_sqlite_find_content(HearthMetadata *metadata, const HearthContentId *id,
                                       gint64 *ret_ino, GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(writer(metadata), "SELECT ino FROM version WHERE content = ?"
                                     " AND content IS NOT NULL ORDER BY ino LIMIT 1");
    hearth_sql_blob(&sql, id->bytes, HEARTH_CONTENT_ID_SIZE);
    HearthFetch fetch = hearth_sql_step(&sql, error);
    if (fetch == HEARTH_FETCH_ROW)
        *ret_ino = sqlite3_column_int64(sql.statement, 0);
    return fetch;
}

gboolean hearth_sqlite_contents(HearthMetadata *metadata, const HearthContentId *after, guint limit,
                                GArray *rows, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&db->reader_lock);
    /* One row of each content: min() makes the other columns those of its first version. */
    g_auto(HearthSql) sql =
        hearth_sql(&db->reader, "SELECT min(ino), content, size, mtime, made, node FROM version"
                                " WHERE content > ? AND content IS NOT NULL"
                                " GROUP BY content ORDER BY content LIMIT ?");
    hearth_sql_blob(&sql, after->bytes, HEARTH_CONTENT_ID_SIZE);
    hearth_sql_int(&sql, limit);
    return fetch_versions(&sql, rows, error);
}
