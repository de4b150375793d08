/* Pooling: the maximum or mean of a window, or of everything. */
#include "nn/layer/window.h"

static mi_value *pool(struct mi_layer *layer, mi_value *x, int spatial, const char *op, const mica_pool_desc *desc)
{
    struct mi_window w;
    if (!mi_window_resolve(layer, x, spatial, desc->pool_size, 2, desc->strides, NULL, desc->padding, desc->pads, &w))
        return NULL;
    for (int i = 0; i < 2 * spatial; i++)
        if (w.pads[i] >= w.size[i % spatial])
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "padding of %lld is not smaller than the window of %lld",
                                 (long long)w.pads[i], (long long)w.size[i % spatial]);
    const struct mi_attribute attributes[] = {MI_INTS("kernel_shape", w.size, spatial), MI_INTS("strides", w.stride, spatial),
                                              MI_INTS("pads", w.pads, 2 * spatial)};
    return mi_apply(layer->graph, op, &x, 1, attributes, (int)MI_COUNT(attributes));
}

static mi_value *max1(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, pool(layer, x[0], 1, "MaxPool", desc);
}

static mi_value *max2(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, pool(layer, x[0], 2, "MaxPool", desc);
}

static mi_value *average1(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, pool(layer, x[0], 1, "AveragePool", desc);
}

static mi_value *average2(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, pool(layer, x[0], 2, "AveragePool", desc);
}

/* (N, C, ...) -> (N, C) */
static mi_value *global_pool(struct mi_layer *layer, mi_value *x, const char *op)
{
    int64_t axes[MI_MAX_RANK];
    int rank = x->shape.rank;
    if (rank < 3)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs channels and spatial axes",
                             mi_layer_shape_text(layer, x));
    for (int i = 2; i < rank; i++) {
        axes[i - 2] = i;
        if (x->shape.dim[i].b == 0)
            return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, which is empty",
                                 mi_layer_shape_text(layer, x));
    }
    return mi_apply(layer->graph, op, (mi_value *const[]){x, mi_ints(layer->graph, axes, rank - 2)}, 2,
                    (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

static mi_value *global_average(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, (void)desc, global_pool(layer, x[0], "ReduceMean");
}

static mi_value *global_max(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, (void)desc, global_pool(layer, x[0], "ReduceMax");
}

#define POOL_KEYS(axes)                                                                                                \
    {                                                                                                                  \
        MI_KEY_WITH(mica_pool_desc, "pool_size", MI_KEY_PAIR, pool_size, MI_KEY_AT_LEAST(1)),                               \
        MI_KEY_WITH(mica_pool_desc, "strides", MI_KEY_PAIR, strides, MI_KEY_AT_LEAST(1)),                                   \
        MI_KEY_WITH(mica_pool_desc, "padding", MI_KEY_PADDING, padding, .spatial = (axes),                                  \
               .second = offsetof(mica_pool_desc, pads)),                                                              \
        {0},                                                                                                           \
    }
static const struct mi_key keys1[] = POOL_KEYS(1);
static const struct mi_key keys2[] = POOL_KEYS(2);
static const struct mi_key no_keys[] = {{0}};

#define POOL_ROW(name, table, function)                                                                                \
    {.type = (name), .desc_size = sizeof(mica_pool_desc), .keys = (table), .min_inputs = 1, .max_inputs = 1,           \
     .build = (function)}
const struct mi_layer_type mi_layer_max_pooling1d = POOL_ROW("max_pooling1d", keys1, max1);
const struct mi_layer_type mi_layer_max_pooling2d = POOL_ROW("max_pooling2d", keys2, max2);
const struct mi_layer_type mi_layer_average_pooling1d = POOL_ROW("average_pooling1d", keys1, average1);
const struct mi_layer_type mi_layer_average_pooling2d = POOL_ROW("average_pooling2d", keys2, average2);

static const char *const average_aliases[] = {"global_average_pooling1d", "global_average_pooling2d", NULL};
static const char *const max_aliases[] = {"global_max_pooling1d", "global_max_pooling2d", NULL};
const struct mi_layer_type mi_layer_global_average_pooling = {
    .type = "global_average_pooling", .aliases = average_aliases, .desc_size = sizeof(struct mi_named), .keys = no_keys,
    .min_inputs = 1, .max_inputs = 1, .build = global_average};
const struct mi_layer_type mi_layer_global_max_pooling = {
    .type = "global_max_pooling", .aliases = max_aliases, .desc_size = sizeof(struct mi_named), .keys = no_keys,
    .min_inputs = 1, .max_inputs = 1, .build = global_max};

mica_node *mica_max_pooling1d(mica_node *x, const mica_pool_desc *desc)
{
    return mi_layer_add(&mi_layer_max_pooling1d, &x, 1, desc);
}

mica_node *mica_max_pooling2d(mica_node *x, const mica_pool_desc *desc)
{
    return mi_layer_add(&mi_layer_max_pooling2d, &x, 1, desc);
}

mica_node *mica_average_pooling1d(mica_node *x, const mica_pool_desc *desc)
{
    return mi_layer_add(&mi_layer_average_pooling1d, &x, 1, desc);
}

mica_node *mica_average_pooling2d(mica_node *x, const mica_pool_desc *desc)
{
    return mi_layer_add(&mi_layer_average_pooling2d, &x, 1, desc);
}

mica_node *mica_global_average_pooling(mica_node *x, const char *name)
{
    return mi_layer_add(&mi_layer_global_average_pooling, &x, 1, &(struct mi_named){name});
}

mica_node *mica_global_max_pooling(mica_node *x, const char *name)
{
    return mi_layer_add(&mi_layer_global_max_pooling, &x, 1, &(struct mi_named){name});
}
