/* Fully connected layers. */
#include "nn/layer.h"

/* (units, in): the layer's own, or another's. */
static mi_value *weight_of(struct mi_layer *layer, const mica_dense_desc *desc, int64_t in)
{
    const mica_parameter_desc *kernel = &desc->kernel;
    const struct mi_shape shape = {.rank = 2, .dim = {mi_fixed(desc->units), mi_fixed(in)}};
    if (!desc->tied_to)
        return mi_layer_parameter(layer, &(struct mi_parameter){
            .name = "weight", .rank = 2, .dim = {desc->units, in}, .desc = kernel, .otherwise = "glorot_uniform",
            .fan_in = (double)in, .fan_out = (double)desc->units});
    if (kernel->initializer.type || kernel->initializer.fill || kernel->regularizer.type || kernel->constraint.type)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "what a kernel has is said where the weight is, by \"%s\"",
                             mi_show(desc->tied_to).text);
    return mi_layer_tied(layer, desc->tied_to, &shape);
}

/* x (N, ..., in) -> (N, ..., units): rows of `in` numbers through one Gemm. */
static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_dense_desc *desc = given;
    const struct mi_shape *shape = &x[0]->shape;
    if (desc->units < 1)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "units must be at least 1, not %lld", (long long)desc->units);
    if (shape->rank < 2)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs at least one dimension",
                             mi_layer_shape_text(layer, x[0]));
    int64_t in = shape->dim[shape->rank - 1].b, back[MI_MAX_RANK] = {0};
    mi_value *rows = x[0];
    if (shape->rank > 2)
        rows = mi_op2(layer->graph, "Reshape", rows, mi_ints(layer->graph, (int64_t[]){-1, in}, 2));
    double fan_in = (double)in, fan_out = (double)desc->units;
    mi_value *weight = weight_of(layer, desc, in);
    mi_value *bias = desc->no_bias ? NULL : mi_layer_parameter(layer, &(struct mi_parameter){
        .name = "bias", .rank = 1, .dim = {desc->units}, .desc = &desc->bias,
        .otherwise = "zeros", .fan_in = fan_in, .fan_out = fan_out});
    if (!weight || (!bias && !desc->no_bias))
        return NULL;
    mi_value *y = mi_apply(layer->graph, "Gemm", (mi_value *const[]){rows, weight, bias}, bias ? 3 : 2,
                           (const struct mi_attribute[]){MI_INT("transB", 1)}, 1);
    if (shape->rank > 2) {
        for (int i = 1; i < shape->rank - 1; i++)
            back[i - 1] = shape->dim[i].b;
        back[shape->rank - 2] = desc->units;
        int64_t target[MI_MAX_RANK] = {-1};
        for (int i = 0; i < shape->rank - 1; i++)
            target[i + 1] = back[i];
        y = mi_op2(layer->graph, "Reshape", y, mi_ints(layer->graph, target, shape->rank));
    }
    return mi_layer_activation(layer, y, desc->activation, 0, -1);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_dense_desc, "units", MI_KEY_LONG, units, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY(mica_dense_desc, "activation", MI_KEY_TEXT, activation),
    MI_KEY(mica_dense_desc, "use_bias", MI_KEY_NOT, no_bias),
    MI_KEY_WITH(mica_dense_desc, "tied_to", MI_KEY_TEXT, tied_to, .alias = true), /* written with the layer's whole name */
    MI_PARAMETER_KEYS(mica_dense_desc, kernel),
    MI_PARAMETER_KEYS(mica_dense_desc, bias),
    {0},
};

const struct mi_layer_type mi_layer_dense = {
    .type = "dense", .desc_size = sizeof(mica_dense_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .keeps_steps = true, .build = build};

mica_node *mica_dense(mica_node *x, const mica_dense_desc *desc)
{
    return mi_layer_add(&mi_layer_dense, &x, 1, desc);
}
