/* Tables of vectors, looked up by number. */
#include "nn/layer.h"

#include <string.h>

/* The host checks what comes from an input as it is. */
static bool is_checked(const mi_value *index)
{
    const struct mi_node *node = index->node;
    for (; mi_keeps_elements(node); node = node->in[0]->node)
        for (int i = 1; i < node->inputs; i++)
            if (node->in[i] && node->in[i]->node->op != &mi_op_constant)
                return false;
    return node->op == &mi_op_input;
}

static mi_value *whole(struct mi_layer *layer, mi_value *index)
{
    return index->type == MI_FLOAT ? MI_APPLY(layer->graph, "Cast", ((mi_value *[]){index}), MI_INT("to", MI_INT32)) : index;
}

/* Number 0 is padding. */
static mi_value *real_steps(struct mi_layer *layer, mi_value *index)
{
    mi_value *padding = mi_op2(layer->graph, "Equal", mi_layer_float(layer, index), mi_scalar(layer->graph, 0));
    return mi_op1(layer->graph, "Not", padding);
}

/* ---- Rows that are padding ---- */

static bool padding_fits(struct mi_layer *layer, const mica_embedding_desc *desc)
{
    const mica_shape *padding = &desc->padding_idx;
    if (padding->rank < 0 || padding->rank > MICA_MAX_RANK) {
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "padding_idx names 1 to %d rows, not %d", MICA_MAX_RANK, padding->rank);
        return false;
    }
    for (int i = 0; i < padding->rank; i++)
        if (padding->dim[i] < -desc->input_dim || padding->dim[i] >= desc->input_dim) {
            mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "padding_idx is %lld, there are rows 0 to %lld", (long long)padding->dim[i],
                          (long long)(desc->input_dim - 1));
            return false;
        }
    return true;
}

static int64_t padding_row(const mica_embedding_desc *desc, int i)
{
    int64_t row = desc->padding_idx.dim[i];
    return row < 0 ? row + desc->input_dim : row;
}

/* First values of a table, of which some rows are zeros. */
struct padded {
    struct mi_initial make;
    int rows;
    int64_t row[MICA_MAX_RANK];
};

static bool fill_padded(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    const struct padded *padded = how->user;
    int64_t columns = shape->dim[1].b;
    if (padded->make.fill && !padded->make.fill(&padded->make, shape, values))
        return false;
    for (int i = 0; i < padded->rows; i++)
        memset(values + padded->row[i] * columns, 0, (size_t)columns * sizeof *values);
    return true;
}

static void begin_with_zeros(struct mi_layer *layer, const mica_embedding_desc *desc, const mi_value *weight)
{
    struct mi_variable *variable = weight->node->variable;
    struct padded *padded = variable && desc->padding_idx.rank ? mi_arena_new(&layer->graph->arena, 1, sizeof *padded) : NULL;
    if (!padded) /* a wrapper makes the weight of other variables, or there is no padding */
        return;
    padded->make = variable->make;
    for (; padded->rows < desc->padding_idx.rank; padded->rows++)
        padded->row[padded->rows] = padding_row(desc, padded->rows);
    mi_layer_first_values(layer, variable, &(struct mi_initial){.fill = fill_padded, .user = padded});
}

/* y as it is, and no gradient through what was looked up in rows of padding. */
static mi_value *without_gradient(struct mi_layer *layer, const mica_embedding_desc *desc, mi_value *index, mi_value *y)
{
    struct mi_graph *graph = layer->graph;
    const int64_t last = index->shape.rank;
    mi_value *number = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){mi_layer_float(layer, index)}), MI_INTS("axes", &last, 1));
    for (int i = 0; i < desc->padding_idx.rank; i++) {
        mi_value *is = mi_op2(graph, "Equal", number, mi_scalar(graph, (float)padding_row(desc, i)));
        y = mi_apply(graph, "Where", (mi_value *const[]){is, mi_op1(graph, "StopGradient", y), y}, 3, NULL, 0);
    }
    return y;
}

/* ---- The layer ---- */

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_embedding_desc *desc = given;
    if (desc->input_dim < 1 || desc->output_dim < 1)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "input_dim and output_dim must be at least 1, not %lld and %lld",
                             (long long)desc->input_dim, (long long)desc->output_dim);
    if (!padding_fits(layer, desc))
        return NULL;
    mi_value *weight = mi_layer_parameter(layer, &(struct mi_parameter){
        .name = "weight", .rank = 2, .dim = {desc->input_dim, desc->output_dim},
        .desc = &desc->embeddings, .inputs_first = true, .otherwise = "random_uniform",
        .fan_in = (double)desc->input_dim, .fan_out = (double)desc->output_dim});
    if (!weight)
        return NULL;
    begin_with_zeros(layer, desc, weight);
    static const char says[] = "a number that the layers before it computed is none of its rows";
    if (desc->mask_zero && x[0]->shape.rank == 2) {
        mi_value *given_mask = mi_layer_mask(layer, x[0]), *own = real_steps(layer, x[0]);
        layer->mask = given_mask ? mi_op2(layer->graph, "And", given_mask, own) : own;
    }
    mi_value *index = is_checked(x[0]) ? whole(layer, x[0]) : mi_layer_rows(layer, x[0], desc->input_dim, says);
    if (!index)
        return NULL;
    mi_value *y = mi_apply(layer->graph, "Gather", (mi_value *const[]){weight, index}, 2,
                           (const struct mi_attribute[]){MI_INT("axis", 0), MI_INT("checked", 1)}, 2);
    return without_gradient(layer, desc, index, y);
}

static bool steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    return (void)given, (void)count, taken[0] && x[0]->shape.rank == 2;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_embedding_desc, "input_dim", MI_KEY_LONG, input_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_embedding_desc, "output_dim", MI_KEY_LONG, output_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_embedding_desc, "padding_idx", MI_KEY_AXES, padding_idx, MI_KEY_BETWEEN(-MI_MOST_WHOLE, MI_MOST_WHOLE)),
    MI_KEY(mica_embedding_desc, "mask_zero", MI_KEY_BOOL, mask_zero),
    MI_PARAMETER_KEYS(mica_embedding_desc, embeddings),
    {0},
};

const struct mi_layer_type mi_layer_embedding = {
    .type = "embedding", .desc_size = sizeof(mica_embedding_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .keeps_steps = true, .steps = steps, .build = build};

mica_node *mica_embedding(mica_node *x, const mica_embedding_desc *desc)
{
    return mi_layer_add(&mi_layer_embedding, &x, 1, desc);
}
