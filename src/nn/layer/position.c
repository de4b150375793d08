/* Where a step stands in its sequence, as numbers: learnt ones, waves, and angles by which features are turned. */
#include "nn/layer/attention.h"

#include "ops/ops.h"

#include <math.h>

static const float longest_wave = 10000;

static bool wave_fits(struct mi_layer *layer, const char *what, float number)
{
    if (number > 0 && number < INFINITY)
        return true;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s must be above 0 and finite, not %g", what, (double)number);
    return false;
}

static float given_or(float given, float otherwise)
{
    return fpclassify(given) == FP_ZERO ? otherwise : given;
}

static bool is_sequence(struct mi_layer *layer, const mi_value *x)
{
    if (x->shape.rank == 3)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs (steps, features)", mi_layer_shape_text(layer, x));
    return false;
}

/* (steps, columns): the step, or the column, as float32. */
static mi_value *numbers(struct mi_layer *layer, int64_t steps, int64_t columns, int axis)
{
    struct mi_graph *graph = layer->graph;
    const struct mi_shape shape = {.rank = 2, .dim = {mi_fixed(steps), mi_fixed(columns)}};
    mi_value *space = mi_expand_to(graph, mi_scalar(graph, 0), &shape);
    mi_value *index = MI_APPLY(graph, "Index", ((mi_value *[]){space}), MI_INT("axis", axis));
    mi_value *number = MI_APPLY(graph, "Cast", ((mi_value *[]){index}), MI_INT("to", MI_FLOAT));
    return layer->stepping && axis == 0 ? mi_op2(graph, "Add", number, mi_layer_place(layer)) : number;
}

/* (steps, columns): step / slower * wavelength^(-2 pair / features), pair being a number for each column. */
static mi_value *angles(struct mi_graph *graph, mi_value *step, mi_value *pair, int64_t features, float wavelength, float slower)
{
    float factor = (float)(-2 * log((double)wavelength) / (double)features);
    mi_value *frequency = mi_op1(graph, "Exp", mi_op2(graph, "Mul", pair, mi_scalar(graph, factor)));
    mi_value *place = slower < 1 || slower > 1 ? mi_op2(graph, "Div", step, mi_scalar(graph, slower)) : step;
    return mi_op2(graph, "Mul", place, frequency);
}

/* Whether the steps are those of axis 1, which are the ones that have numbers. */
static bool steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    return (void)given, (void)x, (void)count, taken[0];
}

static bool rotary_steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    int64_t axis = ((const mica_rotary_embedding_desc *)given)->sequence_axis;
    return (void)count, taken[0] && (axis == 0 || axis == 1 || axis == 1 - x[0]->shape.rank);
}

/* ---- position_embedding ---- */

/* (steps, features): the rows that have the numbers of the steps. */
static mi_value *rows_of_places(struct mi_layer *layer, mi_value *weight)
{
    const int64_t steps = layer->stepping->length;
    mi_value *place = mi_op2(layer->graph, "Reshape", numbers(layer, steps, 1, 0), mi_ints(layer->graph, &steps, 1));
    mi_value *index = MI_APPLY(layer->graph, "Cast", ((mi_value *[]){place}), MI_INT("to", MI_INT32));
    return mi_apply(layer->graph, "Gather", (mi_value *const[]){weight, index}, 2,
                    (const struct mi_attribute[]){MI_INT("axis", 0), MI_INT("checked", 1)}, 2);
}

