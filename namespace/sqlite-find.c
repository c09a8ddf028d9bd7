#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"

#include <stdlib.h>
#include <string.h>

/*
 * How a search goes. It begins with a short walk over the newest objects: what matches often is
 * found right there. Then each comparison that every match must pass, and that an index can answer,
 * is asked which objects it leaves. If they are few enough, they are sorted newest first and tried
 * one by one (driven); otherwise the walk goes on. A step holds the reader for a bounded time, so
 * that the WAL can be reset between steps.
 */

/* Above so many candidates a walk is the better way: they are some of every few objects. */
#define CANDIDATES_MAX 300000
/* What is tried first; then ten times as many, up to the most. */
#define CANDIDATES_FEW 3000
/* Inos a step walks, and candidates it tries. */
#define FIRST_STEP_OBJECTS 4096
#define STEP_OBJECTS 16384
#define STEP_CANDIDATES 4096
/* Folders whose paths a search keeps. */
#define PATHS_MAX 16384
#define DEPTH_MAX 65536

struct HearthFind {
    HearthSqlite *db;
    const HearthQueryNode *root; /* borrowed */
    sqlite3_stmt *statement;     /* walks a range of inos, or tries one candidate */
    gboolean chosen;             /* how it goes on after the first step */
    GArray *candidates;          /* of gint64, descending; NULL: a walk */
    guint next;                  /* candidate */
    gint64 below;                /* inos from here on up are done */
    GHashTable *paths;           /* folder ino -> its path, or NULL if not in the tree */
    GHashTable *keys;            /* the same, as search keys */
};

/* --- Paths --- */

static char *join(const char *folder, const char *name)
{
    return g_strconcat(strcmp(folder, "/") == 0 ? "" : folder, "/", name, NULL);
}

typedef struct {
    gint64 ino;
    char *name;
} Step;

static void step_clear(gpointer step)
{
    g_free(((Step *)step)->name);
}

/* Collects the folders from `folder` up to one that `known` has; its path, or NULL. */
static const char *climb(HearthFind *find, GHashTable *known, const char *text, gint64 folder,
                         GArray *steps)
{
    gpointer path;
    while (folder != HEARTH_ROOT_INO) {
        if (folder == 0 || steps->len > DEPTH_MAX)
            return NULL;
        if (g_hash_table_lookup_extended(known, &folder, NULL, &path))
            return path;
        g_auto(HearthSql) sql = hearth_sql(&find->db->reader, text);
        hearth_sql_int(&sql, folder);
        if (hearth_sql_step(&sql, NULL) != HEARTH_FETCH_ROW)
            return NULL;
        Step step = {folder, hearth_sql_column_dup(&sql, 1)};
        g_array_append_val(steps, step);
        folder = sqlite3_column_int64(sql.statement, 0);
    }
    return "/";
}

/* The path of a folder by names (or by keys), borrowed; NULL if it is not in the tree. */
static const char *folder_path(HearthFind *find, gboolean by_key, gint64 folder)
{
    GHashTable *known = by_key ? find->keys : find->paths;
    const char *text = by_key ? "SELECT parent, key FROM object WHERE ino = ?"
                              : "SELECT parent, name FROM object WHERE ino = ?";
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(Step));
    g_array_set_clear_func(steps, step_clear);
    if (g_hash_table_size(known) > PATHS_MAX)
        g_hash_table_remove_all(known);
    const char *path = climb(find, known, text, folder, steps);
    for (guint i = steps->len; i > 0; i--) {
        const Step *step = &g_array_index(steps, Step, i - 1);
        char *longer = path ? join(path, step->name) : NULL;
        g_hash_table_insert(known, g_memdup2(&step->ino, sizeof step->ino), longer);
        path = longer;
    }
    return path;
}

char *hearth_sqlite_path_key(HearthSqlite *db, gint64 parent, const char *key)
{
    const char *folder = db->finding ? folder_path(db->finding, TRUE, parent) : NULL;
    return folder ? join(folder, key) : NULL;
}

/* --- Candidates --- */

