#include "namespace/sqlite-private.h"

#include "gateway/base/error.h"

#include <string.h>

/* Findings of one kind that are told; where there are more, the first ones say enough. */
#define FINDINGS "100"

/*
 * Each check is a SELECT whose rows are sentences. The first asks SQLite about its pages; the rest
 * ask what SQLite cannot know. None writes, and each is one statement and so sees one moment.
 */
static const char *const CHECKS[] = {
    "SELECT 'the database says: ' || integrity_check FROM pragma_integrity_check(" FINDINGS ")"
    " WHERE integrity_check <> 'ok'",

    "SELECT 'the root folder is missing or is no folder' WHERE NOT EXISTS"
    " (SELECT 1 FROM object WHERE ino = 1 AND parent = 1 AND kind = 1)",

    "SELECT 'object ' || o.ino || ' lies in ' || o.parent || ', which is no folder'"
    " FROM object AS o LEFT JOIN object AS p ON p.ino = o.parent"
    " WHERE o.parent > 0 AND p.kind IS NOT 1 LIMIT " FINDINGS,

    "SELECT 'object ' || ino || ' has no good name' FROM object"
    " WHERE (length(name) NOT BETWEEN 1 AND 255 AND ino <> 1) OR instr(name, X'2f')"
    " OR instr(name, X'00') OR name IN (X'2e', X'2e2e') LIMIT " FINDINGS,

    /* Only folders can make a circle: what is not reached from the root or the trash is in one. */
    "WITH RECURSIVE reached (ino) AS (SELECT ino FROM object WHERE ino = 1 OR parent = 0"
    " UNION ALL SELECT o.ino FROM reached JOIN object AS o INDEXED BY object_folder"
    " ON o.parent = reached.ino WHERE o.ino > 1 AND o.kind = 1)"
    " SELECT 'folder ' || ino || ' hangs from neither the root nor the trash' FROM object"
    " WHERE kind = 1 AND ino NOT IN (SELECT ino FROM reached) LIMIT " FINDINGS,

    "SELECT 'object ' || ino || ' is in the trash without an entry there' FROM object"
    " WHERE parent = 0 AND ino NOT IN (SELECT ino FROM trash) LIMIT " FINDINGS,

    "SELECT 'the trash has an entry for ' || t.ino || ', which is not in it' FROM trash AS t"
    " LEFT JOIN object AS o ON o.ino = t.ino WHERE o.parent IS NOT 0 LIMIT " FINDINGS,

    "WITH RECURSIVE tree (ino, kind, size) AS (SELECT ino, kind, size FROM object WHERE ino = 1"
    " UNION ALL SELECT o.ino, o.kind, o.size FROM tree JOIN object AS o INDEXED BY object_parent"
    " ON o.parent = tree.ino WHERE o.ino > 1),"
    " found AS (SELECT coalesce(sum(kind = 1), 1) - 1 AS folders, coalesce(sum(kind = 2), 0) AS "
    "files,"
    " coalesce(sum(kind = 3), 0) AS symlinks,"
    " coalesce(sum(CASE kind WHEN 2 THEN size END), 0) AS bytes,"
    " (SELECT count(*) FROM object) - count(*) AS trashed FROM tree)"
    " SELECT 'the counts say ' || s.folders || ' folders, ' || s.files || ' files, ' || s.symlinks"
    " || ' links, ' || s.bytes || ' bytes, ' || s.trashed || ' in the trash; there are '"
    " || f.folders || ', ' || f.files || ', ' || f.symlinks || ', ' || f.bytes || ', ' || f.trashed"
    " FROM state AS s, found AS f WHERE (s.folders, s.files, s.symlinks, s.bytes, s.trashed)"
    " <> (f.folders, f.files, f.symlinks, f.bytes, f.trashed)",

    "SELECT 'the next object would be ' || next_ino || ', which there is already' FROM state"
    " WHERE next_ino <= (SELECT max(ino) FROM object)",

    "SELECT 'the log has a gap before record ' || l.sequence FROM log AS l WHERE NOT EXISTS "
    "(SELECT 1 FROM log AS p WHERE p.sequence = l.sequence - 1)"
    " AND l.sequence <> 1 LIMIT " FINDINGS,

    "SELECT 'record ' || l.sequence || ' of the log is not later than the one before it'"
    " FROM log AS l JOIN log AS p ON p.sequence = l.sequence - 1 WHERE l.clock <= p.clock"
    " LIMIT " FINDINGS,

    "SELECT 'the clock is behind the log' FROM state WHERE clock < (SELECT max(clock) FROM log)",

    "SELECT 'object ' || o.ino || ' refers to record ' || o.sequence || ', which is not its own'"
    " FROM object AS o LEFT JOIN log AS l ON l.sequence = o.sequence"
    " WHERE o.ino > 1 AND l.ino IS NOT o.ino LIMIT " FINDINGS,

    "SELECT 'object ' || ino || ' has a damaged version vector' FROM object"
    " WHERE length(vector) % 16 <> 0 OR (length(vector) = 0 AND ino > 1) LIMIT " FINDINGS,

    "SELECT 'file ' || o.ino || ' does not agree with its version ' || o.version"
    " FROM object AS o LEFT JOIN version AS v ON v.ino = o.ino AND v.version = o.version"
    " WHERE o.version > 0 AND (v.size IS NOT o.size OR v.content IS NOT o.content) LIMIT " FINDINGS,

    "SELECT 'object ' || ino || ' has versions up to ' || max(version) || ' but only ' || count(*)"
    " FROM version GROUP BY ino HAVING count(*) <> max(version) LIMIT " FINDINGS,

    "SELECT 'there are versions of ' || v.ino || ', which is no file' FROM version AS v"
    " LEFT JOIN object AS o ON o.ino = v.ino WHERE o.kind IS NOT 2 LIMIT " FINDINGS,

    "SELECT 'version ' || version || ' of object ' || ino || ' has ' || size || ' bytes and '"
    " || CASE WHEN content IS NULL THEN 'no' ELSE 'a' END || ' content' FROM version"
    " WHERE (content IS NULL) <> (size = 0) LIMIT " FINDINGS,

    "SELECT DISTINCT 'there are attributes of ' || a.ino || ', which is no file'"
    " FROM attribute AS a LEFT JOIN object AS o ON o.ino = a.ino WHERE o.kind IS NOT 2"
    " LIMIT " FINDINGS,

    "SELECT DISTINCT 'an attribute of ' || a.ino || ' has a key that is not known'"
    " FROM attribute AS a WHERE a.key NOT IN (SELECT number FROM attribute_key) LIMIT " FINDINGS,
};

const guint HEARTH_SQLITE_CHECKS = G_N_ELEMENTS(CHECKS);

gboolean hearth_sqlite_check(HearthMetadata *metadata, guint step, HearthFindingFunc finding,
                             gpointer data, GError **error)
{
    HearthSqlite *db = (HearthSqlite *)metadata;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&db->reader_lock);
    g_autoptr(GError) reason = NULL;
    g_auto(HearthSql) sql = hearth_sql(&db->reader, CHECKS[step]);
    HearthFetch fetch;
    while ((fetch = hearth_sql_step(&sql, &reason)) == HEARTH_FETCH_ROW) {
        g_autofree char *text = hearth_sql_column_dup(&sql, 0);
        g_autofree char *sentence = g_strdup_printf("%s: %s", db->path, text);
        finding(sentence, data);
    }
    if (fetch == HEARTH_FETCH_NONE)
        return TRUE;
    /* A check that damage keeps from ending is a finding itself. */
    gboolean damaged = g_error_matches(reason, HEARTH_ERROR, HEARTH_ERROR_CORRUPT);
    if (damaged)
        finding(reason->message, data);
    else
        g_propagate_error(error, g_steal_pointer(&reason));
    return damaged;
}
