/* Losses of embeddings, vectors (N, D): the like shall lie near each other, the unlike far apart. They take no targets, so they are
 * layers and no objectives. */
#include "nn/loss/loss.h"

/* Checks what the inputs of such a layer have in common, and its settings, into `value`. */
static bool begin(struct mi_layer *layer, mi_value *const *x, int count, const mica_loss_desc *desc, const struct mi_number *keys,
                  float *value)
{
    struct mi_error error = {0};
    if (desc->from_logits)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "from_logits goes with cross-entropies");
    else if (mi_settings_resolve(&error, "", keys, desc->setting, MICA_MOST_LOSS_SETTINGS, value) != MICA_OK)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s", error.text);
    for (int i = 0; i < count && mi_model_check(layer->model) == MICA_OK; i++)
        if (x[i]->type != MI_FLOAT || x[i]->shape.rank != 2 || !x[i]->shape.dim[0].a)
            mi_layer_fail(layer, MICA_SHAPE, "input %d is %s of shape %s, needs a vector of float32 a sample", i,
                          mi_types[x[i]->type].name, mi_shape_text(&layer->graph->arena, &x[i]->shape));
        else if (!mi_shape_equal(&x[i]->shape, &x[0]->shape))
            mi_layer_fail(layer, MICA_SHAPE, "input %d has shape %s, input 0 %s", i,
                          mi_shape_text(&layer->graph->arena, &x[i]->shape), mi_shape_text(&layer->graph->arena, &x[0]->shape));
    return mi_model_check(layer->model) == MICA_OK;
}

/* ---- An anchor, one like it, and one unlike it ---- */

enum { MARGIN, P };
static const struct mi_number triplet_keys[] = {[MARGIN] = {.name = "margin", .otherwise = 1, .least = 0, .most = 1e30f},
                                                [P] = {.name = "p", .otherwise = 2, .least = 1, .most = 1e30f}, {0}};

/* (sum |x - y + 1e-6|^p)^(1 / p). Divided by the largest, powers neither overflow nor vanish. */
static mi_value *distance(struct mi_graph *graph, mi_value *x, mi_value *y, float p)
{
    const struct mi_attribute along[] = {MI_INTS("axes", ((int64_t[]){1}), 1), MI_INT("keepdims", 1)};
    mi_value *size = mi_op1(graph, "Abs", mi_plus(graph, mi_op2(graph, "Sub", x, y), 1e-6f));
    mi_value *largest = mi_op1(graph, "StopGradient", mi_at_least(graph, mi_apply(graph, "ReduceMax", &size, 1, along, 2), 1e-30f));
    mi_value *powers = mi_op2(graph, "Pow", mi_op2(graph, "Div", size, largest), mi_scalar(graph, p));
    mi_value *sum = mi_at_least(graph, mi_sum_axis(graph, powers, 1, true), 1e-30f);
    mi_value *norm = mi_op2(graph, "Mul", mi_op2(graph, "Pow", sum, mi_scalar(graph, 1 / p)), largest);
    return mi_sum_axis(graph, norm, 1, false);
}

/* max(d(anchor, positive) - d(anchor, negative) + margin, 0) */
static mi_value *build_triplet(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    float value[MICA_MOST_LOSS_SETTINGS];
    struct mi_graph *graph = layer->graph;
    if (!begin(layer, x, count, desc, triplet_keys, value))
        return NULL;
    mi_value *near = distance(graph, x[0], x[1], value[P]), *far = distance(graph, x[0], x[2], value[P]);
    return mi_at_least(graph, mi_plus(graph, mi_op2(graph, "Sub", near, far), value[MARGIN]), 0);
}

const struct mi_layer_type mi_layer_triplet_margin = MI_LOSS_LAYER("triplet_margin", triplet_keys, 3, build_triplet);

mica_node *mica_triplet_margin(mica_node *anchor, mica_node *positive, mica_node *negative, const mica_loss_desc *desc)
{
    return mi_layer_add(&mi_layer_triplet_margin, (mica_node *[]){anchor, positive, negative}, 3, desc);
}

/* ---- Pairs, among which each is unlike all others of its batch ---- */

static const struct mi_number pair_keys[] = {
    {.name = "temperature", .otherwise = 0.1f, .least = 0, .most = 1e30f, .above = true}, {0}};

/* log(sum(exp(x))) over an axis */
static mi_value *log_of_sum(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    const struct mi_attribute along[] = {MI_INTS("axes", &axis, 1), MI_INT("keepdims", 1)};
    mi_value *largest = mi_op1(graph, "StopGradient", mi_apply(graph, "ReduceMax", &x, 1, along, 2));
    mi_value *sum = mi_sum_axis(graph, mi_op1(graph, "Exp", mi_op2(graph, "Sub", x, largest)), (int)axis, true);
    mi_value *whole = mi_op2(graph, "Add", mi_op1(graph, "Log", sum), largest);
    return mi_sum_axis(graph, whole, (int)axis, false);
}

/* Similarities s[i][k] = x_i . y_k / (|x_i| |y_k| temperature), (N, N): the mean of the cross-entropies of row i and of column i,
 * whose true class is i. */
static mi_value *build_info_nce(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    float value[MICA_MOST_LOSS_SETTINGS];
    struct mi_graph *graph = layer->graph;
    const struct mi_attribute turned = MI_INT("transB", 1);
    if (!begin(layer, x, count, desc, pair_keys, value))
        return NULL;
    mi_value *a = mi_times(graph, mi_unit(graph, x[0]), 1 / value[0]), *b = mi_unit(graph, x[1]);
    mi_value *all = mi_apply(graph, "MatMul", (mi_value *const[]){a, b}, 2, &turned, 1);
    mi_value *own = mi_sum_axis(graph, mi_op2(graph, "Mul", a, b), 1, false);
    mi_value *both = mi_op2(graph, "Add", log_of_sum(graph, all, 1), log_of_sum(graph, all, 0));
    return mi_op2(graph, "Sub", mi_times(graph, both, 0.5f), own);
}

const struct mi_layer_type mi_layer_info_nce = MI_LOSS_LAYER("info_nce", pair_keys, 2, build_info_nce);

mica_node *mica_info_nce(mica_node *x, mica_node *y, const mica_loss_desc *desc)
{
    return mi_layer_add(&mi_layer_info_nce, (mica_node *[]){x, y}, 2, desc);
}
