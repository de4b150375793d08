/* Inputs, and layers that only change a sample's shape: flatten, reshape, permute. */
#include "nn/layer.h"

#include "ops/ops.h"

#include <string.h>

static const struct mi_key no_keys[] = {{0}};

/* ---- Input ---- */

struct input_desc {
    const char *name;
    mica_shape shape;                /* its first dimension is 0 where the number of steps varies ... */
    int64_t max_length;              /* ... up to this; else 0 */
    const char *dtype;
    bool integer;
};

/* The type that an input is of; MI_TYPES after an error. `integer` is the short word for int32. */
static enum mi_type type_of(struct mi_layer *layer, const struct input_desc *desc)
{
    enum mi_type type = desc->integer && !desc->dtype ? MI_INT32 : mi_layer_dtype(layer, desc->dtype);
    if (type == MI_TYPES || !desc->integer || mi_type_is_integer(type))
        return type;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "dtype is %s, and \"integer\" asks for whole numbers", desc->dtype);
    return MI_TYPES;
}

/* Which steps a sample has, from how many they are: (N, T). */
static mi_value *steps_of(struct mi_graph *graph, const mi_value *input, mi_value *length)
{
    const struct mi_shape shape = {.rank = 2, .dim = {input->shape.dim[0], input->shape.dim[1]}};
    const int64_t axis = 1;
    mi_value *wide = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){length}), MI_INTS("axes", &axis, 1));
    wide = mi_expand_to(graph, wide, &shape);
    return mi_op2(graph, "Greater", wide, MI_APPLY(graph, "Index", ((mi_value *[]){wide}), MI_INT("axis", 1)));
}

static bool steps_fit(struct mi_layer *layer, const struct input_desc *desc)
{
    bool varies = desc->shape.rank > 0 && desc->shape.dim[0] == 0;
    if (varies == (desc->max_length > 0))
        return !varies || mi_layer_size(layer, "max_length", desc->max_length, 1);
    mi_layer_fail(layer, MICA_SHAPE, varies ? "dimension 0 is 0, must be at least 1, or null where max_length says how many steps "
                                              "there are at most" : "max_length is of a shape whose first dimension is null");
    return false;
}

static mi_value *build_input(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)x, (void)count;
    const struct input_desc *desc = given;
    struct mi_shape shape = {.rank = 1, .dim = {mi_batch()}};
    if (layer->model->inside)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "a step of a recurrent layer has no inputs of the model within");
    if (desc->shape.rank < 0 || desc->shape.rank >= MI_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "a sample has 0 to %d dimensions, not %d", MI_MAX_RANK - 1,
                             desc->shape.rank);
    if (!steps_fit(layer, desc))
        return NULL;
    for (int i = 0; i < desc->shape.rank; i++) {
        int64_t dim = i || !desc->max_length ? desc->shape.dim[i] : desc->max_length;
        if (dim < 1)
            return mi_layer_fail(layer, MICA_SHAPE, "dimension %d is %lld, must be at least 1", i, (long long)dim);
        shape.dim[shape.rank++] = mi_fixed(dim);
    }
    if (mi_shape_count(&shape, 1) < 0)
        return mi_layer_fail(layer, MICA_SHAPE, "a sample of shape %s is too large",
                             mi_shape_text(&layer->graph->arena, &shape));
    enum mi_type type = type_of(layer, desc);
    mi_value *input = type == MI_TYPES ? NULL : mi_input(layer->graph, layer->name, type, &shape);
    if (input && desc->max_length)
        layer->mask = steps_of(layer->graph, input, mi_input_length(layer->graph, input));
    return input;
}

static const struct mi_key input_keys[] = {
    MI_KEY_WITH(struct input_desc, "shape", MI_KEY_SHAPE, shape, .required = true, .open = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(struct input_desc, "max_length", MI_KEY_LONG, max_length, MI_KEY_AT_LEAST(1)),
    MI_KEY(struct input_desc, "dtype", MI_KEY_TEXT, dtype),
    MI_KEY(struct input_desc, "integer", MI_KEY_BOOL, integer),
    {0},
};

const struct mi_layer_type mi_layer_input = {
    .type = "input", .desc_size = sizeof(struct input_desc), .keys = input_keys, .build = build_input};

mica_node *mica_input_typed(mica_model *model, const char *name, mica_shape shape, mica_type type)
{
    const char *dtype = mica_type_name(type);
    if (!dtype && model)
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "input \"%s\": there is no type %d", name ? mi_show(name).text : "input",
                      (int)type);
    return mi_layer_add_to(model, &mi_layer_input, NULL, 0, &(struct input_desc){
        .name = name, .shape = shape, .dtype = type == MICA_FLOAT32 ? NULL : dtype});
}

mica_node *mica_input_varying(mica_model *model, const char *name, mica_shape shape, mica_type type)
{
    struct input_desc desc = {.name = name, .shape = shape, .dtype = mica_type_name(type)};
    if (model && (shape.rank < 1 || shape.dim[0] < 1 || !desc.dtype))
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "input \"%s\": %s", name ? mi_show(name).text : "input",
                      desc.dtype ? "its shape begins with the most steps that a sample has" : "there is no such type");
    desc.max_length = shape.rank > 0 ? shape.dim[0] : 0;
    desc.shape.dim[0] = 0;
    desc.dtype = type == MICA_FLOAT32 ? NULL : desc.dtype;
    return mi_layer_add_to(model, &mi_layer_input, NULL, 0, &desc);
}

