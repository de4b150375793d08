/* Raw inputs for prediction, from one file of any format that data come in. */
#include "formats/formats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct mi_error *error;
    const char *path;
    const struct mi_preprocess *preprocess; /* NULL: the shape is all that is known */
    mica_shape shape;
    size_t elements;
    float **rows;
    int64_t *n;
};

/* Samples along the first dimension, or one sample alone. */
static mica_status sample_of(const struct request *r, const struct mi_array *array, bool idx, size_t *samples)
{
    mica_shape whole = {0}, each = {0};
    for (int i = 0; i < array->rank; i++) {
        whole.dim[whole.rank++] = array->dim[i];
        if (i)
            each.dim[each.rank++] = array->dim[i];
    }
    if (!each.rank)
        each = MICA_SHAPE(1);
    bool alone = array->rank >= 1 && !idx && array->count == r->elements && array->dim[0] != 1 &&
                 mi_array_row_elements(array) != r->elements;
    if (!array->rank || array->count == 0)
        return mi_fail(r->error, MICA_DATA, "%s: there are no samples", r->path);
    *samples = alone ? 1 : (size_t)array->dim[0];
    return mi_sample_reshape(r->error, r->path, alone ? &whole : &each, &r->shape);
}

static mica_status check_row(const struct request *r, const float *row, size_t i)
{
    bool fill = r->preprocess && r->preprocess->fill;
    for (size_t e = 0; e < r->elements; e++)
        if (!isfinite(row[e]) && !(fill && isnan(row[e])))
            return mi_fail(r->error, MICA_DATA, "%s: row %zu, element %zu is %s", r->path, i, e,
                           isnan(row[e]) ? "nan" : "infinite or too large for a float");
    return MICA_OK;
}

/* An array of one sample is read as a row of its own: a dimension of 1 goes before the others. */
static void add_row_dimension(struct mi_array *array)
{
    for (int i = array->rank; i > 0; i--)
        array->dim[i] = array->dim[i - 1];
    array->dim[0] = 1;
    array->rank++;
}

static mica_status read_array(const struct request *r, mi_array_parser *parser, const unsigned char *bytes,
                              size_t size)
{
    struct mi_array array;
    size_t samples = 0, count;
    MI_TRY(parser(r->error, r->path, bytes, size, &array));
    MI_TRY(sample_of(r, &array, parser == mi_idx_parse, &samples));
    if (samples == 1 && array.dim[0] != 1) {
        if (array.rank == MICA_MAX_RANK)
            return mi_fail(r->error, MICA_SHAPE, "%s: more than 7 dimensions", r->path);
        add_row_dimension(&array);
    }
    if (!mi_mul_size(samples, r->elements, &count) || !(*r->rows = mi_new(count, sizeof **r->rows)))
        return mi_out_of_memory(r->error);
    *r->n = (int64_t)samples;
    for (size_t i = 0; i < samples; i++) {
        float *row = *r->rows + i * r->elements;
        mi_array_row_floats(&array, i, row);
        MI_TRY(check_row(r, row, i));
    }
    return MICA_OK;
}

/* A model that was not trained on a table takes one whose columns are the elements of a sample. */
static mica_status plain_columns(const struct request *r, const struct mi_table *table,
                                 struct mi_preprocess *out)
{
    if (table->columns != r->elements)
        return mi_fail(r->error, MICA_SHAPE, "%s: the table has %zu columns, a sample of shape %s has %zu "
                       "elements", r->path, table->columns, mi_sample_text(&r->shape).text, r->elements);
    *out = (struct mi_preprocess){.shape = r->shape, .label_index = -1, .column_count = (int)r->elements};
    out->columns = mi_arena_new(&out->arena, r->elements, sizeof *out->columns);
    return out->columns ? MICA_OK : mi_out_of_memory(r->error);
}

static mica_status read_mapped(const struct request *r, const struct mi_table *table,
                               const struct mi_preprocess *p)
{
    struct mi_table_map map = {0};
    size_t *kept_rows = NULL, kept = 0;
    mica_status status = mi_table_map_fitted(r->error, r->path, table, p, &map);
    map.label = -1; /* a label may stand there; nobody reads it */
    struct mi_preprocess strict = *p;
    if (strict.missing == MICA_MISSING_DROP)
        strict.missing = MICA_MISSING_ERROR; /* every line must get its answer */
    if (status == MICA_OK)
        status = mi_table_rows(r->error, r->path, table, &strict, &map, r->rows, &kept_rows, &kept);
    *r->n = (int64_t)kept;
    free(map.columns);
    free(kept_rows);
    return status;
}

/* Takes `text`. */
static mica_status read_table(const struct request *r, char *text, size_t size)
{
    struct mi_table table;
    struct mi_preprocess plain = {0};
    const struct mi_preprocess *p = r->preprocess && r->preprocess->column_count ? r->preprocess : NULL;
    struct mi_table_hints hints = {.fitted = p, .label = p ? p->label : NULL};
    mica_status status = mi_table_parse(r->error, r->path, text, size, &hints, &table);
    if (status == MICA_OK && !p) {
        status = plain_columns(r, &table, &plain);
        p = &plain;
    }
    if (status == MICA_OK)
        status = read_mapped(r, &table, p);
    mi_preprocess_destroy(&plain);
    mi_table_destroy(&table);
    return status;
}

/* Takes `bytes`. */
static mica_status read_any(const struct request *r, unsigned char *bytes, size_t size)
{
    const char *dot = strrchr(r->path, '.');
    bool npy = mi_is_npy(bytes, size) || (dot && !strcmp(dot, ".npy"));
    if (!npy && !mi_is_idx(bytes, size))
        return read_table(r, (char *)bytes, size);
    mica_status status = read_array(r, npy ? mi_npy_parse : mi_idx_parse, bytes, size);
    free(bytes);
    return status;
}

mica_status mi_read_raw_inputs(struct mi_error *error, const char *path,
                               const struct mi_preprocess *preprocess, const mica_shape *shape, float **rows,
                               int64_t *n)
{
    unsigned char *bytes;
    size_t size;
    bool known = preprocess && preprocess->shape.rank;
    struct request r = {error, path, known ? preprocess : NULL, known ? preprocess->shape : *shape, 0, rows,
                        n};
    *rows = NULL;
    *n = 0;
    if (!mi_sample_elements(&r.shape, &r.elements) || r.elements > INT32_MAX)
        return mi_fail(error, MICA_SHAPE, "%s: inputs of shape %s cannot be read", path,
                       mi_sample_text(&r.shape).text);
    MI_TRY(mi_file_read(error, path, MI_DATA_LIMIT, &bytes, &size));
    mica_status status = read_any(&r, bytes, size);
    if (status != MICA_OK) {
        free(*rows);
        *rows = NULL;
        *n = 0;
    }
    return status;
}
