/* Raw inputs for prediction, from one file of any format that data come in. */
#include "formats/formats.h"
#include "formats/table/table.h"

#include <stdlib.h>
#include <string.h>

struct request {
    mica_data *data;
    const char *path;
    struct mi_field *field;
    const struct mi_prepared *fitted;       /* of a model; NULL: the shape is all that is known */
    const struct mi_preprocess *preprocess; /* of its input; NULL as well */
    mica_shape shape;
    size_t elements;
    struct mi_budget *budget;
};

/* ---- Arrays ---- */

/* Samples along the first dimension, or one sample alone, which then gets a dimension of 1 before the others. */
static mica_status make_rows(const struct request *r, struct mi_array *array, bool idx)
{
    struct mi_error *error = &r->data->error;
    mica_shape whole = {0}, each = {0};
    for (int i = 0; i < array->rank; i++) {
        whole.dim[whole.rank++] = array->dim[i];
        if (i)
            each.dim[each.rank++] = array->dim[i];
    }
    if (!each.rank)
        each = MICA_SHAPE(1);
    if (!array->rank || array->count == 0)
        return mi_fail(error, MICA_DATA, "%s: there are no samples", r->path);
    bool alone = !idx && array->count == r->elements && array->dim[0] != 1 && mi_array_row_elements(array) != r->elements;
    MI_TRY(mi_sample_reshape(error, r->path, alone ? &whole : &each, &r->shape));
    if (!alone)
        return MICA_OK;
    if (array->rank == MICA_MAX_RANK)
        return mi_fail(error, MICA_SHAPE, "%s: more than 7 dimensions", r->path);
    for (int i = array->rank; i > 0; i--)
        array->dim[i] = array->dim[i - 1];
    array->dim[0] = 1;
    array->rank++;
    return MICA_OK;
}

static mica_status read_array(const struct request *r, mi_array_parser *parser, struct mi_array_file *file, size_t size)
{
    mica_data *data = r->data;
    MI_TRY(parser(&data->error, r->path, file->bytes, size, &file->array));
    MI_TRY(make_rows(r, &file->array, parser == mi_idx_parse));
    r->field->elements = r->elements;
    r->field->preprocess.shape = r->shape;
    return mi_take_values(data, r->field, r->budget, file, 1, r->preprocess);
}

/* ---- Tables ---- */

/* A model that was not trained on a table takes one whose columns are the elements of a sample. */
static mica_status plain_columns(const struct request *r, const struct mi_table *table, struct mi_preprocess *out)
{
    struct mi_error *error = &r->data->error;
    if (table->columns != r->elements)
        return mi_fail(error, MICA_SHAPE, "%s: the table has %zu columns, a sample of shape %s has %zu elements", r->path,
                       table->columns, mi_sample_text(&r->shape).text, r->elements);
    *out = (struct mi_preprocess){.shape = r->shape, .column_count = (int)r->elements, .table_columns = (int)r->elements};
    out->columns = mi_arena_new(&out->arena, r->elements, sizeof *out->columns);
    for (int c = 0; out->columns && c < out->column_count; c++)
        out->columns[c].index = c;
    return out->columns ? MICA_OK : mi_out_of_memory(error);
}

/* The fields of the model that a table may have; what should be answered is looked for and not read. */
static mica_status map_fields(const struct request *r, const struct mi_table *table, const struct mi_preprocess *plain,
                              struct mi_table_field *fields)
{
    int count = 1;
    fields[0] = (struct mi_table_field){.field = r->field, .as = plain ? plain : r->preprocess,
                                        .text = !plain && r->preprocess->vocabulary.count > 0};
    for (int i = 0; !plain && i < r->fitted->count; i++)
        if (r->fitted->fields[i].role != MICA_INPUT && r->fitted->fields[i].column_count)
            fields[count++].as = &r->fitted->fields[i];
    mica_status status = mi_table_map_fitted(&r->data->error, r->path, table, fields, count);
    for (int i = 1; i < count; i++)
        free(fields[i].columns);
    return status;
}

