#pragma once

#include "namespace/metadata-engine.h"

#include <sqlite3.h>

/**
 * The SQLite engine's own parts, shared by sqlite-*.c, which alone may include sqlite3.h.
 *
 * Three connections: `writer` for everything under the store's lock, `reader` (under reader_lock)
 * for long work, which sees what is committed and never blocks a change. Reads on `reader` are cut
 * in bounded steps, since a WAL cannot be reset while one lasts; and `keeper`.
 */
typedef struct {
    sqlite3 *handle;
    GHashTable *statements; /* SQL text (by address) -> sqlite3_stmt, prepared once */
    const char *path;       /* of the database, for messages; borrowed */
} HearthSqlConnection;

typedef struct {
    HearthMetadata base;
    char *path;
    gboolean read_only;
    gboolean in_group;
    HearthSqlConnection writer;
    GMutex reader_lock;
    HearthSqlConnection reader;
    HearthFind *finding;        /* whose paths the SQL functions use, while its step lasts */
    HearthSqlConnection keeper; /* for checkpoints; one thread's */
    int wal_fd;                 /* to flush and reserve; the connections have their own */
    int shm_fd;                 /* to reserve */
    gint wal_frames;            /* atomic; pages in the WAL after the last commit */
    gint64 wal_reserved;        /* bytes of the WAL that have their blocks */
    GHashTable *key_numbers;    /* attribute key -> number, under the store's lock */
    GHashTable *key_names;      /* number -> key; strings owned here */
} HearthSqlite;

/** A statement in use; reset at the end of its scope. Parameters are bound in order. */
typedef struct {
    HearthSqlConnection *connection;
    sqlite3_stmt *statement; /* NULL: could not be prepared, the first step says why */
    int next;                /* parameter to bind */
    int code;                /* of prepare and bind */
} HearthSql;

/** Takes the statement of `text`, which must be a constant: it is found again by its address. */
HearthSql hearth_sql(HearthSqlConnection *connection, const char *text);
void hearth_sql_done(HearthSql *sql);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HearthSql, hearth_sql_done)

void hearth_sql_int(HearthSql *sql, gint64 value);
void hearth_sql_double(HearthSql *sql, double value);
void hearth_sql_null(HearthSql *sql);
/** `data` must stay until the statement is done. */
void hearth_sql_blob(HearthSql *sql, const void *data, gsize size);
void hearth_sql_text(HearthSql *sql, const char *text);
/** The bytes of a string, as a blob: names and paths need not be UTF-8. */
void hearth_sql_bytes(HearthSql *sql, const char *text);

HearthFetch hearth_sql_step(HearthSql *sql, GError **error);
/** Steps to the end; rows are ignored. */
gboolean hearth_sql_run(HearthSql *sql, GError **error);

/** Copies a blob column of exactly `size` bytes; all zero if it is NULL or of another size. */
void hearth_sql_column_bytes(HearthSql *sql, int column, void *data, gsize size);
/** Copies a blob column as a string of at most `size` - 1 bytes. */
void hearth_sql_column_string(HearthSql *sql, int column, char *text, gsize size);
/** (transfer full) */
char *hearth_sql_column_dup(HearthSql *sql, int column);

/** Runs statements without parameters. */
gboolean hearth_sql_execute(HearthSqlConnection *connection, const char *text, GError **error);
/** The one place where SQLite's codes become ours; always returns FALSE. */
gboolean hearth_sql_error(HearthSqlConnection *connection, int code, GError **error);

/* sqlite-schema.c */
/** The newest schema this build knows. */
#define HEARTH_SCHEMA_VERSION 1
/** Makes or migrates the schema; a database that is not ours or too new is refused. */
gboolean hearth_sqlite_migrate(HearthSqlite *db, GError **error);
/** Refuses all but the newest schema; for a database that cannot be written. */
gboolean hearth_sqlite_check_schema(HearthSqlite *db, GError **error);
gboolean hearth_sqlite_load(HearthMetadata *metadata, HearthMetadataState *ret_state,
                            GError **error);
gboolean hearth_sqlite_save(HearthSqlite *db, const HearthMetadataState *state, GError **error);

/* The columns of an object, in the order hearth_sqlite_read_object() takes them. */
#define HEARTH_SQL_OBJECT                                                                          \
    "o.ino, o.id, o.parent, o.kind, o.mode, o.uid, o.gid, o.size, o.mtime, o.ctime, o.birth,"      \
    " o.version, o.content"
#define HEARTH_SQL_OBJECT_COLUMNS 13
void hearth_sqlite_read_object(HearthSql *sql, HearthObject *ret);

