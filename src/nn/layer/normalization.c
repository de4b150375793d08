/* Normalisations: of the batch, of each sample over axes, of groups of channels. */
#include "nn/layer.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

/* What is given, or its default where it is 0; false: it is not above 0. */
static bool epsilon_of(struct mi_layer *layer, float *epsilon, float given, float otherwise)
{
    *epsilon = fpclassify(given) == FP_ZERO ? otherwise : given;
    if (!(*epsilon > 0))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "epsilon must be above 0, not %g", (double)*epsilon);
    return *epsilon > 0;
}

/* gamma and beta, ones and zeros at first. */
static mi_value *parameter(struct mi_layer *layer, const char *name, int rank, const int64_t *dims, const mica_parameter_desc *desc)
{
    struct mi_parameter made = {
        .name = name, .rank = rank, .desc = desc, .inputs_first = true,
        .otherwise = strcmp(name, "weight") == 0 ? "ones" : "zeros"};
    memcpy(made.dim, dims, (size_t)rank * sizeof *dims);
    return mi_layer_parameter(layer, &made);
}

/* ---- Of the batch: Ioffe and Szegedy 2015 ---- */

/* gamma and beta of channels; those that a layer leaves out are constants, so that the operator always has both. */
static mi_value *of_channels(struct mi_layer *layer, const char *name, int64_t channels, bool left_out, float value,
                             const mica_parameter_desc *desc)
{
    if (left_out)
        return mi_op2(layer->graph, "Expand", mi_scalar(layer->graph, value), mi_ints(layer->graph, &channels, 1));
    return parameter(layer, name, 1, &channels, desc);
}

static mi_value *build_batch(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
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
    mi_value *gamma = of_channels(layer, "weight", channels, desc->no_scale, 1, &desc->gamma);
    mi_value *beta = of_channels(layer, "bias", channels, desc->no_center, 0, &desc->beta);
    struct mi_variable *mean = mi_layer_statistic(layer, "running_mean", channels, 0);
    struct mi_variable *variance = mi_layer_statistic(layer, "running_var", channels, 1);
    mi_value *mask = layer->mask = mi_layer_mask(layer, x[0]);
    mi_value *in[] = {x[0], gamma, beta, mi_newest(layer->graph, mean), mi_newest(layer->graph, variance),
                      mask ? mi_cast(layer->graph, mask, x[0]->type) : NULL};
    struct mi_node *node = mi_node_add(layer->graph, "BatchNormalization", in, mask ? 6 : 5,
                                       (const struct mi_attribute[]){MI_REAL("epsilon", epsilon), MI_REAL("momentum", momentum)},
                                       2);
    if (!node || !mi_assign(layer->graph, mean, node->out[1]) || !mi_assign(layer->graph, variance, node->out[2]))
        return NULL;
    return node->out[0];
}

#define AFFINE_KEYS(desc)                                                                                                        \
    MI_KEY(desc, "center", MI_KEY_NOT, no_center), MI_KEY(desc, "scale", MI_KEY_NOT, no_scale), MI_PARAMETER_KEYS(desc, gamma), \
        MI_PARAMETER_KEYS(desc, beta)
#define EPSILON_KEY(desc) MI_KEY_WITH(desc, "epsilon", MI_KEY_FLOAT, epsilon, MI_KEY_AT_LEAST(0))
#define AXIS_KEY(desc) MI_KEY(desc, "axis", MI_KEY_AXES, axis)

static const struct mi_key batch_keys[] = {
    MI_KEY_WITH(mica_batch_normalization_desc, "momentum", MI_KEY_FLOAT, momentum, MI_KEY_BETWEEN(0, 1)),
    EPSILON_KEY(mica_batch_normalization_desc),
    AFFINE_KEYS(mica_batch_normalization_desc),
    {0},
};

const struct mi_layer_type mi_layer_batch_normalization = {
    .type = "batch_normalization", .desc_size = sizeof(mica_batch_normalization_desc), .keys = batch_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_batch};

mica_node *mica_batch_normalization(mica_node *x, const mica_batch_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_batch_normalization, &x, 1, desc);
}

/* ---- Of each sample, over axes ---- */

