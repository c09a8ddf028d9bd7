#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"
#include "gateway/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * Durability. The WAL is written at each commit of a group, without a flush (synchronous=NORMAL);
 * harden() flushes it, so that one flush serves all who wait for one. SQLite itself flushes the WAL
 * before a checkpoint and the database after it. Frames of the WAL are chained by checksums: what a
 * power cut leaves is a whole number of groups, a head of what was committed.
 *
 * Dirty pages never go to the WAL before the commit (cache_spill=OFF), so that a full disk is met
 * at begin or commit, where a group is refused or given up whole, and not in the midst of a change.
 *
 * Checkpoints are ours to time (wal_autocheckpoint=0): a change must not pay for one.
 */
static const char COMMON_PRAGMAS[] = "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY;"
                                     "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF;";
static const char WRITER_PRAGMAS[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                     "PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=OFF;"
                                     "PRAGMA journal_size_limit=16777216;";

/* WAL above which a checkpoint is made, and above which it waits for readers, bytes. */
#define CHECKPOINT_BYTES (8 * 1024 * 1024)
#define CHECKPOINT_HARD_BYTES (32 * 1024 * 1024)
/* A checkpoint that waits for readers gives them this long; theirs are short. */
#define BUSY_TIMEOUT_MS 2000
#define DEFAULT_CACHE_KIB 8192

static void connection_close(HearthSqlConnection *connection)
{
    if (connection->statements)
        g_hash_table_destroy(connection->statements);
    sqlite3_close(connection->handle);
    *connection = (HearthSqlConnection){0};
}

static void finalize(gpointer statement)
{
    sqlite3_finalize(statement);
}

static gboolean connection_open(HearthSqlConnection *connection, const char *path, int flags,
                                guint cache_kib, GError **error)
{
    connection->path = path;
    connection->statements = g_hash_table_new_full(NULL, NULL, NULL, finalize);
    int code = sqlite3_open_v2(path, &connection->handle,
                               flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        return hearth_sql_error(connection, code, error);
    sqlite3_busy_timeout(connection->handle, BUSY_TIMEOUT_MS);
    g_autofree char *cache = g_strdup_printf("PRAGMA cache_size=-%u", cache_kib);
    return hearth_sql_execute(connection, COMMON_PRAGMAS, error) &&
           hearth_sql_execute(connection, cache, error);
}

static void engine_close(HearthMetadata *metadata)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    connection_close(&db->reader);
    connection_close(&db->writer);
    hearth_close_at(&db->wal_fd);
    g_mutex_clear(&db->reader_lock);
    g_hash_table_destroy(db->key_numbers);
    g_hash_table_destroy(db->key_names);
    g_free(db->path);
    g_free(db);
}

static HearthSqlite *engine_new(const HearthMetadataOptions *options)
{
    HearthSqlite *db = g_new0(HearthSqlite, 1);
    db->base.engine = &HEARTH_METADATA_SQLITE;
    db->path = g_build_filename(options->state, "metadata.db", NULL);
    db->read_only = options->read_only;
    db->wal_fd = -1;
    db->key_numbers = g_hash_table_new(g_str_hash, g_str_equal);
    db->key_names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_mutex_init(&db->reader_lock);
    return db;
}

/* The WAL is there after the first write; its name is made durable with the database's. */
static gboolean open_wal(HearthSqlite *db, const char *state, GError **error)
{
    g_autofree char *name = g_strconcat(db->path, "-wal", NULL);
    db->wal_fd = open(name, O_RDONLY | O_CLOEXEC);
    if (db->wal_fd < 0)
        return hearth_set_errno(error, errno, "cannot open %s", name);
    return fsync(db->wal_fd) == 0 ? hearth_sync_folder(AT_FDCWD, state, error)
                                  : hearth_set_errno(error, errno, "cannot flush %s", name);
}

static gboolean open_writable(HearthSqlite *db, const HearthMetadataOptions *options, guint cache,
                              GError **error)
{
    if (!connection_open(&db->writer, db->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, cache,
                         error))
        return FALSE;
    if (sqlite3_db_readonly(db->writer.handle, "main") == 1) {
        g_set_error(error, HEARTH_ERROR, HEARTH_ERROR_READ_ONLY, "%s cannot be written", db->path);
        return FALSE;
    }
    /* The empty write makes the WAL be there. */
    return hearth_sql_execute(&db->writer, WRITER_PRAGMAS, error) &&
           hearth_sqlite_migrate(db, error) &&
           hearth_sql_execute(&db->writer, "UPDATE state SET clock = clock", error) &&
           open_wal(db, options->state, error) &&
           connection_open(&db->reader, db->path, SQLITE_OPEN_READONLY, cache, error);
}

/*
 * On a disk that cannot be written SQLite cannot make the shared memory that a WAL needs. Without
 * a WAL there is nothing to share: the file is then taken as one that never changes.
 */
static char *read_only_name(HearthSqlite *db)
{
    g_autofree char *wal = g_strconcat(db->path, "-wal", NULL);
    g_autofree char *folder = g_path_get_dirname(db->path);
    g_autofree char *escaped = g_uri_escape_string(db->path, "/", FALSE);
    gboolean fixed = access(wal, F_OK) != 0 && access(folder, W_OK) != 0;
    return g_strdup_printf("file:%s?mode=ro%s", escaped, fixed ? "&immutable=1" : "");
}

static gboolean open_read_only(HearthSqlite *db, guint cache, GError **error)
{
    g_autofree char *name = read_only_name(db);
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    gboolean opened = connection_open(&db->writer, name, flags, cache, error) &&
                      connection_open(&db->reader, name, flags, cache, error);
    db->writer.path = db->reader.path = db->path;
    return opened && hearth_sqlite_check_schema(db, error);
}

static HearthMetadata *engine_open(const HearthMetadataOptions *options,
                                   HearthMetadataState *ret_state, GError **error)
{
    HearthSqlite *db = engine_new(options);
    guint cache = options->cache_kib ? options->cache_kib : DEFAULT_CACHE_KIB;
    gboolean opened = options->read_only ? open_read_only(db, cache, error)
                                         : open_writable(db, options, cache, error);
    if (opened && hearth_sql_add_functions(db, error) && hearth_sqlite_load_keys(db, error) &&
        hearth_sqlite_load(&db->base, ret_state, error))
        return &db->base;
    engine_close(&db->base);
    return NULL;
}

/* --- Groups --- */

static gboolean engine_begin(HearthMetadata *metadata, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    if (db->in_group)
        return TRUE;
    g_auto(HearthSql) sql = hearth_sql(&db->writer, "BEGIN IMMEDIATE");
    db->in_group = hearth_sql_run(&sql, error);
    return db->in_group;
}

static void engine_rollback(HearthMetadata *metadata)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    /* SQLite may have rolled back by itself, as it does when the disk is full. */
    if (!sqlite3_get_autocommit(db->writer.handle))
        hearth_sql_execute(&db->writer, "ROLLBACK", NULL);
    db->in_group = FALSE;
    hearth_sqlite_load_keys(db, NULL);
}

