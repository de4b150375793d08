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
    const struct mi_prepared *fitted;
    struct mi_table table;
    struct mi_table_field *fields;
    struct mi_column_wish *wishes;       /* (count) where no model says what is read */
    const char *label[2], *date_name[2]; /* the label and the dates' column as lists */
    int count;
    mica_missing missing;
    size_t date;                         /* the column of the rows' dates; no column: there is none */
    struct mi_rows rows;
    struct mi_budget budget;
};

/* ---- What is read ---- */

/* How the texts of a column are taken apart. One that should be told is read as well, from its mark on. */
static mica_status take_text(struct opening *o, const mica_column_field *given, struct mi_field *field)
{
    const mica_text_column *text = given->text;
    struct mi_error *error = &o->data->error;
    bool told = given->role == MICA_TARGET;
    if (given->role == MICA_WEIGHT || given->normalize.type != MICA_NORMALIZE_NONE)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: text: only inputs and targets are texts, and their tokens are not "
                       "normalised", o->path);
    if (told && (!given->name || text->pad_before || text->max_length == 1))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: text: a target that is a text has a name, padding behind it, and "
                       "a max_length above 1", o->path);
    if (text->max_length < 0 || text->max_length > INT32_MAX)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: text: max_length is %lld; it must be from 1 to %d", o->path,
                       (long long)text->max_length, INT32_MAX);
    field->preprocess.vocabulary = (struct mi_vocabulary){.tokens = text->tokens, .lower = text->lower, .padded = true,
                                                          .marked = told, .pad_before = text->pad_before,
                                                          .cut_before = text->cut_before};
    MI_TRY(mi_vocabulary_check(error, o->path, &field->preprocess.vocabulary, text->max_tokens));
    field->texts.most = text->max_tokens;
    field->texts.length = text->max_length;
    return MICA_OK;
}

static mica_status add_field(struct opening *o, const mica_column_field *given)
{
    static const char *const keys[] = {"inputs", "targets", "sample_weight"};
    struct mi_table_field *field = &o->fields[o->count];
    struct mi_arena *arena = &o->table.arena;
    field->field = mi_data_add(o->data, given->name, given->role);
    if (!field->field)
        return o->data->error.status;
    field->field->preprocess.missing = o->desc->missing;
    field->field->normalize = given->normalize;
    field->classes = given->role == MICA_TARGET && !given->regression && !given->text;
    field->text = given->text != NULL;
    const char *key = keys[given->role];
    o->wishes[o->count++] = (struct mi_column_wish){
        .key = given->name ? mi_arena_format(arena, "%s.%s", key, given->name) : key, .columns = given->columns};
    if (arena->failed)
        return mi_out_of_memory(&o->data->error);
    return given->text ? take_text(o, given, field->field) : MICA_OK;
}

static mica_status add_fields(struct opening *o)
{
    const mica_csv_desc *desc = o->desc;
    bool scaled = desc->series.sequence_length && desc->regression;
    const mica_column_field usual[] = {
        {.role = MICA_INPUT, .columns = desc->columns, .normalize = desc->normalize, .text = desc->text},
        {.role = MICA_TARGET, .columns = o->label, .regression = desc->regression,
         .normalize = scaled ? desc->normalize : (mica_normalize){.type = MICA_NORMALIZE_NONE}},
    };
    bool named = desc->fields && desc->field_count > 0;
    const mica_column_field *given = named ? desc->fields : usual;
    int count = named ? desc->field_count : desc->label ? 2 : 1;
    o->fields = mi_new((size_t)count, sizeof *o->fields);
    o->wishes = mi_new((size_t)count, sizeof *o->wishes);
    if (!o->fields || !o->wishes)
        return mi_out_of_memory(&o->data->error);
    for (int i = 0; i < count; i++)
        MI_TRY(add_field(o, &given[i]));
    if (!named) { /* the keys of the short form */
        o->wishes[0].key = "columns";
        o->wishes[count - 1].key = count > 1 ? "label" : "columns";
    }
    return MICA_OK;
}

