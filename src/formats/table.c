/* Tables as data sets: which column is what, words as one-hot features, missing values, labels. */
#include "formats/formats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* `column "age"` or `column 3`, for errors. */
struct column_text {
    char text[96];
};

static struct column_text column_text(const char *name, size_t index)
{
    struct column_text out;
    if (name)
        mi_format(out.text, sizeof out.text, "column \"%s\"", mi_show(name).text);
    else
        mi_format(out.text, sizeof out.text, "column %zu", index);
    return out;
}

static struct column_text table_column(const struct mi_table *table, size_t index)
{
    return column_text(table->names ? table->names[index] : NULL, index);
}

/* ---- Finding columns ---- */

static bool parse_index(const char *text, long long *out)
{
    bool negative = *text == '-';
    long long value = 0;
    text += negative;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!mi_is_digit(*text) || value > 100000000)
            return false;
        value = value * 10 + (*text - '0');
    }
    *out = negative ? -value : value;
    return true;
}

static bool find_name(const struct mi_table *table, const char *name, size_t *out)
{
    for (size_t c = 0; table->names && c < table->columns; c++) {
        if (!strcmp(table->names[c], name)) {
            *out = c;
            return true;
        }
    }
    return false;
}

mica_status mi_table_find(struct mi_error *error, const char *place, const struct mi_table *table,
                          const char *what, const char *name, size_t *out)
{
    long long index;
    bool number = parse_index(name, &index), negative = *name == '-';
    unsigned long long distance = number ? (unsigned long long)(negative ? -index : index) : 0;
    if (number && (negative ? distance >= 1 && distance <= table->columns : distance < table->columns)) {
        *out = negative ? table->columns - (size_t)distance : (size_t)distance;
        return MICA_OK;
    }
    if (find_name(table, name, out))
        return MICA_OK;
    if (number)
        return mi_fail(error, MICA_DATA, "%s: %s: there is no column %s; the table has %zu columns", place,
                       what, mi_show(name).text, table->columns);
    if (!table->names)
        return mi_fail(error, MICA_DATA, "%s: %s: there is no column \"%s\": the table has no header; give "
                       "its index, 0 to %zu", place, what, mi_show(name).text, table->columns - 1);
    return mi_fail(error, MICA_DATA, "%s: %s: there is no column \"%s\"%s", place, what, mi_show(name).text,
                   mi_advise(name, table->names).text);
}

/* By position: the features alone, or with the label where it was. */
static mica_status map_positions(struct mi_error *error, const char *place, const struct mi_table *table,
                                 const struct mi_preprocess *fitted, struct mi_table_map *map)
{
    size_t want = (size_t)fitted->column_count;
    bool with_label = fitted->label_index >= 0 && table->columns == want + 1;
    if (table->columns != want && !with_label)
        return mi_fail(error, MICA_DATA, "%s: the table has %zu columns, the model takes %zu%s", place,
                       table->columns, want, fitted->label_index >= 0 ? " (and its label)" : "");
    map->label = with_label ? fitted->label_index : -1;
    for (size_t c = 0, from = 0; c < want; c++, from++) {
        from += with_label && from == (size_t)fitted->label_index;
        map->columns[c] = from;
    }
    return MICA_OK;
}

mica_status mi_table_map_fitted(struct mi_error *error, const char *place, const struct mi_table *table,
                                const struct mi_preprocess *fitted, struct mi_table_map *map)
{
    size_t label;
    *map = (struct mi_table_map){.label = -1};
    map->columns = mi_new((size_t)fitted->column_count, sizeof *map->columns);
    if (!map->columns)
        return mi_out_of_memory(error);
    if (!table->names || !fitted->columns || !fitted->columns[0].name)
        return map_positions(error, place, table, fitted, map);
    for (int c = 0; c < fitted->column_count; c++) {
        const char *name = fitted->columns[c].name;
        if (name && find_name(table, name, &map->columns[c]))
            continue;
        return mi_fail(error, MICA_DATA, "%s: the model's %s is not in the table%s", place,
                       column_text(name, (size_t)c).text, name ? mi_advise(name, table->names).text : "");
    }
    if (fitted->label && find_name(table, fitted->label, &label))
        map->label = (int64_t)label;
    return MICA_OK;
}

