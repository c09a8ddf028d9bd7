#pragma once

#include <glib.h>

/** Rows of text whose columns stand under one another on standard output. */
typedef struct HearthTable HearthTable;

/** `columns` has a letter for each: 'l' stands left, 'r' right. `titles` may be NULL, and is only
 * printed to a terminal. */
HearthTable *hearth_table_new(const char *columns, const char *const *titles);
void hearth_table_free(HearthTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HearthTable, hearth_table_free)

/** Fills the next cell of the current row, then begins a new one. Takes the string. */
void hearth_table_take(HearthTable *table, char *cell);
/** The same with a copy; NULL is an empty cell. */
void hearth_table_add(HearthTable *table, const char *cell);

void hearth_table_print(const HearthTable *table);
