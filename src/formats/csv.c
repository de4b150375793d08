/* Tables of text: RFC 4180 (quotes, doubled quotes, line ends within quotes), with comma, semicolon or tab
 * between cells.
 *
 * Cells are unquoted in place: what a cell becomes is never longer than what it was. */
#include "formats/formats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DELIMITER_LINES = 64 };

void mi_table_destroy(struct mi_table *table)
{
    free(table->text);
    free(table->cells);
    free(table->lines);
    free(table->names);
    free(table->class_names);
    *table = (struct mi_table){0};
}

const char *mi_table_cell(const struct mi_table *table, size_t row, size_t column)
{
    return table->text + table->cells[table->first + row * table->columns + column];
}

/* ---- Cells ---- */

static double power_of_ten(int exponent)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double power = 1;
    for (; exponent > 22; exponent -= 22)
        power *= 1e22;
    return power * exact[exponent];
}

/* The digits at *at, with a point among them: at most 19 count, the others only move the exponent. */
static bool take_digits(const char **at, uint64_t *mantissa, int *exponent)
{
    bool any = false, point = false;
    int used = 0;
    for (;; (*at)++) {
        char c = **at;
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return any;
        any = true;
        bool fits = used < 19;
        if (fits)
            *mantissa = *mantissa * 10 + (uint64_t)(c - '0');
        used += fits && *mantissa;
        if (fits && point && *exponent > -100000)
            (*exponent)--;
        else if (!fits && !point && *exponent < 100000)
            (*exponent)++;
    }
}

static bool take_exponent(const char **at, int *exponent)
{
    if (**at != 'e' && **at != 'E')
        return true;
    (*at)++;
    bool negative = **at == '-';
    if (**at == '-' || **at == '+')
        (*at)++;
    if (**at < '0' || **at > '9')
        return false;
    int value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value < 100000 ? value * 10 + (**at - '0') : value;
    *exponent += negative ? -value : value;
    return true;
}

bool mi_parse_number(const char *text, double *out)
{
    bool negative = *text == '-';
    uint64_t mantissa = 0;
    int exponent = 0;
    if (*text == '-' || *text == '+')
        text++;
    if (!take_digits(&text, &mantissa, &exponent) || !take_exponent(&text, &exponent) || *text)
        return false;
    double value = (double)mantissa;
    if (mantissa && exponent < -350)
        value = 0;
    else if (mantissa && exponent > 350)
        value = (double)INFINITY;
    else if (exponent < -300)
        value = value / 1e300 / power_of_ten(-exponent - 300);
    else if (exponent < 0)
        value /= power_of_ten(-exponent);
    else if (mantissa)
        value *= power_of_ten(exponent);
    *out = negative ? -value : value;
    return true;
}

bool mi_cell_missing(const char *text)
{
    static const char *const marks[] = {"", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN",
                                        "-nan", "null", "NULL"};
    for (size_t i = 0; i < MI_COUNT(marks); i++)
        if (!strcmp(text, marks[i]))
            return true;
    return false;
}

/* ---- Which character stands between cells ---- */

/* Counts `delimiter` in each of the first lines, outside quotes. true: as often in every line from the second
 * on, and at all in the first. */
static bool is_regular(const char *text, char delimiter)
{
    size_t count = 0, expected = 0;
    int line = 0;
    bool quoted = false, empty = true;
    for (const char *at = text; line < DELIMITER_LINES; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (!*at || (!quoted && (*at == '\n' || *at == '\r'))) {
            if (!empty) {
                if (!count || (line > 1 && count != expected))
                    return false;
                expected = count;
                line++;
            }
            if (!*at)
                break;
            count = 0;
            empty = true;
            continue;
        }
        empty = empty && (*at == ' ' || *at == '\t');
        count += !quoted && *at == delimiter;
    }
    return line > 0;
}

static char find_delimiter(const char *text)
{
    static const char candidates[] = {',', '\t', ';'};
    for (size_t i = 0; i < sizeof candidates; i++)
        if (is_regular(text, candidates[i]))
            return candidates[i];
    return ',';
}

/* ---- Rows ---- */

struct scanner {
    struct mi_error *error;
    const char *place;
    char *at, *end;            /* read here; a cell is written at or before what was read */
    size_t line;
    char delimiter;
    struct mi_table *table;
    size_t cells, cell_capacity, line_capacity;
    size_t first_width;        /* cells of the first row, which may differ from the others' */
};

