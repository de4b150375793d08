/* Reading a table: its text is checked, its rows are counted, its header is found. */
#include "formats/table/table.h"

#include <stdlib.h>
#include <string.h>

/* What each column of a table takes while it is read: its name, its cell, what is known of it. */
enum { BYTES_A_COLUMN = 256 };

/* ---- The text ---- */

/* Bytes of the UTF-8 character at `at`; 0: it is none (RFC 3629: no overlong ones, no surrogates). */
static size_t character_size(const unsigned char *at, const unsigned char *end)
{
    unsigned char c = at[0];
    size_t size = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (!size || (size_t)(end - at) < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) || (c == 0xf0 && at[1] < 0x90) ||
        (c == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

/* The line and the column of a byte, as far as the text before it can be scanned. */
static struct mi_cell_place place_of_byte(const char *text, size_t size, size_t byte)
{
    struct mi_scan s = {text, text + size, 1, mi_table_find_delimiter(text, size)};
    size_t line = 1, column = 0;
    while (mi_scan_row(&s)) {
        struct mi_scanned cell = {0};
        line = s.line;
        for (column = 0; !cell.last; column++) {
            cell = mi_scan_cell(&s, NULL);
            if (s.at > text + byte || cell.fault != MI_SCAN_FINE)
                return mi_table_place(NULL, line, column);
        }
    }
    return mi_table_place(NULL, line, column);
}

static mica_status check_text(struct mi_error *error, const char *place, const char *text, size_t size)
{
    const unsigned char *begin = (const unsigned char *)text, *end = begin + size, *at = begin;
    if (size >= 2 && ((at[0] == 0xff && at[1] == 0xfe) || (at[0] == 0xfe && at[1] == 0xff)))
        return mi_fail(error, MICA_FORMAT, "%s: the table is in UTF-16, not UTF-8; iconv -f UTF-16 -t UTF-8 FILE >NEW "
                       "converts it", place);
    const char *zero = size ? memchr(text, 0, size) : NULL;
    if (zero)
        return mi_fail(error, MICA_FORMAT, "%s: byte %zu is zero; a table is text in UTF-8", place,
                       (size_t)(zero - text));
    for (size_t step; at < end; at += step) {
        step = character_size(at, end);
        if (!step)
            return mi_fail(error, MICA_FORMAT, "%s: %s is not UTF-8 (byte 0x%02x); iconv -f WINDOWS-1252 -t UTF-8 FILE "
                           ">NEW converts a table of Western Europe", place,
                           place_of_byte(text, size, (size_t)(at - begin)).text, *at);
    }
    return MICA_OK;
}

/* ---- Counting ---- */

/* What is known after all rows have been scanned once. */
struct survey {
    struct mi_error *error;
    const char *place;
    struct mi_table *table;
    struct row_place {
        size_t at, line;
    } first, second;
    size_t first_width;
    bool first_ends_empty, ends_empty; /* ends_empty: every row but the first has no text in its last cell */
};

/* A comma between digits may have been meant for a decimal mark, where no point stands between digits. */
static bool has_decimal_comma(const char *begin, const char *end)
{
    bool comma = false;
    for (const char *at = begin + 1; at + 1 < end && *at != '\n'; at++) {
        bool between = mi_is_digit(at[-1]) && mi_is_digit(at[1]);
        comma = comma || (between && *at == ',');
        if (between && *at == '.')
            return false;
    }
    return comma;
}

/* Why rows may have another number of cells than the first one. */
static const char *reason(const struct survey *s, size_t width, size_t other, const char *begin, const char *end)
{
    if (width == other + 1 && *begin == '"') /* as R writes them */
        return "; names of rows need a name in the first line, too";
    if (s->table->delimiter == ',' && has_decimal_comma(begin, end))
        return "; a decimal comma needs quotes, or semicolons between cells";
    return "";
}

static mica_status bad_quote(const struct survey *s, size_t line, size_t column, enum mi_scan_fault fault)
{
    return mi_fail(s->error, MICA_FORMAT, fault == MI_SCAN_NEVER_CLOSED ?
                   "%s: %s: a quote is never closed; a cell that begins with one ends with one" :
                   "%s: %s: text follows a closing quote; a quote within a quoted cell is written twice", s->place,
                   mi_table_place(NULL, line, column).text);
}

static mica_status ragged(const struct survey *s, size_t line, size_t width, size_t other_line, size_t other,
                          const char *begin, const char *end)
{
    return mi_fail(s->error, MICA_FORMAT, "%s: line %zu has %zu cells, line %zu has %zu%s", s->place, line, width,
                   other_line, other, reason(s, width, other, begin, end));
}

static mica_status survey_row(struct survey *s, struct mi_scan *scan)
{
    struct mi_table *t = s->table;
    struct mi_scanned cell = {0};
    const char *begin = scan->at;
    size_t width = 0, bytes;
    struct row_place row = {(size_t)(begin - t->text), scan->line};
    while (!cell.last) {
        cell = mi_scan_cell(scan, NULL);
        if (cell.fault != MI_SCAN_FINE)
            return bad_quote(s, row.line, width, cell.fault);
        width++;
    }
    if (t->rows > 1 && width != t->width)
        return ragged(s, row.line, width, s->second.line, t->width, begin, scan->at);
    bool empty = !cell.size && !cell.quoted;
    if (t->rows == 0) {
        s->first = row;
        s->first_width = width;
        s->first_ends_empty = empty;
    }
    if (t->rows < 2) {
        s->second = row;
        t->width = width;
    }
    s->ends_empty = t->rows ? s->ends_empty && empty : true;
    bytes = (size_t)(scan->at - begin);
    t->longest = bytes > t->longest ? bytes : t->longest;
    t->rows++;
    return MICA_OK;
}

/* A last column that has no name and no value is none: every line ends in a delimiter. */
static void leave_out_last(struct survey *s)
{
    struct mi_table *t = s->table;
    bool named = s->first_width + 1 == t->width, unnamed = s->first_width == t->width && s->first_ends_empty;
    t->columns = t->width;
    t->top_width = s->first_width;
    if (t->rows > 1 && t->width > 1 && s->ends_empty && (named || unnamed))
        t->top_width = --t->columns;
}

static mica_status take_first_row(const struct survey *s)
{
    struct mi_table *t = s->table;
    struct mi_scan scan = {t->text + s->first.at, t->text + t->size, s->first.line, t->delimiter};
    struct mi_cell *top = mi_arena_new(&t->arena, s->first_width, sizeof *top);
    char *out = mi_arena_new(&t->arena, t->longest + 2, 1);
    if (!top || !out)
        return mi_out_of_memory(s->error);
    for (size_t c = 0; c < s->first_width; c++) {
        struct mi_scanned cell = mi_scan_cell(&scan, out);
        top[c] = (struct mi_cell){out, cell.quoted};
        out += cell.size + 1;
    }
    t->top = top;
    t->body = (size_t)(scan.at - t->text);
    t->body_line = scan.line;
    t->rows--;
    return MICA_OK;
}

static mica_status survey_rows(struct survey *s)
{
    struct mi_table *t = s->table;
    struct mi_scan scan = {t->text + t->body, t->text + t->size, t->body_line, t->delimiter};
    while (mi_scan_row(&scan))
        MI_TRY(survey_row(s, &scan));
    if (!t->rows)
        return mi_fail(s->error, MICA_DATA, "%s: the file is empty", s->place);
    leave_out_last(s);
    return MICA_OK;
}

/* The first row is one of the rows. */
static mica_status give_first_row_back(const struct survey *s)
{
    struct mi_table *t = s->table;
    if (s->first_width != t->width)
        return ragged(s, s->second.line, t->width, s->first.line, s->first_width, t->text + s->second.at, t->text + t->size);
    t->body = s->first.at;
    t->body_line = s->first.line;
    t->rows++;
    return MICA_OK;
}

/* A byte order mark, and the line "sep=;" that spreadsheets write. */
static void take_prefix(struct mi_table *t)
{
    static const char mark[] = "\xef\xbb\xbf", says[] = "sep=";
    t->body_line = 1;
    if (t->size >= 3 && !memcmp(t->text, mark, 3))
        t->body = 3;
    if (t->size - t->body < 6 || memcmp(t->text + t->body, says, 4) != 0)
        return;
    const char *at = t->text + t->body + 4, *end = t->text + t->size;
    if (!strchr(",;\t", *at) || (at[1] != '\n' && at[1] != '\r'))
        return;
    t->delimiter = *at;
    at += at[1] == '\r' && at + 2 < end && at[2] == '\n' ? 3 : 2;
    t->body = (size_t)(at - t->text);
    t->body_line = 2;
}

mica_status mi_table_parse(struct mi_error *error, const char *place, char *text, size_t size,
                           const struct mi_table_hints *hints, struct mi_budget *budget, struct mi_table *t)
{
    struct survey s = {.error = error, .place = place, .table = t};
    bool header = false;
    *t = (struct mi_table){.text = text, .size = size, .fitted = hints && hints->fitted};
    MI_TRY(check_text(error, place, text, size));
    take_prefix(t);
    if (!t->delimiter)
        t->delimiter = mi_table_find_delimiter(text + t->body, size - t->body);
    if (!t->delimiter)
        return mi_out_of_memory(error);
    MI_TRY(survey_rows(&s));
    if (budget)
        MI_TRY(mi_budget_take(budget, error, place, "the columns", (uint64_t)t->width * BYTES_A_COLUMN));
    MI_TRY(take_first_row(&s));
    MI_TRY(mi_table_find_decimal(error, hints, t));
    MI_TRY(mi_table_find_header(error, hints, t, &header));
    return header ? MICA_OK : give_first_row_back(&s);
}
