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
 * A full disk. Dirty pages never go to the WAL before the commit (cache_spill=OFF), and a group is
 * only begun when the WAL has its blocks on the disk already (fallocate): so it is the first change
 * of a group that is refused, with nothing done, and a commit does not fail for want of room. What
 * is reserved stays when the rest of the disk fills up: deleting must go on working then.
 *
 * Checkpoints are ours to time (wal_autocheckpoint=0): a change must not pay for one. They are made
 * beside the changes by a connection of their own; under steady changes those never catch up, so at
 * CHECKPOINT_HARD_BYTES one is made in the way of them, when little is left to do.
 */
static const char COMMON_PRAGMAS[] = "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY;"
                                     "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF;";
static const char WRITER_PRAGMAS[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                     "PRAGMA wal_autocheckpoint=0; PRAGMA cache_spill=OFF;";

/* WAL above which a checkpoint is made beside the changes, and in the way of them. */
#define CHECKPOINT_BYTES (4 * 1024 * 1024)
#define CHECKPOINT_HARD_BYTES (64 * 1024 * 1024)
/* Room a group needs in the WAL: two thousand changes of two pages of their own each. */
#define GROUP_BYTES (16 * 1024 * 1024)
/* The index takes 32 KiB for 4096 pages: enough for twice CHECKPOINT_HARD_BYTES. */
#define WAL_INDEX_BYTES (CHECKPOINT_HARD_BYTES / 4096 / 4096 * 32768 * 2)
/* A page in the WAL with its header. */
#define FRAME_BYTES (4096 + 24)
/* A checkpoint in the way of changes gives readers this long to end their step. */
#define BUSY_TIMEOUT_MS 100
#define DEFAULT_CACHE_KIB 8192
#define KEEPER_CACHE_KIB 64

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
    connection_close(&db->keeper);
    connection_close(&db->writer);
    hearth_close_at(&db->wal_fd);
    hearth_close_at(&db->shm_fd);
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
    db->wal_fd = db->shm_fd = -1;
    db->key_numbers = g_hash_table_new(g_str_hash, g_str_equal);
    db->key_names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_mutex_init(&db->reader_lock);
    return db;
}

/*
 * The index of the WAL lies in shared memory that is a file, and grows too. Our descriptor must be
 * closed after the connections: closing any of a file's descriptors drops all of SQLite's locks.
 */
static gboolean reserve_index(HearthSqlite *db, GError **error)
{
    g_autofree char *name = g_strconcat(db->path, "-shm", NULL);
    db->shm_fd = open(name, O_RDWR | O_CLOEXEC);
    if (db->shm_fd < 0)
        return hearth_set_errno(error, errno, "cannot open %s", name);
    if (fallocate(db->shm_fd, FALLOC_FL_KEEP_SIZE, 0, WAL_INDEX_BYTES) != 0 && errno == ENOSPC)
        return hearth_set_errno(error, errno, "no room for %s", name);
    return TRUE;
}

/* The WAL is there after the first write; its name is made durable with the database's. */
static gboolean open_wal(HearthSqlite *db, const char *state, GError **error)
{
    g_autofree char *name = g_strconcat(db->path, "-wal", NULL);
    db->wal_fd = open(name, O_RDWR | O_CLOEXEC);
    if (db->wal_fd < 0)
        return hearth_set_errno(error, errno, "cannot open %s", name);
    return fsync(db->wal_fd) == 0 ? hearth_sync_folder(AT_FDCWD, state, error)
                                  : hearth_set_errno(error, errno, "cannot flush %s", name);
}

static int note_frames(void *data, sqlite3 *handle, const char *name, int frames)
{
    g_atomic_int_set(&((HearthSqlite *)data)->wal_frames, frames);
    return SQLITE_OK;
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
    if (!hearth_sql_execute(&db->writer, WRITER_PRAGMAS, error))
        return FALSE;
    /* After the pragmas: wal_autocheckpoint takes the hook away. */
    sqlite3_wal_hook(db->writer.handle, note_frames, db);
    /* The empty write makes the WAL be there. */
    return hearth_sqlite_migrate(db, error) &&
           hearth_sql_execute(&db->writer, "UPDATE state SET clock = clock", error) &&
           open_wal(db, options->state, error) && reserve_index(db, error) &&
           connection_open(&db->keeper, db->path, SQLITE_OPEN_READWRITE, KEEPER_CACHE_KIB, error) &&
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

static gint64 wal_used(HearthSqlite *db)
{
    return (gint64)g_atomic_int_get(&db->wal_frames) * FRAME_BYTES;
}

/* Empties the WAL: what comes next is written from its start. Readers may be in the way. */
static gboolean restart_wal(HearthSqlite *db, GError **error)
{
    int code =
        sqlite3_wal_checkpoint_v2(db->writer.handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    if (code != SQLITE_OK)
        return hearth_sql_error(&db->writer, code, error);
    g_atomic_int_set(&db->wal_frames, 0);
    return TRUE;
}

/* Sees to it that the next group has its blocks on the disk. */
static gboolean reserve(HearthSqlite *db, GError **error)
{
    if (wal_used(db) > CHECKPOINT_HARD_BYTES)
        restart_wal(db, NULL);
    if (wal_used(db) + GROUP_BYTES <= db->wal_reserved)
        return TRUE;
    off_t wanted = wal_used(db) + 2 * GROUP_BYTES;
    if (fallocate(db->wal_fd, FALLOC_FL_KEEP_SIZE, 0, wanted) == 0) {
        db->wal_reserved = wanted;
        return TRUE;
    }
    /* A disk that cannot reserve is taken as it is. */
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        return TRUE;
    int number = errno;
    if (restart_wal(db, NULL) && GROUP_BYTES <= db->wal_reserved)
        return TRUE;
    return hearth_set_errno(error, number, "no room for changes in %s-wal", db->path);
}

static gboolean engine_begin(HearthMetadata *metadata, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    if (db->in_group)
        return TRUE;
    if (!reserve(db, error))
        return FALSE;
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
    if (wal_used(db) < CHECKPOINT_BYTES)
        return TRUE;
    int code =
        sqlite3_wal_checkpoint_v2(db->keeper.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || hearth_sql_error(&db->keeper, code, error);
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
