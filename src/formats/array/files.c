/* Data sets from array files, IDX, .npy and .npz: an array of each field, for each part. */
#include "formats/formats.h"

#include <stdlib.h>
#include <string.h>

static const char *const part_names[3] = {"training", "validation", "test"};

/* What one field is read from. */
struct source {
    const mica_array_field *given;
    struct mi_field *field;
    struct mi_array_file file[3];        /* of each part */
    const struct mi_array_file *first;   /* of the parts that there are */
};

struct opening {
    mica_data *data;
    const mica_files_desc *desc;
    const struct mi_prepared *fitted;
    mi_array_parser *parser;
    struct source *sources;
    int count;
    struct mi_budget budget;
};

/* ---- Opening ---- */

static const char *things(const struct source *source)
{
    static const char *const names[] = {"inputs", "labels", "weights"};
    return names[source->given->role];
}

static mica_status open_array(struct opening *o, struct source *source, int part)
{
    struct mi_error *error = &o->data->error;
    struct mi_array_file *file = &source->file[part];
    const char *member = source->given->member;
    if (!source->given->part[part])
        return MICA_OK;
    file->path = source->given->part[part];
    MI_TRY(member ? mi_npz_read(error, file->path, member, &o->budget, &file->bytes, &file->size)
                  : mi_data_file_read(error, file->path, &o->budget, &file->bytes, &file->size));
    if (member) /* what errors call it */
        file->path = mi_arena_format(&source->field->preprocess.arena, "%s, \"%s\"", file->path, mi_show(member).text);
    if (!file->path)
        return mi_out_of_memory(error);
    MI_TRY(o->parser(error, file->path, file->bytes, file->size, &file->array));
    if (file->array.rank < 1)
        return mi_fail(error, MICA_DATA, "%s: there is a single value, not samples", file->path);
    if (!file->array.dim[0])
        return mi_fail(error, MICA_DATA, "%s: there are no samples", file->path);
    source->first = source->first ? source->first : file;
    return MICA_OK;
}

/* The shape of a sample. An IDX image has no channel dimension: it gets one. */
static mica_shape sample_shape(const struct opening *o, const struct source *source, const struct mi_array *array)
{
    mica_shape shape = {0};
    if (o->parser == mi_idx_parse && array->rank == 3 && source->given->role == MICA_INPUT)
        shape.dim[shape.rank++] = 1;
    for (int i = 1; i < array->rank; i++)
        shape.dim[shape.rank++] = array->dim[i];
    return shape.rank ? shape : MICA_SHAPE(1);
}

/* Every part must have samples of one shape, and as many as the first field has. */
static mica_status compare_part(struct opening *o, struct source *source, int part)
{
    struct mi_error *error = &o->data->error;
    const struct mi_array_file *lead = &o->sources[0].file[part], *own = &source->file[part];
    if (own->path && !lead->path)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: %s without a file of %s", own->path, things(source),
                       things(&o->sources[0]));
    if (!own->path && lead->path && source->first)
        return mi_fail(error, MICA_DATA, "%s has %s, the %s part has none", source->first->path, things(source), part_names[part]);
    if (!own->path)
        return MICA_OK;
    if (own->array.dim[0] != lead->array.dim[0])
        return mi_fail(error, MICA_DATA, "%s has %lld %s, %s has %lld %s", own->path, (long long)own->array.dim[0], things(source),
                       lead->path, (long long)lead->array.dim[0], things(&o->sources[0]));
    mica_shape a = sample_shape(o, source, &source->first->array), b = sample_shape(o, source, &own->array);
    if (!mi_sample_same(&a, &b))
        return mi_fail(error, MICA_SHAPE, "%s: a %s has shape %s, in %s it has %s", own->path,
                       source->given->role == MICA_TARGET ? "label" : "sample", mi_sample_text(&b).text, source->first->path,
                       mi_sample_text(&a).text);
    return MICA_OK;
}

static mica_status open_source(struct opening *o, struct source *source)
{
    source->field = mi_data_add(o->data, source->given->name, source->given->role);
    if (!source->field)
        return o->data->error.status;
    source->field->normalize = source->given->normalize;
    for (int part = 0; part < 3; part++)
        MI_TRY(open_array(o, source, part));
    for (int part = 0; part < 3; part++)
        MI_TRY(compare_part(o, source, part));
    if (source->first)
        return MICA_OK;
    const mica_array_field *second = o->count > 1 && source == o->sources ? o->sources[1].given : NULL;
    for (int part = 0; second && part < 3; part++)
        if (second->part[part])
            return mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "%s: labels without a file of inputs", second->part[part]);
    return mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "no file of %s is given%s", things(source),
                   mi_field_text(&source->field->preprocess).text);
}

/* ---- Taking ---- */