/* Takes the date of a row, where the model knows a column of dates that the table has. */
struct dating {
    const struct request *request;
    size_t column;
};

static mica_status take_date(void *user, const struct mi_cursor *cursor, size_t row)
{
    const struct dating *dating = user;
    return mi_table_date(dating->request->data, dating->request->path, cursor, dating->column, row);
}

static mica_status read_mapped(const struct request *r, const struct mi_table *table, const struct mi_preprocess *plain)
{
    struct mi_table_field *fields = mi_new(plain ? 1 : (size_t)r->fitted->count, sizeof *fields);
    struct mi_rows rows = {0};
    if (!fields)
        return mi_out_of_memory(&r->data->error);
    mica_status status = map_fields(r, table, plain, fields);
    mica_missing missing = fields[0].as->missing == MICA_MISSING_DROP ? MICA_MISSING_ERROR : fields[0].as->missing;
    struct dating dating = {.request = r};
    const struct mi_preprocess *as = fields[0].as;
    bool dated = as->date && mi_table_find_date(table, as->date, as->table_columns, &dating.column);
    if (status == MICA_OK) /* every line must get its answer */
        status = mi_table_rows(r->data, r->path, table, fields, 1, missing, r->budget, dated ? take_date : NULL, &dating, &rows);
    r->field->preprocess.window = as->window;
    if (status == MICA_OK && as->window.steps) /* the last window is what the future is told from */
        status = mi_series_cut(r->data, r->path, true);
    if (status == MICA_OK && as->window.steps)
        status = mi_dates_finish(r->data, false);
    free(fields[0].columns);
    free(fields);
    r->field->preprocess.shape = r->shape;
    return status;
}

/* Takes `text`. */
static mica_status read_table(const struct request *r, char *text, size_t size)
{
    struct mi_table table;
    struct mi_preprocess plain = {0};
    bool columns = r->preprocess && r->preprocess->column_count;
    struct mi_table_hints hints = {.fitted = columns ? r->fitted : NULL};
    mica_status status = mi_table_parse(&r->data->error, r->path, text, size, &hints, r->budget, &table);
    if (status == MICA_OK && !columns)
        status = plain_columns(r, &table, &plain);
    if (status == MICA_OK)
        status = read_mapped(r, &table, columns ? NULL : &plain);
    mi_preprocess_destroy(&plain);
    mi_table_destroy(&table);
    return status;
}

/* ---- Lines ---- */

/* Each line is a text, however many marks it has; the last may lack its end. */
static mica_status read_lines(const struct request *r, char *text, size_t size)
{
    mica_data *data = r->data;
    size_t fault = mi_text_fault(text, size), bytes;
    if (fault < size)
        return mi_fail(&data->error, MICA_FORMAT, "%s: byte %zu (0x%02x) is no text in UTF-8", r->path, fault,
                       (unsigned char)text[fault]);
    if (!mi_mul_size(size, mi_tokens_cost(r->preprocess->vocabulary.tokens) + sizeof(int64_t), &bytes))
        return mi_out_of_memory(&data->error);
    MI_TRY(mi_budget_take(r->budget, &data->error, r->path, "its tokens", bytes));
    for (size_t i = 0; i < size; i++)
        data->samples += text[i] == '\n' || i + 1 == size;
    for (int64_t line = 0; line < data->samples; line++) {
        size_t length = strcspn(text, "\n");
        text[length] = 0;
        if (length && text[length - 1] == '\r')
            text[length - 1] = 0;
        MI_TRY(mi_texts_add(data, r->field, &r->preprocess->vocabulary, line, text));
        text += length + 1;
    }
    data->first_line = 1;
    return MICA_OK;
}

/* ---- Any file ---- */