/* After the opening quote: copies to the closing one and looks for the end of the cell. */
static mica_status quoted_cell(struct scanner *s, char **written)
{
    size_t began = s->line;
    char *out = *written;
    for (;; s->at++) {
        if (s->at >= s->end)
            return mi_fail(s->error, MICA_FORMAT, "%s: line %zu: a quote is never closed", s->place, began);
        if (*s->at == '"' && s->at[1] != '"')
            break;
        if (*s->at == '"')
            s->at++;
        if (*s->at == '\n' || (*s->at == '\r' && s->at[1] != '\n'))
            s->line++;
        *out++ = *s->at;
    }
    s->at++;
    *written = out;
    while (*s->at == ' ' || (*s->at == '\t' && s->delimiter != '\t'))
        s->at++;
    if (s->at < s->end && *s->at != s->delimiter && *s->at != '\n' && *s->at != '\r')
        return mi_fail(s->error, MICA_FORMAT, "%s: line %zu: text follows a closing quote", s->place,
                       s->line);
    return MICA_OK;
}

static void plain_cell(struct scanner *s, char **written)
{
    char *out = *written;
    while (s->at < s->end && *s->at != s->delimiter && *s->at != '\n' && *s->at != '\r')
        *out++ = *s->at++;
    while (out > *written && (out[-1] == ' ' || out[-1] == '\t'))
        out--;
    *written = out;
}

/* One cell, zero-terminated in place; *more: another follows in this row. */
static mica_status scan_cell(struct scanner *s, bool *more)
{
    while (*s->at == ' ' || (*s->at == '\t' && s->delimiter != '\t'))
        s->at++;
    bool quoted = *s->at == '"';
    char *begin = s->at, *written = s->at;
    if (quoted) {
        s->at++;
        MI_TRY(quoted_cell(s, &written));
    } else {
        plain_cell(s, &written);
    }
    if (!mi_grow(&s->table->cells, &s->cell_capacity, s->cells + 1, sizeof *s->table->cells))
        return mi_out_of_memory(s->error);
    s->table->cells[s->cells++] = (size_t)(begin - s->table->text);
    *more = s->at < s->end && *s->at == s->delimiter;
    bool new_line = s->at < s->end && !*more;
    if (new_line && *s->at == '\r' && s->at[1] == '\n')
        s->at++;
    s->line += new_line;
    if (s->at < s->end)
        s->at++;
    *written = 0; /* at most the delimiter's or the quote's own place, which has been read */
    return MICA_OK;
}

static bool blank_line(struct scanner *s)
{
    char *at = s->at;
    while (at < s->end && (*at == ' ' || (*at == '\t' && s->delimiter != '\t')))
        at++;
    if (at < s->end && *at != '\n' && *at != '\r')
        return false;
    if (at + 1 < s->end && *at == '\r' && at[1] == '\n')
        at++;
    s->at = at < s->end ? at + 1 : at;
    s->line++;
    return true;
}

static mica_status scan_row(struct scanner *s)
{
    struct mi_table *t = s->table;
    size_t line = s->line, before = s->cells;
    bool more = true;
    if (!mi_grow(&t->lines, &s->line_capacity, t->rows + 1, sizeof *t->lines))
        return mi_out_of_memory(s->error);
    t->lines[t->rows] = line;
    while (more)
        MI_TRY(scan_cell(s, &more));
    size_t width = s->cells - before;
    if (t->rows == 0)
        s->first_width = width;
    if (t->rows <= 1)
        t->columns = width;
    else if (width != t->columns)
        return mi_fail(s->error, MICA_FORMAT, "%s: line %zu has %zu cells, line %zu has %zu", s->place, line,
                       width, t->lines[1], t->columns);
    t->rows++;
    return MICA_OK;
}

static mica_status scan_rows(struct scanner *s, size_t size)
{
    struct mi_table *t = s->table;
    const char *zero = memchr(t->text, 0, size);
    if (zero)
        return mi_fail(s->error, MICA_FORMAT, "%s: byte %zu is zero; a table is text in UTF-8", s->place,
                       (size_t)(zero - t->text));
    s->at = t->text;
    s->end = t->text + size;
    s->line = 1;
    if (size >= 3 && !memcmp(t->text, "\xef\xbb\xbf", 3)) /* a byte order mark */
        s->at += 3;
    s->delimiter = find_delimiter(s->at);
    while (s->at < s->end)
        if (!blank_line(s))
            MI_TRY(scan_row(s));
    if (!t->rows)
        return mi_fail(s->error, MICA_DATA, "%s: the file is empty", s->place);
    return MICA_OK;
}

/* ---- The header ---- */

static bool is_numeric(const char *cell)
{
    double value;
    return mi_parse_number(cell, &value);
}

/* scikit-learn's tables begin with a line of counts and class names: "150,4,setosa,versicolor,virginica". */
static bool is_count_line(const struct mi_table *t, size_t width)
{
    double samples, columns, number;
    for (size_t c = 2; c < width; c++)
        if (mi_parse_number(t->text + t->cells[c], &number))
            return false;
    return width > 2 && mi_parse_number(t->text + t->cells[0], &samples) &&
           mi_parse_number(t->text + t->cells[1], &columns) && samples == (double)(t->rows - 1) &&
           columns == (double)t->columns - 1;
}

