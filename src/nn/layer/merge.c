/* Joining branches: element by element, and concatenate. */
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

/* A layer that folds `least` to `most` inputs (-1: any number) by an operator. */
#define FOLD(id, name, op, least, most)                                                                                          \
    static mi_value *build_##id(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)                         \
    {                                                                                                                            \
        return (void)desc, fold(layer, op, x, count);                                                                            \
    }                                                                                                                            \
    JOIN(id, name, least, most)
#define JOIN(id, name, least, most)                                                                                              \
    const struct mi_layer_type mi_layer_##id = {.type = (name), .desc_size = sizeof(struct mi_named), .keys = no_keys,           \
        .min_inputs = (least), .max_inputs = (most), .keeps_steps = true, .build = build_##id};

FOLD(join_add, "add", "Add", 2, -1)
FOLD(multiply, "multiply", "Mul", 2, -1)
FOLD(maximum, "maximum", "Max", 2, -1)
FOLD(minimum, "minimum", "Min", 2, -1)
FOLD(subtract, "subtract", "Sub", 2, 2)

static mi_value *build_average(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    (void)desc;
    mi_value *sum = fold(layer, "Add", x, count);
    return sum ? mi_op2(layer->graph, "Mul", sum, mi_number(layer->graph, sum->type, 1.0 / count)) : NULL;
}
JOIN(average, "average", 2, -1)

mica_node *mica_add(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_join_add, x, count, &(struct mi_named){name});
}

mica_node *mica_multiply(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_multiply, x, count, &(struct mi_named){name});
}

mica_node *mica_maximum(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_maximum, x, count, &(struct mi_named){name});
}

mica_node *mica_minimum(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_minimum, x, count, &(struct mi_named){name});
}

mica_node *mica_average(mica_node *const *x, int count, const char *name)
{
    return mi_layer_add(&mi_layer_average, x, count, &(struct mi_named){name});
}

mica_node *mica_subtract(mica_node *a, mica_node *b, const char *name)
{
    return mi_layer_add(&mi_layer_subtract, (mica_node *const[]){a, b}, 2, &(struct mi_named){name});
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
    MI_KEY_WITH(struct concatenate_desc, "axis", MI_KEY_INT, axis, .not_zero = "that is the batch"),
    {0},
};

const struct mi_layer_type mi_layer_concatenate = {
    .type = "concatenate", .desc_size = sizeof(struct concatenate_desc), .keys = concatenate_keys, .min_inputs = 1,
    .max_inputs = -1, .keeps_steps = true, .build = build_concatenate};

mica_node *mica_concatenate(mica_node *const *x, int count, int axis, const char *name)
{
    return mi_layer_add(&mi_layer_concatenate, x, count, &(struct concatenate_desc){name, axis});
}
