/* The dates of a series: which column has them, and that they are in order. */
#include "formats/table/table.h"

mica_status mi_table_date(mica_data *data, const char *place, const struct mi_cursor *cursor, size_t column, size_t row)
{
    const char *text = cursor->cells[column].text;
    struct mi_cell_place cell = mi_table_place(cursor->table, cursor->line, column);
    struct mi_date date;
    if (!mi_date_read(text, &date))
        return mi_fail(&data->error, MICA_DATA, "%s: %s: \"%s\" is no date such as 2024-03-31, 2024-03-31 17:30 or 31.03.2024",
                       place, cell.text, mi_show(text).text);
    MI_TRY(mi_dates_add(data, (int64_t)row, &date));
    if (!row || data->dates.seconds[row] >= data->dates.seconds[row - 1])
        return MICA_OK;
    return mi_fail(&data->error, MICA_DATA, "%s: %s: %s is before the date above it; the rows of a series are in order of time",
                   place, cell.text, mi_show(text).text);
}

bool mi_table_find_date(const struct mi_table *table, const struct mi_column *date, int table_columns, size_t *column)
{
    if (table->names && date->name)
        return mi_column_names_find(&table->sorted, date->name, (size_t)date->nth, column);
    *column = (size_t)date->index;
    return !table->names && table->columns == (size_t)table_columns && *column < table->columns;
}