/* ---- Rows ---- */

static mica_status missing_value(struct mi_error *error, const char *place, const struct mi_table *table,
                                 size_t row, size_t column, const char *advice)
{
    return mi_fail(error, MICA_DATA, "%s: line %zu, %s: the value is missing%s", place, table->lines[row],
                   table_column(table, column).text, advice);
}

/* Lists the rows that stay. Only a number in a feature can be filled with a mean. */
static mica_status keep_rows(struct mi_error *error, const char *place, const struct mi_table *table,
                             const struct mi_preprocess *p, const struct mi_table_map *map, size_t *kept_rows,
                             size_t *kept)
{
    for (size_t row = 0; row < table->rows; row++) {
        bool whole = true;
        for (int c = 0; c <= p->column_count; c++) {
            bool label = c == p->column_count;
            if (label && map->label < 0)
                continue;
            size_t column = label ? (size_t)map->label : map->columns[c];
            if (!mi_cell_missing(mi_table_cell(table, row, column)))
                continue;
            whole = false;
            if (p->missing == MICA_MISSING_ERROR)
                return missing_value(error, place, table, row, column, "; \"missing\" can be \"drop\" or "
                                     "\"mean\"");
            bool number = !label && !p->columns[c].categorical;
            if (p->missing == MICA_MISSING_MEAN && !number)
                return missing_value(error, place, table, row, column, ", and words and labels have no mean");
            whole = p->missing == MICA_MISSING_MEAN;
            if (!whole)
                break;
        }
        if (whole)
            kept_rows[(*kept)++] = row;
    }
    if (!*kept)
        return mi_fail(error, MICA_DATA, table->rows ? "%s: every line lacks a value; none is left" :
                       "%s: there are no lines below the header", place);
    return MICA_OK;
}

static mica_status number_cell(struct mi_error *error, const char *place, const struct mi_table *table,
                               size_t row, size_t column, const char *advice, double *out)
{
    static const char *const infinite[] = {"inf", "-inf", "+inf", "Inf", "-Inf", "INF", "-INF", "infinity",
                                           "-infinity", "Infinity", "-Infinity"};
    const char *cell = mi_table_cell(table, row, column);
    bool number = mi_parse_number(cell, out);
    if (number && isfinite((float)*out))
        return MICA_OK;
    for (size_t i = 0; i < MI_COUNT(infinite); i++)
        number = number || !strcmp(cell, infinite[i]);
    return mi_fail(error, MICA_DATA, "%s: line %zu, %s: \"%s\" is not a %snumber%s", place, table->lines[row],
                   table_column(table, column).text, mi_show(cell).text, number ? "finite " : "",
                   number ? "" : advice);
}