/* A column of texts is of no other kind, and the only one of its field. */
static mica_status check_texts(struct opening *o)
{
    for (int i = 0; i < o->count; i++) {
        const struct mi_column *first = o->fields[i].as->columns;
        int count = o->fields[i].as->column_count;
        if (!o->fields[i].text || (count == 1 && !first->categorical && !first->calendar && !first->logarithm))
            continue;
        const char *why = count == 1 ? ", and not categorical, of a calendar or a logarithm"
                                     : mi_arena_format(&o->table.arena, ", these are %d", count);
        return mi_fail(&o->data->error, MICA_DATA, "%s: %s: a text is one column%s", o->path, o->wishes[i].key, why ? why : "");
    }
    return MICA_OK;
}

static mica_status choose_columns(struct opening *o)
{
    struct mi_error *error = &o->data->error;
    MI_TRY(add_fields(o));
    o->missing = o->desc->missing;
    struct mi_column_wishes wishes = {
        .fields = o->wishes, .drop = o->desc->drop, .categorical = o->desc->categorical, .logarithm = o->desc->logarithm,
        .calendar = o->desc->calendar, .calendar_count = o->desc->calendar_count, .date = o->desc->date,
        .shared = o->desc->series.sequence_length != 0};
    MI_TRY(mi_table_choose(error, o->path, &o->table, &wishes, o->fields, o->count));
    for (int i = 0; i < o->count; i++)
        if (o->fields[i].classes && o->fields[i].as->column_count != 1)
            return mi_fail(error, MICA_DATA, "%s: %s: a class is one column, these are %d; values to regress need a regression",
                           o->path, o->wishes[i].key, o->fields[i].as->column_count);
    MI_TRY(check_texts(o));
    MI_TRY(mi_table_categories(error, o->path, &o->table, o->fields, o->count));
    for (int i = 0; i < o->count; i++)
        if (!mi_preprocess_mark(&o->fields[i].field->preprocess))
            return mi_out_of_memory(error);
    return MICA_OK;
}

static bool is_read_from_table(const struct mi_preprocess *as)
{
    return as->column_count > 0;
}

/* The label may be another column than the one that the model was trained on. */
static mica_status find_label(struct opening *o)
{
    for (int i = 0; i < o->count && o->desc->label; i++) {
        struct mi_table_field *field = &o->fields[i];
        if (field->as->role != MICA_TARGET || field->as->column_count != 1)
            continue;
        if (!field->columns && !(field->columns = mi_new(1, sizeof *field->columns)))
            return mi_out_of_memory(&o->data->error);
        return mi_table_find(&o->data->error, o->path, &o->table, "label", o->desc->label, field->columns);
    }
    return MICA_OK;
}

static mica_status map_columns(struct opening *o)
{
    struct mi_error *error = &o->data->error;
    o->fields = mi_new((size_t)o->fitted->count, sizeof *o->fields);
    if (!o->fields)
        return mi_out_of_memory(error);
    for (int i = 0; i < o->fitted->count; i++)
        if (is_read_from_table(&o->fitted->fields[i]))
            o->fields[o->count++] = (struct mi_table_field){.as = &o->fitted->fields[i],
                                                            .text = o->fitted->fields[i].vocabulary.count > 0,
                                                            .classes = !o->fitted->fields[i].shape.rank};
    if (!o->count)
        return mi_fail(error, MICA_DATA, "%s: the model was not trained on a table", o->path);
    o->missing = o->fields[0].as->missing;
    MI_TRY(mi_table_map_fitted(error, o->path, &o->table, o->fields, o->count));
    MI_TRY(find_label(o));
    for (int i = 0; i < o->count; i++) {
        struct mi_table_field *field = &o->fields[i];
        const char *name = field->as->columns[0].name;
        if (!field->columns)
            return mi_fail(error, MICA_DATA, "%s: the label, \"%s\", is not in the table", o->path,
                           name ? mi_show(name).text : "the last column");
        field->field = mi_data_add(o->data, field->as->name, field->as->role);
        if (!field->field)
            return error->status;
    }
    return MICA_OK;
}

