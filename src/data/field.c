/* Fields of a data set: what a sample has under a name, as it was read and as the network sees it. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

struct mi_field *mi_data_add(mica_data *data, const char *name, mica_role role)
{
    struct mi_field *field = mi_new(1, sizeof *field);
    if (!field || !mi_grow(&data->fields, &data->field_capacity, (size_t)data->field_count + 1, sizeof(struct mi_field *))) {
        free(field);
        mi_out_of_memory(&data->error);
        return NULL;
    }
    data->fields[data->field_count++] = field;
    field->preprocess.role = role;
    field->preprocess.name = name ? mi_arena_strdup(&field->preprocess.arena, name) : NULL;
    if (!field->preprocess.arena.failed)
        return field;
    mi_out_of_memory(&data->error);
    return NULL;
}

void mi_field_destroy(struct mi_field *field)
{
    free(field->bytes);
    free(field->floats);
    free(field->doubles);
    free(field->classes);
    mi_labels_destroy(&field->labels);
    mi_texts_destroy(&field->texts);
    free(field->offsets);
    free(field->lengths);
    free(field->numbers);
    mi_preprocess_destroy(&field->preprocess);
    free(field);
}

int mi_data_fields(const mica_data *data, mica_role role)
{
    int count = 0;
    for (int i = 0; i < data->field_count; i++)
        count += data->fields[i]->preprocess.role == role;
    return count;
}

struct mi_field *mi_data_field(const mica_data *data, mica_role role, const char *name)
{
    struct mi_field *first = NULL;
    for (int i = 0; i < data->field_count; i++) {
        struct mi_field *field = data->fields[i];
        if (field->preprocess.role != role)
            continue;
        if (name && field->preprocess.name && !strcmp(field->preprocess.name, name))
            return field;
        first = first ? first : field;
    }
    return !name || mi_data_fields(data, role) == 1 ? first : NULL;
}

struct mi_shape_text mi_field_text(const struct mi_preprocess *field)
{
    struct mi_shape_text out = {""};
    if (field->name)
        mi_format(out.text, sizeof out.text, " \"%s\"", mi_show(field->name).text);
    return out;
}

const char *mi_field_class_name(const struct mi_field *field, int i)
{
    const struct mi_preprocess *p = &field->preprocess;
    if (i < 0 || i >= p->classes || (!p->class_names && !field->numbers))
        return "";
    return p->class_names ? p->class_names[i] : field->numbers[i];
}

mica_status mi_field_make(mica_data *data, struct mi_field *field, size_t bytes)
{
    size_t count;
    if (!mi_mul_size((size_t)data->samples, field->elements, &count))
        return mi_out_of_memory(&data->error);
    if (field->offsets)
        count = (size_t)field->offsets[data->samples] * field->width;
    if (bytes == sizeof *field->bytes)
        field->bytes = mi_new(count, sizeof *field->bytes);
    else if (bytes == sizeof *field->doubles)
        field->doubles = mi_new(count, sizeof *field->doubles);
    else
        field->floats = mi_new(count, sizeof *field->floats);
    return field->bytes || field->doubles || field->floats ? MICA_OK : mi_out_of_memory(&data->error);
}

int64_t mi_field_length(const struct mi_field *field, int64_t index)
{
    return field->offsets ? field->offsets[index + 1] - field->offsets[index] : field->preprocess.shape.dim[0];
}

struct mi_field *mi_field_lengths(mica_data *data, struct mi_field *field)
{
    if (field->lengths)
        return field->lengths;
    field->lengths = mi_new(1, sizeof *field->lengths);
    if (!field->lengths) {
        mi_out_of_memory(&data->error);
        return NULL;
    }
    field->lengths->preprocess.shape = MICA_SHAPE(1);
    field->lengths->elements = 1;
    field->lengths->lengths_of = field;
    return field->lengths;
}

/* Where a sample lies among the numbers of its field: so many of them, which begin at a place of the sample. All others of the
 * sample are padding. */
struct span {
    size_t from, count, place;
};

static struct span span_of(const struct mi_field *field, int64_t index)
{
    if (field->starts)
        return (struct span){(size_t)field->starts[index], field->elements, 0};
    if (!field->offsets)
        return (struct span){(size_t)index * field->elements, field->elements, 0};
    size_t count = (size_t)mi_field_length(field, index) * field->width;
    return (struct span){(size_t)field->offsets[index] * field->width, count,
                         field->preprocess.vocabulary.pad_before ? field->elements - count : 0};
}