static gboolean engine_commit(HearthMetadata *metadata, const HearthMetadataState *state,
                              GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    if (!db->in_group)
        return TRUE;
    g_auto(HearthSql) sql = hearth_sql(&db->writer, "COMMIT");
    gboolean done = hearth_sqlite_save(db, state, error) && hearth_sql_run(&sql, error);
    hearth_sql_done(&sql);
    if (!done)
        engine_rollback(metadata);
    db->in_group = FALSE;
    return done;
}

static gboolean engine_harden(HearthMetadata *metadata, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    if (db->wal_fd < 0 || fdatasync(db->wal_fd) == 0)
        return TRUE;
    return hearth_set_errno(error, errno, "cannot make %s-wal durable", db->path);
}

static gboolean engine_tidy(HearthMetadata *metadata, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    off_t size = db->wal_fd < 0 ? 0 : lseek(db->wal_fd, 0, SEEK_END);
    if (size < CHECKPOINT_BYTES)
        return TRUE;
    int mode =
        size < CHECKPOINT_HARD_BYTES ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
    int code = sqlite3_wal_checkpoint_v2(db->writer.handle, NULL, mode, NULL, NULL);
    /* Readers in the way: the next time will do. */
    return code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY ||
           hearth_sql_error(&db->writer, code, error);
}

void hearth_trash_row_clear(HearthTrashRow *row)
{
    g_clear_pointer(&row->path, g_free);
}

void hearth_match_row_clear(HearthMatchRow *row)
{
    g_clear_pointer(&row->path, g_free);
}

const HearthMetadataEngine HEARTH_METADATA_SQLITE = {
    .name = "sqlite",
    .open = engine_open,
    .close = engine_close,
    .begin = engine_begin,
    .commit = engine_commit,
    .rollback = engine_rollback,
    .load = hearth_sqlite_load,
    .tidy = engine_tidy,
    .get = hearth_sqlite_get,
    .get_row = hearth_sqlite_get_row,
    .lookup = hearth_sqlite_lookup,
    .list = hearth_sqlite_list,
    .list_by_name = hearth_sqlite_list_by_name,
    .target = hearth_sqlite_target,
    .insert = hearth_sqlite_insert,
    .update = hearth_sqlite_update,
    .move = hearth_sqlite_move,
    .touch = hearth_sqlite_touch,
    .forget = hearth_sqlite_forget,
    .add_version = hearth_sqlite_add_version,
    .get_version = hearth_sqlite_get_version,
    .versions = hearth_sqlite_versions,
    .set_attributes = hearth_sqlite_set_attributes,
    .attributes = hearth_sqlite_attributes,
    .find_content = hearth_sqlite_find_content,
    .add_trash = hearth_sqlite_add_trash,
    .drop_trash = hearth_sqlite_drop_trash,
    .get_trash = hearth_sqlite_get_trash,
    .trash = hearth_sqlite_trash,
    .append = hearth_sqlite_append,
    .log = hearth_sqlite_log,
    .ledger_get = hearth_sqlite_ledger_get,
    .ledger_put = hearth_sqlite_ledger_put,
    .harden = engine_harden,
    .find_open = hearth_sqlite_find_open,
    .find_next = hearth_sqlite_find_next,
    .find_close = hearth_sqlite_find_close,
    .contents = hearth_sqlite_contents,
    .check_steps = &HEARTH_SQLITE_CHECKS,
    .check = hearth_sqlite_check,
};
