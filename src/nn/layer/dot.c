/* The dot product of two branches along an axis of each. */
#include "nn/layer.h"

/* The letters of a tensor's axes: n the batch, z the one that is summed, the others from `first` on. */
static void name_axes(char *out, int rank, int axis, char first)
{
    for (int i = 0; i < rank; i++)
        *out++ = i == 0 ? 'n' : i == axis ? 'z' : (char)(first + i);
    *out = 0;
}

/* x / max(norm of x along the axis, 1e-7) */
static mi_value *normalized(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    mi_value *squares = mi_op2(graph, "Mul", x, x);
    mi_value *sum = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){squares}), MI_INTS("axes", &axis, 1), MI_INT("keepdims", 1));
    return mi_op2(graph, "Div", x, mi_op1(graph, "Sqrt", mi_op2(graph, "Max", sum, mi_scalar(graph, 1e-14f))));
}

static bool fits(struct mi_layer *layer, mi_value *const *x, const int *axis)
{
    int64_t a = axis[0] ? x[0]->shape.dim[axis[0]].b : 0, b = axis[1] ? x[1]->shape.dim[axis[1]].b : 0;
    int rank = x[0]->shape.rank + x[1]->shape.rank - 3;
    if (!axis[0] || !axis[1])
        return false; /* the error is there */
    if (a == b && rank <= MI_MAX_RANK)
        return true;
    if (a != b)
        mi_layer_fail(layer, MICA_SHAPE, "axis %d of %s has %lld elements, axis %d of %s has %lld", axis[0],
                      mi_layer_shape_text(layer, x[0]), (long long)a, axis[1], mi_layer_shape_text(layer, x[1]), (long long)b);
    else
        mi_layer_fail(layer, MICA_SHAPE, "the result has %d dimensions, at most %d are possible", rank, MI_MAX_RANK);
    return false;
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_dot_desc *desc = given;
    struct mi_graph *graph = layer->graph;
    char names[2][MI_MAX_RANK + 1];
    mi_value *in[2];
    int axis[2] = {mi_layer_axis(layer, x[0], desc->axes[0])};
    axis[1] = axis[0] ? mi_layer_axis(layer, x[1], desc->axes[1] ? desc->axes[1] : desc->axes[0]) : 0;
    if (!fits(layer, x, axis))
        return NULL;
    for (int i = 0; i < count; i++) {
        in[i] = desc->normalize ? normalized(graph, x[i], axis[i]) : x[i];
        name_axes(names[i], x[i]->shape.rank, axis[i], i ? 'A' : 'a');
    }
    const char *equation = mi_arena_format(&graph->arena, "%s,%s->n%.*s%s%.*s%s", names[0], names[1], axis[0] - 1, names[0] + 1,
                                           names[0] + axis[0] + 1, axis[1] - 1, names[1] + 1, names[1] + axis[1] + 1);
    if (!equation)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    mi_value *y = mi_apply(graph, "Einsum", in, 2, (const struct mi_attribute[]){MI_TEXT("equation", equation)}, 1);
    return y && y->shape.rank == 1 ? mi_layer_reshape(layer, y, (const int64_t[]){1}, 1) : y;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_dot_desc, "axes", MI_KEY_SIZES, axes, .spatial = 2, .not_zero = "that is the batch"),
    MI_KEY(mica_dot_desc, "normalize", MI_KEY_BOOL, normalize),
    {0},
};

const struct mi_layer_type mi_layer_dot = {
    .type = "dot", .desc_size = sizeof(mica_dot_desc), .keys = keys, .min_inputs = 2, .max_inputs = 2, .build = build};

mica_node *mica_dot(mica_node *a, mica_node *b, const mica_dot_desc *desc)
{
    return mi_layer_add(&mi_layer_dot, (mica_node *const[]){a, b}, 2, desc);
}
