#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"

/*
 * The schema, by version (PRAGMA user_version):
 *
 *   1  objects with their place, versions, attributes, trash, log, ledger, one row of state.
 *
 * A step, once released, never changes: a new version gets a new function in STEPS, and a database
 * of the version before becomes a fixture of tests/unit/namespace/test-store-schema.c.
 *
 * Names and paths are blobs: bytes that need not be UTF-8. `key` is the search key of the name.
 * An object in the trash has parent 0 and a row in `trash`; what lay below it keeps its parent and
 * so hangs from the trash. The root is its own parent. The index object_parent serves listing by
 * ino, since the ino is the row id that every index ends with; object_folder climbs down a tree.
 * `search` in attribute is the form find compares (a number, or a search key) and is there only for
 * the keys people look for: indexing all that a camera writes would double the cost of an import.
 */
static const char SCHEMA_1[] =
    "CREATE TABLE state ("
    " one INTEGER PRIMARY KEY CHECK (one = 1), node BLOB NOT NULL, incarnation BLOB NOT NULL,"
    " next_ino INTEGER NOT NULL, clock INTEGER NOT NULL, folders INTEGER NOT NULL,"
    " files INTEGER NOT NULL, symlinks INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " trashed INTEGER NOT NULL) STRICT;"
    "CREATE TABLE object ("
    " ino INTEGER PRIMARY KEY, id BLOB NOT NULL, parent INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, size INTEGER NOT NULL,"
    " mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, birth INTEGER NOT NULL,"
    " version INTEGER NOT NULL, sequence INTEGER NOT NULL, name BLOB NOT NULL, key BLOB NOT NULL,"
    " content BLOB, vector BLOB NOT NULL, target BLOB) STRICT;"
    "CREATE UNIQUE INDEX object_name ON object (parent, name) WHERE parent > 0;"
    "CREATE INDEX object_parent ON object (parent);"
    "CREATE INDEX object_folder ON object (parent) WHERE kind = 1;"
    "CREATE INDEX object_key ON object (key);"
    "CREATE TABLE version ("
    " ino INTEGER NOT NULL, version INTEGER NOT NULL, content BLOB, size INTEGER NOT NULL,"
    " mtime INTEGER NOT NULL, made INTEGER NOT NULL, node BLOB NOT NULL, vector BLOB NOT NULL,"
    " PRIMARY KEY (ino, version)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX version_content ON version (content) WHERE content IS NOT NULL;"
    "CREATE TABLE attribute_key (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE attribute ("
    " ino INTEGER NOT NULL, key INTEGER NOT NULL, place INTEGER NOT NULL, type TEXT NOT NULL,"
    " value ANY NOT NULL, search ANY, PRIMARY KEY (ino, key, place)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX attribute_search ON attribute (key, search) WHERE search IS NOT NULL;"
    "CREATE TABLE trash ("
    " ino INTEGER PRIMARY KEY, parent INTEGER NOT NULL, path BLOB NOT NULL,"
    " trashed INTEGER NOT NULL) STRICT;"
    "CREATE INDEX trash_time ON trash (trashed);"
    "CREATE TABLE log ("
    " sequence INTEGER PRIMARY KEY, clock INTEGER NOT NULL, change INTEGER NOT NULL,"
    " ino INTEGER NOT NULL, object BLOB NOT NULL, kind INTEGER NOT NULL, parent INTEGER NOT NULL,"
    " name BLOB NOT NULL, old_parent INTEGER NOT NULL, old_name BLOB, size INTEGER NOT NULL,"
    " content BLOB, vector BLOB NOT NULL) STRICT;"
    "CREATE TABLE ledger ("
    " source TEXT NOT NULL, path BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " content BLOB, ino INTEGER NOT NULL, imported INTEGER NOT NULL, removed INTEGER NOT NULL,"
    " PRIMARY KEY (source, path, size, mtime)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX ledger_ino ON ledger (ino);";

/* "Hrth": tells our databases from those of others, also for file(1). */
#define APPLICATION_ID 0x48727468

static gboolean read_pragma(HearthSqlite *db, const char *text, gint64 *ret_value, GError **error)
{
    g_auto(HearthSql) sql = hearth_sql(&db->writer, text);
    HearthFetch fetch = hearth_sql_step(&sql, error);
    if (fetch == HEARTH_FETCH_ROW)
        *ret_value = sqlite3_column_int64(sql.statement, 0);
    return fetch == HEARTH_FETCH_ROW;
}

static gboolean make_schema_1(HearthSqlite *db, GError **error)
{
    if (!hearth_sql_execute(&db->writer, SCHEMA_1, error))
        return FALSE;
    HearthId node = hearth_id_new(), incarnation = hearth_id_new();
    g_auto(HearthSql) sql = hearth_sql(
        &db->writer, "INSERT INTO state (one, node, incarnation, next_ino, clock, folders, files,"
                     " symlinks, bytes, trashed) VALUES (1, ?, ?, 1, 0, 0, 0, 0, 0, 0)");
    hearth_sql_blob(&sql, node.bytes, HEARTH_ID_SIZE);
    hearth_sql_blob(&sql, incarnation.bytes, HEARTH_ID_SIZE);
    return hearth_sql_run(&sql, error);
}

