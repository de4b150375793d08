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
    if (bytes == sizeof *field->bytes)
        field->bytes = mi_new(count, sizeof *field->bytes);
    else if (bytes == sizeof *field->doubles)
        field->doubles = mi_new(count, sizeof *field->doubles);
    else
        field->floats = mi_new(count, sizeof *field->floats);
    return field->bytes || field->doubles || field->floats ? MICA_OK : mi_out_of_memory(&data->error);
}

/* Where a sample lies among the numbers of its field: so many of them, which begin at a place of the sample. All others of the
 * sample are padding, which is 0. */
struct span {
    size_t from, count, place;
};

static struct span span_of(const struct mi_field *field, int64_t index)
{
    const int64_t *offsets = field->texts.offsets;
    if (field->starts)
        return (struct span){(size_t)field->starts[index], field->elements, 0};
    if (!offsets)
        return (struct span){(size_t)index * field->elements, field->elements, 0};
    size_t count = (size_t)(offsets[index + 1] - offsets[index]);
    return (struct span){(size_t)offsets[index], count, field->preprocess.vocabulary.pad_before ? field->elements - count : 0};
}

void mi_field_values(const struct mi_field *field, int64_t index, float *out)
{
    const struct span span = span_of(field, index);
    size_t at = span.from;
    if (field->tokens) {
        memset(out, 0, field->elements * sizeof *out);
        for (size_t i = 0; i < span.count; i++)
            out[span.place + i] = (float)field->tokens[at + i];
        return;
    }
    if (field->bytes)
        mi_preprocess_bytes(&field->preprocess, field->bytes + at, out);
    else if (field->doubles)
        mi_preprocess_doubles(&field->preprocess, field->doubles + at, 1, out);
    else
        mi_preprocess_apply(&field->preprocess, field->floats + at, 1, out);
}

/* The numbers of a sample as they are, where its doubles are; NULL: they are made. */
static const double *plain_doubles(const struct mi_field *field, int64_t index)
{
    bool plain = field->doubles && !field->preprocess.count && !field->preprocess.fill;
    return plain ? field->doubles + (size_t)index * field->elements : NULL;
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