static mica_status read_any(const struct request *r)
{
    struct mi_array_file file = {.path = r->path};
    size_t size;
    MI_TRY(mi_data_file_read(&r->data->error, r->path, r->budget, &file.bytes, &size));
    file.size = size;
    const char *dot = strrchr(r->path, '.');
    bool npy = mi_is_npy(file.bytes, size) || (dot && !strcmp(dot, ".npy"));
    if (dot && !strcmp(dot, ".txt") && r->preprocess && r->preprocess->vocabulary.padded) {
        mica_status status = read_lines(r, (char *)file.bytes, size);
        free(file.bytes);
        return status;
    }
    if (!npy && !mi_is_idx(file.bytes, size))
        return read_table(r, (char *)file.bytes, size);
    mica_status status = read_array(r, npy ? mi_npy_parse : mi_idx_parse, &file, size);
    mi_array_file_close(&file);
    return status;
}

static mica_status open_inputs(struct request *r)
{
    mica_data *data = r->data;
    if (!mi_sample_elements(&r->shape, &r->elements) || r->elements > INT32_MAX)
        return mi_fail(&data->error, MICA_SHAPE, "%s: inputs of shape %s cannot be read", r->path,
                       mi_sample_text(&r->shape).text);
    MI_TRY(read_any(r));
    data->count[MICA_TRAIN] = data->samples;
    return mi_data_finish(data, &(struct mi_finish){.place = r->path, .fitted = r->fitted});
}

mica_data *mi_inputs_open(mica_device *device, const char *path, const struct mi_prepared *fitted, const char *name,
                          const mica_shape *shape)
{
    mica_data *data = mi_data_create(device);
    if (!data)
        return NULL;
    const struct mi_preprocess *known = fitted ? mi_prepared_find(fitted, MICA_INPUT, name) : NULL;
    struct mi_budget budget = mi_budget_of(NULL);
    struct request r = {.data = data, .path = path, .field = mi_data_add(data, name, MICA_INPUT), .fitted = known ? fitted : NULL,
                        .preprocess = known, .shape = known ? known->shape : *shape, .budget = &budget};
    if (r.field)
        (void)open_inputs(&r);
    (void)mi_data_report(data);
    return data;
}

/* ---- Texts in memory ---- */

static mica_status take_texts(mica_data *data, const char *const *texts, int64_t count, const struct mi_prepared *fitted,
                              const struct mi_preprocess *known)
{
    struct mi_field *field = mi_data_add(data, known->name, MICA_INPUT);
    data->samples = data->count[MICA_TRAIN] = count;
    if (!field)
        return data->error.status;
    for (int64_t i = 0; i < count; i++) {
        size_t size = texts[i] ? strlen(texts[i]) : 0, fault = texts[i] ? mi_text_fault(texts[i], size) : 0;
        if (!texts[i])
            return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "text %lld is NULL", (long long)i);
        if (fault < size)
            return mi_fail(&data->error, MICA_FORMAT, "text %lld: byte %zu (0x%02x) is no text in UTF-8", (long long)i, fault,
                           (unsigned char)texts[i][fault]);
        MI_TRY(mi_texts_add(data, field, &known->vocabulary, i, texts[i]));
    }
    return mi_data_finish(data, &(struct mi_finish){.place = "the texts", .fitted = fitted});
}

mica_data *mi_texts_open(mica_device *device, const char *const *texts, int64_t count, const struct mi_prepared *fitted)
{
    mica_data *data = mi_data_create(device);
    const struct mi_preprocess *known = NULL;
    int inputs = 0;
    if (!data)
        return NULL;
    for (int i = 0; i < fitted->count; i++) {
        const struct mi_preprocess *p = &fitted->fields[i];
        inputs += p->role == MICA_INPUT && !p->vocabulary.marked;
        if (p->role == MICA_INPUT && p->vocabulary.padded && !p->vocabulary.marked)
            known = p;
    }
    if (!known || inputs != 1)
        mi_fail(&data->error, MICA_UNSUPPORTED, "the model was trained on %s", inputs > 1 ? "several inputs, texts are one of them"
                                                                                       : "no column of texts");
    else if (!texts || count < 1)
        mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%lld texts%s", (long long)count, texts ? "" : ", and they are NULL");
    else
        (void)take_texts(data, texts, count, fitted, known);
    (void)mi_data_report(data);
    return data;
}
