/* Which columns of a table are inputs and which is the label: as a description chooses them, and as a model knows them. */
#include "formats/table/table.h"

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

/* ---- Choosing ---- */

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

static bool is_named(const char *const *list, const char *name)
{
    for (; name && list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

/* Where each column of a table goes. */
struct choice {
    struct finder find;
    const struct mi_column_wishes *wishes;
    struct mi_preprocess *out;
    struct mi_table_map *map;
    bool *chosen, *dropped, *words; /* (columns) */
};

static mica_status check_label(const struct choice *c)
{
    const struct mi_table *t = c->find.table;
    if (c->map->label < 0)
        return MICA_OK;
    const char *name = t->names ? t->names[c->map->label] : NULL;
    const char *const *lists[] = {c->wishes->drop, c->wishes->categorical};
    static const char *const keys[] = {"drop", "categorical"};
    for (size_t i = 0; i < MI_COUNT(lists); i++)
        if (is_named(lists[i], name) || (i && c->words[c->map->label]))
            return mi_fail(c->find.error, MICA_DATA, "%s: %s: %s is the label", c->find.place, keys[i],
                           mi_table_place(t, 0, (size_t)c->map->label).text);
    return MICA_OK;
}

static mica_status make_columns(struct choice *c)
{
    const struct mi_table *t = c->find.table;
    struct mi_preprocess *p = c->out;
    size_t count = 0;
    for (size_t i = 0; i < t->columns; i++) {
        c->chosen[i] = (c->chosen[i] || !c->wishes->columns) && !c->dropped[i] && (int64_t)i != c->map->label;
        count += c->chosen[i];
        if (c->words[i] && !c->chosen[i])
            return mi_fail(c->find.error, MICA_DATA, "%s: categorical: %s is left out", c->find.place,
                           mi_table_place(t, 0, i).text);
    }
    if (!count)
        return mi_fail(c->find.error, MICA_DATA, "%s: there is no column but the label%s", c->find.place,
                       t->columns > 1 ? "" : "; cells stand between commas, semicolons or tabs");
    if (t->columns > INT32_MAX / 2)
        return mi_fail(c->find.error, MICA_DATA, "%s: %zu columns are too many", c->find.place, t->columns);
    p->columns = mi_arena_new(&p->arena, count, sizeof *p->columns);
    c->map->columns = mi_new(count, sizeof *c->map->columns);
    if (!p->columns || !c->map->columns)
        return mi_out_of_memory(c->find.error);
    for (size_t i = 0; i < t->columns; i++) {
        if (!c->chosen[i])
            continue;
        struct mi_column *column = &p->columns[p->column_count];
        c->map->columns[p->column_count++] = i;
        column->index = (int)i;
        column->nth = t->names ? (int)mi_column_names_nth(&t->sorted, t->names[i], i) : 0;
        column->name = t->names ? mi_arena_strdup(&p->arena, t->names[i]) : NULL;
        column->categorical = c->words[i];
    }
    return p->arena.failed ? mi_out_of_memory(c->find.error) : MICA_OK;
}

static mica_status take_label(struct choice *c)
{
    const struct mi_table *t = c->find.table;
    struct mi_preprocess *p = c->out;
    size_t label = 0;
    c->map->label = p->label_index = -1;
    if (!c->wishes->label)
        return MICA_OK;
    MI_TRY(find_column(&c->find, "label", c->wishes->label, &label));
    c->map->label = (int64_t)label;
    p->label_index = (int)label;
    if (!t->names)
        return MICA_OK;
    p->label_nth = (int)mi_column_names_nth(&t->sorted, t->names[label], label);
    p->label = mi_arena_strdup(&p->arena, t->names[label]);
    return p->label ? MICA_OK : mi_out_of_memory(c->find.error);
}

static mica_status choose(struct choice *c)
{
    MI_TRY(take_label(c));
    MI_TRY(mark(&c->find, "columns", c->wishes->columns, c->chosen));
    MI_TRY(mark(&c->find, "drop", c->wishes->drop, c->dropped));
    MI_TRY(mark(&c->find, "categorical", c->wishes->categorical, c->words));
    MI_TRY(check_label(c));
    c->out->table_columns = (int)c->find.table->columns;
    c->out->decimal = c->find.table->decimal;
    return make_columns(c);
}

mica_status mi_table_choose(struct mi_error *error, const char *place, const struct mi_table *table,
                            const struct mi_column_wishes *wishes, struct mi_preprocess *preprocess,
                            struct mi_table_map *map)
{
    bool *marks = mi_new(3 * table->columns, sizeof *marks);
    struct choice c = {{error, place, table}, wishes, preprocess, map, marks, marks + table->columns,
                       marks + 2 * table->columns};
    *map = (struct mi_table_map){.label = -1};
    mica_status status = marks ? choose(&c) : mi_out_of_memory(error);
    free(marks);
    return status;
}

/* ---- A model's columns ---- */

/* By position: the whole table as it was, the same without its label, or the inputs alone. */
static mica_status map_positions(const struct finder *f, const struct mi_preprocess *fitted, struct mi_table_map *map)
{
    size_t have = f->table->columns, inputs = (size_t)fitted->column_count, whole = (size_t)fitted->table_columns;
    bool label = fitted->label_index >= 0, as_it_was = have == whole, unlabelled = label && have + 1 == whole;
    if (!as_it_was && !unlabelled && have != inputs)
        return mi_fail(f->error, MICA_DATA, "%s: the table has %zu columns, the model takes %zu%s", f->place, have, inputs,
                       label ? " (and its label)" : "");
    map->label = label && as_it_was ? fitted->label_index : -1;
    for (size_t c = 0; c < inputs; c++) {
        int index = fitted->columns[c].index;
        map->columns[c] = as_it_was ? (size_t)index : unlabelled ? (size_t)(index - (index > fitted->label_index)) : c;
    }
    return MICA_OK;
}

static mica_status map_names(const struct finder *f, const struct mi_preprocess *fitted, struct mi_table_map *map)
{
    size_t label;
    for (int c = 0; c < fitted->column_count; c++) {
        const struct mi_column *column = &fitted->columns[c];
        const char *name = column->name ? column->name : "";
        if (mi_column_names_find(&f->table->sorted, name, (size_t)column->nth, &map->columns[c]))
            continue;
        size_t repeats = mi_column_names_repeats(&f->table->sorted, name);
        if (repeats)
            return mi_fail(f->error, MICA_DATA, "%s: the model takes column %d of those called \"%s\", the table has %zu",
                           f->place, column->nth + 1, mi_show(name).text, repeats);
        return mi_fail(f->error, MICA_DATA, "%s: the model's column \"%s\" is not in the table%s", f->place,
                       mi_show(name).text, mi_advise(name, f->table->names).text);
    }
    if (fitted->label && mi_column_names_find(&f->table->sorted, fitted->label, (size_t)fitted->label_nth, &label))
        map->label = (int64_t)label;
    return MICA_OK;
}

mica_status mi_table_map_fitted(struct mi_error *error, const char *place, const struct mi_table *table, const char *label,
                                const struct mi_preprocess *fitted, struct mi_table_map *map)
{
    struct finder f = {error, place, table};
    size_t found;
    *map = (struct mi_table_map){.label = -1};
    map->columns = mi_new((size_t)fitted->column_count, sizeof *map->columns);
    if (!map->columns)
        return mi_out_of_memory(error);
    bool names = table->names && fitted->columns && fitted->columns[0].name;
    MI_TRY(names ? map_names(&f, fitted, map) : map_positions(&f, fitted, map));
    if (!label)
        return MICA_OK;
    MI_TRY(find_column(&f, "label", label, &found));
    map->label = (int64_t)found;
    return MICA_OK;
}