static int compare_words(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static mica_status category_cell(struct mi_error *error, const char *place, const struct mi_table *table,
                                 size_t row, size_t column, const struct mi_column *is, float *out)
{
    const char *cell = mi_table_cell(table, row, column);
    const char *const *found = is->count ? bsearch(&cell, is->values, (size_t)is->count, sizeof *is->values,
                                                   compare_words) : NULL;
    if (!found)
        return mi_fail(error, MICA_DATA, "%s: line %zu, %s: \"%s\" is not one of the %d categories that the "
                       "model knows", place, table->lines[row], table_column(table, column).text,
                       mi_show(cell).text, is->count);
    out[found - is->values] = 1; /* the others are zero already */
    return MICA_OK;
}

static mica_status fill_row(struct mi_error *error, const char *place, const struct mi_table *table,
                            size_t row, const struct mi_preprocess *p, const struct mi_table_map *map,
                            float *out)
{
    for (int c = 0; c < p->column_count; c++) {
        const struct mi_column *column = &p->columns[c];
        double value;
        if (column->categorical) {
            MI_TRY(category_cell(error, place, table, row, map->columns[c], column, out));
            out += column->count;
            continue;
        }
        if (p->missing == MICA_MISSING_MEAN && mi_cell_missing(mi_table_cell(table, row, map->columns[c]))) {
            *out++ = NAN;
            continue;
        }
        MI_TRY(number_cell(error, place, table, row, map->columns[c],
                           "; a column of words must be listed in \"categorical\"", &value));
        *out++ = (float)value;
    }
    return MICA_OK;
}

mica_status mi_table_rows(struct mi_error *error, const char *place, const struct mi_table *table,
                          const struct mi_preprocess *p, const struct mi_table_map *map, float **rows,
                          size_t **kept_rows, size_t *kept)
{
    size_t features = mi_preprocess_features(p), count;
    *rows = NULL;
    *kept = 0;
    *kept_rows = mi_new(table->rows, sizeof **kept_rows);
    if (!*kept_rows)
        return mi_out_of_memory(error);
    MI_TRY(keep_rows(error, place, table, p, map, *kept_rows, kept));
    if (!mi_mul_size(*kept, features, &count) || !(*rows = mi_new(count, sizeof **rows)))
        return mi_out_of_memory(error);
    for (size_t i = 0; i < *kept; i++)
        MI_TRY(fill_row(error, place, table, (*kept_rows)[i], p, map, *rows + i * features));
    return MICA_OK;
}

/* ---- Data sets ---- */

/* What is in the works while a table becomes a data set. */
struct opening {
    mica_data *data;
    const char *path;
    const mica_csv_desc *desc;
    const struct mi_preprocess *fitted;
    struct mi_table table;
    struct mi_table_map map;
    size_t *kept_rows, *kept_lines;
    size_t kept;
};

/* Sorts the different words of a column into its values. */
static mica_status find_categories(struct opening *o, size_t column, struct mi_column *out)
{
    const struct mi_table *t = &o->table;
    struct mi_arena *arena = &o->data->preprocess.arena;
    const char **words = mi_new(t->rows, sizeof *words);
    size_t count = 0, kept = 0;
    if (!words)
        return mi_out_of_memory(&o->data->error);
    for (size_t row = 0; row < t->rows; row++)
        if (!mi_cell_missing(mi_table_cell(t, row, column)))
            words[count++] = mi_table_cell(t, row, column);
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 0; i < count; i++)
        if (!kept || strcmp(words[kept - 1], words[i]) != 0)
            words[kept++] = words[i];
    const char **values = mi_arena_new(arena, kept, sizeof *values);
    for (size_t i = 0; values && i < kept; i++)
        values[i] = mi_arena_strdup(arena, words[i]);
    free(words);
    out->categorical = true;
    out->count = kept > INT32_MAX ? INT32_MAX : (int)kept;
    out->values = values;
    return arena->failed ? mi_out_of_memory(&o->data->error) : MICA_OK;
}

static mica_status mark_categories(struct opening *o)
{
    struct mi_preprocess *p = &o->data->preprocess;
    for (const char *const *name = o->desc->categorical; name && *name; name++) {
        size_t column;
        MI_TRY(mi_table_find(&o->data->error, o->path, &o->table, "categorical", *name, &column));
        if ((int64_t)column == o->map.label)
            return mi_fail(&o->data->error, MICA_DATA, "%s: categorical: \"%s\" is the label", o->path,
                           mi_show(*name).text);
        for (int c = 0; c < p->column_count; c++)
            if (o->map.columns[c] == column && !p->columns[c].categorical)
                MI_TRY(find_categories(o, column, &p->columns[c]));
    }
    return MICA_OK;
}

