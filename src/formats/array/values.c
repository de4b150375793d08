/* Arrays of files as the inputs of a data set. */
#include "formats/formats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void mi_array_file_close(struct mi_array_file *file)
{
    free(file->bytes);
    file->bytes = NULL;
}

/* "column 3" of flat samples, "element [0, 3, 4]" of others. */
static void element_text(const mica_shape *shape, size_t element, char *out, size_t size)
{
    mica_shape place = {.rank = shape->rank};
    for (int i = shape->rank - 1; i >= 0; i--) {
        place.dim[i] = (int64_t)(element % (size_t)shape->dim[i]);
        element /= (size_t)shape->dim[i];
    }
    if (shape->rank == 1)
        mi_format(out, size, "column %lld", (long long)place.dim[0]);
    else
        mi_format(out, size, "element %s", mi_sample_text(&place).text);
}

static mica_status not_finite(struct mi_error *error, const struct mi_array_file *file, const mica_shape *shape, size_t row,
                              size_t i, bool nan)
{
    char element[224];
    element_text(shape, i, element, sizeof element);
    return mi_fail(error, MICA_DATA, "%s: row %zu, %s is %s", file->path, row, element,
                   nan ? "nan" : "infinite or too large for a float");
}

mica_status mi_array_file_floats(struct mi_error *error, const struct mi_array_file *file, const mica_shape *shape,
                                 bool missing, float *out)
{
    size_t elements = mi_array_row_elements(&file->array);
    for (size_t row = 0; row < (size_t)file->array.dim[0]; row++, out += elements) {
        mi_array_row_floats(&file->array, row, out);
        for (size_t i = 0; i < elements; i++)
            if (!isfinite(out[i]) && !(missing && isnan(out[i])))
                return not_finite(error, file, shape, row, i, isnan(out[i]));
    }
    return MICA_OK;
}

static mica_status read_doubles(struct mi_error *error, const struct mi_array_file *file, const mica_shape *shape,
                                bool missing, double *out)
{
    size_t elements = mi_array_row_elements(&file->array);
    for (size_t row = 0; row < (size_t)file->array.dim[0]; row++, out += elements) {
        mi_array_row_doubles(&file->array, row, out);
        for (size_t i = 0; i < elements; i++)
            if (!isfinite((float)out[i]) && !(missing && isnan(out[i])))
                return not_finite(error, file, shape, row, i, isnan(out[i]));
    }
    return MICA_OK;
}

/* ---- What they are kept as ---- */

static bool all_bytes(const struct mi_array_file *files, int count)
{
    for (int i = 0; i < count; i++)
        if (files[i].path && (files[i].array.type != MI_UINT8 || files[i].array.fortran))
            return false;
    return true;
}

static mica_status needs_doubles(struct mi_error *error, size_t elements, const struct mi_array_file *files, int count,
                                 const struct mi_preprocess *fitted, bool *out)
{
    struct mi_spread spread;
    bool wide = false;
    for (int i = 0; i < count; i++)
        wide = wide || (files[i].path && mi_type_is_wide(files[i].array.type));
    *out = false;
    if (!wide)
        return MICA_OK;
    double *row = mi_new(elements, sizeof *row);
    bool made = row && mi_spread_create(&spread, elements);
    for (int i = 0; made && i < count; i++)
        for (int64_t r = 0; files[i].path && r < files[i].array.dim[0]; r++) {
            mi_array_row_doubles(&files[i].array, (size_t)r, row);
            mi_spread_add(&spread, row);
        }
    if (made) {
        *out = mi_spread_needs_doubles(&spread, fitted);
        mi_spread_destroy(&spread);
    }
    free(row);
    return made ? MICA_OK : mi_out_of_memory(error);
}

static mica_status read_file(struct mi_error *error, struct mi_field *field, const struct mi_array_file *file, size_t at,
                             bool missing)
{
    const mica_shape *shape = &field->preprocess.shape;
    if (field->bytes)
        memcpy(field->bytes + at, file->array.data, file->array.count);
    else if (field->doubles)
        return read_doubles(error, file, shape, missing, field->doubles + at);
    else
        return mi_array_file_floats(error, file, shape, missing, field->floats + at);
    return MICA_OK;
}

static const char *first_path(const struct mi_array_file *files)
{
    while (!files->path) /* there is one */
        files++;
    return files->path;
}

mica_status mi_take_values(mica_data *data, struct mi_field *field, struct mi_budget *budget, struct mi_array_file *files,
                           int count, const struct mi_preprocess *fitted)
{
    size_t total = 0, values, bytes, at = 0;
    bool wide, missing = fitted && fitted->fill;
    for (int i = 0; i < count; i++)
        if (files[i].path && !mi_add_size(total, (size_t)files[i].array.dim[0], &total))
            return mi_out_of_memory(&data->error);
    data->samples = (int64_t)total;
    MI_TRY(needs_doubles(&data->error, field->elements, files, count, fitted, &wide));
    size_t each = all_bytes(files, count) ? 1 : wide ? sizeof *field->doubles : sizeof *field->floats;
    if (!mi_mul_size(total, field->elements, &values) || !mi_mul_size(values, each, &bytes))
        return mi_out_of_memory(&data->error);
    MI_TRY(mi_budget_take(budget, &data->error, first_path(files), "the samples", bytes));
    MI_TRY(mi_field_make(data, field, each));
    for (int i = 0; i < count; i++) {
        if (!files[i].path)
            continue;
        MI_TRY(read_file(&data->error, field, &files[i], at, missing));
        at += files[i].array.count;
        mi_budget_give(budget, files[i].size);
        mi_array_file_close(&files[i]);
    }
    return MICA_OK;
}
