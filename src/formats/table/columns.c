/* Which columns of a table each field is read from: as a description chooses them, and as a model knows them. */
#include "formats/table/table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- Finding ---- */

/* Whole numbers up to 10^9: indices count from 0, or from the end. */
static bool parse_index(const char *text, int64_t *out)
{
    if (!mi_is_whole(text) || strlen(text) > 10)
        return false;
    int64_t value = 0;
    for (const char *at = text + (*text == '-' || *text == '+'); *at; at++)
        value = value * 10 + (*at - '0');
    *out = *text == '-' ? -value : value;
    return true;
}

static bool take_index(const struct mi_table *table, int64_t index, size_t *out)
{
    int64_t columns = (int64_t)table->columns;
    if (index < -columns || index >= columns)
        return false;
    *out = (size_t)(index < 0 ? columns + index : index);
    return true;
}

struct finder {
    struct mi_error *error;
    const char *place;
    const struct mi_table *table;
};

static mica_status not_found(const struct finder *f, const char *what, const char *name)
{
    int64_t index;
    if (parse_index(name, &index))
        return mi_fail(f->error, MICA_DATA, "%s: %s: there is no column with the index %s; the table has %zu columns, 0 to "
                       "%zu", f->place, what, mi_show(name + (*name == '+')).text, f->table->columns,
                       f->table->columns - 1);
    if (!f->table->names)
        return mi_fail(f->error, MICA_DATA, "%s: %s: there is no column \"%s\": the table has no header; give its index, 0 "
                       "to %zu", f->place, what, mi_show(name).text, f->table->columns - 1);
    return mi_fail(f->error, MICA_DATA, "%s: %s: there is no column \"%s\"%s%s", f->place, what, mi_show(name).text,
                   mi_advise(name, f->table->names).text,
                   f->table->columns == 1 ? "; cells stand between commas, semicolons or tabs" : "");
}

/* The column called `name`, or else with that index; a sign makes a number an index. */
static mica_status find_column(const struct finder *f, const char *what, const char *name, size_t *out)
{
    const struct mi_table *t = f->table;
    int64_t index;
    bool number = parse_index(name, &index), sign = *name == '-' || *name == '+';
    if (number && sign && take_index(t, index, out))
        return MICA_OK;
    if (t->names && mi_column_names_find(&t->sorted, name, 0, out)) {
        size_t second;
        if (!mi_column_names_find(&t->sorted, name, 1, &second))
            return MICA_OK;
        return mi_fail(f->error, MICA_DATA, "%s: %s: two columns are called \"%s\"; give an index, %zu or %zu", f->place,
                       what, mi_show(name).text, *out, second);
    }
    return number && take_index(t, index, out) ? MICA_OK : not_found(f, what, name);
}

/* ---- Patterns ---- */

/* Whether `text` is what a pattern says: * stands for any characters, ? for one. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            do /* a character may have several bytes */
                text++;
            while (pattern[-1] == '?' && ((unsigned char)*text & 0xc0) == 0x80);
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    pattern += strspn(pattern, "*");
    return !*pattern;
}

/* Marks the columns that a list of names, patterns and indices means. Every entry must mean one. */
static mica_status mark(const struct finder *f, const char *what, const char *const *list, bool *marks)
{
    for (; list && *list; list++) {
        bool pattern = strpbrk(*list, "*?") != NULL, any = false;
        size_t column;
        for (size_t c = 0; f->table->names && c < f->table->columns; c++) {
            bool is = !strcmp(*list, f->table->names[c]) || (pattern && matches(*list, f->table->names[c]));
            marks[c] = marks[c] || is;
            any = any || is;
        }
        if (any)
            continue;
        if (pattern)
            return mi_fail(f->error, MICA_DATA, "%s: %s: no column fits \"%s\"", f->place, what, mi_show(*list).text);
        MI_TRY(find_column(f, what, *list, &column));
        marks[column] = true;
    }
    return MICA_OK;
}

/* ---- Choosing ---- */

/* Where each column of a table goes. */
struct choice {
    struct finder find;
    const struct mi_column_wishes *wishes;
    struct mi_table_field *fields;
    int count;
    bool *marks;                     /* (count x columns) the fields' */
    bool *answers, *dropped, *words; /* (columns) of targets and weights; left out; categorical */
    bool *logarithms;                /* (columns) */
    unsigned *calendar;              /* (columns) of dates: features of the calendar */
    size_t date;                     /* the column of a series' dates; columns: there is none */
};

static bool is_input(const struct mi_table_field *field)
{
    return field->field->preprocess.role == MICA_INPUT;
}