/* STEPS[v] takes a database of version v to v + 1. */
static gboolean (*const STEPS[HEARTH_SCHEMA_VERSION])(HearthSqlite *, GError **) = {
    make_schema_1,
};

static gboolean read_version(HearthSqlite *db, gint64 *ret_version, GError **error)
{
    gint64 application = 0, tables = 0;
    if (!read_pragma(db, "PRAGMA application_id", &application, error) ||
        !read_pragma(db, "PRAGMA user_version", ret_version, error) ||
        !read_pragma(db, "SELECT count(*) FROM sqlite_schema", &tables, error))
        return FALSE;
    gboolean fresh = *ret_version == 0 && application == 0 && tables == 0;
    if (application != APPLICATION_ID && !fresh) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT, "%s: not a database of Hearth",
                    db->path);
        return FALSE;
    }
    if (*ret_version > HEARTH_SCHEMA_VERSION) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_UNSUPPORTED,
                    "%s: written by a newer Hearth (schema %" G_GINT64_FORMAT
                    ", this one knows up to %d)",
                    db->path, *ret_version, HEARTH_SCHEMA_VERSION);
        return FALSE;
    }
    return TRUE;
}

gboolean hearth_sqlite_check_schema(HearthSqlite *db, GError **error)
{
    gint64 version;
    if (!read_version(db, &version, error))
        return FALSE;
    if (version < HEARTH_SCHEMA_VERSION)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_READ_ONLY,
                    "%s: its schema %" G_GINT64_FORMAT " must be migrated, but it is read-only",
                    db->path, version);
    return version == HEARTH_SCHEMA_VERSION;
}

/* One step and its new version number, whole or not at all. */
static gboolean take_step(HearthSqlite *db, gint64 version, GError **error)
{
    g_autofree char *mark =
        g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %" G_GINT64_FORMAT,
                        APPLICATION_ID, version + 1);
    if (!hearth_sql_execute(&db->writer, "BEGIN IMMEDIATE", error))
        return FALSE;
    gboolean done = STEPS[version](db, error) && hearth_sql_execute(&db->writer, mark, error) &&
                    hearth_sql_execute(&db->writer, "COMMIT", error);
    if (!done)
        hearth_sql_execute(&db->writer, "ROLLBACK", NULL);
    return done;
}

gboolean hearth_sqlite_migrate(HearthSqlite *db, GError **error)
{
    gint64 version;
    if (!read_version(db, &version, error))
        return FALSE;
    for (; version < HEARTH_SCHEMA_VERSION; version++)
        if (!take_step(db, version, error)) {
            g_prefix_error(error, "cannot migrate from schema %" G_GINT64_FORMAT ": ", version);
            return FALSE;
        }
    return TRUE;
}

gboolean hearth_sqlite_load(HearthMetadata *metadata, HearthMetadataState *ret_state,
                            GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    g_auto(HearthSql) sql =
        hearth_sql(&db->writer, "SELECT node, incarnation, next_ino, clock, folders, files,"
                                " symlinks, bytes, trashed,"
                                " coalesce((SELECT max(sequence) FROM log), 0) FROM state");
    HearthFetch fetch = hearth_sql_step(&sql, error);
    if (fetch == HEARTH_FETCH_NONE)
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_CORRUPT, "%s: its state row is missing",
                    db->path);
    if (fetch != HEARTH_FETCH_ROW)
        return FALSE;
    HearthMetadataState state = {0};
    hearth_sql_column_bytes(&sql, 0, state.node.bytes, HEARTH_ID_SIZE);
    hearth_sql_column_bytes(&sql, 1, state.incarnation.bytes, HEARTH_ID_SIZE);
    state.next_ino = sqlite3_column_int64(sql.statement, 2);
    state.clock = (guint64)sqlite3_column_int64(sql.statement, 3);
    state.counts.folders = (guint64)sqlite3_column_int64(sql.statement, 4);
    state.counts.files = (guint64)sqlite3_column_int64(sql.statement, 5);
    state.counts.symlinks = (guint64)sqlite3_column_int64(sql.statement, 6);
    state.counts.bytes = (guint64)sqlite3_column_int64(sql.statement, 7);
    state.counts.trashed = (guint64)sqlite3_column_int64(sql.statement, 8);
    state.counts.last_sequence = (guint64)sqlite3_column_int64(sql.statement, 9);
    *ret_state = state;
    return TRUE;
}

gboolean hearth_sqlite_save(HearthSqlite *db, const HearthMetadataState *state, GError **error)
{
    g_auto(HearthSql) sql =
        hearth_sql(&db->writer, "UPDATE state SET next_ino = ?, clock = ?, folders = ?, files = ?,"
                                " symlinks = ?, bytes = ?, trashed = ?");
    hearth_sql_int(&sql, state->next_ino);
    hearth_sql_int(&sql, (gint64)state->clock);
    hearth_sql_int(&sql, (gint64)state->counts.folders);
    hearth_sql_int(&sql, (gint64)state->counts.files);
    hearth_sql_int(&sql, (gint64)state->counts.symlinks);
    hearth_sql_int(&sql, (gint64)state->counts.bytes);
    hearth_sql_int(&sql, (gint64)state->counts.trashed);
    return hearth_sql_run(&sql, error);
}
