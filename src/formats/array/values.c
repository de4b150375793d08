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
        if (files[i].path && (files[i].array.dtype != MI_U8 || files[i].array.fortran))
            return false;
    return true;
}

static mica_status needs_doubles(mica_data *data, const struct mi_array_file *files, int count,
                                 const struct mi_preprocess *fitted, bool *out)
{
    struct mi_spread spread;
    bool wide = false;
    for (int i = 0; i < count; i++)
        wide = wide || (files[i].path && mi_dtype_is_wide(files[i].array.dtype));
    *out = false;
    if (!wide)
        return MICA_OK;
    double *row = mi_new(data->elements, sizeof *row);
    bool made = row && mi_spread_create(&spread, data->elements);
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
    return made ? MICA_OK : mi_out_of_memory(&data->error);
}

static mica_status read_file(mica_data *data, const struct mi_array_file *file, size_t at, bool missing)
{
    const mica_shape *shape = &data->preprocess.shape;
    if (data->bytes)
        memcpy(data->bytes + at, file->array.data, file->array.count);
    else if (data->doubles)
        return read_doubles(&data->error, file, shape, missing, data->doubles + at);
    else
        return mi_array_file_floats(&data->error, file, shape, missing, data->floats + at);
    return MICA_OK;
}

static const char *first_path(const struct mi_array_file *files)
{
    while (!files->path) /* there is one */
        files++;
    return files->path;
}

mica_status mi_take_inputs(mica_data *data, struct mi_budget *budget, struct mi_array_file *files, int count,
                           const struct mi_preprocess *fitted)
{
    size_t total = 0, values, bytes, at = 0;
    bool wide, narrow = all_bytes(files, count), missing = fitted && fitted->fill;
    for (int i = 0; i < count; i++)
        if (files[i].path && !mi_add_size(total, (size_t)files[i].array.dim[0], &total))
            return mi_out_of_memory(&data->error);
    data->samples = (int64_t)total;
    if (!mi_mul_size(total, data->elements, &values))
        return mi_out_of_memory(&data->error);
    MI_TRY(needs_doubles(data, files, count, fitted, &wide));
    if (!mi_mul_size(values, narrow ? 1 : wide ? sizeof *data->doubles : sizeof *data->floats, &bytes))
        return mi_out_of_memory(&data->error);
    MI_TRY(mi_budget_take(budget, &data->error, first_path(files), "the samples", bytes));
    if (narrow)
        data->bytes = mi_new(values, 1);
    else if (wide)
        data->doubles = mi_new(values, sizeof *data->doubles);
    else
        data->floats = mi_new(values, sizeof *data->floats);
    if (!data->bytes && !data->floats && !data->doubles)
        return mi_out_of_memory(&data->error);
    for (int i = 0; i < count; i++) {
        if (!files[i].path)
            continue;
        MI_TRY(read_file(data, &files[i], at, missing));
        at += files[i].array.count;
        mi_budget_give(budget, files[i].size);
        mi_array_file_close(&files[i]);
    }
    return MICA_OK;
}
