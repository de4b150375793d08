/* Layers around another one, whose weight they reparameterise: what the layer uses is made of what is trained. The layer asks for
 * its parameter "weight" as it always does, and knows nothing of them. */
#include "nn/layer/wrapper.h"

#include "ops/ops.h"

#include <string.h>

/* ---- The layer within ---- */

/* Whether a type's descriptor has parameters. */
static bool has_parameters(const struct mi_layer_type *type)
{
    const struct mi_key *key = type->keys;
    while (key && key->name && key->keys != mi_initializer_keys)
        key++;
    return key && key->name;
}

static mi_value *build_around(struct mi_layer *layer, mi_value *const *x, const struct mi_around *around,
                              struct mi_wrapping *wrapping)
{
    const struct mi_layer_type *type = around->type;
    bool may = has_parameters(type);
    mi_value *value = may ? mi_layer_within(layer, type, around->within, wrapping, x, 1) : NULL;
    if (!may || (value && !wrapping->met))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s has no parameter \"weight\"", type->type);
    if (!value || !mi_layer_write_within(layer, around))
        return NULL;
    struct mi_layer within = *layer;
    within.type = type; /* which says whether steps stay steps */
    layer->mask = mi_layer_mask_of_result(&within, x, 1, value);
    return value;
}

/* ---- What the wrappers share ---- */

static bool is_matrix(struct mi_layer *layer, const mi_value *weight)
{
    if (weight->shape.rank < 2)
        mi_layer_fail(layer, MICA_SHAPE, "its weight has shape %s, to be normalised it needs two dimensions",
                      mi_shape_text(&layer->graph->arena, &weight->shape));
    return weight->shape.rank >= 2;
}

/* What first values follow from: the weight's. */
static struct mi_initial_source *source(struct mi_layer *layer, const mi_value *weight, int axis)
{
    struct mi_initial_source *of = mi_arena_new(&layer->graph->arena, 1, sizeof *of);
    if (of)
        *of = (struct mi_initial_source){.make = weight->node->variable->make, .shape = weight->shape, .axis = axis};
    return of;
}

/* ---- Spectral normalization: Miyato et al. 2018 ---- */

/* The vector `name` of an axis of the weight as a matrix. */
static struct mi_variable *singular_vector(struct mi_layer *layer, const char *name, const mi_value *weight, int axis, int64_t size)
{
    struct mi_variable *vector = mi_layer_statistic(layer, name, size, 0);
    struct mi_initial_source *of = source(layer, weight, axis);
    if (!vector || !of)
        return NULL;
    const char *stream = weight->node->variable->name;
    const struct mi_initial make = mi_initial_singular(of, layer->model->seed, mi_hash(stream, strlen(stream), 1));
    mi_layer_first_values(layer, vector, &make);
    return vector;
}

/* weight / sigma. A layer that is used several times in a step takes its vectors one step further once: what the first use made
 * of them serves all. */
static mi_value *turn_spectral(struct mi_layer *layer, const struct mi_wrapping *wrapping, mi_value *weight)
{
    const struct mi_wrapper_desc *desc = wrapping->desc;
    struct mi_graph *graph = layer->graph;
    if (!is_matrix(layer, weight))
        return NULL;
    int64_t rows = weight->shape.dim[0].b, columns = mi_shape_count(&weight->shape, 0) / rows;
    struct mi_variable *u = singular_vector(layer, "weight_u", weight, 0, rows);
    struct mi_variable *v = singular_vector(layer, "weight_v", weight, 1, columns);
    if (!u || !v)
        return NULL;
    const struct mi_node *used = mi_of_variable(graph, u).assigned;
    if (used)
        return mi_op2(graph, "Div", weight, used->in[0]->node->out[0]);
    mi_value *in[] = {mi_op2(graph, "Reshape", weight, mi_ints(graph, (int64_t[]){rows, columns}, 2)), mi_variable(graph, u),
                      mi_variable(graph, v)};
    int64_t iterations = desc->power_iterations ? desc->power_iterations : 1;
    struct mi_node *norm = mi_node_add(graph, "SpectralNorm", in, 3, &MI_INT("iterations", iterations), 1);
    if (!norm || !mi_assign(graph, u, norm->out[1]) || !mi_assign(graph, v, norm->out[2]))
        return NULL;
    return mi_op2(graph, "Div", weight, norm->out[0]);
}