/* sqlite-object.c */
HearthFetch hearth_sqlite_get(HearthMetadata *, gint64, HearthObject *, GError **);
HearthFetch hearth_sqlite_get_row(HearthMetadata *, gint64, HearthObjectRow *, GError **);
HearthFetch hearth_sqlite_lookup(HearthMetadata *, gint64, const char *, HearthObject *, GError **);
gboolean hearth_sqlite_list(HearthMetadata *, gint64, gint64, guint, GArray *, GError **);
gboolean hearth_sqlite_list_by_name(HearthMetadata *, gint64, const char *, guint, GArray *,
                                    GError **);
char *hearth_sqlite_target(HearthMetadata *, gint64, GError **);
gboolean hearth_sqlite_insert(HearthMetadata *, const HearthObjectRow *, const char *, GError **);
gboolean hearth_sqlite_update(HearthMetadata *, const HearthObjectRow *, GError **);
gboolean hearth_sqlite_move(HearthMetadata *, const HearthObjectRow *, GError **);
gboolean hearth_sqlite_touch(HearthMetadata *, gint64, gint64, GError **);
gboolean hearth_sqlite_forget(HearthMetadata *, gint64, GError **);

/* sqlite-version.c */
gboolean hearth_sqlite_add_version(HearthMetadata *, const HearthObjectRow *, const HearthVersion *,
                                   GError **);
HearthFetch hearth_sqlite_get_version(HearthMetadata *, gint64, guint64, HearthVersion *,
                                      GError **);
gboolean hearth_sqlite_versions(HearthMetadata *, gint64, guint64, guint, GArray *, GError **);
HearthFetch hearth_sqlite_find_content(HearthMetadata *, const HearthContentId *, gint64 *,
                                       GError **);
gboolean hearth_sqlite_contents(HearthMetadata *, const HearthContentId *, guint, GArray *,
                                GError **);

/* sqlite-attribute.c */
gboolean hearth_sqlite_set_attributes(HearthMetadata *, gint64, GVariant *, GError **);
GVariant *hearth_sqlite_attributes(HearthMetadata *, gint64, GError **);
/** Whether values of `key` have their search form in the index. */
gboolean hearth_sqlite_is_indexed(const char *key);
/** Reads the numbers of the keys again (after a group was given up). */
gboolean hearth_sqlite_load_keys(HearthSqlite *db, GError **error);

/* sqlite-record.c */
gboolean hearth_sqlite_add_trash(HearthMetadata *, const HearthTrashRow *, GError **);
gboolean hearth_sqlite_drop_trash(HearthMetadata *, gint64, GError **);
HearthFetch hearth_sqlite_get_trash(HearthMetadata *, gint64, HearthTrashRow *, GError **);
gboolean hearth_sqlite_trash(HearthMetadata *, gint64, gint64, guint, GArray *, GError **);
gboolean hearth_sqlite_append(HearthMetadata *, const HearthChange *, const HearthVersionVector *,
                              GError **);
gboolean hearth_sqlite_log(HearthMetadata *, guint64, guint, GArray *, GError **);
HearthFetch hearth_sqlite_ledger_get(HearthMetadata *, const HearthLedgerEntry *,
                                     HearthLedgerEntry *, GError **);
gboolean hearth_sqlite_ledger_put(HearthMetadata *, const HearthLedgerEntry *, GError **);

/* sqlite-where.c: a query as SQL. Values are only ever bound. */
typedef struct {
    GString *text;
    GArray *values; /* bound in order */
} HearthSqlWhere;
HearthSqlWhere *hearth_sql_where_new(void);
void hearth_sql_where_free(HearthSqlWhere *where);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthSqlWhere, hearth_sql_where_free)
/** Appends a condition on the object `o` that holds where the query does. */
void hearth_sql_where_add(HearthSqlWhere *where, const HearthQueryNode *node);
/** Appends a SELECT of the ino of every object that can match `node`, taken from an index; FALSE if
 * there is none that helps. */
gboolean hearth_sql_where_drive(HearthSqlWhere *where, const HearthQueryNode *node);
/** Binds the values to the parameters from `first` on. */
int hearth_sql_where_bind(const HearthSqlWhere *where, sqlite3_stmt *statement, int first);
/** Makes the functions that conditions call known to the reader. */
gboolean hearth_sql_add_functions(HearthSqlite *db, GError **error);

/* sqlite-find.c */
/** Search key of the path of an entry, NULL if it is not in the tree; in a search alone. */
char *hearth_sqlite_path_key(HearthSqlite *db, gint64 parent, const char *key);
HearthFind *hearth_sqlite_find_open(HearthMetadata *, const HearthQuery *, GError **);
gboolean hearth_sqlite_find_next(HearthFind *, guint, GArray *, gboolean *, GError **);
void hearth_sqlite_find_close(HearthFind *);

/* sqlite-check.c */
extern const guint HEARTH_SQLITE_CHECKS;
gboolean hearth_sqlite_check(HearthMetadata *, guint, HearthFindingFunc, gpointer, GError **);
