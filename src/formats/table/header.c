/* Whether the first row of a table is a header: of names, or of counts and class names. */
#include "formats/table/table.h"

#include <string.h>

/* More rows than these are not asked. */
enum { ROWS_ASKED = 10000, ROWS_TO_JUDGE = 10 };

/* The cells of a column below the first row, of those that are not missing. */
struct below {
    bool words, wholes, fractions; /* there are such */
    bool unquoted;                 /* a number without quotes */
    bool repeats;                  /* the first row's own cell occurs again */
    bool prose;                    /* it is several words, and so are others: of texts hardly one occurs again */
};

static bool is_number(const struct mi_table *t, const char *text)
{
    double value;
    return mi_parse_number(text, t->decimal, &value);
}

static void look_at(const struct mi_table *t, const struct mi_cell *cell, const struct mi_cell *top, struct below *below)
{
    if (mi_cell_missing(cell, false))
        return;
    bool number = is_number(t, cell->text), whole = number && mi_is_whole(cell->text);
    below->words = below->words || !number;
    below->wholes = below->wholes || whole;
    below->fractions = below->fractions || (number && !whole);
    below->unquoted = below->unquoted || (number && !cell->quoted);
    below->repeats = below->repeats || !strcmp(cell->text, top->text);
    below->prose = below->prose || (strchr(cell->text, ' ') && strchr(top->text, ' '));
}

static mica_status look_below(struct mi_error *error, const struct mi_table *t, struct below *below)
{
    struct mi_cursor cursor;
    if (!mi_cursor_open(t, &cursor))
        return mi_out_of_memory(error);
    for (size_t row = 0; row < ROWS_ASKED && mi_cursor_next(&cursor); row++)
        for (size_t c = 0; c < t->columns; c++)
            look_at(t, &cursor.cells[c], &t->top[c], &below[c]);
    mi_cursor_close(&cursor);
    return MICA_OK;
}

/* ---- What was said ---- */

static bool names_a_column(const struct mi_cell *cell, const char *const *names)
{
    for (; names && *names; names++)
        if (!strcmp(cell->text, *names))
            return true;
    return false;
}

/* Whether the first row has a name that was asked for. A number may be an index or a value. */
static bool is_asked_for(const struct mi_table *t, const struct mi_table_hints *hints)
{
    for (size_t c = 0; c < t->top_width; c++) {
        const struct mi_cell *cell = &t->top[c];
        if (!*cell->text || is_number(t, cell->text))
            continue;
        for (int i = 0; i < hints->list_count; i++)
            if (names_a_column(cell, hints->lists[i]))
                return true;
    }
    return false;
}

/* The first row has every name of the model's columns, be they numbers; or at least one that is a word. */
static bool has_fitted_names(const struct mi_table *t, const struct mi_prepared *fitted)
{
    bool all = true, word = false;
    for (int f = 0; f < fitted->count; f++)
        for (int i = 0; i < fitted->fields[f].column_count && fitted->fields[f].role == MICA_INPUT; i++) {
            const struct mi_column *column = &fitted->fields[f].columns[i];
            size_t place;
            bool found = column->name && mi_column_names_find(&t->sorted, column->name, (size_t)column->nth, &place);
            all = all && found;
            word = word || (found && *column->name && !is_number(t, column->name));
        }
    return all || word;
}

/* The first column that a model reads; NULL: it reads no table. */
static const struct mi_column *first_fitted(const struct mi_prepared *fitted)
{
    for (int f = 0; fitted && f < fitted->count; f++)
        if (fitted->fields[f].column_count)
            return &fitted->fields[f].columns[0];
    return NULL;
}

/* ---- What it looks like ---- */

/* The first row's cell is written as none below it. */
static bool is_unlike(const struct mi_table *t, size_t column, const struct below *below)
{
    const struct mi_cell *top = &t->top[column];
    if (!is_number(t, top->text))
        return !mi_cell_missing(top, false) && !below->repeats && !below->prose &&
               (below->words || below->wholes || below->fractions);
    bool whole = mi_is_whole(top->text);
    return (below->words && !below->wholes && !below->fractions) || (whole && below->fractions && !below->wholes) ||
           (top->quoted && below->unquoted && !below->words);
}