/* A target's names mean one column each: which of two of a name is meant has to be said. */
static mica_status mark_answers(const struct choice *c, const struct mi_column_wish *wish, bool *marks)
{
    for (const char *const *name = wish->columns; name && *name; name++) {
        const char *const one[] = {*name, NULL};
        size_t column;
        if (strpbrk(*name, "*?") && c->find.table->names) {
            MI_TRY(mark(&c->find, wish->key, one, marks));
            continue;
        }
        MI_TRY(find_column(&c->find, wish->key, *name, &column));
        marks[column] = true;
    }
    return MICA_OK;
}

static mica_status mark_dates(struct choice *c)
{
    const char *const *known = mi_calendar_names();
    for (int i = 0; i < c->wishes->calendar_count; i++) {
        const mica_calendar *of = &c->wishes->calendar[i];
        size_t column;
        MI_TRY(find_column(&c->find, "calendar", of->column ? of->column : "", &column));
        for (const char *const *feature = of->features; feature && *feature; feature++) {
            int k = 0;
            while (known[k] && strcmp(known[k], *feature) != 0)
                k++;
            if (!known[k])
                return mi_fail(c->find.error, MICA_DATA, "%s: calendar: there is no feature \"%s\"%s", c->find.place,
                               mi_show(*feature).text, mi_advise(*feature, known).text);
            c->calendar[column] |= 1u << k;
        }
        if (!c->calendar[column])
            return mi_fail(c->find.error, MICA_DATA, "%s: calendar: no feature of %s is named", c->find.place,
                           mi_table_place(c->find.table, 0, column).text);
    }
    return MICA_OK;
}

static mica_status mark_all(struct choice *c)
{
    size_t columns = c->find.table->columns;
    for (int i = 0; i < c->count; i++) {
        bool *marks = c->marks + (size_t)i * columns;
        if (is_input(&c->fields[i]))
            MI_TRY(mark(&c->find, c->wishes->fields[i].key, c->wishes->fields[i].columns, marks));
        else
            MI_TRY(mark_answers(c, &c->wishes->fields[i], marks));
        for (size_t k = 0; k < columns && !is_input(&c->fields[i]); k++)
            c->answers[k] = c->answers[k] || marks[k];
    }
    MI_TRY(mark(&c->find, "drop", c->wishes->drop, c->dropped));
    MI_TRY(mark(&c->find, "logarithm", c->wishes->logarithm, c->logarithms));
    MI_TRY(mark_dates(c));
    if (c->wishes->date)
        MI_TRY(find_column(&c->find, "date", c->wishes->date, &c->date));
    return mark(&c->find, "categorical", c->wishes->categorical, c->words);
}