/* Whole numbers, one a sample, are classes unless the loss regresses. */
static bool are_classes(const struct source *source)
{
    for (int part = 0; part < 3; part++) {
        const struct mi_array_file *file = &source->file[part];
        if (file->path && (!mi_type_is_integer(file->array.type) || mi_array_row_elements(&file->array) != 1))
            return false;
    }
    return source->given->role == MICA_TARGET && !source->given->regression;
}

static const struct mi_preprocess *fitted_of(const struct opening *o, const struct source *source)
{
    return o->fitted ? mi_prepared_find(o->fitted, source->given->role, source->given->name) : NULL;
}

static mica_status take_classes(struct opening *o, struct source *source)
{
    char text[24];
    int64_t next = 0;
    source->field->elements = 1;
    for (int part = 0; part < 3; part++)
        for (int64_t i = 0; source->file[part].path && i < source->file[part].array.dim[0]; i++) {
            mi_format(text, sizeof text, "%lld", (long long)mi_array_integer(&source->file[part].array, (size_t)i));
            MI_TRY(mi_labels_add(o->data, source->field, source->first->path, next++, text));
        }
    return mi_labels_finish(o->data, source->field, source->first->path, fitted_of(o, source));
}

static mica_status take_source(struct opening *o, struct source *source)
{
    struct mi_field *field = source->field;
    if (are_classes(source))
        return take_classes(o, source);
    field->preprocess.shape = sample_shape(o, source, &source->first->array);
    if (!mi_sample_elements(&field->preprocess.shape, &field->elements))
        return mi_fail(&o->data->error, MICA_SHAPE, "%s: samples of shape %s have no elements or too many", source->first->path,
                       mi_sample_text(&field->preprocess.shape).text);
    return mi_take_values(o->data, field, &o->budget, source->file, 3, fitted_of(o, source));
}

static mica_status finish(struct opening *o)
{
    const char **places = mi_new((size_t)o->count, sizeof *places);
    if (!places)
        return mi_out_of_memory(&o->data->error);
    for (int i = 0; i < o->count; i++)
        places[i] = o->sources[i].first->path;
    mica_status status = mi_data_finish(o->data, &(struct mi_finish){.place = places[0], .places = places, .split = o->desc->split,
                                                                     .sample_shape = o->desc->sample_shape, .fitted = o->fitted});
    free(places);
    if (status == MICA_OK)
        status = mi_data_note_fields(o->data, true);
    return status == MICA_OK ? mi_data_note_fields(o->data, false) : status;
}

static mica_status open_files(struct opening *o)
{
    o->budget = mi_budget_of(&o->desc->limits);
    for (int i = 0; i < o->count; i++)
        MI_TRY(open_source(o, &o->sources[i]));
    for (int part = 0; part < 3; part++) {
        o->data->count[part] = o->sources[0].file[part].path ? o->sources[0].file[part].array.dim[0] : 0;
        o->data->samples += o->data->count[part];
    }
    for (int i = 0; i < o->count; i++)
        MI_TRY(take_source(o, &o->sources[i]));
    return finish(o);
}

/* ---- The data set ---- */

static mica_status open_sources(struct opening *o, const mica_array_field *given, int count)
{
    o->sources = mi_new((size_t)count, sizeof *o->sources);
    if (!o->sources)
        return mi_out_of_memory(&o->data->error);
    o->count = count;
    for (int i = 0; i < count; i++)
        o->sources[i].given = &given[i];
    mica_status status = open_files(o);
    for (int i = 0; i < count; i++)
        for (int part = 0; part < 3; part++)
            mi_array_file_close(&o->sources[i].file[part]);
    free(o->sources);
    return status;
}

static mica_status open_any(struct opening *o)
{
    const mica_files_desc *desc = o->desc;
    if (!desc)
        return mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "files: a description is needed");
    if (desc->field_count > 0 && desc->fields)
        return open_sources(o, desc->fields, desc->field_count);
    mica_array_field fields[2] = {{.role = MICA_INPUT, .normalize = desc->normalize}, {.role = MICA_TARGET,
                                                                                       .regression = desc->regression}};
    bool labels = false;
    for (int part = 0; part < 3; part++) {
        fields[0].part[part] = desc->part[part].inputs;
        fields[1].part[part] = desc->part[part].labels;
        labels = labels || desc->part[part].labels;
    }
    return open_sources(o, fields, labels ? 2 : 1);
}

mica_data *mi_files_open(mica_device *device, const mica_files_desc *desc, mi_array_parser *parser,
                         const struct mi_prepared *fitted)
{
    mica_data *data = mi_data_create(device);
    if (!data)
        return NULL;
    struct opening o = {.data = data, .desc = desc, .fitted = fitted, .parser = parser};
    (void)open_any(&o);
    (void)mi_data_report(data);
    return data;
}

mica_data *mica_idx_open(mica_device *device, const mica_files_desc *desc)
{
    return mi_files_open(device, desc, mi_idx_parse, NULL);
}

mica_data *mica_npy_open(mica_device *device, const mica_files_desc *desc)
{
    return mi_files_open(device, desc, mi_npy_parse, NULL);
}