static mi_value *build_embedding(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_position_embedding_desc *desc = given;
    if (!mi_layer_size(layer, "sequence_length", desc->sequence_length, 1) || !is_sequence(layer, x[0]))
        return NULL;
    int64_t steps = x[0]->shape.dim[1].b, features = x[0]->shape.dim[2].b;
    const int64_t start = 0, axis = 0;
    if (steps > desc->sequence_length)
        return mi_layer_fail(layer, MICA_SHAPE, "input has %lld steps, sequence_length is %lld", (long long)steps,
                             (long long)desc->sequence_length);
    mi_value *weight = mi_layer_parameter(layer, &(struct mi_parameter){
        .name = "weight", .rank = 2, .dim = {desc->sequence_length, features}, .desc = &desc->embeddings, .inputs_first = true,
        .otherwise = "glorot_uniform", .fan_in = (double)desc->sequence_length, .fan_out = (double)features});
    if (layer->stepping)
        return mi_expand_to(layer->graph, rows_of_places(layer, weight), &x[0]->shape);
    mi_value *rows = steps == desc->sequence_length ? weight
                                                    : MI_APPLY(layer->graph, "Slice", ((mi_value *[]){weight}),
                                                               MI_INTS("starts", &start, 1), MI_INTS("ends", &steps, 1),
                                                               MI_INTS("axes", &axis, 1));
    return mi_expand_to(layer->graph, rows, &x[0]->shape);
}

static const struct mi_key embedding_keys[] = {
    MI_KEY_WITH(mica_position_embedding_desc, "sequence_length", MI_KEY_LONG, sequence_length, .required = true,
                MI_KEY_AT_LEAST(1)),
    MI_PARAMETER_KEYS_OF(mica_position_embedding_desc, "", embeddings),
    {0},
};

const struct mi_layer_type mi_layer_position_embedding = {
    .type = "position_embedding", .desc_size = sizeof(mica_position_embedding_desc), .keys = embedding_keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .steps = steps, .build = build_embedding};

mica_node *mica_position_embedding(mica_node *x, const mica_position_embedding_desc *desc)
{
    return mi_layer_add(&mi_layer_position_embedding, &x, 1, desc);
}

/* ---- sine_position_encoding ---- */

static mi_value *build_sine(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_sine_position_encoding_desc *desc = given;
    struct mi_graph *graph = layer->graph;
    float wavelength = given_or(desc->max_wavelength, longest_wave);
    if (!wave_fits(layer, "max_wavelength", wavelength) || !is_sequence(layer, x[0]))
        return NULL;
    int64_t steps = x[0]->shape.dim[1].b, features = x[0]->shape.dim[2].b;
    mi_value *feature = numbers(layer, steps, features, 1);
    mi_value *pair = mi_op1(graph, "Floor", mi_op2(graph, "Mul", feature, mi_scalar(graph, 0.5f)));
    mi_value *even = mi_op2(graph, "Equal", mi_op2(graph, "Add", pair, pair), feature);
    mi_value *angle = angles(graph, numbers(layer, steps, features, 0), pair, features, wavelength, 1);
    mi_value *in[] = {even, mi_op1(graph, "Sin", angle), mi_op1(graph, "Cos", angle)};
    return mi_expand_to(graph, mi_apply(graph, "Where", in, 3, NULL, 0), &x[0]->shape);
}

static const struct mi_key sine_keys[] = {MI_WAVELENGTH_KEY(mica_sine_position_encoding_desc), {0}};

const struct mi_layer_type mi_layer_sine_position_encoding = {
    .type = "sine_position_encoding", .desc_size = sizeof(mica_sine_position_encoding_desc), .keys = sine_keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .steps = steps, .build = build_sine};

mica_node *mica_sine_position_encoding(mica_node *x, const mica_sine_position_encoding_desc *desc)
{
    return mi_layer_add(&mi_layer_sine_position_encoding, &x, 1, desc);
}

/* ---- rotary_embedding ---- */

static mi_value *half(struct mi_graph *graph, mi_value *x, int64_t axis, int64_t from, int64_t count)
{
    const int64_t to = from + count;
    return MI_APPLY(graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &from, 1), MI_INTS("ends", &to, 1),
                    MI_INTS("axes", &axis, 1));
}