/* A sample of which a part is padding: its numbers as they are read, then prepared, then padded. */
static void padded_values(const struct mi_field *field, const struct span *span, float *out)
{
    const struct mi_preprocess *p = &field->preprocess;
    memset(out, 0, field->elements * sizeof *out);
    for (size_t i = span->from, to = span->place; i < span->from + span->count; i++, to++)
        out[to] = field->tokens   ? (float)field->tokens[i]
                  : field->bytes  ? (float)field->bytes[i]
                  : field->floats ? field->floats[i] : (float)field->doubles[i];
    if (!p->count)
        return;
    mi_preprocess_apply(p, out, 1, out);
    memset(out, 0, span->place * sizeof *out);
    memset(out + span->place + span->count, 0, (field->elements - span->place - span->count) * sizeof *out);
}

/* Where the numbers of a sample begin; of a window those of the row that it sees as number `step`. */
static size_t place_of(const struct mi_field *field, int64_t index, size_t step)
{
    const struct mi_window *window = &field->preprocess.window;
    if (!field->starts)
        return (size_t)index * field->elements + step * mi_preprocess_row(&field->preprocess);
    return (size_t)(field->starts[index] + (window->first + (int64_t)step) * window->rate) * mi_preprocess_row(&field->preprocess);
}

/* n raw rows that lie together. */
static void prepare(const struct mi_field *field, size_t at, size_t n, float *out)
{
    size_t row = mi_preprocess_row(&field->preprocess);
    for (size_t i = 0; field->bytes && i < n; i++)
        mi_preprocess_bytes(&field->preprocess, field->bytes + at + i * row, out + i * row);
    if (field->bytes)
        return;
    if (field->doubles)
        mi_preprocess_doubles(&field->preprocess, field->doubles + at, n, out);
    else
        mi_preprocess_apply(&field->preprocess, field->floats + at, n, out);
}

void mi_field_values(const struct mi_field *field, int64_t index, float *out)
{
    if (field->lengths_of) {
        *out = (float)mi_field_length(field->lengths_of, index);
        return;
    }
    if (field->tokens || field->offsets) {
        const struct span span = span_of(field, index);
        padded_values(field, &span, out);
        return;
    }
    size_t rows = mi_preprocess_rows(&field->preprocess), row = mi_preprocess_row(&field->preprocess);
    bool together = !field->starts || field->preprocess.window.rate == 1;
    for (size_t step = 0; step < (together ? 1 : rows); step++)
        prepare(field, place_of(field, index, step), together ? rows : 1, out + step * row);
}

size_t mi_field_count(const mica_data *data, const struct mi_field *field)
{
    bool windows = field->starts && !field->tokens;
    if (field->offsets)
        return (size_t)field->offsets[data->samples] * field->width;
    return (size_t)(windows ? data->rows : data->samples) * (windows ? mi_preprocess_row(&field->preprocess) : field->elements);
}

/* The numbers of a sample as they are, where its doubles are and lie together; NULL: they are made. */
static const double *plain_doubles(const struct mi_field *field, int64_t index)
{
    bool together = !field->starts || field->preprocess.window.rate == 1;
    bool plain = field->doubles && together && !field->offsets && !field->preprocess.count && !field->preprocess.fill &&
                 !field->preprocess.logarithm;
    return plain ? field->doubles + place_of(field, index, 0) : NULL;
}

void mi_field_doubles(const struct mi_field *field, int64_t index, float *row, double *out)
{
    const double *plain = plain_doubles(field, index);
    if (!plain)
        mi_field_values(field, index, row);
    for (size_t i = 0; i < field->elements; i++)
        out[i] = plain ? plain[i] : (double)row[i];
}

void mi_field_elements(const struct mi_field *field, int64_t index, enum mi_type type, float *row, void *out)
{
    const double *plain = plain_doubles(field, index);
    if (type == MI_FLOAT) {
        mi_field_values(field, index, out);
        return;
    }
    if (field->tokens && type == MI_INT32) {
        const struct span span = span_of(field, index);
        memset(out, 0, field->elements * sizeof(int32_t));
        if (span.count)
            memcpy((int32_t *)out + span.place, field->tokens + span.from, span.count * sizeof(int32_t));
        return;
    }
    if (!plain)
        mi_field_values(field, index, row);
    for (size_t i = 0; i < field->elements; i++)
        mi_element_set(type, out, i, plain ? plain[i] : (double)row[i]);
}

cJSON *mi_data_describe(const mica_data *data)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; list && i < data->field_count; i++) {
        cJSON *item = mi_preprocess_to_json(&data->fields[i]->preprocess);
        if (item && cJSON_AddItemToArray(list, item))
            continue;
        cJSON_Delete(item);
        cJSON_Delete(list);
        list = NULL;
    }
    return list;
}

int mica_data_field_count(const mica_data *data)
{
    return data ? data->field_count : 0;
}

const char *mica_data_field_name(const mica_data *data, int i)
{
    if (!data || i < 0 || i >= data->field_count)
        return NULL;
    return data->fields[i]->preprocess.name ? data->fields[i]->preprocess.name : "";
}
