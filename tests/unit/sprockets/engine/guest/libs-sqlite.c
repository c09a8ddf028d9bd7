/* SQLite in memory: a table of rows, sums, text functions, an index, a rollback and an error. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

static int write_row(void *to, int columns, char **values, char **names)
{
    char *area = to;
    for (int i = 0; i < columns; i++)
        sprintf(area + strlen(area), "%s=%s;", names[i], values[i] ? values[i] : "null");
    strcat(area, "\n");
    return 0;
}

static int insert(sqlite3 *db, uint64_t rows)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "insert into t (name, size, part) values (?, ?, ?)", -1, &statement,
                           NULL))
        return 1;
    for (uint64_t i = 0; i < rows; i++) {
        char name[32];
        snprintf(name, sizeof name, "Picture %03d", (int)(i * 37 % rows));
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)i * (sqlite3_int64)i);
        sqlite3_bind_double(statement, 3, (double)i / 7);
        if (sqlite3_step(statement) != SQLITE_DONE)
            return 1;
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return 0;
}

/* `first` rows. */
GUEST(query_rows)
{
    static const char *const QUERIES[] = {
        "select count(*), sum(size), avg(part), max(name) from t",
        "create index i on t (name)",
        "select upper(name), length(name), substr(name, 3, 4), replace(name, 'i', 'I') from t "
        "where name between 'Picture 100' and 'Picture 110' order by name desc",
        "select printf('%08.3f %x %s', part, size, hex(name)), name like '%7' from t where id % 50 "
        "= 3",
        "begin",
        "delete from t where id > 10",
        "select count(*) from t",
        "rollback",
        "with recursive n(x) as (select 1 union all select x + 1 from n where x < 20) "
        "select group_concat(x * x) from n",
        "select round(sum(size) / 3.0, 2), strftime('%Y-%m-%d', 1700000000, 'unixepoch') from t",
        "select nothing from nowhere",
        "insert into t (id) values (1)",
    };
    sqlite3 *db = NULL;
    uint64_t errors = 0;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return 1;
    if (sqlite3_exec(db, "create table t (id integer primary key, name text, size int, part real)",
                     0, 0, 0))
        return 2;
    if (insert(db, first) != 0)
        return 3;
    for (size_t i = 0; i < sizeof QUERIES / sizeof QUERIES[0]; i++) {
        char *message = NULL;
        if (sqlite3_exec(db, QUERIES[i], write_row, area, &message) != SQLITE_OK) {
            errors++;
            strcat(strcat(area, message), "\n");
            sqlite3_free(message);
        }
    }
    return sqlite3_close(db) == SQLITE_OK ? errors * 1000 + strlen(area) : 4;
}
