/* What stands between the cells of a table, and before the fraction of its numbers: the first rows are scanned in each
 * way that there is, and the way that explains most of them is taken. */
#include "formats/table/table.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_ROWS = 64, SAMPLE_BYTES = 1 << 20 };

static const char delimiters[] = {',', '\t', ';'};

/* The first rows of a table as cells between some delimiter. */
struct reading {
    size_t rows, first_width, width; /* width: of the second row, or of the only one */
    size_t agreeing;                 /* rows from the second on that have it */
    size_t cells, whole;             /* whole: numbers without a fraction */
    size_t fractions[2];             /* numbers with one behind a point, behind a comma */
    size_t doubtful;                 /* cells that hold another delimiter and are no number */
};

static bool holds_delimiter(const char *text)
{
    for (size_t i = 0; i < sizeof delimiters; i++)
        if (strchr(text, delimiters[i]))
            return true;
    return false;
}

/* commas: numbers may have decimal commas. */
static void look_at(struct reading *r, const char *text, bool quoted, bool commas)
{
    double number;
    bool point = mi_parse_number(text, '.', &number), comma = commas && mi_parse_number(text, ',', &number);
    r->cells++;
    r->whole += point && comma;
    r->fractions[0] += point && !comma;
    r->fractions[1] += comma && !point;
    r->doubtful += !point && !comma && !quoted && holds_delimiter(text);
}

static bool ends_early(const struct mi_scanned *cell, const struct mi_scan *s, bool cut)
{
    return cell->fault != MI_SCAN_FINE || (cut && s->at >= s->end);
}

/* `cut`: the sample may end within a row, which then does not count. */
static struct reading read_sample(const char *text, size_t size, bool cut, char delimiter, char *scratch)
{
    struct reading r = {0};
    struct mi_scan s = {text, text + size, 1, delimiter};
    while (r.rows < SAMPLE_ROWS && mi_scan_row(&s)) {
        struct mi_scanned cell = {0};
        struct reading before = r;
        size_t width = 0;
        while (!cell.last) {
            cell = mi_scan_cell(&s, scratch);
            if (ends_early(&cell, &s, cut))
                return before;
            look_at(&r, scratch, cell.quoted, delimiter != ',');
            width++;
        }
        r.first_width = r.rows ? r.first_width : width;
        r.width = r.rows < 2 ? width : r.width;
        r.agreeing += r.rows && width == r.width;
        r.rows++;
    }
    return r;
}

/* Every row has the same number of cells, at least two; the first may have another one. */
static bool is_regular(const struct reading *r)
{
    return r->rows && r->first_width > 1 && r->width > 1 && r->agreeing == r->rows - 1;
}

/* The share of cells that are numbers, less those that another delimiter would divide. */
static double worth(const struct reading *r)
{
    size_t fractions = r->fractions[0] > r->fractions[1] ? r->fractions[0] : r->fractions[1];
    double share = ((double)(r->whole + fractions) - (double)r->doubtful) / (double)r->cells;
    if (!is_regular(r)) /* worth less than any that is */
        return 2 * r->agreeing >= r->rows && r->width > 1 ? -10 + (double)r->agreeing / (double)r->rows : -20;
    return r->first_width == r->width ? share : share - 0.5;
}

char mi_table_find_delimiter(const char *text, size_t size)
{
    bool cut = size > SAMPLE_BYTES;
    size_t sample = cut ? SAMPLE_BYTES : size;
    char best = 0, *scratch = mi_new(sample + 1, 1);
    double most = 0;
    for (size_t i = 0; scratch && i < sizeof delimiters; i++) {
        struct reading r = read_sample(text, sample, cut, delimiters[i], scratch);
        double is = worth(&r);
        if (!best || is > most) {
            most = is;
            best = delimiters[i];
        }
    }
    free(scratch);
    return best;
}

/* ---- The decimal mark ---- */

/* A comma, if more numbers can be read so, or with the point as a fitted model says. Commas between cells leave none, unless
 * the model's own table had some: its next one may have points. */
mica_status mi_table_find_decimal(struct mi_error *error, const struct mi_table_hints *hints, struct mi_table *t)
{
    struct reading r = {0};
    struct mi_cursor cursor;
    t->decimal = '.';
    if (hints && hints->decimal)
        t->decimal = hints->decimal;
    else if (hints && hints->fitted && hints->fitted->count && hints->fitted->fields[0].decimal)
        t->decimal = hints->fitted->fields[0].decimal;
    if ((hints && hints->decimal) || (t->delimiter == ',' && t->decimal == '.'))
        return MICA_OK;
    if (!mi_cursor_open(t, &cursor))
        return mi_out_of_memory(error);
    for (size_t c = 0; c < t->top_width; c++)
        look_at(&r, t->top[c].text, t->top[c].quoted, true);
    while (mi_cursor_next(&cursor))
        for (size_t c = 0; c < t->columns; c++)
            look_at(&r, cursor.cells[c].text, cursor.cells[c].quoted, true);
    mi_cursor_close(&cursor);
    if (r.fractions[0] != r.fractions[1])
        t->decimal = r.fractions[1] > r.fractions[0] ? ',' : '.';
    return MICA_OK;
}
