/* Layers that repeat what there is, or put more between: repeat_vector and up_sampling. */
#include "nn/layer/spatial.h"

#include "ops/custom.h"
#include "ops/ops.h"

#include <string.h>

/* ---- Repeat vector ---- */

struct repeat_desc {
    const char *name;
    int64_t times;
};

/* Element i of an axis becomes `times` neighbours: a new axis behind it, of which all places are the same. */
static mi_value *repeated(struct mi_layer *layer, mi_value *x, int axis, int64_t times)
{
    struct mi_shape wide = {.rank = 0}, joined;
    if (!x || times == 1)
        return x;
    joined = x->shape;
    joined.dim[axis].b *= times;
    for (int i = 0; i < x->shape.rank; i++) {
        wide.dim[wide.rank++] = x->shape.dim[i];
        if (i == axis)
            wide.dim[wide.rank++] = mi_fixed(times);
    }
    const int64_t behind = axis + 1;
    mi_value *one = MI_APPLY(layer->graph, "Unsqueeze", ((mi_value *[]){x}), MI_INTS("axes", &behind, 1));
    return mi_reshape_to(layer->graph, mi_expand_to(layer->graph, one, &wide), &joined);
}

static mi_value *build_repeat(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct repeat_desc *desc = given;
    const int64_t behind = 1;
    if (x[0]->shape.rank != 2)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs (features)",
                             mi_layer_shape_text(layer, x[0]));
    if (!mi_layer_size(layer, "n", desc->times, 1))
        return NULL;
    struct mi_shape out = {.rank = 3, .dim = {x[0]->shape.dim[0], mi_fixed(desc->times), x[0]->shape.dim[1]}};
    mi_value *one = MI_APPLY(layer->graph, "Unsqueeze", ((mi_value *[]){x[0]}), MI_INTS("axes", &behind, 1));
    return mi_expand_to(layer->graph, one, &out);
}

static const struct mi_key repeat_keys[] = {
    MI_KEY_WITH(struct repeat_desc, "n", MI_KEY_LONG, times, .required = true, MI_KEY_AT_LEAST(1)),
    {0},
};

const struct mi_layer_type mi_layer_repeat_vector = {
    .type = "repeat_vector", .desc_size = sizeof(struct repeat_desc), .keys = repeat_keys, .min_inputs = 1, .max_inputs = 1,
    .build = build_repeat};

mica_node *mica_repeat_vector(mica_node *x, const char *name, int64_t times)
{
    return mi_layer_add(&mi_layer_repeat_vector, &x, 1, &(struct repeat_desc){name, times});
}

/* ---- Interpolation ---- */

/* How far a kernel reaches to either side of the nearest element, and its weight at a distance x. */
struct kernel {
    const char *name;
    int reach;
    const char *weight;
};

static const struct kernel kernels[] = {
    {"nearest", 0, NULL},
    {"bilinear", 1, "x < 1 ? 1 - x : 0"},
    {"bicubic", 2, "x < 1 ? (1.25 * x - 2.25) * x * x + 1 : x < 2 ? -0.75 * (x - 1) * (x - 2) * (x - 2) : 0"},
};
static const char *const kernel_names[] = {"nearest", "bilinear", "bicubic", NULL};

static mi_value *mapped(struct mi_layer *layer, mi_value *x, const char *expression)
{
    struct mi_error error = {0};
    const struct mi_op *op = mi_custom_map(&layer->graph->arena, &error, "its weights", 1, expression, NULL);
    struct mi_node *node = op ? mi_node_of(layer->graph, op, &x, 1, NULL, 0) : NULL;
    return node ? node->out[0] : op ? NULL : mi_layer_fail(layer, MICA_INTERNAL, "%s", error.text);
}

/* The weights (times, 1, ...) that the element at distance `tap` from the nearest has in the places that stand for the nearest:
 * place p of these lies at (p + 1/2) / times - 1/2 from it. `behind`: how many axes follow. */
static mi_value *weights(struct mi_layer *layer, const struct kernel *kernel, int64_t times, int tap, int behind)
{
    struct mi_graph *graph = layer->graph;
    struct mi_shape shape = {.rank = 1 + behind, .dim = {mi_fixed(times)}};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = mi_fixed(1);
    mi_value *zeros = mi_expand_to(graph, mi_scalar(graph, 0), &shape);
    mi_value *place = MI_APPLY(graph, "Index", ((mi_value *[]){zeros}), MI_INT("axis", 0));
    place = MI_APPLY(graph, "Cast", ((mi_value *[]){place}), MI_INT("to", MI_FLOAT));
    const char *distance = mi_arena_format(&graph->arena, "abs((x + 0.5) / %lld - 0.5 - (%d))", (long long)times, tap);
    return mapped(layer, mapped(layer, place, distance), kernel->weight);
}