static bool is_named(const char *const *list, const char *name)
{
    for (; name && list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

/* A column that should be answered is neither left out nor an input. */
static mica_status check_answers(const struct choice *c)
{
    const struct mi_table *t = c->find.table;
    for (size_t i = 0; i < t->columns; i++) {
        const char *name = t->names ? t->names[i] : NULL;
        const char *key = is_named(c->wishes->drop, name) ? "drop" : c->words[i] ? "categorical" : NULL;
        if (c->answers[i] && key && !c->wishes->shared)
            return mi_fail(c->find.error, MICA_DATA, "%s: %s: %s is the label", c->find.place, key, mi_table_place(t, 0, i).text);
    }
    return MICA_OK;
}

/* A pattern of an input passes over the columns of targets and weights; a column that is named is one or the other. */
static mica_status check_inputs(const struct choice *c)
{
    for (int i = 0; i < c->count; i++) {
        const struct mi_column_wish *wish = &c->wishes->fields[i];
        for (const char *const *name = wish->columns; is_input(&c->fields[i]) && name && *name; name++) {
            size_t column;
            if (strpbrk(*name, "*?"))
                continue;
            MI_TRY(find_column(&c->find, wish->key, *name, &column));
            if (c->answers[column] && !c->wishes->shared)
                return mi_fail(c->find.error, MICA_DATA, "%s: %s: %s is a target or a weight", c->find.place, wish->key,
                               mi_table_place(c->find.table, 0, column).text);
        }
    }
    return MICA_OK;
}

/* Whether column i belongs to a field. */
static bool belongs(const struct choice *c, int field, size_t i)
{
    bool marked = c->marks[(size_t)field * c->find.table->columns + i];
    if (!is_input(&c->fields[field]))
        return marked;
    bool usual = !c->wishes->fields[field].columns && (i != c->date || c->calendar[i]);
    return (marked || usual) && !c->dropped[i] && (!c->answers[i] || c->wishes->shared);
}

static const struct mi_column *take_date(const struct choice *c, struct mi_preprocess *p)
{
    const struct mi_table *t = c->find.table;
    struct mi_column *date = mi_arena_new(&p->arena, 1, sizeof *date);
    if (!date)
        return NULL;
    date->index = (int)c->date;
    date->nth = t->names ? (int)mi_column_names_nth(&t->sorted, t->names[c->date], c->date) : 0;
    date->name = t->names ? mi_arena_strdup(&p->arena, t->names[c->date]) : NULL;
    return date;
}

static mica_status make_columns(struct choice *c, int field)
{
    const struct mi_table *t = c->find.table;
    struct mi_table_field *f = &c->fields[field];
    struct mi_preprocess *p = &f->field->preprocess;
    size_t count = 0;
    for (size_t i = 0; i < t->columns; i++)
        count += belongs(c, field, i);
    if (!count)
        return mi_fail(c->find.error, MICA_DATA, "%s: there is no column but the label%s", c->find.place,
                       t->columns > 1 ? "" : "; cells stand between commas, semicolons or tabs");
    p->columns = mi_arena_new(&p->arena, count, sizeof *p->columns);
    f->columns = mi_new(count, sizeof *f->columns);
    if (!p->columns || !f->columns)
        return mi_out_of_memory(c->find.error);
    for (size_t i = 0; i < t->columns; i++) {
        if (!belongs(c, field, i))
            continue;
        struct mi_column *column = &p->columns[p->column_count];
        f->columns[p->column_count++] = i;
        column->index = (int)i;
        column->nth = t->names ? (int)mi_column_names_nth(&t->sorted, t->names[i], i) : 0;
        column->name = t->names ? mi_arena_strdup(&p->arena, t->names[i]) : NULL;
        column->categorical = c->words[i] && (is_input(f) || !c->wishes->shared);
        column->logarithm = c->logarithms[i] && f->field->preprocess.role != MICA_WEIGHT && !f->classes;
        column->calendar = is_input(f) ? c->calendar[i] : 0;
    }
    if (c->date < t->columns && is_input(f) && !(p->date = take_date(c, p)))
        return mi_out_of_memory(c->find.error);
    p->table_columns = (int)t->columns;
    p->decimal = t->decimal;
    f->as = p;
    return p->arena.failed ? mi_out_of_memory(c->find.error) : MICA_OK;
}

/* A column of which something is said has to be read by some field that it can mean, and one thing alone is said. */
static mica_status check_kinds(const struct choice *c)
{
    const struct mi_table *t = c->find.table;
    for (size_t i = 0; i < t->columns; i++) {
        const char *key = c->words[i] ? "categorical" : c->calendar[i] ? "calendar" : c->logarithms[i] ? "logarithm" : NULL;
        bool read = !key;
        for (int f = 0; f < c->count && !read; f++)
            read = belongs(c, f, i) && (is_input(&c->fields[f]) || (c->logarithms[i] && !c->fields[f].classes));
        if (!read)
            return mi_fail(c->find.error, MICA_DATA, "%s: %s: %s is left out", c->find.place, key, mi_table_place(t, 0, i).text);
        if (c->words[i] + (c->calendar[i] > 0) + c->logarithms[i] > 1)
            return mi_fail(c->find.error, MICA_DATA, "%s: %s: %s is %s, too", c->find.place, key, mi_table_place(t, 0, i).text,
                           c->words[i] && c->calendar[i] ? "in \"calendar\"" : "in \"logarithm\"");
    }
    return MICA_OK;
}

static mica_status choose(struct choice *c)
{
    const struct mi_table *t = c->find.table;
    MI_TRY(mark_all(c));
    MI_TRY(check_answers(c));
    MI_TRY(check_inputs(c));
    MI_TRY(check_kinds(c));
    if (t->columns > INT32_MAX / 2)
        return mi_fail(c->find.error, MICA_DATA, "%s: %zu columns are too many", c->find.place, t->columns);
    for (int i = 0; i < c->count; i++)
        MI_TRY(make_columns(c, i));
    return MICA_OK;
}

mica_status mi_table_choose(struct mi_error *error, const char *place, const struct mi_table *table,
                            const struct mi_column_wishes *wishes, struct mi_table_field *fields, int count)
{
    size_t lists = (size_t)count, columns = table->columns;
    bool *marks = mi_new((lists + 4) * columns, sizeof *marks);
    unsigned *calendar = mi_new(columns, sizeof *calendar);
    struct choice c = {.find = {error, place, table}, .wishes = wishes, .fields = fields, .count = count, .marks = marks,
                       .calendar = calendar, .date = columns};
    if (marks) {
        c.answers = marks + lists * columns;
        c.dropped = c.answers + columns;
        c.words = c.dropped + columns;
        c.logarithms = c.words + columns;
    }
    mica_status status = marks && calendar ? choose(&c) : mi_out_of_memory(error);
    free(marks);
    free(calendar);
    return status;
}

mica_status mi_table_find(struct mi_error *error, const char *place, const struct mi_table *table, const char *what,
                          const char *name,
                          size_t *column)
{
    return find_column(&(struct finder){error, place, table}, what, name, column);
}

/* ---- A model's columns ---- */

static bool is_answer(const struct mi_table_field *field)
{
    return field->as->role != MICA_INPUT;
}

/* Whether an input reads a column. */
static bool is_read(const struct mi_table_field *fields, int count, int index)
{
    for (int f = 0; f < count; f++)
        for (int c = 0; c < fields[f].as->column_count && !is_answer(&fields[f]); c++)
            if (fields[f].as->columns[c].index == index)
                return true;
    return false;
}

/* How many columns of targets and weights alone stand before one in the model's own table, and in all of it. */
static size_t answers_before(const struct mi_table_field *fields, int count, int index)
{
    size_t before = 0;
    for (int f = 0; f < count; f++)
        for (int c = 0; c < fields[f].as->column_count && is_answer(&fields[f]); c++) {
            int own = fields[f].as->columns[c].index;
            before += own < index && !is_read(fields, count, own);
        }
    return before;
}

/* The place of a column where the table has nothing but inputs, each once. */
static size_t inputs_before(const struct mi_table_field *fields, int count, int index, size_t *all)
{
    size_t before = 0;
    int least = -1;
    *all = 0;
    for (;;) { /* the next larger index of an input */
        int next = INT_MAX;
        for (int f = 0; f < count; f++)
            for (int c = 0; c < fields[f].as->column_count && !is_answer(&fields[f]); c++)
                if (fields[f].as->columns[c].index > least && fields[f].as->columns[c].index < next)
                    next = fields[f].as->columns[c].index;
        if (next == INT_MAX)
            return before;
        before += next < index;
        least = next;
        ++*all;
    }
}

/* By position: the whole table as it was, the same without what should be answered, or the inputs alone. */
static mica_status map_positions(const struct finder *f, struct mi_table_field *fields, int count)
{
    size_t have = f->table->columns, whole = (size_t)fields[0].as->table_columns, inputs;
    size_t answers = answers_before(fields, count, INT_MAX);
    bool as_it_was = have == whole, unlabelled = answers && have + answers == whole;
    (void)inputs_before(fields, count, 0, &inputs);
    if (!as_it_was && !unlabelled && have != inputs)
        return mi_fail(f->error, MICA_DATA, "%s: the table has %zu columns, the model takes %zu%s", f->place, have, inputs,
                       answers ? " (and its label)" : "");
    for (int i = 0; i < count; i++) {
        const struct mi_preprocess *as = fields[i].as;
        if (is_answer(&fields[i]) && !as_it_was) {
            free(fields[i].columns);
            fields[i].columns = NULL;
            continue;
        }
        for (int c = 0; c < as->column_count; c++) {
            int index = as->columns[c].index;
            fields[i].columns[c] = as_it_was    ? (size_t)index
                                   : unlabelled ? (size_t)index - answers_before(fields, count, index)
                                                : inputs_before(fields, count, index, &inputs);
        }
    }
    return MICA_OK;
}

static mica_status map_names(const struct finder *f, struct mi_table_field *field)
{
    for (int c = 0; c < field->as->column_count; c++) {
        const struct mi_column *column = &field->as->columns[c];
        const char *name = column->name ? column->name : "";
        if (mi_column_names_find(&f->table->sorted, name, (size_t)column->nth, &field->columns[c]))
            continue;
        if (is_answer(field)) {
            free(field->columns);
            field->columns = NULL;
            return MICA_OK;
        }
        size_t repeats = mi_column_names_repeats(&f->table->sorted, name);
        if (repeats)
            return mi_fail(f->error, MICA_DATA, "%s: the model takes column %d of those called \"%s\", the table has %zu",
                           f->place, column->nth + 1, mi_show(name).text, repeats);
        return mi_fail(f->error, MICA_DATA, "%s: the model's column \"%s\" is not in the table%s", f->place,
                       mi_show(name).text, mi_advise(name, f->table->names).text);
    }
    return MICA_OK;
}

mica_status mi_table_map_fitted(struct mi_error *error, const char *place, const struct mi_table *table,
                                struct mi_table_field *fields, int count)
{
    struct finder f = {error, place, table};
    bool names = table->names != NULL;
    for (int i = 0; i < count; i++) {
        names = names && fields[i].as->columns && fields[i].as->columns[0].name;
        fields[i].columns = mi_new((size_t)fields[i].as->column_count, sizeof *fields[i].columns);
        if (!fields[i].columns)
            return mi_out_of_memory(error);
    }
    for (int i = 0; names && i < count; i++)
        MI_TRY(map_names(&f, &fields[i]));
    return names ? MICA_OK : map_positions(&f, fields, count);
}