static sqlite3_stmt *prepare(HearthSqlite *db, const HearthSqlWhere *where, const char *before,
                             const char *after, GError **error)
{
    g_autofree char *text = g_strconcat(before, where->text->str, after, NULL);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->reader.handle, text, -1, &statement, NULL);
    if (code != SQLITE_OK)
        hearth_sql_error(&db->reader, code, error);
    return statement;
}

/* Takes the inos that `drive` gives; more than `most` of them: FALSE without error. */
static gboolean collect(HearthSqlite *db, const HearthSqlWhere *drive, guint most, GArray *inos,
                        GError **error)
{
    sqlite3_stmt *statement = prepare(db, drive, "", " LIMIT ?", error);
    if (!statement)
        return FALSE;
    sqlite3_bind_int64(statement, hearth_sql_where_bind(drive, statement, 1), (gint64)most + 1);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        gint64 ino = sqlite3_column_int64(statement, 0);
        g_array_append_val(inos, ino);
    }
    if (code != SQLITE_DONE)
        hearth_sql_error(&db->reader, code, error);
    sqlite3_finalize(statement);
    return code == SQLITE_DONE && inos->len <= most;
}

/* Tries every comparison that all matches must pass until one leaves at most `most` objects: then
 * they are in find->candidates. */
static gboolean choose(HearthFind *find, const HearthQueryNode *node, guint most, GError **error)
{
    if (node->kind == HEARTH_QUERY_AND)
        return choose(find, node->left, most, error) && choose(find, node->right, most, error);
    g_autoptr(HearthSqlWhere) drive = hearth_sql_where_new();
    /* What a name contains needs all of the index: less than the objects, but once is enough. */
    gboolean again = node->op == HEARTH_QUERY_CONTAINS && most > CANDIDATES_FEW;
    if (find->candidates || again || !hearth_sql_where_drive(drive, node))
        return TRUE;
    g_autoptr(GError) reason = NULL;
    g_autoptr(GArray) inos = g_array_new(FALSE, FALSE, sizeof(gint64));
    if (collect(find->db, drive, most, inos, &reason))
        find->candidates = g_steal_pointer(&inos);
    if (!reason)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
}

static int newest_first(gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;
    return (left < right) - (left > right);
}

static gint64 highest_ino(HearthSqlite *db)
{
    g_auto(HearthSql) sql = hearth_sql(&db->reader, "SELECT max(ino) FROM object");
    return hearth_sql_step(&sql, NULL) == HEARTH_FETCH_ROW ? sqlite3_column_int64(sql.statement, 0)
                                                           : 0;
}

#define SELECT_OBJECTS                                                                             \
    "SELECT " HEARTH_SQL_OBJECT ", o.name FROM object AS o WHERE +o.parent > 0 AND "

static gboolean find_prepare(HearthFind *find, GError **error)
{
    g_autoptr(HearthSqlWhere) where = hearth_sql_where_new();
    hearth_sql_where_add(where, find->root);
    const char *before = find->candidates ? SELECT_OBJECTS "o.ino = ? AND "
                                          : SELECT_OBJECTS "o.ino < ? AND o.ino >= ? AND ";
    sqlite3_finalize(find->statement);
    find->statement =
        prepare(find->db, where, before, find->candidates ? "" : " ORDER BY o.ino DESC", error);
    /* The values are copied: `where` goes, the statement stays. */
    if (find->statement)
        hearth_sql_where_bind(where, find->statement, find->candidates ? 2 : 3);
    return find->statement != NULL;
}

/* Decides how to go on after the first step. */
static gboolean find_choose(HearthFind *find, GError **error)
{
    find->chosen = TRUE;
    /* Few from one comparison are better than many from another that comes first. */
    for (guint most = CANDIDATES_FEW; !find->candidates && most <= CANDIDATES_MAX; most *= 10)
        if (!choose(find, find->root, most, error))
            return FALSE;
    if (!find->candidates)
        return TRUE;
    g_array_sort(find->candidates, newest_first);
    while (find->next < find->candidates->len &&
           g_array_index(find->candidates, gint64, find->next) >= find->below)
        find->next++;
    return find_prepare(find, error);
}

