/* Pooling: the maximum or mean of a window, or of everything. */
#include "nn/layer/window.h"

#include "ops/ops.h"

#include <float.h>
#include <string.h>

/* ---- By windows of one size ---- */

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_pool_desc *desc = given;
    struct mi_window w;
    if (!mi_window_resolve(layer, x[0], &(struct mi_window_fields){.size = desc->pool_size, .size_default = 2,
                           .stride = desc->strides, .padding = desc->padding, .pads = desc->pads}, &w))
        return NULL;
    for (int i = 0; i < 2 * w.spatial; i++)
        if (w.pads[i] >= w.size[i % w.spatial])
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "padding of %lld is not smaller than the window of %lld",
                                 (long long)w.pads[i], (long long)w.size[i % w.spatial]);
    const struct mi_attribute attributes[] = {MI_INTS("kernel_shape", w.size, w.spatial), MI_INTS("strides", w.stride, w.spatial),
                                              MI_INTS("pads", w.pads, 2 * w.spatial)};
    return mi_apply(layer->graph, layer->type->op, x, 1, attributes, (int)MI_COUNT(attributes));
}

#define KEYS(axes)                                                                                                               \
    {                                                                                                                            \
        MI_SIZES_KEY(mica_pool_desc, "pool_size", pool_size, axes, MI_KEY_AT_LEAST(1)),                                          \
        MI_SIZES_KEY(mica_pool_desc, "strides", strides, axes, MI_KEY_AT_LEAST(1)),                                              \
        MI_PADDING_KEY(mica_pool_desc, axes),                                                                                    \
        {0},                                                                                                                     \
    }
static const struct mi_key keys1[] = KEYS(1), keys2[] = KEYS(2), keys3[] = KEYS(3);

#define ROW(name, axes, keys, op) MI_SPATIAL_ROW(name, mica_pool_desc, axes, keys, build, op)
const struct mi_layer_type mi_layer_max_pooling1d = ROW("max_pooling1d", 1, keys1, "MaxPool");
const struct mi_layer_type mi_layer_max_pooling2d = ROW("max_pooling2d", 2, keys2, "MaxPool");
const struct mi_layer_type mi_layer_max_pooling3d = ROW("max_pooling3d", 3, keys3, "MaxPool");
const struct mi_layer_type mi_layer_average_pooling1d = ROW("average_pooling1d", 1, keys1, "AveragePool");
const struct mi_layer_type mi_layer_average_pooling2d = ROW("average_pooling2d", 2, keys2, "AveragePool");
const struct mi_layer_type mi_layer_average_pooling3d = ROW("average_pooling3d", 3, keys3, "AveragePool");

#define POOL(name)                                                                                                               \
    mica_node *mica_##name(mica_node *x, const mica_pool_desc *desc)                                                             \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_##name, &x, 1, desc);                                                                      \
    }
POOL(max_pooling1d)
POOL(max_pooling2d)
POOL(max_pooling3d)
POOL(average_pooling1d)
POOL(average_pooling2d)
POOL(average_pooling3d)

/* ---- Of everything: (N, C, ...) -> (N, C), or (N, C, 1, ...); channels last (N, ..., C) -> (N, C), or (N, 1, ..., C) ---- */

static mi_value *reduced(struct mi_layer *layer, const char *op, mi_value *x, const int64_t *axes, int count, bool keep)
{
    return mi_apply(layer->graph, op, (mi_value *const[]){x, mi_ints(layer->graph, axes, count)}, 2,
                    (const struct mi_attribute[]){MI_INT("keepdims", keep)}, 1);
}

/* The mean or maximum over the steps that a mask (N, T) says are real, and all axes behind them but the last; 0 where there is none
 * of them. */
static mi_value *over_real_steps(struct mi_layer *layer, mi_value *x, mi_value *mask, const int64_t *axes, int count, bool keep)
{
    struct mi_graph *graph = layer->graph;
    bool mean = strcmp(layer->type->op, "ReduceMean") == 0;
    struct mi_shape beside = {.rank = x->shape.rank, .dim = {x->shape.dim[0], x->shape.dim[1]}};
    int64_t behind = 1;
    for (int i = 2; i < beside.rank; i++) {
        beside.dim[i] = mi_fixed(1);
        behind *= i + 1 < beside.rank ? x->shape.dim[i].b : 1;
    }
    mi_value *real = mi_reshape_to(graph, mask, &beside);
    mi_value *ones = mi_apply(graph, "Cast", &real, 1, (const struct mi_attribute[]){MI_INT("to", MI_FLOAT)}, 1);
    mi_value *steps = reduced(layer, "ReduceSum", ones, axes, count, keep);
    mi_value *const in[] = {real, x, mi_scalar(graph, mean ? 0 : -FLT_MAX)};
    mi_value *all = reduced(layer, mean ? "ReduceSum" : "ReduceMax", mi_apply(graph, "Where", in, 3, NULL, 0), axes, count, keep);
    if (mean) {
        mi_value *least = mi_op2(graph, "Max", steps, mi_scalar(graph, 1));
        return mi_op2(graph, "Div", all, mi_op2(graph, "Mul", least, mi_scalar(graph, (float)behind)));
    }
    mi_value *any = mi_op2(graph, "Greater", steps, mi_scalar(graph, 0));
    return mi_apply(graph, "Where", (mi_value *const[]){any, all, mi_scalar(graph, 0)}, 3, NULL, 0);
}

static const char *const formats[] = {"channels_first", "channels_last", NULL};