/* cos of the angles, or sin, with an axis for each of x's. */
static mi_value *turned(struct mi_graph *graph, const char *op, mi_value *angle, const mi_value *x, int steps_axis)
{
    struct mi_shape shape = {.rank = x->shape.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = mi_fixed(1);
    if (!angle)
        return NULL;
    shape.dim[steps_axis] = angle->shape.dim[0];
    shape.dim[shape.rank - 1] = angle->shape.dim[1];
    return mi_reshape_to(graph, mi_op1(graph, op, angle), &shape);
}

bool mi_rotary_fits(struct mi_layer *layer, const struct mi_rotary *rotary, const char *what, int64_t features)
{
    bool given = fpclassify(rotary->max_wavelength) != FP_ZERO || fpclassify(rotary->scaling_factor) != FP_ZERO;
    if (!rotary->on && given)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "max_wavelength and scaling_factor are of \"rotary\", which is not given");
    else if (rotary->on && features % 2)
        mi_layer_fail(layer, MICA_SHAPE, "%s %lld features, which are no two halves", what, (long long)features);
    else
        return !rotary->on || (wave_fits(layer, "max_wavelength", given_or(rotary->max_wavelength, longest_wave)) &&
                               wave_fits(layer, "scaling_factor", given_or(rotary->scaling_factor, 1)));
    return false;
}

mi_value *mi_rotary_turn(struct mi_layer *layer, const struct mi_rotary *rotary, mi_value *x, int axis)
{
    struct mi_graph *graph = layer->graph;
    if (!x || !rotary->on)
        return x;
    int last = x->shape.rank - 1;
    float wavelength = given_or(rotary->max_wavelength, longest_wave), slower = given_or(rotary->scaling_factor, 1);
    int64_t steps = x->shape.dim[axis].b, features = x->shape.dim[last].b, pairs = features / 2;
    mi_value *angle = angles(graph, numbers(layer, steps, pairs, 0), numbers(layer, steps, pairs, 1), features, wavelength, slower);
    mi_value *c = turned(graph, "Cos", angle, x, axis), *s = turned(graph, "Sin", angle, x, axis);
    mi_value *a = half(graph, x, last, 0, pairs), *b = half(graph, x, last, pairs, pairs);
    mi_value *both[] = {mi_op2(graph, "Sub", mi_op2(graph, "Mul", a, c), mi_op2(graph, "Mul", b, s)),
                        mi_op2(graph, "Add", mi_op2(graph, "Mul", b, c), mi_op2(graph, "Mul", a, s))};
    return MI_APPLY(graph, "Concat", both, MI_INT("axis", last));
}

static mi_value *build_rotary(struct mi_layer *layer, mi_value *const *in, int count, const void *given)
{
    (void)count;
    const mica_rotary_embedding_desc *desc = given;
    const struct mi_rotary rotary = {true, desc->max_wavelength, desc->scaling_factor};
    int axis = mi_layer_axis(layer, in[0], desc->sequence_axis ? desc->sequence_axis : 1), last = in[0]->shape.rank - 1;
    if (!axis)
        return NULL; /* the error is there */
    if (axis == last)
        return mi_layer_fail(layer, MICA_SHAPE,
                             "input has shape %s per sample, needs an axis of features behind that of the steps, %d",
                             mi_layer_shape_text(layer, in[0]), axis);
    if (!mi_rotary_fits(layer, &rotary, "input has", in[0]->shape.dim[last].b))
        return NULL;
    return mi_rotary_turn(layer, &rotary, mi_layer_float(layer, in[0]), axis);
}

static const struct mi_key rotary_keys[] = {
    MI_WAVELENGTH_KEY(mica_rotary_embedding_desc),
    MI_SCALING_KEY(mica_rotary_embedding_desc),
    MI_KEY_WITH(mica_rotary_embedding_desc, "sequence_axis", MI_KEY_LONG, sequence_axis, MI_KEY_BETWEEN(-8, 8),
                .not_zero = "that is the batch"),
    {0},
};

const struct mi_layer_type mi_layer_rotary_embedding = {
    .type = "rotary_embedding", .desc_size = sizeof(mica_rotary_embedding_desc), .keys = rotary_keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .steps = rotary_steps, .build = build_rotary};

mica_node *mica_rotary_embedding(mica_node *x, const mica_rotary_embedding_desc *desc)
{
    return mi_layer_add(&mi_layer_rotary_embedding, &x, 1, desc);
}