/* Every column but the label is an input. */
static mica_status choose_columns(struct opening *o)
{
    const struct mi_table *t = &o->table;
    struct mi_preprocess *p = &o->data->preprocess;
    size_t count = t->columns - (o->map.label >= 0);
    if (!count)
        return mi_fail(&o->data->error, MICA_DATA, "%s: there is no column but the label", o->path);
    if (count > INT32_MAX / 2)
        return mi_fail(&o->data->error, MICA_DATA, "%s: %zu columns are too many", o->path, count);
    p->columns = mi_arena_new(&p->arena, count, sizeof *p->columns);
    o->map.columns = mi_new(count, sizeof *o->map.columns);
    if (!p->columns || !o->map.columns)
        return mi_out_of_memory(&o->data->error);
    p->column_count = (int)count;
    for (size_t c = 0, from = 0; c < count; c++, from++) {
        from += (int64_t)from == o->map.label;
        o->map.columns[c] = from;
        p->columns[c].name = t->names ? mi_arena_strdup(&p->arena, t->names[from]) : NULL;
    }
    p->missing = o->desc->missing;
    p->label_index = (int)o->map.label;
    if (t->names && o->map.label >= 0)
        p->label = mi_arena_strdup(&p->arena, t->names[o->map.label]);
    return p->arena.failed ? mi_out_of_memory(&o->data->error) : mark_categories(o);
}

static mica_status map_columns(struct opening *o)
{
    size_t label = 0;
    struct mi_error *error = &o->data->error;
    if (o->fitted)
        MI_TRY(mi_table_map_fitted(error, o->path, &o->table, o->fitted, &o->map));
    else
        o->map.label = -1;
    if (o->desc->label) {
        MI_TRY(mi_table_find(error, o->path, &o->table, "label", o->desc->label, &label));
        o->map.label = (int64_t)label;
    }
    if (o->fitted && o->fitted->label_index >= 0 && o->map.label < 0)
        return mi_fail(error, MICA_DATA, "%s: the label, %s, is not in the table", o->path,
                       column_text(o->fitted->label, (size_t)o->fitted->label_index).text);
    return o->fitted ? MICA_OK : choose_columns(o);
}

static const char *label_cell(const struct opening *o, size_t i)
{
    return mi_table_cell(&o->table, o->kept_rows[i], (size_t)o->map.label);
}

static mica_status take_values(struct opening *o)
{
    mica_data *data = o->data;
    data->label_shape = MICA_SHAPE(1);
    data->label_elements = 1;
    data->values = mi_new(o->kept, sizeof *data->values);
    if (!data->values)
        return mi_out_of_memory(&data->error);
    for (size_t i = 0; i < o->kept; i++) {
        double value;
        MI_TRY(number_cell(&data->error, o->path, &o->table, o->kept_rows[i], (size_t)o->map.label,
                           ", and the label is a value to regress", &value));
        data->values[i] = (float)value;
    }
    return MICA_OK;
}

/* Reads every label as a whole number; *words: one of them is none. */
static mica_status whole_labels(struct opening *o, int64_t *numbers, bool *words)
{
    size_t fraction = o->kept;
    *words = false;
    for (size_t i = 0; i < o->kept && !*words; i++) {
        double value = 0;
        *words = !mi_parse_number(label_cell(o, i), &value) || !(fabs(value) < 9e15);
        if (!*words && floor(value) != value && fraction == o->kept)
            fraction = i;
        numbers[i] = *words ? 0 : (int64_t)value;
    }
    if (!*words && fraction < o->kept)
        return mi_fail(&o->data->error, MICA_DATA, "%s: line %zu, %s: the label %s is not a class, and "
                       "values to regress need a regression", o->path, o->kept_lines[fraction],
                       table_column(&o->table, (size_t)o->map.label).text,
                       mi_show(label_cell(o, fraction)).text);
    return MICA_OK;
}

static mica_status word_labels(struct opening *o, const struct mi_label_source *source)
{
    const char **words = mi_new(o->kept, sizeof *words);
    if (!words)
        return mi_out_of_memory(&o->data->error);
    for (size_t i = 0; i < o->kept; i++)
        words[i] = label_cell(o, i);
    mica_status status = mi_labels_from_words(o->data, source, words);
    free(words);
    return status;
}