/* Along one axis (..., D, ...) -> (..., D * times, ...): a sum of shifted tensors, each times the weights of a group of `times`
 * places, which is an axis of its own until the end. So the gradient is made of sums over that axis and of shifts. */
static mi_value *interpolated(struct mi_layer *layer, mi_value *x, int axis, int64_t times, const struct kernel *kernel)
{
    struct mi_graph *graph = layer->graph;
    int reach = kernel->reach;
    if (!x || times == 1)
        return x;
    struct mi_shape joined = x->shape;
    const int64_t at = axis, behind = axis + 1, size = x->shape.dim[axis].b, pads[] = {reach, reach};
    mi_value *wide = MI_APPLY(graph, "Pad", ((mi_value *[]){x}), MI_INTS("pads", pads, 2), MI_INTS("axes", &at, 1),
                              MI_TEXT("mode", "edge"));
    mi_value *sum = NULL;
    for (int tap = -reach; tap <= reach; tap++) {
        const int64_t start = reach + tap, end = start + size;
        mi_value *shifted = MI_APPLY(graph, "Slice", ((mi_value *[]){wide}), MI_INTS("starts", &start, 1), MI_INTS("ends", &end, 1),
                                     MI_INTS("axes", &at, 1));
        mi_value *one = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){shifted}), MI_INTS("axes", &behind, 1));
        mi_value *part = mi_op2(graph, "Mul", one, weights(layer, kernel, times, tap, x->shape.rank - 1 - axis));
        sum = tap == -reach ? part : mi_op2(graph, "Add", sum, part);
    }
    joined.dim[axis].b *= times;
    return mi_reshape_to(graph, sum, &joined);
}

/* ---- Up-sampling ---- */

static const struct kernel *kernel_of(struct mi_layer *layer, const char *name)
{
    for (size_t i = 0; i < MI_COUNT(kernels); i++)
        if (!name || strcmp(kernels[i].name, name) == 0)
            return &kernels[i];
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no interpolation \"%s\"%s", mi_show(name).text,
                  mi_advise(name, kernel_names).text);
    return NULL;
}

static mi_value *up_sampling(struct mi_layer *layer, mi_value *x, int spatial, const mica_up_sampling_desc *desc)
{
    const struct kernel *kernel = kernel_of(layer, desc->interpolation);
    if (!kernel || !mi_spatial_fits(layer, x, spatial))
        return NULL;
    if (kernel->weight && spatial != 2)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "interpolation is %s, only nearest is possible along %s", kernel->name,
                             spatial == 1 ? "one axis" : "three axes");
    for (int i = 0; i < spatial && x; i++) {
        int64_t times = desc->size[i] ? desc->size[i] : desc->size[0] ? desc->size[0] : 2, size = x->shape.dim[2 + i].b;
        if (!mi_layer_size(layer, "size", times, 1) || !mi_layer_size(layer, "a side of the result", size * times, 0))
            return NULL;
        x = kernel->weight ? interpolated(layer, x, 2 + i, times, kernel) : repeated(layer, x, 2 + i, times);
    }
    return x;
}

static const char *const nearest_alone[] = {"nearest", NULL};

#define UP_SAMPLING(axes, names)                                                                                                  \
    static mi_value *build_up##axes(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)                     \
    {                                                                                                                            \
        return (void)count, up_sampling(layer, x[0], axes, desc);                                                                \
    }                                                                                                                            \
    static const struct mi_key up##axes##_keys[] = {                                                                             \
        MI_KEY_WITH(mica_up_sampling_desc, "size", MI_KEY_SIZES, size, .spatial = (axes), MI_KEY_AT_LEAST(1)),                   \
        MI_KEY_WITH(mica_up_sampling_desc, "interpolation", MI_KEY_TEXT, interpolation, .choices = (names)),                     \
        {0},                                                                                                                     \
    };                                                                                                                           \
    const struct mi_layer_type mi_layer_up_sampling##axes##d = {                                                                 \
        .type = "up_sampling" #axes "d", .desc_size = sizeof(mica_up_sampling_desc), .keys = up##axes##_keys, .min_inputs = 1,   \
        .max_inputs = 1, .build = build_up##axes};                                                                               \
    mica_node *mica_up_sampling##axes##d(mica_node *x, const mica_up_sampling_desc *desc)                                        \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_up_sampling##axes##d, &x, 1, desc);                                                        \
    }
UP_SAMPLING(1, nearest_alone)
UP_SAMPLING(2, kernel_names)
UP_SAMPLING(3, nearest_alone)