/* The axes of the sample's tensor with its batch that `given` names, rising; none given: the last. 0 after an error. */
static int axes_of(struct mi_layer *layer, const mi_value *x, const mica_shape *given, int64_t axes[MI_MAX_RANK])
{
    int rank = x->shape.rank, count = 0;
    const mica_shape last = MICA_SHAPE(-1), *from = given->rank ? given : &last;
    bool named[MI_MAX_RANK] = {false};
    if (from->rank < 0 || from->rank > MICA_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "axis has 1 to %d axes, not %d", MICA_MAX_RANK, from->rank), 0;
    for (int i = 0; i < from->rank; i++) {
        int64_t axis = from->dim[i] < 0 ? from->dim[i] + rank : from->dim[i];
        if (axis < 1 || axis >= rank)
            return mi_layer_no_axis(layer, "axis", from->dim[i], rank), 0;
        if (named[axis])
            return mi_layer_fail(layer, MICA_SHAPE, "axis %lld is given twice", (long long)axis), 0;
        named[axis] = true;
    }
    for (int i = 0; i < rank; i++)
        if (named[i])
            axes[count++] = i;
    return count;
}

/* A parameter of the shape of the axes, with ones between them, so that it stands beside x. */
static mi_value *of_axes(struct mi_layer *layer, const char *name, const mi_value *x, const int64_t *axes, int count,
                         const mica_parameter_desc *desc)
{
    int first = (int)axes[0];
    int64_t dims[MI_MAX_RANK];
    struct mi_shape beside = {.rank = x->shape.rank - first};
    for (int i = 0; i < beside.rank; i++)
        beside.dim[i] = mi_fixed(1);
    for (int i = 0; i < count; i++) {
        dims[i] = x->shape.dim[axes[i]].b;
        beside.dim[axes[i] - first] = x->shape.dim[axes[i]];
    }
    return mi_reshape_to(layer->graph, parameter(layer, name, count, dims, desc), &beside);
}

static mi_value *build_layer(struct mi_layer *layer, mi_value *const *x, int inputs, const void *given)
{
    (void)inputs;
    const mica_layer_normalization_desc *desc = given;
    int64_t axes[MI_MAX_RANK];
    float epsilon;
    int count = axes_of(layer, x[0], &desc->axis, axes);
    if (!count || !epsilon_of(layer, &epsilon, desc->epsilon, 1e-3f))
        return NULL;
    mi_value *gamma = desc->no_scale ? mi_scalar(layer->graph, 1) : of_axes(layer, "weight", x[0], axes, count, &desc->gamma);
    mi_value *beta = desc->no_center ? NULL : of_axes(layer, "bias", x[0], axes, count, &desc->beta);
    if (!gamma || (!beta && !desc->no_center))
        return NULL;
    return mi_apply(layer->graph, "LayerNormalization", (mi_value *[]){x[0], gamma, beta}, beta ? 3 : 2,
                    (const struct mi_attribute[]){MI_INTS("axes", axes, count), MI_REAL("epsilon", epsilon)}, 2);
}

static const struct mi_key layer_keys[] = {
    AXIS_KEY(mica_layer_normalization_desc),
    EPSILON_KEY(mica_layer_normalization_desc),
    AFFINE_KEYS(mica_layer_normalization_desc),
    {0},
};

const struct mi_layer_type mi_layer_layer_normalization = {
    .type = "layer_normalization", .desc_size = sizeof(mica_layer_normalization_desc), .keys = layer_keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .build = build_layer};

mica_node *mica_layer_normalization(mica_node *x, const mica_layer_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_layer_normalization, &x, 1, desc);
}

static mi_value *build_rms(struct mi_layer *layer, mi_value *const *x, int inputs, const void *given)
{
    (void)inputs;
    const mica_rms_normalization_desc *desc = given;
    int64_t axes[MI_MAX_RANK];
    float epsilon;
    int count = axes_of(layer, x[0], &desc->axis, axes);
    if (!count || !epsilon_of(layer, &epsilon, desc->epsilon, 1e-6f))
        return NULL;
    mi_value *gamma = of_axes(layer, "weight", x[0], axes, count, NULL);
    return mi_apply(layer->graph, "RMSNormalization", (mi_value *[]){x[0], gamma}, 2,
                    (const struct mi_attribute[]){MI_INTS("axes", axes, count), MI_REAL("epsilon", epsilon)}, 2);
}

static const struct mi_key rms_keys[] = {AXIS_KEY(mica_rms_normalization_desc), EPSILON_KEY(mica_rms_normalization_desc), {0}};

const struct mi_layer_type mi_layer_rms_normalization = {
    .type = "rms_normalization", .desc_size = sizeof(mica_rms_normalization_desc), .keys = rms_keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .build = build_rms};

mica_node *mica_rms_normalization(mica_node *x, const mica_rms_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_rms_normalization, &x, 1, desc);
}

