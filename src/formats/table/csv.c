/* Tables as data sets. */
#include "formats/formats.h"
#include "formats/table/table.h"

#include <stdlib.h>
#include <string.h>

/* What is in the works while a table becomes a data set. */
struct opening {
    mica_data *data;
    const char *path;
    const mica_csv_desc *desc;
    const struct mi_preprocess *fitted;
    struct mi_table table;
    struct mi_table_map map;
    struct mi_rows rows;
    struct mi_budget budget;
};

static mica_status map_columns(struct opening *o)
{
    struct mi_error *error = &o->data->error;
    struct mi_preprocess *p = &o->data->preprocess;
    const mica_csv_desc *desc = o->desc;
    if (!o->fitted) {
        struct mi_column_wishes wishes = {desc->label, desc->columns, desc->drop, desc->categorical};
        p->missing = desc->missing;
        MI_TRY(mi_table_choose(error, o->path, &o->table, &wishes, p, &o->map));
        MI_TRY(mi_table_categories(error, o->path, &o->table, &o->map, p));
    } else {
        MI_TRY(mi_table_map_fitted(error, o->path, &o->table, desc->label, o->fitted, &o->map));
        if (o->fitted->label_index >= 0 && o->map.label < 0)
            return mi_fail(error, MICA_DATA, "%s: the label, \"%s\", is not in the table", o->path,
                           o->fitted->label ? mi_show(o->fitted->label).text : "the last column");
    }
    o->map.regression = desc->regression;
    return MICA_OK;
}

/* ---- Labels and lines ---- */

/* As long as each row has a line, the first one's tells all. */
static mica_status take_line(struct opening *o, size_t line, size_t row)
{
    mica_data *data = o->data;
    if (!data->lines && line == data->first_line + row)
        return MICA_OK;
    if (!data->lines) {
        data->lines = mi_new((size_t)data->samples, sizeof *data->lines);
        for (size_t i = 0; data->lines && i < row; i++)
            data->lines[i] = (uint32_t)(data->first_line + i);
    }
    if (!data->lines)
        return mi_out_of_memory(&data->error);
    data->lines[row] = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line;
    return MICA_OK;
}

static mica_status make_labels(struct opening *o)
{
    mica_data *data = o->data;
    size_t samples = (size_t)data->samples;
    if (o->map.label < 0 || !o->map.regression)
        return MICA_OK;
    data->label_shape = MICA_SHAPE(1);
    data->label_elements = 1;
    data->values = mi_new(samples, sizeof *data->values);
    return data->values ? MICA_OK : mi_out_of_memory(&data->error);
}

/* A row that stays has its line and its label written down. */
static mica_status take_row(void *user, const struct mi_cursor *cursor, size_t row)
{
    struct opening *o = user;
    mica_data *data = o->data;
    double value;
    if (!row) {
        data->samples = (int64_t)o->rows.count;
        data->first_line = cursor->line;
        MI_TRY(make_labels(o));
    }
    MI_TRY(take_line(o, cursor->line, row));
    if (o->map.label < 0)
        return MICA_OK;
    size_t column = (size_t)o->map.label;
    if (!data->values)
        return mi_labels_add(data, o->path, (int64_t)row, cursor->cells[column].text);
    MI_TRY(mi_table_number(&data->error, o->path, cursor, column, ", and the label is a value to regress", &value));
    data->values[row] = (float)value;
    return MICA_OK;
}

/* Names of classes from a table's first line. */
static mica_status take_class_names(struct opening *o)
{
    struct mi_label_texts *labels = &o->data->labels;
    size_t count = o->table.class_count;
    if (!count || o->map.regression)
        return MICA_OK;
    const char **names = mi_arena_new(&labels->words.arena, count, sizeof *names);
    for (size_t i = 0; names && i < count; i++)
        names[i] = mi_arena_strdup(&labels->words.arena, o->table.class_names[i]);
    labels->names = names;
    labels->name_count = count;
    return labels->words.arena.failed ? mi_out_of_memory(&o->data->error) : MICA_OK;
}

static mica_status take_rows(struct opening *o)
{
    mica_data *data = o->data;
    const struct mi_preprocess *p = o->fitted ? o->fitted : &data->preprocess;
    mica_status status = mi_table_rows(&data->error, o->path, &o->table, p, &o->map, &o->budget, take_row, o, &o->rows);
    data->floats = o->rows.floats;
    data->doubles = o->rows.doubles;
    MI_TRY(status);
    data->count[MICA_TRAIN] = data->samples;
    data->preprocess.shape = MICA_SHAPE((int64_t)mi_preprocess_features(p));
    MI_TRY(take_class_names(o));
    return mi_labels_finish(data, o->path, o->fitted);
}

/* ---- What was understood ---- */

static const char *separator(char delimiter)
{
    return delimiter == ',' ? "comma" : delimiter == ';' ? "semicolon" : "tab";
}

