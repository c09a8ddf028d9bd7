#include "gateway/command/table.h"

#include "gateway/command/format.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct HearthTable {
    char *columns;
    guint count;
    GPtrArray *cells; /* char *, row by row */
};

HearthTable *hearth_table_new(const char *columns, const char *const *titles)
{
    HearthTable *table = g_new0(HearthTable, 1);
    table->columns = g_strdup(columns);
    table->count = (guint)strlen(columns);
    table->cells = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; titles && isatty(STDOUT_FILENO) && i < table->count; i++)
        hearth_table_add(table, titles[i]);
    return table;
}

void hearth_table_free(HearthTable *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->cells);
    g_free(table->columns);
    g_free(table);
}

void hearth_table_take(HearthTable *table, char *cell)
{
    g_ptr_array_add(table->cells, cell);
}

void hearth_table_add(HearthTable *table, const char *cell)
{
    hearth_table_take(table, g_strdup(cell ? cell : ""));
}

static guint column_width(const HearthTable *table, guint column)
{
    guint width = 0;
    for (guint i = column; i < table->cells->len; i += table->count)
        width = MAX(width, hearth_format_width(g_ptr_array_index(table->cells, i)));
    return width;
}

/* The last column is not filled up: a line ends with what it says. */
static void append_cell(const HearthTable *table, guint column, guint width, const char *cell,
                        GString *line)
{
    guint padding = width - hearth_format_width(cell);
    gboolean last = column + 1 == table->count;
    if (table->columns[column] == 'r')
        g_string_append_printf(line, "%*s", (int)padding, "");
    g_string_append(line, cell);
    if (table->columns[column] == 'l' && !last)
        g_string_append_printf(line, "%*s", (int)padding, "");
    if (!last)
        g_string_append(line, "  ");
}

void hearth_table_print(const HearthTable *table)
{
    g_autofree guint *widths = g_new(guint, table->count);
    for (guint column = 0; column < table->count; column++)
        widths[column] = column_width(table, column);
    for (guint i = 0; i + table->count <= table->cells->len; i += table->count) {
        g_autoptr(GString) line = g_string_new(NULL);
        for (guint column = 0; column < table->count; column++)
            append_cell(table, column, widths[column], g_ptr_array_index(table->cells, i + column),
                        line);
        while (line->len > 0 && line->str[line->len - 1] == ' ')
            g_string_truncate(line, line->len - 1);
        fwrite(line->str, 1, line->len, stdout);
        putchar('\n');
    }
}