mica_node *mica_input(mica_model *model, const char *name, mica_shape shape)
{
    return mica_input_typed(model, name, shape, MICA_FLOAT32);
}

mica_node *mica_input_integer(mica_model *model, const char *name, mica_shape shape)
{
    return mica_input_typed(model, name, shape, MICA_INT32);
}

/* ---- Flatten ---- */

static mi_value *build_flatten(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    (void)count, (void)desc;
    return mi_apply(layer->graph, "Flatten", x, 1, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
}

const struct mi_layer_type mi_layer_flatten = {
    .type = "flatten", .desc_size = sizeof(struct mi_named), .keys = no_keys, .min_inputs = 1, .max_inputs = 1,
    .build = build_flatten};

mica_node *mica_flatten(mica_node *x, const char *name)
{
    return mi_layer_add(&mi_layer_flatten, &x, 1, &(struct mi_named){name});
}

/* ---- Reshape ---- */

/* Fills the one -1 of a target. */
static bool complete_target(struct mi_layer *layer, const mi_value *x, const mica_shape *target, int64_t *dims)
{
    struct mi_shape known = {.rank = 0}, sample = {.rank = x->shape.rank - 1};
    int free_at = -1, frees = 0;
    for (int i = 0; i < target->rank; i++) {
        dims[i] = target->dim[i];
        if (dims[i] == -1) {
            free_at = i;
            frees++;
        } else {
            known.dim[known.rank++] = mi_fixed(dims[i]);
        }
    }
    for (int i = 0; i < sample.rank; i++)
        sample.dim[i] = x->shape.dim[i + 1];
    int64_t have = mi_shape_count(&sample, 0), rest = mi_shape_count(&known, 0);
    if (frees == 1 && rest > 0 && have % rest == 0)
        dims[free_at] = have / rest;
    else if (frees || rest != have) {
        mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, %lld elements; target_shape holds %lld%s",
                      mi_layer_shape_text(layer, x), (long long)have, (long long)rest,
                      frees > 1 ? " and more than one -1" : frees ? " times a free dimension" : "");
        return false;
    }
    return true;
}

static mi_value *build_reshape(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct mi_shaped *desc = given;
    int64_t dims[MI_MAX_RANK];
    if (desc->shape.rank < 1 || desc->shape.rank >= MI_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "target_shape has 1 to %d dimensions, not %d", MI_MAX_RANK - 1,
                             desc->shape.rank);
    for (int i = 0; i < desc->shape.rank; i++)
        if (desc->shape.dim[i] < 1 && desc->shape.dim[i] != -1)
            return mi_layer_fail(layer, MICA_SHAPE, "dimension %d of target_shape is %lld", i,
                                 (long long)desc->shape.dim[i]);
    return complete_target(layer, x[0], &desc->shape, dims) ? mi_layer_reshape(layer, x[0], dims, desc->shape.rank) : NULL;
}

static const struct mi_key reshape_keys[] = {
    MI_KEY_WITH(struct mi_shaped, "target_shape", MI_KEY_SHAPE, shape, .required = true, MI_KEY_AT_LEAST(-1)),
    {0},
};

const struct mi_layer_type mi_layer_reshape_row = {
    .type = "reshape", .desc_size = sizeof(struct mi_shaped), .keys = reshape_keys, .min_inputs = 1, .max_inputs = 1,
    .build = build_reshape};

mica_node *mica_reshape(mica_node *x, const char *name, mica_shape target)
{
    return mi_layer_add(&mi_layer_reshape_row, &x, 1, &(struct mi_shaped){name, target});
}

/* ---- Permute ---- */

static mi_value *build_permute(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct mi_shaped *desc = given;
    int64_t order[MI_MAX_RANK] = {0};
    int rank = x[0]->shape.rank;
    unsigned seen = 1;
    if (desc->shape.rank != rank - 1)
        return mi_layer_fail(layer, MICA_SHAPE, "dims has %d axes, a sample of the input has %d", desc->shape.rank, rank - 1);
    for (int i = 1; i < rank; i++) {
        int64_t axis = desc->shape.dim[i - 1];
        if (axis < 1 || axis >= rank || (seen & 1u << axis))
            return mi_layer_fail(layer, MICA_SHAPE, "dims must hold each of 1 to %d once, axes count from 1", rank - 1);
        seen |= 1u << axis;
        order[i] = axis;
    }
    return mi_apply(layer->graph, "Transpose", x, 1, (const struct mi_attribute[]){MI_INTS("perm", order, rank)}, 1);
}

/* The axis of the steps goes along. */
static bool permute_steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    return (void)given, (void)x, (void)count, taken[0];
}

static const struct mi_key permute_keys[] = {
    MI_KEY_WITH(struct mi_shaped, "dims", MI_KEY_SHAPE, shape, .required = true, MI_KEY_AT_LEAST(1)),
    {0},
};

const struct mi_layer_type mi_layer_permute = {
    .type = "permute", .desc_size = sizeof(struct mi_shaped), .keys = permute_keys, .min_inputs = 1, .max_inputs = 1,
    .steps = permute_steps, .build = build_permute};

mica_node *mica_permute(mica_node *x, const char *name, mica_shape dims)
{
    return mi_layer_add(&mi_layer_permute, &x, 1, &(struct mi_shaped){name, dims});
}
