/* Batch normalisation: Ioffe and Szegedy 2015. */
#include "nn/layer.h"

#include <math.h>

/* gamma and beta that a layer leaves out are constants, so that the operator always has both. */
static mi_value *scale(struct mi_layer *layer, const char *name, int64_t channels, bool left_out, float value)
{
    if (left_out)
        return mi_op2(layer->graph, "Expand", mi_scalar(layer->graph, value), mi_ints(layer->graph, &channels, 1));
    return mi_layer_parameter(layer, &(struct mi_parameter){
        .name = name, .rank = 1, .dim = {channels}, .otherwise = value > 0 ? "ones" : "zeros"});
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_batch_normalization_desc *desc = given;
    float momentum = fpclassify(desc->momentum) == FP_ZERO ? 0.99f : desc->momentum;
    float epsilon = fpclassify(desc->epsilon) == FP_ZERO ? 1e-3f : desc->epsilon;
    if (!(momentum >= 0 && momentum <= 1) || !(epsilon > 0))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "momentum %g must lie between 0 and 1, epsilon %g above 0",
                             (double)momentum, (double)epsilon);
    if (x[0]->shape.rank < 2)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs channels",
                             mi_layer_shape_text(layer, x[0]));
    int64_t channels = x[0]->shape.dim[1].b;
    mi_value *gamma = scale(layer, "weight", channels, desc->no_scale, 1);
    mi_value *beta = scale(layer, "bias", channels, desc->no_center, 0);
    struct mi_variable *mean = mi_layer_statistic(layer, "running_mean", channels, 0);
    struct mi_variable *variance = mi_layer_statistic(layer, "running_var", channels, 1);
    mi_value *in[] = {x[0], gamma, beta, mi_newest(layer->graph, mean), mi_newest(layer->graph, variance)};
    struct mi_node *node = mi_node_add(layer->graph, "BatchNormalization", in, (int)MI_COUNT(in),
                                       (const struct mi_attribute[]){MI_REAL("epsilon", epsilon), MI_REAL("momentum", momentum)},
                                       2);
    if (!node || !mi_assign(layer->graph, mean, node->out[1]) || !mi_assign(layer->graph, variance, node->out[2]))
        return NULL;
    return node->out[0];
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_batch_normalization_desc, "momentum", MI_KEY_FLOAT, momentum, MI_KEY_BETWEEN(0, 1)),
    MI_KEY_WITH(mica_batch_normalization_desc, "epsilon", MI_KEY_FLOAT, epsilon, MI_KEY_AT_LEAST(0)),
    MI_KEY(mica_batch_normalization_desc, "center", MI_KEY_NOT, no_center),
    MI_KEY(mica_batch_normalization_desc, "scale", MI_KEY_NOT, no_scale),
    {0},
};

const struct mi_layer_type mi_layer_batch_normalization = {
    .type = "batch_normalization", .desc_size = sizeof(mica_batch_normalization_desc), .keys = keys, .min_inputs = 1,
    .max_inputs = 1, .build = build};

mica_node *mica_batch_normalization(mica_node *x, const mica_batch_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_batch_normalization, &x, 1, desc);
}
