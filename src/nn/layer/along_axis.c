/* Activations along an axis: the softmaxes and glu. */
#include "nn/layer/activation.h"

struct along {
    const char *name;
    int axis;                    /* 0: -1 */
};

static const struct mi_key keys[] = {
    MI_KEY_WITH(struct along, "axis", MI_KEY_INT, axis, .not_zero = "that is the batch"),
    {0},
};

/* The row, and its call in C. */
#define ALONG(id)                                                                                                                \
    MI_ACTIVATION_ROW(id, NULL, struct along, keys);                                                                             \
    mica_node *mica_##id(mica_node *x, int axis, const char *name)                                                               \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_##id, &x, 1, &(struct along){name, axis});                                                 \
    }

/* ---- Softmaxes ---- */

#define OPERATOR(id, op)                                                                                                         \
    static mi_value *build_##id(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)                         \
    {                                                                                                                            \
        int axis = mi_layer_axis(layer, x[0], ((const struct along *)desc)->axis);                                               \
        if (!axis)                                                                                                               \
            return NULL;                                                                                                         \
        return (void)count, mi_apply(layer->graph, op, x, 1, (const struct mi_attribute[]){MI_INT("axis", axis)}, 1);            \
    }                                                                                                                            \
    ALONG(id)

OPERATOR(softmax, "Softmax")
OPERATOR(log_softmax, "LogSoftmax")
OPERATOR(sparsemax, "Sparsemax")

/* ---- GLU: Dauphin et al., 2017 ---- */

static mi_value *part(struct mi_graph *graph, mi_value *x, int64_t axis, int64_t start, int64_t end)
{
    return MI_APPLY(graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &start, 1), MI_INTS("ends", &end, 1),
                    MI_INTS("axes", &axis, 1));
}

static mi_value *build_glu(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    struct mi_graph *graph = layer->graph;
    int axis = mi_layer_axis(layer, x[0], ((const struct along *)desc)->axis);
    (void)count;
    if (!axis)
        return NULL;
    int64_t size = x[0]->shape.dim[axis].b;
    if (size % 2)
        return mi_layer_fail(layer, MICA_SHAPE, "axis %d has %lld elements, glu needs two halves of them", axis, (long long)size);
    return mi_op2(graph, "Mul", part(graph, x[0], axis, 0, size / 2),
                  mi_op1(graph, "Sigmoid", part(graph, x[0], axis, size / 2, size)));
}

ALONG(glu)
