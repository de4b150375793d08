/* Joining branches: add, multiply, concatenate. */
#include "nn/layer.h"

static const struct mi_key no_keys[] = {{0}};

static mi_value *fold(struct mi_layer *layer, const char *op, mi_value *const *x, int count)
{
    mi_value *sum = x[0];
    for (int i = 1; i < count; i++) {
        struct mi_shape shape;
        if (!mi_shape_broadcast(&sum->shape, &x[i]->shape, &shape) || sum->shape.rank != x[i]->shape.rank)
            return mi_layer_fail(layer, MICA_SHAPE, "inputs of shapes %s and %s per sample do not fit together",
                                 mi_layer_shape_text(layer, sum), mi_layer_shape_text(layer, x[i]));
        sum = mi_op2(layer->graph, op, sum, x[i]);
        if (!sum)
            return NULL;
    }
    return sum;
}

static mi_value *build_add(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)desc, fold(layer, "Add", x, count);
}

static mi_value *build_multiply(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)desc, fold(layer, "Mul", x, count);
}

const struct mi_layer_type mi_layer_join_add = {
    .type = "add", .desc_size = sizeof(struct mi_named), .keys = no_keys, .min_inputs = 2, .max_inputs = -1,
    .build = build_add};
const struct mi_layer_type mi_layer_multiply = {
    .type = "multiply", .desc_size = sizeof(struct mi_named), .keys = no_keys, .min_inputs = 2, .max_inputs = -1,
    .build = build_multiply};

mica_node *mica_add(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_join_add, x, count, &(struct mi_named){name});
}

mica_node *mica_multiply(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_multiply, x, count, &(struct mi_named){name});
}

/* ---- Concatenate ---- */

struct concatenate_desc {
    const char *name;
    int axis;
};

static mi_value *build_concatenate(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const struct concatenate_desc *desc = given;
    int rank = x[0]->shape.rank, axis = mi_layer_axis(layer, x[0], desc->axis);
    if (!axis)
        return NULL;
    for (int i = 1; i < count; i++) {
        struct mi_shape shape = x[i]->shape;
        if (shape.rank == rank)
            shape.dim[axis] = x[0]->shape.dim[axis];
        if (!mi_shape_equal(&shape, &x[0]->shape))
            return mi_layer_fail(layer, MICA_SHAPE, "inputs of shapes %s and %s per sample differ beside axis %d",
                                 mi_layer_shape_text(layer, x[0]), mi_layer_shape_text(layer, x[i]), axis);
    }
    return mi_apply(layer->graph, "Concat", x, count, (const struct mi_attribute[]){MI_INT("axis", axis)}, 1);
}

static const struct mi_key concatenate_keys[] = {
    MI_KEY_WITH(struct concatenate_desc, "axis", MI_KEY_INT, axis, .not_zero = true), /* it is the batch */
    {0},
};

const struct mi_layer_type mi_layer_concatenate = {
    .type = "concatenate", .desc_size = sizeof(struct concatenate_desc), .keys = concatenate_keys, .min_inputs = 1,
    .max_inputs = -1, .build = build_concatenate};

mica_node *mica_concatenate(mica_node *const *x, int count, int axis, const char *name)
{
    return mi_layer_add(&mi_layer_concatenate, x, count, &(struct concatenate_desc){name, axis});
}