static void note_table(struct opening *o)
{
    const struct mi_table *t = &o->table;
    struct mi_text line = {0};
    mi_text_add(&line, "table %s: cells between %ss, %s%s, %zu lines", mi_show(o->path).text, separator(t->delimiter),
                t->names ? "a header" : t->class_names ? "a first line of class names" : "no header",
                t->decimal == ',' ? ", decimal commas" : "", t->rows);
    mi_data_note(o->data, MI_NOTE_TABLE, &line);
}

/* Whether an input is read from a column, in their order. */
static bool is_input(const struct mi_preprocess *p, int *next, size_t column)
{
    if (*next >= p->column_count || p->columns[*next].index != (int)column)
        return false;
    (*next)++;
    return true;
}

static void note_left_out(struct opening *o)
{
    const struct mi_table *t = &o->table;
    const struct mi_preprocess *p = &o->data->preprocess;
    size_t count = t->columns - (size_t)p->column_count - (o->map.label >= 0), i = 0;
    struct mi_text line = {0};
    int next = 0;
    if (count)
        mi_text_add(&line, "left out: ");
    for (size_t c = 0; c < t->columns && count; c++)
        if (!is_input(p, &next, c) && (int64_t)c != o->map.label)
            mi_list_item(&line, i++, count, t->names && *t->names[c] ? mi_show(t->names[c]).text :
                         mi_table_place(t, 0, c).text);
    if (t->width > t->columns)
        mi_text_add(&line, "%sa last column without name and values, since lines end in a %s", count ? ", and " : "left out: ",
                    separator(t->delimiter));
    mi_data_note(o->data, MI_NOTE_LEFT_OUT, &line);
}

static void note_dropped(struct opening *o)
{
    struct mi_text line = {0};
    if (o->rows.dropped)
        mi_text_add(&line, "%zu of %zu lines were dropped, since they lack a value; the first is line %zu", o->rows.dropped,
                    o->table.rows, o->rows.first_dropped);
    mi_data_note(o->data, MI_NOTE_DROPPED, &line);
}

static void note_all(struct opening *o)
{
    struct mi_text inputs = {0}, label = {0};
    note_dropped(o);
    if (o->fitted) /* the model says the rest */
        return;
    note_table(o);
    note_left_out(o);
    mi_note_inputs(&o->data->preprocess, &inputs);
    mi_data_note(o->data, MI_NOTE_INPUTS, &inputs);
    if (!o->data->classes) {
        mi_note_label(&o->data->preprocess, &label);
        mi_data_note(o->data, MI_NOTE_LABEL, &label);
    }
}

/* ---- The data set ---- */

/* Takes `text`. */
static mica_status open_table(struct opening *o, char *text, size_t size)
{
    mica_data *data = o->data;
    const mica_csv_desc *desc = o->desc;
    if (desc->decimal && desc->decimal != '.' && desc->decimal != ',') {
        free(text);
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%s: decimal is '%c'; it must be '.' or ','", o->path,
                       desc->decimal);
    }
    struct mi_table_hints hints = {desc->header, desc->decimal, desc->label, {desc->categorical, desc->columns, desc->drop},
                                   o->fitted};
    MI_TRY(mi_table_parse(&data->error, o->path, text, size, &hints, &o->budget, &o->table));
    if (o->fitted && !o->fitted->column_count)
        return mi_fail(&data->error, MICA_DATA, "%s: the model was not trained on a table", o->path);
    MI_TRY(map_columns(o));
    MI_TRY(take_rows(o));
    note_all(o);
    MI_TRY(data->error.status);
    mi_table_destroy(&o->table); /* before more memory is taken */
    return mi_data_finish(data, &(struct mi_finish){
        .place = o->path, .normalize = desc->normalize, .split = desc->split, .sample_shape = desc->sample_shape,
        .fitted = o->fitted});
}

mica_data *mi_csv_from_text(mica_device *device, const char *place, char *text, size_t size,
                            const mica_csv_desc *desc, const struct mi_preprocess *fitted)
{
    mica_data *data = mi_data_create(device);
    if (!data) {
        free(text);
        return NULL;
    }
    struct opening o = {.data = data, .path = place, .desc = desc, .fitted = fitted, .budget = mi_budget_of(&desc->limits)};
    o.budget.used = size;
    (void)open_table(&o, text, size);
    mi_table_destroy(&o.table);
    free(o.map.columns);
    (void)mi_data_report(data);
    return data;
}

mica_data *mi_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc,
                       const struct mi_preprocess *fitted)
{
    struct mi_error error = {MICA_OK, ""};
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct mi_budget budget = mi_budget_of(desc ? &desc->limits : NULL);
    if (!path || !desc)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "csv: a path and a description are needed");
    else if (mi_data_file_read(&error, path, &budget, &bytes, &size) == MICA_OK)
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