/* ---- Lines ---- */

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

static mica_status take_row(void *user, const struct mi_cursor *cursor, size_t row)
{
    struct opening *o = user;
    if (!row)
        o->data->first_line = cursor->line;
    if (o->date < o->table.columns)
        MI_TRY(mi_table_date(o->data, o->path, cursor, o->date, row));
    return take_line(o, cursor->line, row);
}

/* ---- Rows ---- */

/* Names of classes from a table's first line. */
static mica_status take_class_names(struct opening *o, struct mi_field *field)
{
    struct mi_label_texts *labels = &field->labels;
    size_t count = o->table.class_count;
    if (!count)
        return MICA_OK;
    const char **names = mi_arena_new(&labels->words.arena, count, sizeof *names);
    for (size_t i = 0; names && i < count; i++)
        names[i] = mi_arena_strdup(&labels->words.arena, o->table.class_names[i]);
    labels->names = names;
    labels->name_count = count;
    return labels->words.arena.failed ? mi_out_of_memory(&o->data->error) : MICA_OK;
}

/* The first input says where dates are. */
static void find_date(struct opening *o)
{
    o->date = o->table.columns;
    for (int i = 0; i < o->count; i++)
        if (o->fields[i].as->date &&
            !mi_table_find_date(&o->table, o->fields[i].as->date, o->fields[i].as->table_columns, &o->date))
            o->date = o->table.columns;
}

static mica_status take_rows(struct opening *o)
{
    mica_data *data = o->data;
    find_date(o);
    MI_TRY(mi_table_rows(data, o->path, &o->table, o->fields, o->count, o->missing, &o->budget, take_row, o, &o->rows));
    data->count[MICA_TRAIN] = data->samples;
    for (int i = 0; i < o->count; i++) {
        struct mi_table_field *from = &o->fields[i];
        if (mi_table_takes_numbers(from))
            from->field->preprocess.shape = MICA_SHAPE((int64_t)mi_preprocess_features(from->as));
        if (!from->classes)
            continue;
        MI_TRY(take_class_names(o, from->field));
        MI_TRY(mi_labels_finish(data, from->field, o->path, o->fitted ? from->as : NULL));
    }
    return MICA_OK;
}

/* The rows of a series become windows over them, as the description or the model has them. */
static mica_status cut_rows(struct opening *o)
{
    mica_data *data = o->data;
    bool told = !o->fitted || mi_data_fields(data, MICA_TARGET) > 0; /* else the future is asked for */
    for (int i = 0; o->fitted && i < o->count; i++)
        o->fields[i].field->preprocess.window = o->fields[i].as->window;
    if (o->rows.dropped && data->fields[0]->preprocess.window.steps + o->desc->series.sequence_length > 0)
        return mi_fail(&data->error, MICA_DATA, "%s: line %zu lacks a value, and a series has no row less; the mean of the "
                       "column or the value of the row above can stand there", o->path, o->rows.first_dropped);
    if (!o->fitted && o->desc->series.sequence_length)
        MI_TRY(mi_series_describe(data, o->path, &o->desc->series));
    if (!data->fields[0]->preprocess.window.steps)
        return MICA_OK;
    MI_TRY(mi_series_cut(data, o->path, !told));
    return mi_dates_finish(data, !o->fitted);
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
    if (o->data->starts)
        mi_text_add(&line, "; %lld windows of %lld steps", (long long)o->data->samples,
                    (long long)o->data->fields[0]->preprocess.window.steps);
    mi_data_note(o->data, MI_NOTE_TABLE, &line);
}

static bool is_read(const struct opening *o, size_t column)
{
    for (int f = 0; f < o->count; f++)
        for (int c = 0; c < o->fields[f].as->column_count; c++)
            if (o->fields[f].columns[c] == column)
                return true;
    return column == o->date;
}