/* Whether channels are the last axis; a word that there is not is an error. */
static bool channels_last(struct mi_layer *layer, const char *format)
{
    if (format && strcmp(format, formats[0]) != 0 && strcmp(format, formats[1]) != 0)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no data_format \"%s\"%s", mi_show(format).text,
                      mi_advise(format, formats).text);
    return format && strcmp(format, formats[1]) == 0;
}

static mi_value *build_global(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_global_pool_desc *desc = given;
    int64_t axes[MI_MAX_RANK];
    int rank = x[0]->shape.rank, first = channels_last(layer, desc->data_format) ? 1 : 2;
    if (mi_model_check(layer->model) != MICA_OK)
        return NULL;
    if (rank < 3)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs channels and spatial axes",
                             mi_layer_shape_text(layer, x[0]));
    for (int i = 0; i < rank - 2; i++) {
        axes[i] = first + i;
        if (x[0]->shape.dim[axes[i]].b == 0)
            return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, which is empty",
                                 mi_layer_shape_text(layer, x[0]));
    }
    mi_value *mask = first == 1 ? mi_layer_mask(layer, x[0]) : NULL;
    return mask ? over_real_steps(layer, x[0], mask, axes, rank - 2, desc->keepdims)
                : reduced(layer, layer->type->op, x[0], axes, rank - 2, desc->keepdims);
}

static const struct mi_key global_keys[] = {
    MI_KEY(mica_global_pool_desc, "keepdims", MI_KEY_BOOL, keepdims),
    MI_KEY_WITH(mica_global_pool_desc, "data_format", MI_KEY_TEXT, data_format, .choices = formats),
    {0},
};
static const char *const average_aliases[] = {"global_average_pooling1d", "global_average_pooling2d",
                                              "global_average_pooling3d", NULL};
static const char *const max_aliases[] = {"global_max_pooling1d", "global_max_pooling2d", "global_max_pooling3d", NULL};

#define GLOBAL(name, others, operator)                                                                                           \
    {.type = (name), .aliases = (others), .desc_size = sizeof(mica_global_pool_desc), .keys = global_keys, .min_inputs = 1,      \
     .max_inputs = 1, .op = (operator), .build = build_global}
const struct mi_layer_type mi_layer_global_average_pooling = GLOBAL("global_average_pooling", average_aliases, "ReduceMean");
const struct mi_layer_type mi_layer_global_max_pooling = GLOBAL("global_max_pooling", max_aliases, "ReduceMax");

mica_node *mica_global_average_pooling(mica_node *x, const mica_global_pool_desc *desc)
{
    return mi_layer_add(&mi_layer_global_average_pooling, &x, 1, desc);
}

mica_node *mica_global_max_pooling(mica_node *x, const mica_global_pool_desc *desc)
{
    return mi_layer_add(&mi_layer_global_max_pooling, &x, 1, desc);
}

/* ---- By windows that share an axis out ---- */

/* Where they are alike, it is an ordinary pool. */
static mi_value *build_adaptive(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_adaptive_pool_desc *desc = given;
    int spatial = layer->type->spatial;
    int64_t out[MI_MOST_AXES], size[MI_MOST_AXES];
    struct mi_window window;
    bool alike = true;
    if (!mi_window_resolve(layer, x[0], &(struct mi_window_fields){.size_default = 1}, &window))
        return NULL;
    for (int i = 0; i < spatial; i++) {
        int64_t in = x[0]->shape.dim[2 + i].b;
        out[i] = i && desc->output_size[i] ? desc->output_size[i] : desc->output_size[0];
        if (!mi_layer_size(layer, "output_size", out[i], 1))
            return NULL;
        size[i] = in / out[i];
        alike = alike && in % out[i] == 0;
    }
    const char *op = layer->type->op;
    if (!alike)
        return mi_apply(layer->graph, mi_arena_format(&layer->graph->arena, "Adaptive%s", op), x, 1,
                        (const struct mi_attribute[]){MI_INTS("output_size", out, spatial)}, 1);
    return mi_apply(layer->graph, op, x, 1,
                    (const struct mi_attribute[]){MI_INTS("kernel_shape", size, spatial), MI_INTS("strides", size, spatial)}, 2);
}

#define ADAPTIVE_KEYS(axes)                                                                                                      \
    {MI_SIZES_KEY(mica_adaptive_pool_desc, "output_size", output_size, axes, .required = true, MI_KEY_AT_LEAST(1)), {0}}
static const struct mi_key adaptive_keys1[] = ADAPTIVE_KEYS(1), adaptive_keys2[] = ADAPTIVE_KEYS(2),
                           adaptive_keys3[] = ADAPTIVE_KEYS(3);

#define ADAPTIVE(name, axes, op)                                                                                                 \
    const struct mi_layer_type mi_layer_##name =                                                                                 \
        MI_SPATIAL_ROW(#name, mica_adaptive_pool_desc, axes, adaptive_keys##axes, build_adaptive, op);                           \
    mica_node *mica_##name(mica_node *x, const mica_adaptive_pool_desc *desc)                                                    \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_##name, &x, 1, desc);                                                                      \
    }
ADAPTIVE(adaptive_average_pooling1d, 1, "AveragePool")
ADAPTIVE(adaptive_average_pooling2d, 2, "AveragePool")
ADAPTIVE(adaptive_average_pooling3d, 3, "AveragePool")
ADAPTIVE(adaptive_max_pooling1d, 1, "MaxPool")
ADAPTIVE(adaptive_max_pooling2d, 2, "MaxPool")
ADAPTIVE(adaptive_max_pooling3d, 3, "MaxPool")