/* Cells that count the columns: 0, 1, 2, the first one perhaps without a name, others perhaps with a word. */
static bool counts_columns(const struct mi_table *t)
{
    size_t counted = 0, from = t->top_width && !*t->top[0].text;
    char number[24];
    for (size_t c = from; c < t->top_width; c++) {
        mi_format(number, sizeof number, "%zu", c - from);
        if (!strcmp(t->top[c].text, number))
            counted++;
        else if (is_number(t, t->top[c].text) || mi_cell_missing(&t->top[c], false))
            return false;
    }
    return counted > 1 || (counted && t->top_width == 2);
}

static bool all_differ(const struct mi_table *t)
{
    for (size_t c = 0; c < t->top_width; c++)
        if (mi_column_names_repeats(&t->sorted, t->top[c].text) > 1)
            return false;
    return true;
}

/* A word above numbers is a header. Where all columns hold words, a first row whose cells are all different and occur
 * nowhere below is one. Numbers are one where they are quoted above numbers that are not, where they count the columns
 * and something below is written otherwise, or where everything below is; but not for a model that has other names or
 * none: each row of numbers gets its answer. */
static bool looks_like_header(const struct mi_table *t, const struct below *below, const struct mi_column *fitted)
{
    bool words = !fitted || fitted->name, numbers_too = !fitted, unlike = true;
    size_t odd = 0;
    for (size_t c = 0; c < t->columns; c++) {
        const struct mi_cell *top = &t->top[c];
        bool number = is_number(t, top->text), missing = mi_cell_missing(top, false);
        bool numbers = (below[c].wholes || below[c].fractions) && !below[c].words;
        if (numbers && !missing && (!number || (numbers_too && top->quoted && below[c].unquoted)))
            return true;
        words = words && !number && !missing && !below[c].repeats;
        odd += is_unlike(t, c, &below[c]);
        unlike = unlike && is_unlike(t, c, &below[c]);
    }
    if (numbers_too && counts_columns(t))
        return odd > 0;
    if (words)
        return t->rows > 0 && all_differ(t);
    return numbers_too && unlike && t->rows >= ROWS_TO_JUDGE && all_differ(t);
}

/* scikit-learn's tables begin with a line of counts and class names: "150,4,setosa,versicolor,virginica". */
static bool is_count_line(const struct mi_table *t)
{
    double samples, columns;
    for (size_t c = 2; c < t->top_width; c++)
        if (is_number(t, t->top[c].text) || !*t->top[c].text)
            return false;
    return t->top_width > 2 && t->rows && mi_parse_number(t->top[0].text, '.', &samples) &&
           mi_parse_number(t->top[1].text, '.', &columns) && samples == (double)t->rows &&
           columns == (double)t->columns - 1;
}

/* ---- Taking it ---- */

static const char **texts_of(struct mi_table *t, size_t first, size_t count)
{
    const char **texts = mi_arena_new(&t->arena, count + 1, sizeof *texts);
    for (size_t i = 0; texts && i < count; i++)
        texts[i] = t->top[first + i].text;
    return texts;
}

static mica_status judge(struct mi_error *error, const struct mi_table_hints *hints, struct mi_table *t, bool *header)
{
    const struct mi_column *fitted = hints ? first_fitted(hints->fitted) : NULL;
    *header = hints && (is_asked_for(t, hints) || (fitted && has_fitted_names(t, hints->fitted)));
    if (*header)
        return MICA_OK;
    struct below *below = mi_arena_new(&t->arena, t->columns, sizeof *below);
    if (!below)
        return mi_out_of_memory(error);
    MI_TRY(look_below(error, t, below));
    *header = looks_like_header(t, below, fitted);
    return MICA_OK;
}

mica_status mi_table_find_header(struct mi_error *error, const struct mi_table_hints *hints, struct mi_table *t,
                                 bool *header)
{
    mica_header said = hints ? hints->header : MICA_HEADER_AUTO;
    *header = false;
    if (said == MICA_HEADER_AUTO && is_count_line(t)) {
        t->class_count = t->top_width - 2;
        t->class_names = texts_of(t, 2, t->class_count);
        *header = true;
        return t->class_names ? MICA_OK : mi_out_of_memory(error);
    }
    if (t->top_width != t->columns)
        return MICA_OK;
    const char **names = texts_of(t, 0, t->columns);
    if (!names || !mi_column_names_create(&t->sorted, names, t->columns))
        return mi_out_of_memory(error);
    *header = said == MICA_HEADER_YES;
    if (said == MICA_HEADER_AUTO)
        MI_TRY(judge(error, hints, t, header));
    if (*header)
        t->names = names;
    return MICA_OK;
}