/* Names from a first line of class names, where they fit the numbers. */
static mica_status name_classes(struct opening *o)
{
    struct mi_preprocess *p = &o->data->preprocess;
    if (o->fitted || p->class_names || !o->table.class_count || o->table.class_count != (size_t)p->classes)
        return MICA_OK;
    const char **names = mi_arena_new(&p->arena, o->table.class_count, sizeof *names);
    for (size_t i = 0; names && i < o->table.class_count; i++)
        names[i] = mi_arena_strdup(&p->arena, o->table.class_names[i]);
    p->class_names = names;
    return p->arena.failed ? mi_out_of_memory(&o->data->error) : MICA_OK;
}

static mica_status take_classes(struct opening *o)
{
    struct mi_label_source source = {o->path, o->kept_lines, o->fitted};
    int64_t *numbers = mi_new(o->kept, sizeof *numbers);
    bool words = false;
    if (!numbers)
        return mi_out_of_memory(&o->data->error);
    mica_status status = whole_labels(o, numbers, &words);
    if (status == MICA_OK)
        status = words ? word_labels(o, &source) : mi_labels_from_numbers(o->data, &source, numbers);
    free(numbers);
    return status == MICA_OK ? name_classes(o) : status;
}

static mica_status take_labels(struct opening *o)
{
    if (o->map.label < 0)
        return MICA_OK;
    if (o->desc->regression)
        return take_values(o);
    o->kept_lines = mi_new(o->kept, sizeof *o->kept_lines);
    if (!o->kept_lines)
        return mi_out_of_memory(&o->data->error);
    for (size_t i = 0; i < o->kept; i++)
        o->kept_lines[i] = o->table.lines[o->kept_rows[i]];
    return take_classes(o);
}

/* Takes `text`. */
static mica_status open_table(struct opening *o, char *text, size_t size)
{
    mica_data *data = o->data;
    struct mi_table_hints hints = {o->desc->header, o->desc->label, o->desc->categorical, o->fitted};
    MI_TRY(mi_table_parse(&data->error, o->path, text, size, &hints, &o->table));
    if (o->fitted && !o->fitted->column_count)
        return mi_fail(&data->error, MICA_DATA, "%s: the model was not trained on a table", o->path);
    MI_TRY(map_columns(o));
    const struct mi_preprocess *columns = o->fitted ? o->fitted : &data->preprocess;
    size_t features = mi_preprocess_features(columns);
    MI_TRY(mi_table_rows(&data->error, o->path, &o->table, columns, &o->map, &data->floats, &o->kept_rows,
                         &o->kept));
    data->samples = data->count[MICA_TRAIN] = (int64_t)o->kept;
    data->preprocess.shape = MICA_SHAPE((int64_t)features);
    MI_TRY(take_labels(o));
    return mi_data_finish(data, &(struct mi_finish){
        .place = o->path, .normalize = o->desc->normalize, .split = o->desc->split,
        .sample_shape = o->desc->sample_shape, .fitted = o->fitted});
}

mica_data *mi_csv_from_text(mica_device *device, const char *place, char *text, size_t size,
                            const mica_csv_desc *desc, const struct mi_preprocess *fitted)
{
    mica_data *data = mi_data_create(device);
    if (!data) {
        free(text);
        return NULL;
    }
    struct opening o = {.data = data, .path = place, .desc = desc, .fitted = fitted};
    (void)open_table(&o, text, size);
    mi_table_destroy(&o.table);
    free(o.map.columns);
    free(o.kept_rows);
    free(o.kept_lines);
    (void)mi_data_report(data);
    return data;
}

mica_data *mi_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc,
                       const struct mi_preprocess *fitted)
{
    struct mi_error error = {MICA_OK, ""};
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (!path || !desc)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "csv: a path and a description are needed");
    else if (mi_file_read(&error, path, MI_DATA_LIMIT, &bytes, &size) == MICA_OK)
        return mi_csv_from_text(device, path, (char *)bytes, size, desc, fitted);
    mica_data *data = mi_data_create(device);
    if (data) {
        data->error = error;
        (void)mi_data_report(data);
    }
    return data;
}

mica_data *mica_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc)
{
    return mi_csv_open(device, path, desc, NULL);
}