static bool is_one_of(const char *cell, const char *const *names)
{
    for (; names && *names; names++)
        if (!strcmp(cell, *names))
            return true;
    return false;
}

/* Whether a cell of the first row is a name that was asked for, and no index. */
static bool is_hinted(const struct mi_table_hints *hints, const char *cell)
{
    if (!hints || is_numeric(cell) || !*cell)
        return false;
    if ((hints->label && !strcmp(cell, hints->label)) || is_one_of(cell, hints->categorical))
        return true;
    for (int i = 0; hints->fitted && i < hints->fitted->column_count; i++)
        if (hints->fitted->columns[i].name && !strcmp(cell, hints->fitted->columns[i].name))
            return true;
    return false;
}

/* The cells of a column below the first row. */
struct below {
    bool numbers; /* all that are not missing, and there is one */
    bool repeats; /* the first row's own cell occurs again */
};

static struct below look_below(const struct mi_table *t, size_t column)
{
    struct below below = {false, false};
    const char *top = mi_table_cell(t, 0, column);
    bool words = false;
    for (size_t row = 1; row < t->rows && !(words && below.repeats); row++) {
        const char *cell = mi_table_cell(t, row, column);
        if (mi_cell_missing(cell))
            continue;
        if (is_numeric(cell))
            below.numbers = true;
        else
            words = true;
        below.repeats = below.repeats || !strcmp(cell, top);
    }
    below.numbers = below.numbers && !words;
    return below;
}

/* A word above numbers is a header. Where all columns hold words, a first row whose cells are all different
 * and occur nowhere below is one. */
static bool looks_like_header(const struct mi_table *t, const struct mi_table_hints *hints)
{
    bool words_only = t->rows > 1;
    for (size_t c = 0; c < t->columns; c++)
        if (is_hinted(hints, mi_table_cell(t, 0, c)))
            return true;
    for (size_t c = 0; c < t->columns; c++) {
        const char *cell = mi_table_cell(t, 0, c);
        if (is_numeric(cell) || mi_cell_missing(cell)) {
            words_only = false;
            continue;
        }
        struct below below = look_below(t, c);
        if (below.numbers)
            return true;
        for (size_t other = 0; words_only && other < c; other++)
            words_only = strcmp(cell, mi_table_cell(t, 0, other)) != 0;
        words_only = words_only && !below.repeats;
    }
    return words_only;
}

static mica_status take_names(struct mi_error *error, struct mi_table *t)
{
    t->names = mi_new(t->columns + 1, sizeof *t->names);
    if (!t->names)
        return mi_out_of_memory(error);
    for (size_t c = 0; c < t->columns; c++)
        t->names[c] = mi_table_cell(t, 0, c);
    return MICA_OK;
}

static void drop_first_row(struct mi_table *t, size_t width)
{
    t->first = width;
    t->rows--;
    memmove(t->lines, t->lines + 1, t->rows * sizeof *t->lines);
}

static mica_status find_header(struct scanner *s, const struct mi_table_hints *hints)
{
    struct mi_table *t = s->table;
    mica_header header = hints ? hints->header : MICA_HEADER_AUTO;
    if (header == MICA_HEADER_AUTO && t->rows > 1 && is_count_line(t, s->first_width)) {
        t->class_count = s->first_width - 2;
        t->class_names = mi_new(t->class_count, sizeof *t->class_names);
        if (!t->class_names)
            return mi_out_of_memory(s->error);
        for (size_t i = 0; i < t->class_count; i++)
            t->class_names[i] = t->text + t->cells[2 + i];
        drop_first_row(t, s->first_width);
        return MICA_OK;
    }
    if (s->first_width != t->columns)
        return mi_fail(s->error, MICA_FORMAT, "%s: line %zu has %zu cells, line %zu has %zu", s->place,
                       t->lines[1], t->columns, t->lines[0], s->first_width);
    if (header == MICA_HEADER_YES || (header == MICA_HEADER_AUTO && looks_like_header(t, hints))) {
        MI_TRY(take_names(s->error, t));
        drop_first_row(t, t->columns);
    }
    return MICA_OK;
}

mica_status mi_table_parse(struct mi_error *error, const char *place, char *text, size_t size,
                           const struct mi_table_hints *hints, struct mi_table *out)
{
    *out = (struct mi_table){.text = text};
    struct scanner s = {.error = error, .place = place, .table = out};
    MI_TRY(scan_rows(&s, size));
    return find_header(&s, hints);
}