enum { MOST_ITERATIONS = 100 };

static mi_value *build_spectral(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct mi_wrapper_desc *desc = given;
    if (desc->power_iterations < 0 || desc->power_iterations > MOST_ITERATIONS)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "power_iterations must lie between 1 and %d, not %d", MOST_ITERATIONS,
                             desc->power_iterations);
    return build_around(layer, x, &desc->around, &(struct mi_wrapping){.trained = "weight", .turn = turn_spectral, .desc = desc});
}

static const struct mi_key spectral_keys[] = {
    MI_KEY_WITH(struct mi_wrapper_desc, "layer", MI_KEY_JSON, around.layer, .required = true),
    MI_KEY_WITH(struct mi_wrapper_desc, "power_iterations", MI_KEY_INT, power_iterations, MI_KEY_BETWEEN(1, MOST_ITERATIONS)),
    {0},
};

const struct mi_layer_type mi_layer_spectral_normalization = {
    .type = "spectral_normalization", .desc_size = sizeof(struct mi_wrapper_desc), .keys = spectral_keys, .min_inputs = 1,
    .max_inputs = 1, .wraps = true, .build = build_spectral};

/* ---- Weight normalization: Salimans and Kingma 2016 ---- */

/* g v / |v|, the norm over all axes but one; g is 1 along them. It counts as at least 1e-12, so that v = 0 gives 0. */
static mi_value *turn_weight(struct mi_layer *layer, const struct mi_wrapping *wrapping, mi_value *weight)
{
    const struct mi_wrapper_desc *desc = wrapping->desc;
    struct mi_graph *graph = layer->graph;
    int rank = weight->shape.rank, given = desc->axis, others = 0;
    int axis = given < 0 ? given + rank : given;
    struct mi_parameter scale = {.name = "weight_g", .rank = rank, .otherwise = "ones"};
    int64_t axes[MI_MAX_RANK];
    if (!is_matrix(layer, weight))
        return NULL;
    if (axis < 0 || axis >= rank)
        return mi_layer_fail(layer, MICA_SHAPE, "axis %d, its weight has axes 0 to %d", given, rank - 1);
    for (int i = 0; i < rank; i++) {
        scale.dim[i] = i == axis ? weight->shape.dim[i].b : 1;
        if (i != axis)
            axes[others++] = i;
    }
    mi_value *g = mi_layer_parameter(layer, &scale);
    struct mi_initial_source *of = source(layer, weight, axis);
    if (!g || !of)
        return NULL;
    const struct mi_initial make = mi_initial_norms(of);
    mi_layer_first_values(layer, g->node->variable, &make);
    mi_value *square = mi_reduce(graph, "ReduceSum", mi_op2(graph, "Mul", weight, weight), axes, others, true);
    mi_value *norm = mi_op1(graph, "Sqrt", mi_op2(graph, "Max", square, mi_scalar(graph, 1e-24f)));
    return mi_op2(graph, "Mul", weight, mi_op2(graph, "Div", g, norm));
}

static mi_value *build_weight(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const struct mi_wrapper_desc *desc = given;
    return build_around(layer, x, &desc->around, &(struct mi_wrapping){.trained = "weight_v", .turn = turn_weight, .desc = desc});
}

static const struct mi_key weight_keys[] = {
    MI_KEY_WITH(struct mi_wrapper_desc, "layer", MI_KEY_JSON, around.layer, .required = true),
    MI_KEY_WITH(struct mi_wrapper_desc, "axis", MI_KEY_INT, axis, MI_KEY_BETWEEN(-MICA_MAX_RANK, MICA_MAX_RANK - 1)),
    {0},
};

const struct mi_layer_type mi_layer_weight_normalization = {
    .type = "weight_normalization", .desc_size = sizeof(struct mi_wrapper_desc), .keys = weight_keys, .min_inputs = 1,
    .max_inputs = 1, .wraps = true, .build = build_weight};
