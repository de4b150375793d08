/* Rows of a table as numbers of samples: words as one-hot features, missing values left out or filled later. The rows
 * are gone through twice, so that all that is allocated has its size before. */
#include "formats/formats.h"
#include "formats/table/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool mi_cell_missing(const struct mi_cell *cell, bool number)
{
    static const char *const marks[] = {"?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "-nan", "null",
                                        "NULL"};
    if (!*cell->text)
        return true;
    if (!strchr("?N#<n-", *cell->text)) /* most cells */
        return false;
    for (size_t i = 0; i < MI_COUNT(marks) && (number || !cell->quoted); i++)
        if (!strcmp(cell->text, marks[i]))
            return true;
    return false;
}

struct reader {
    mica_data *data;
    struct mi_error *error;    /* the data's */
    const char *place;
    const struct mi_table *table;
    struct mi_table_field *fields;
    int count;
    mica_missing missing;
    struct mi_cursor cursor;
    bool begun, fills;         /* there is a row above; the row takes values from it */
};

/* ---- A cell ---- */

static bool is_infinite(const char *text)
{
    static const char *const names[] = {"inf", "infinity", "Inf", "Infinity", "INF", "INFINITY"};
    text += *text == '-' || *text == '+';
    for (size_t i = 0; i < MI_COUNT(names); i++)
        if (!strcmp(text, names[i]))
            return true;
    return false;
}

/* Why a text may be no number; `otherwise`: nothing in it tells. Keys are those of a job, which a model's tables have none of. */
static const char *advice_on(const struct mi_table *t, const char *text, const char *otherwise)
{
    double value;
    bool point = t->decimal == '.';
    if (strchr(text, ',') && strchr(text, '.') && !text[strspn(text, "+-0123456789.,")])
        return "; digits stand without marks between thousands";
    if (mi_parse_number(text, point ? ',' : '.', &value)) {
        if (t->fitted)
            return point ? "; numbers have a decimal point here" : "; numbers have a decimal comma here";
        return point ? "; numbers with a decimal comma need \"decimal\": \",\"" :
               "; the table has decimal commas, unless \"decimal\" is \".\"";
    }
    if (t->rows == 1 && !t->names)
        return ", and the table has no other line";
    return t->fitted ? ", and the model takes numbers there" : otherwise;
}

mica_status mi_table_number(struct mi_error *error, const char *place, const struct mi_cursor *cursor, size_t column,
                            const char *advice, double *out)
{
    const struct mi_table *t = cursor->table;
    const char *text = cursor->cells[column].text;
    bool number = mi_parse_number(text, t->decimal, out);
    if (number && isfinite((float)*out))
        return MICA_OK;
    if (number || is_infinite(text))
        return mi_fail(error, MICA_DATA, "%s: %s: \"%s\" is %s", place, mi_table_place(t, cursor->line, column).text,
                       mi_show(text).text, number ? "too large for a float" : "not a finite number");
    return mi_fail(error, MICA_DATA, "%s: %s: \"%s\" is not a number%s", place, mi_table_place(t, cursor->line, column).text,
                   mi_show(text).text, advice_on(t, text, advice));
}