/* The square of the least length is 1e-14. */
static mi_value *build_unit(struct mi_layer *layer, mi_value *const *x, int inputs, const void *given)
{
    (void)inputs;
    const mica_unit_normalization_desc *desc = given;
    struct mi_graph *graph = layer->graph;
    int64_t axes[MI_MAX_RANK];
    int count = axes_of(layer, x[0], &desc->axis, axes);
    if (!count)
        return NULL;
    mi_value *square = mi_reduce(graph, "ReduceSum", mi_op2(graph, "Mul", x[0], x[0]), axes, count, true);
    mi_value *length = mi_op1(graph, "Sqrt", mi_op2(graph, "Max", square, mi_scalar(graph, 1e-14f)));
    return mi_op2(graph, "Mul", x[0], mi_op1(graph, "Reciprocal", length));
}

static const struct mi_key unit_keys[] = {AXIS_KEY(mica_unit_normalization_desc), {0}};

const struct mi_layer_type mi_layer_unit_normalization = {
    .type = "unit_normalization", .desc_size = sizeof(mica_unit_normalization_desc), .keys = unit_keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .build = build_unit};

mica_node *mica_unit_normalization(mica_node *x, const mica_unit_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_unit_normalization, &x, 1, desc);
}

/* ---- Of each sample, over groups of channels ---- */

/* groups 0: each channel alone. */
static mi_value *over_channels(struct mi_layer *layer, mi_value *x, int64_t groups, const mica_group_normalization_desc *desc)
{
    float epsilon;
    int64_t channels = x->shape.rank > 1 ? x->shape.dim[1].b : 0;
    if (!epsilon_of(layer, &epsilon, desc->epsilon, 1e-3f))
        return NULL;
    if (x->shape.rank < (groups ? 2 : 3))
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs channels%s", mi_layer_shape_text(layer, x),
                             groups ? "" : " with several places");
    if (groups && channels % groups)
        return mi_layer_fail(layer, MICA_SHAPE, "input has %lld channels, which %lld groups do not divide", (long long)channels,
                             (long long)groups);
    mi_value *in[] = {x, of_channels(layer, "weight", channels, desc->no_scale, 1, &desc->gamma),
                      of_channels(layer, "bias", channels, desc->no_center, 0, &desc->beta)};
    return mi_apply(layer->graph, groups ? "GroupNormalization" : "InstanceNormalization", in, 3,
                    (const struct mi_attribute[]){MI_REAL("epsilon", epsilon), MI_INT("num_groups", groups)}, groups ? 2 : 1);
}

static mi_value *build_group(struct mi_layer *layer, mi_value *const *x, int inputs, const void *given)
{
    (void)inputs;
    const mica_group_normalization_desc *desc = given;
    int64_t groups = desc->groups ? desc->groups : 32;
    if (groups == -1 && x[0]->shape.rank > 1)
        groups = x[0]->shape.dim[1].b;
    return mi_layer_size(layer, "groups", groups, 1) ? over_channels(layer, x[0], groups, desc) : NULL;
}

static mi_value *build_instance(struct mi_layer *layer, mi_value *const *x, int inputs, const void *given)
{
    return (void)inputs, over_channels(layer, x[0], 0, given);
}

static const struct mi_key group_keys[] = {
    MI_KEY_WITH(mica_group_normalization_desc, "groups", MI_KEY_LONG, groups, MI_KEY_AT_LEAST(-1),
                .not_zero = "there is a group at least, and -1 is one for each channel"),
    EPSILON_KEY(mica_group_normalization_desc),
    AFFINE_KEYS(mica_group_normalization_desc),
    {0},
};
static const struct mi_key instance_keys[] = {
    EPSILON_KEY(mica_group_normalization_desc),
    AFFINE_KEYS(mica_group_normalization_desc),
    {0},
};

const struct mi_layer_type mi_layer_group_normalization = {
    .type = "group_normalization", .desc_size = sizeof(mica_group_normalization_desc), .keys = group_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_group};
const struct mi_layer_type mi_layer_instance_normalization = {
    .type = "instance_normalization", .desc_size = sizeof(mica_group_normalization_desc), .keys = instance_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_instance};

mica_node *mica_group_normalization(mica_node *x, const mica_group_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_group_normalization, &x, 1, desc);
}

mica_node *mica_instance_normalization(mica_node *x, const mica_group_normalization_desc *desc)
{
    return mi_layer_add(&mi_layer_instance_normalization, &x, 1, desc);
}
