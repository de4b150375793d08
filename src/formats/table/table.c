/* A table, the names of its places, and its rows one after the other. */
#include "formats/table/table.h"

#include <stdlib.h>

void mi_table_destroy(struct mi_table *table)
{
    free(table->text);
    mi_column_names_destroy(&table->sorted);
    mi_arena_destroy(&table->arena);
    *table = (struct mi_table){0};
}

struct mi_cell_place mi_table_place(const struct mi_table *table, size_t line, size_t column)
{
    struct mi_cell_place out;
    char before[32] = "";
    const char *name = table && table->names ? table->names[column] : "";
    if (line)
        mi_format(before, sizeof before, "line %zu, ", line);
    mi_format(out.text, sizeof out.text, *name ? "%scolumn %zu (%s)" : "%scolumn %zu", before, column + 1, mi_show(name).text);
    return out;
}

bool mi_cursor_open(const struct mi_table *table, struct mi_cursor *cursor)
{
    const char *begin = table->text + table->body;
    *cursor = (struct mi_cursor){.table = table,
                                 .scan = {begin, table->text + table->size, table->body_line, table->delimiter}};
    cursor->cells = mi_new(table->width, sizeof *cursor->cells);
    cursor->text = mi_new(table->longest + 2, 1);
    if (cursor->cells && cursor->text)
        return true;
    mi_cursor_close(cursor);
    return false;
}

bool mi_cursor_next(struct mi_cursor *cursor)
{
    char *out = cursor->text;
    if (!mi_scan_row(&cursor->scan))
        return false;
    cursor->line = cursor->scan.line;
    for (size_t c = 0; c < cursor->table->width; c++) {
        struct mi_scanned cell = mi_scan_cell(&cursor->scan, out);
        cursor->cells[c] = (struct mi_cell){out, cell.quoted};
        out += cell.size + 1;
    }
    return true;
}

void mi_cursor_close(struct mi_cursor *cursor)
{
    free(cursor->cells);
    free(cursor->text);
    *cursor = (struct mi_cursor){0};
}