static int compare_words(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static mica_status category_cell(struct reader *r, size_t column, const struct mi_column *is, double *out)
{
    const char *text = r->cursor.cells[column].text;
    const char *const *found = is->count ? bsearch(&text, is->values, (size_t)is->count, sizeof *is->values,
                                                   compare_words) : NULL;
    if (!found)
        return mi_fail(r->error, MICA_DATA, "%s: %s: \"%s\" is not one of the %d categories that the model knows", r->place,
                       mi_table_place(r->table, r->cursor.line, column).text, mi_show(text).text, is->count);
    for (int i = 0; i < is->count; i++)
        out[i] = 0;
    out[found - is->values] = 1;
    return MICA_OK;
}

static mica_status date_cell(struct reader *r, size_t column, const struct mi_column *is, double *out)
{
    const char *text = r->cursor.cells[column].text, *lacks;
    struct mi_date date;
    struct mi_cell_place place = mi_table_place(r->table, r->cursor.line, column);
    if (!mi_date_read(text, &date))
        return mi_fail(r->error, MICA_DATA, "%s: %s: \"%s\" is no date such as 2024-03-31, 2024-03-31 17:30 or 31.03.2024",
                       r->place, place.text, mi_show(text).text);
    if ((lacks = mi_calendar_lacks(is->calendar, &date)) != NULL)
        return mi_fail(r->error, MICA_DATA, "%s: %s: \"%s\" says no %s", r->place, place.text, mi_show(text).text, lacks);
    mi_calendar_features(is->calendar, &date, out);
    return MICA_OK;
}

static mica_status number_cell(struct reader *r, size_t column, const struct mi_column *is, mica_role role, double *out)
{
    static const char *const advice[] = {"; a column of words is listed in \"categorical\", or left out by \"drop\"",
                                         ", and the label is a value to regress", ", as a weight is"};
    if (r->missing == MICA_MISSING_MEAN && mi_cell_missing(&r->cursor.cells[column], true)) {
        *out = (double)NAN;
        return MICA_OK;
    }
    MI_TRY(mi_table_number(r->error, r->place, &r->cursor, column, advice[role], out));
    if (!is->logarithm || *out > 0)
        return MICA_OK;
    return mi_fail(r->error, MICA_DATA, "%s: %s: %s has no logarithm; it must be more than 0", r->place,
                   mi_table_place(r->table, r->cursor.line, column).text, mi_show(r->cursor.cells[column].text).text);
}

/* *out has what the row above had, which stays where it should. */
static mica_status read_cell(struct reader *r, size_t column, const struct mi_column *is, mica_role role, double *out)
{
    if (r->missing == MICA_MISSING_PREVIOUS && mi_cell_missing(&r->cursor.cells[column], !is->categorical))
        return MICA_OK;
    return is->categorical ? category_cell(r, column, is, out)
           : is->calendar  ? date_cell(r, column, is, out)
                           : number_cell(r, column, is, role, out);
}

/* ---- A row ---- */

static mica_status missing(struct reader *r, size_t column, const char *advice)
{
    return mi_fail(r->error, MICA_DATA, "%s: %s: the value is missing%s", r->place,
                   mi_table_place(r->table, r->cursor.line, column).text, advice);
}

/* Whether a field lets the row stay. Only a number in an input can be filled with a mean. */
static mica_status judge_field(struct reader *r, const struct mi_table_field *field, bool *stays)
{
    bool input = field->as->role == MICA_INPUT;
    for (int c = 0; c < field->as->column_count; c++) {
        size_t column = field->columns[c];
        bool number = mi_table_takes_numbers(field) && !field->as->columns[c].categorical && !field->as->columns[c].calendar;
        const struct mi_cell *cell = &r->cursor.cells[column];
        if (field->text ? *cell->text != 0 : !mi_cell_missing(cell, number)) /* in a text, such as "null", every word counts */
            continue;
        if (r->missing == MICA_MISSING_ERROR)
            return missing(r, column, r->table->fitted ? ", and the model has nothing to put there" :
                           "; \"missing\" can be \"drop\", \"mean\" or \"previous\"");
        if (r->missing == MICA_MISSING_DROP) {
            *stays = false;
            return MICA_OK;
        }
        if (r->missing == MICA_MISSING_MEAN && (!input || !number))
            return missing(r, column, ", and words, dates and labels have no mean");
        if (r->missing == MICA_MISSING_PREVIOUS && (!mi_table_takes_numbers(field) || field->as->columns[c].calendar || !r->begun))
            return missing(r, column, r->begun ? ", and classes, texts and dates are not those of the row above" :
                           ", and there is no row above");
        r->fills = r->missing == MICA_MISSING_PREVIOUS;
    }
    return MICA_OK;
}

static mica_status judge_row(struct reader *r, bool *stays)
{
    *stays = true;
    r->fills = false;
    for (int i = 0; i < r->count && *stays; i++)
        MI_TRY(judge_field(r, &r->fields[i], stays));
    return MICA_OK;
}

static mica_status read_field(struct reader *r, struct mi_table_field *field)
{
    double *out = field->row;
    for (int c = 0; c < field->as->column_count; c++) {
        const struct mi_column *column = &field->as->columns[c];
        MI_TRY(read_cell(r, field->columns[c], column, field->as->role, out));
        out += mi_column_width(column);
    }
    return MICA_OK;
}

/* ---- All rows ---- */

/* Reads the numbers of a row; labels are texts, which are taken when all rows are known to be good. */
static mica_status read_row(struct reader *r)
{
    for (int i = 0; i < r->count; i++)
        if (mi_table_takes_numbers(&r->fields[i]))
            MI_TRY(read_field(r, &r->fields[i]));
    return MICA_OK;
}

/* What a row that stays says about the sizes of a field. */
static void measure_field(const struct reader *r, struct mi_table_field *field)
{
    if (field->text)
        field->text_bytes += strlen(r->cursor.cells[field->columns[0]].text);
    else if (!field->classes)
        mi_spread_add(&field->spread, field->row);
}

static mica_status count_rows(struct reader *r, struct mi_rows *out)
{
    bool stays;
    if (!mi_cursor_open(r->table, &r->cursor))
        return mi_out_of_memory(r->error);
    while (mi_cursor_next(&r->cursor)) {
        MI_TRY(judge_row(r, &stays));
        if (!stays) {
            out->first_dropped = out->dropped ? out->first_dropped : r->cursor.line;
            out->dropped++;
            continue;
        }
        out->first_filled = r->fills && !out->filled ? r->cursor.line : out->first_filled;
        out->filled += r->fills;
        r->begun = true;
        MI_TRY(read_row(r));
        for (int i = 0; i < r->count; i++)
            measure_field(r, &r->fields[i]);
        out->count++;
    }
    mi_cursor_close(&r->cursor);
    if (!out->count)
        return mi_fail(r->error, MICA_DATA, r->table->rows ? "%s: every line lacks a value; none is left" :
                       "%s: there are no lines below the header", r->place);
    return MICA_OK;
}

static mica_status keep_field(struct reader *r, const struct mi_table_field *from, size_t row)
{
    struct mi_field *field = from->field;
    size_t n = from->features;
    if (from->text)
        return mi_texts_add(r->data, field, &from->as->vocabulary, (int64_t)row, r->cursor.cells[from->columns[0]].text);
    if (from->classes)
        return mi_labels_add(r->data, field, r->place, (int64_t)row, r->cursor.cells[from->columns[0]].text);
    for (size_t i = 0; i < n && field->floats; i++)
        field->floats[row * n + i] = (float)from->row[i];
    if (field->doubles)
        memcpy(field->doubles + row * n, from->row, n * sizeof *from->row);
    return MICA_OK;
}

static mica_status fill_rows(struct reader *r, mi_row_visitor *visit, void *user)
{
    bool stays;
    size_t row = 0;
    if (!mi_cursor_open(r->table, &r->cursor))
        return mi_out_of_memory(r->error);
    while (mi_cursor_next(&r->cursor)) {
        MI_TRY(judge_row(r, &stays));
        if (!stays)
            continue;
        MI_TRY(read_row(r));
        for (int i = 0; i < r->count; i++)
            MI_TRY(keep_field(r, &r->fields[i], row));
        if (visit)
            MI_TRY(visit(user, &r->cursor, row));
        row++;
    }
    return MICA_OK;
}

/* What every sample takes beside its values: its label, its line and its places in the order of an epoch. */
enum { BYTES_BESIDE = 40 };

static mica_status make_field(struct reader *r, struct mi_table_field *field, size_t rows, size_t beside, struct mi_budget *budget)
{
    size_t count, bytes, more, total;
    bool numbers = mi_table_takes_numbers(field), wide = numbers && mi_spread_needs_doubles(&field->spread, field->as);
    field->field->elements = numbers ? field->features : 1;
    if (!mi_mul_size(rows, field->features, &count) || !mi_mul_size(count, !numbers ? 0 : wide ? 8 : 4, &bytes) ||
        !mi_mul_size(rows, beside + (field->text ? sizeof(int64_t) : 0), &more) || !mi_add_size(bytes, more, &bytes) ||
        !mi_mul_size(field->text_bytes, mi_tokens_cost(field->as->vocabulary.tokens), &more) || !mi_add_size(bytes, more, &total))
        return mi_out_of_memory(r->error);
    MI_TRY(mi_budget_take(budget, r->error, r->place, "the samples", total));
    return numbers ? mi_field_make(r->data, field->field, wide ? sizeof(double) : sizeof(float)) : MICA_OK;
}

static mica_status begin_field(struct reader *r, struct mi_table_field *field)
{
    field->features = mi_table_takes_numbers(field) ? mi_preprocess_features(field->as) : 0;
    if (!mi_table_takes_numbers(field))
        return MICA_OK;
    field->row = mi_new(field->features, sizeof *field->row);
    return field->row && mi_spread_create(&field->spread, field->features) ? MICA_OK : mi_out_of_memory(r->error);
}

static mica_status read_rows(struct reader *r, struct mi_budget *budget, mi_row_visitor *visit, void *user, struct mi_rows *out)
{
    for (int i = 0; i < r->count; i++)
        MI_TRY(begin_field(r, &r->fields[i]));
    MI_TRY(count_rows(r, out));
    r->data->samples = (int64_t)out->count;
    for (int i = 0; i < r->count; i++)
        MI_TRY(make_field(r, &r->fields[i], out->count, i ? 0 : BYTES_BESIDE, budget));
    return fill_rows(r, visit, user);
}

mica_status mi_table_rows(mica_data *data, const char *place, const struct mi_table *table, struct mi_table_field *fields,
                          int count,
                          mica_missing missing, struct mi_budget *budget, mi_row_visitor *visit, void *user, struct mi_rows *out)
{
    struct reader r = {.data = data, .error = &data->error, .place = place, .table = table, .fields = fields, .count = count,
                       .missing = missing};
    *out = (struct mi_rows){0};
    mica_status status = read_rows(&r, budget, visit, user, out);
    mi_cursor_close(&r.cursor);
    for (int i = 0; i < count; i++) {
        mi_spread_destroy(&fields[i].spread);
        free(fields[i].row);
        fields[i].row = NULL;
    }
    return status;
}

/* ---- Categories ---- */

static mica_status collect(struct mi_cursor *cursor, const struct mi_table_field *field, struct mi_words *words,
                           struct mi_error *error, const char *place)
{
    size_t number;
    while (mi_cursor_next(cursor))
        for (int c = 0; c < field->as->column_count; c++) {
            const struct mi_cell *cell = &cursor->cells[field->columns[c]];
            if (!field->as->columns[c].categorical || mi_cell_missing(cell, false))
                continue;
            if (!mi_words_add(&words[c], cell->text, &number))
                return mi_out_of_memory(error);
            if (number >= MI_MOST_CLASSES)
                return mi_fail(error, MICA_DATA, "%s: categorical: %s has more than %d different words", place,
                               mi_table_place(cursor->table, 0, field->columns[c]).text, MI_MOST_CLASSES);
        }
    return MICA_OK;
}

static mica_status take_values(struct mi_words *words, struct mi_preprocess *p, struct mi_column *column,
                               struct mi_error *error)
{
    if (!mi_words_sort(words, false, NULL))
        return mi_out_of_memory(error);
    const char **values = mi_arena_new(&p->arena, words->count, sizeof *values);
    for (size_t i = 0; values && i < words->count; i++)
        values[i] = mi_arena_strdup(&p->arena, words->list[i]);
    column->count = (int)words->count;
    column->values = values;
    return p->arena.failed ? mi_out_of_memory(error) : MICA_OK;
}

static bool has_words(const struct mi_preprocess *p)
{
    for (int c = 0; c < p->column_count; c++)
        if (p->columns[c].categorical)
            return true;
    return false;
}

static mica_status find_categories(struct mi_error *error, const char *place, const struct mi_table *table,
                                   struct mi_table_field *field)
{
    struct mi_preprocess *p = &field->field->preprocess;
    struct mi_cursor cursor = {0};
    if (!has_words(p))
        return MICA_OK;
    struct mi_words *words = mi_new((size_t)p->column_count, sizeof *words);
    mica_status status = words && mi_cursor_open(table, &cursor) ? MICA_OK : mi_out_of_memory(error);
    if (status == MICA_OK)
        status = collect(&cursor, field, words, error, place);
    for (int c = 0; c < p->column_count && words; c++) {
        if (status == MICA_OK && p->columns[c].categorical)
            status = take_values(&words[c], p, &p->columns[c], error);
        mi_words_destroy(&words[c]);
    }
    mi_cursor_close(&cursor);
    free(words);
    return status;
}

mica_status mi_table_categories(struct mi_error *error, const char *place, const struct mi_table *table,
                                struct mi_table_field *fields, int count)
{
    for (int i = 0; i < count; i++)
        MI_TRY(find_categories(error, place, table, &fields[i]));
    return MICA_OK;
}