static void note_left_out(struct opening *o)
{
    const struct mi_table *t = &o->table;
    size_t count = 0, i = 0;
    struct mi_text line = {0};
    for (size_t c = 0; c < t->columns; c++)
        count += !is_read(o, c);
    if (count)
        mi_text_add(&line, "left out: ");
    for (size_t c = 0; c < t->columns && count; c++)
        if (!is_read(o, c))
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
    if (o->rows.filled)
        mi_text_add(&line, "%zu of %zu lines take missing values from the line above; the first is line %zu", o->rows.filled,
                    o->table.rows, o->rows.first_filled);
    mi_data_note(o->data, MI_NOTE_DROPPED, &line);
}

static void note_all(struct opening *o)
{
    note_dropped(o);
    if (o->fitted) /* the model says the rest */
        return;
    note_table(o);
    note_left_out(o);
    (void)mi_data_note_fields(o->data, false);
}

/* ---- The data set ---- */

/* Names of columns that the description has: a table with one of them in its first row has a header. */
static mica_status list_names(struct opening *o, const char *const ***lists, int *count)
{
    const mica_csv_desc *desc = o->desc;
    o->label[0] = desc->label;
    const char *const **all = *lists = mi_new((size_t)(desc->fields ? desc->field_count : 0) + 6, sizeof *all);
    if (!all)
        return mi_out_of_memory(&o->data->error);
    all[(*count)++] = o->label;
    all[(*count)++] = desc->categorical;
    all[(*count)++] = desc->columns;
    all[(*count)++] = desc->drop;
    all[(*count)++] = desc->logarithm;
    o->date_name[0] = desc->date;
    all[(*count)++] = o->date_name;
    for (int i = 0; desc->fields && i < desc->field_count; i++)
        all[(*count)++] = desc->fields[i].columns;
    return MICA_OK;
}

/* Takes `text`. */
static mica_status parse(struct opening *o, char *text, size_t size)
{
    const mica_csv_desc *desc = o->desc;
    struct mi_table_hints hints = {.header = desc->header, .decimal = desc->decimal, .fitted = o->fitted};
    const char *const **lists = NULL;
    mica_status status = MICA_OK;
    if (desc->decimal && desc->decimal != '.' && desc->decimal != ',')
        status = mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "%s: decimal is '%c'; it must be '.' or ','", o->path,
                         desc->decimal);
    if (status == MICA_OK)
        status = list_names(o, &lists, &hints.list_count);
    hints.lists = lists;
    if (status == MICA_OK)
        status = mi_table_parse(&o->data->error, o->path, text, size, &hints, &o->budget, &o->table);
    else
        free(text);
    free(lists);
    return status;
}

/* Takes `text`. */
static mica_status open_table(struct opening *o, char *text, size_t size)
{
    mica_data *data = o->data;
    const mica_csv_desc *desc = o->desc;
    MI_TRY(parse(o, text, size));
    MI_TRY(o->fitted ? map_columns(o) : choose_columns(o));
    MI_TRY(take_rows(o));
    MI_TRY(cut_rows(o));
    note_all(o);
    MI_TRY(data->error.status);
    mi_table_destroy(&o->table); /* before more memory is taken */
    MI_TRY(mi_data_finish(data, &(struct mi_finish){
        .place = o->path, .split = desc->split, .sample_shape = desc->sample_shape, .fitted = o->fitted}));
    return o->fitted ? MICA_OK : mi_data_note_fields(data, true); /* by now vocabularies are known */
}

mica_data *mi_csv_from_text(mica_device *device, const char *place, char *text, size_t size,
                            const mica_csv_desc *desc, const struct mi_prepared *fitted)
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
    for (int i = 0; i < o.count; i++)
        free(o.fields[i].columns);
    free(o.fields);
    free(o.wishes);
    (void)mi_data_report(data);
    return data;
}

mica_data *mi_csv_open(mica_device *device, const char *path, const mica_csv_desc *desc,
                       const struct mi_prepared *fitted)
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
