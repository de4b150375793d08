/* Layers that shift and scale: by given numbers, and by statistics of the data. */
#include "nn/layer/given.h"

#include "ops/ops.h"

#include <math.h>
#include <stdlib.h>

/* ---- Rescaling ---- */

static mi_value *build_rescaling(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_rescaling_desc *desc = given;
    struct mi_graph *graph = layer->graph;
    if (!isfinite(desc->scale) || !isfinite(desc->offset) || fpclassify(desc->scale) == FP_ZERO)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "scale %g must be a finite number other than 0, offset %g a finite one",
                             (double)desc->scale, (double)desc->offset);
    mi_value *scaled = mi_op2(graph, "Mul", mi_layer_float(layer, x[0]), mi_scalar(graph, desc->scale));
    return mi_op2(graph, "Add", scaled, mi_scalar(graph, desc->offset));
}

static const struct mi_key rescaling_keys[] = {
    MI_KEY_WITH(mica_rescaling_desc, "scale", MI_KEY_FLOAT, scale, .required = true, .plain = true),
    MI_KEY_WITH(mica_rescaling_desc, "offset", MI_KEY_FLOAT, offset, .plain = true),
    {0},
};

const struct mi_layer_type mi_layer_rescaling = {
    .type = "rescaling", .desc_size = sizeof(mica_rescaling_desc), .keys = rescaling_keys, .min_inputs = 1, .max_inputs = 1,
    .build = build_rescaling};

mica_node *mica_rescaling(mica_node *x, const mica_rescaling_desc *desc)
{
    return mi_layer_add(&mi_layer_rescaling, &x, 1, desc);
}

/* ---- Normalization ---- */

struct normalization_desc {
    const char *name;
    int axis;
    const cJSON *mean, *variance;
    bool invert;
};

/* (count) or (1) as (1, ..., count, ..., 1), to stand beside x. */
static mi_value *along(struct mi_layer *layer, const mi_value *x, int axis, mi_value *values)
{
    struct mi_shape shape = {.rank = x->shape.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i == axis && values ? values->shape.dim[0] : mi_fixed(1);
    return mi_reshape_to(layer->graph, values, &shape);
}

/* What is given, or a statistic, which is no number until it is learnt. */
static mi_value *moment(struct mi_layer *layer, const char *name, const cJSON *given, int64_t size)
{
    int count = 0;
    if (!given) {
        struct mi_variable *statistic = mi_layer_statistic(layer, name, size, NAN);
        return statistic ? mi_variable(layer->graph, statistic) : NULL;
    }
    const float *values = mi_given_read(layer, name, given, &count);
    if (!values)
        return NULL;
    if (count != 1 && count != size)
        return mi_layer_fail(layer, MICA_SHAPE, "%s has %d numbers, the axis has %lld", name, count, (long long)size);
    for (int i = 0; i < count; i++)
        if (values[i] < 0 && name[0] == 'v')
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "variance holds %g, it must be at least 0", (double)values[i]);
    return mi_held(layer->graph, values, (size_t)count);
}

static int axis_of(int given, int rank)
{
    int axis = given ? given : -1;
    return axis < 0 ? axis + rank : axis;
}

static mi_value *build_normalization(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct normalization_desc *desc = given;
    struct mi_graph *graph = layer->graph;
    int rank = x[0]->shape.rank, axis = axis_of(desc->axis, rank);
    if (axis < 1 || axis >= rank)
        return mi_layer_no_axis(layer, "axis", desc->axis ? desc->axis : -1, rank), NULL;
    if (!desc->mean != !desc->variance)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "mean and variance are given together or not at all: %s is missing",
                             desc->mean ? "variance" : "mean");
    int64_t size = x[0]->shape.dim[axis].b;
    mi_value *mean = along(layer, x[0], axis, moment(layer, "mean", desc->mean, size));
    mi_value *variance = along(layer, x[0], axis, moment(layer, "variance", desc->variance, size));
    mi_value *spread = mi_op2(graph, "Max", mi_op1(graph, "Sqrt", variance), mi_scalar(graph, 1e-7f));
    mi_value *values = mi_layer_float(layer, x[0]);
    if (desc->invert)
        return mi_op2(graph, "Add", mi_op2(graph, "Mul", values, spread), mean);
    return mi_op2(graph, "Div", mi_op2(graph, "Sub", values, mean), spread);
}

/* The mean and the sum of squared distances from it, value by value (B. Welford: "Note on a method for calculating corrected sums
 * of squares and products", Technometrics 4, 1962). */
struct moments {
    double mean, squares, count;
};

static void add_value(struct moments *m, double value)
{
    double step = value - m->mean;
    m->count++;
    m->mean += step / m->count;
    m->squares += step * (value - m->mean);
}

static mica_status take_moments(struct mi_adapting *adapting, int64_t size, int64_t inner, struct moments *moments)
{
    const float *values;
    int64_t n;
    do {
        MI_TRY(adapting->next(adapting, &values, &n));
        for (int64_t i = 0; i < n * adapting->elements; i++)
            add_value(&moments[i / inner % size], (double)values[i]);
    } while (n > 0);
    return MICA_OK;
}

static mica_status adapt_normalization(struct mi_adapting *adapting)
{
    const struct mi_shape *shape = &adapting->layer->in[0]->shape;
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(adapting->layer->json, "axis");
    int axis = axis_of(given ? given->valueint : 0, shape->rank);
    int64_t size = shape->dim[axis].b, inner = 1;
    for (int i = axis + 1; i < shape->rank; i++)
        inner *= shape->dim[i].b;
    struct moments *moments = mi_new((size_t)size, sizeof *moments);
    float *values = mi_new(2 * (size_t)size, sizeof *values);
    mica_status status = moments && values ? take_moments(adapting, size, inner, moments)
                                           : mi_out_of_memory(&adapting->model->device->error);
    for (int64_t i = 0; i < size && status == MICA_OK; i++) {
        values[i] = (float)moments[i].mean;
        values[size + i] = (float)(moments[i].squares / moments[i].count);
    }
    if (status == MICA_OK)
        status = mi_adapting_write(adapting, "mean", values, (size_t)size);
    if (status == MICA_OK)
        status = mi_adapting_write(adapting, "variance", values + size, (size_t)size);
    free(moments);
    free(values);
    return status;
}

static const struct mi_key normalization_keys[] = {
    MI_KEY_WITH(struct normalization_desc, "axis", MI_KEY_INT, axis, .not_zero = "that is the batch"),
    MI_KEY(struct normalization_desc, "mean", MI_KEY_JSON, mean),
    MI_KEY(struct normalization_desc, "variance", MI_KEY_JSON, variance),
    MI_KEY(struct normalization_desc, "invert", MI_KEY_BOOL, invert),
    {0},
};

const struct mi_layer_type mi_layer_normalization = {
    .type = "normalization", .desc_size = sizeof(struct normalization_desc), .keys = normalization_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_normalization, .adapts = "mean", .adapt = adapt_normalization};

mica_node *mica_normalization(mica_node *x, const mica_normalization_desc *desc)
{
    const mica_normalization_desc none = {0};
    desc = desc ? desc : &none;
    cJSON *mean = mi_given_json(desc->mean, desc->count), *variance = mi_given_json(desc->variance, desc->count);
    mica_node *y = mi_layer_add(&mi_layer_normalization, &x, 1, &(struct normalization_desc){
        .name = desc->name, .axis = desc->axis, .mean = mean, .variance = variance, .invert = desc->invert});
    cJSON_Delete(mean);
    cJSON_Delete(variance);
    return y;
}