HearthFind *hearth_sqlite_find_open(HearthMetadata *metadata, const HearthQuery *query,
                                    GError **error)
{
    HearthFind *find = g_new0(HearthFind, 1);
    find->db = (HearthSqlite *)metadata;
    find->root = hearth_query_root(query);
    find->paths = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    find->keys = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_mutex_lock(&find->db->reader_lock);
    find->below = highest_ino(find->db) + 1;
    gboolean prepared = find_prepare(find, error);
    g_mutex_unlock(&find->db->reader_lock);
    if (prepared)
        return find;
    hearth_sqlite_find_close(find);
    return NULL;
}

void hearth_sqlite_find_close(HearthFind *find)
{
    g_mutex_lock(&find->db->reader_lock);
    sqlite3_finalize(find->statement);
    g_mutex_unlock(&find->db->reader_lock);
    g_clear_pointer(&find->candidates, g_array_unref);
    g_hash_table_destroy(find->paths);
    g_hash_table_destroy(find->keys);
    g_free(find);
}

/* --- Steps --- */

/* Takes the rows of the statement that are in the tree, at most up to `limit` in `rows`; the ino of
 * the last row seen in `last`. */
static int take_rows(HearthFind *find, guint limit, GArray *rows, gint64 *last)
{
    HearthSql sql = {&find->db->reader, find->statement, 1, SQLITE_OK};
    int code = SQLITE_DONE;
    while (rows->len < limit && (code = sqlite3_step(find->statement)) == SQLITE_ROW) {
        HearthMatchRow row;
        char name[HEARTH_NAME_MAX + 1];
        hearth_sqlite_read_object(&sql, &row.object);
        hearth_sql_column_string(&sql, HEARTH_SQL_OBJECT_COLUMNS, name, sizeof name);
        *last = row.object.ino;
        const char *folder = folder_path(find, FALSE, row.object.parent);
        if (!folder || row.object.ino == HEARTH_ROOT_INO)
            continue;
        row.path = join(folder, name);
        g_array_append_val(rows, row);
    }
    sqlite3_reset(find->statement);
    return code;
}

static int step_driven(HearthFind *find, guint limit, GArray *rows, gboolean *ret_more)
{
    guint end = MIN(find->candidates->len, find->next + STEP_CANDIDATES);
    int code = SQLITE_DONE;
    gint64 before = 0, last;
    for (; find->next < end && rows->len < limit; find->next++) {
        gint64 ino = g_array_index(find->candidates, gint64, find->next);
        /* One object may pass an index more than once: each keyword of a list counts. */
        if (ino == before)
            continue;
        before = ino;
        sqlite3_bind_int64(find->statement, 1, ino);
        code = take_rows(find, limit, rows, &last);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return code;
    }
    *ret_more = find->next < find->candidates->len;
    return SQLITE_DONE;
}

static int step_walk(HearthFind *find, guint limit, GArray *rows, gboolean *ret_more)
{
    guint step = find->chosen ? STEP_OBJECTS : FIRST_STEP_OBJECTS;
    gint64 floor = MAX(find->below - step, 0), last = floor;
    sqlite3_bind_int64(find->statement, 1, find->below);
    sqlite3_bind_int64(find->statement, 2, floor);
    int code = take_rows(find, limit, rows, &last);
    find->below = rows->len == limit ? last : floor;
    *ret_more = find->below > 0;
    return code;
}

gboolean hearth_sqlite_find_next(HearthFind *find, guint limit, GArray *rows, gboolean *ret_more,
                                 GError **error)
{
    HearthSqlite *db = find->db;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&db->reader_lock);
    /* The tree may have changed since the last step. */
    g_hash_table_remove_all(find->paths);
    g_hash_table_remove_all(find->keys);
    db->finding = find;
    int code = find->candidates ? step_driven(find, limit, rows, ret_more)
                                : step_walk(find, limit, rows, ret_more);
    db->finding = NULL;
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        return hearth_sql_error(&db->reader, code, error);
    /* Only when the newest objects were not enough. */
    return find->chosen || !*ret_more || rows->len == limit || find_choose(find, error);
}
