/* What is the same around every recurrent cell: its parameters, the products of all steps at once, the repeat, its results. */
#include "nn/layer/recurrent.h"

#include "ops/ops.h"

#include <string.h>

/* ---- For cells ---- */

mi_value *mi_gate(const struct mi_turn *turn, mi_value *gates, int which)
{
    const int64_t axis = 1, from = which * turn->desc->units, to = from + turn->desc->units;
    return MI_APPLY(turn->layer->graph, "Slice", ((mi_value *[]){gates}), MI_INTS("starts", &from, 1), MI_INTS("ends", &to, 1),
                    MI_INTS("axes", &axis, 1));
}

mi_value *mi_recurrent_product(const struct mi_turn *turn, mi_value *h)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *kept = turn->mask ? mi_op2(graph, "Mul", h, turn->mask) : h;
    mi_value *in[] = {kept, turn->weight, turn->bias};
    return mi_apply(graph, "Gemm", in, turn->bias ? 3 : 2, (const struct mi_attribute[]){MI_INT("transB", 1)}, 1);
}

/* ---- Parameters ---- */

static mi_value *parameter(struct mi_layer *layer, const char *name, int64_t rows, int64_t columns, const mica_parameter_desc *desc,
                           const char *otherwise)
{
    struct mi_parameter wanted = {.name = name, .rank = columns ? 2 : 1, .dim = {rows, columns}, .desc = desc,
                                  .otherwise = otherwise, .fan_in = (double)(columns ? columns : rows), .fan_out = (double)rows};
    return mi_layer_parameter(layer, &wanted);
}

/* The bias of the input's products, where it is wanted, and of the states'. */
static bool add_biases(struct mi_layer *layer, const struct mi_cell *cell, const mica_recurrent_desc *desc, mi_value **bias)
{
    int64_t rows = cell->gates * desc->units;
    bias[0] = bias[1] = NULL;
    if (desc->no_bias)
        return true;
    bias[0] = parameter(layer, "bias_ih_l0", rows, 0, &desc->bias, "zeros");
    bias[1] = parameter(layer, "bias_hh_l0", rows, 0, &desc->bias, "zeros");
    if (!bias[0] || !bias[1])
        return false;
    return !cell->begin_bias || desc->bias.initializer.type || cell->begin_bias(layer, desc, bias[0]);
}

/* ---- Running ---- */

/* The same elements are dropped in all steps of a sequence. */
static mi_value *dropped(struct mi_layer *layer, mi_value *x, float rate, const mica_recurrent_desc *desc, int shared_axis)
{
    const int64_t shared = shared_axis;
    const struct mi_attribute attributes[] = {MI_REAL("rate", rate), MI_INT("seed", (int64_t)desc->seed),
                                              MI_INTS("shared", &shared, 1)};
    return rate > 0 ? mi_apply(layer->graph, "Dropout", &x, 1, attributes, shared_axis ? 3 : 2) : x;
}

static mi_value *filled(struct mi_layer *layer, const mi_value *x, int64_t units, float value)
{
    const struct mi_shape shape = {.rank = 2, .dim = {x->shape.dim[0], mi_fixed(units)}};
    return mi_expand_to(layer->graph, mi_scalar(layer->graph, value), &shape);
}

/* W x of all steps: (N, T, gates * units). */
static mi_value *input_products(struct mi_layer *layer, const struct mi_cell *cell, const mica_recurrent_desc *desc, mi_value *x,
                                mi_value *bias)
{
    struct mi_graph *graph = layer->graph;
    int64_t steps = x->shape.dim[1].b, features = x->shape.dim[2].b, rows = cell->gates * desc->units;
    mi_value *weight = parameter(layer, "weight_ih_l0", rows, features, &desc->kernel, "glorot_uniform");
    mi_value *kept = dropped(layer, x, desc->dropout, desc, 1);
    mi_value *in[] = {mi_op2(graph, "Reshape", kept, mi_ints(graph, (int64_t[]){-1, features}, 2)), weight, bias};
    mi_value *product = mi_apply(graph, "Gemm", in, bias ? 3 : 2, (const struct mi_attribute[]){MI_INT("transB", 1)}, 1);
    return mi_op2(graph, "Reshape", product, mi_ints(graph, (int64_t[]){-1, steps, rows}, 3));
}

/* The last step first. */
static mi_value *reversed_steps(struct mi_layer *layer, mi_value *x)
{
    const int64_t axis = 1, start = -1, end = INT64_MIN + 1, step = -1;
    return MI_APPLY(layer->graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &start, 1), MI_INTS("ends", &end, 1),
                    MI_INTS("axes", &axis, 1), MI_INTS("steps", &step, 1));
}

/* Where the step is padding, the states stay as they are. */
static void hold(struct mi_layer *layer, mi_value *mask, mi_value *const *now, mi_value **next, int states)
{
    struct mi_graph *graph = layer->graph;
    const int64_t axis = 1;
    if (!mask)
        return;
    mi_value *real = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){mi_at_turn(graph, mask, 1)}), MI_INTS("axes", &axis, 1));
    for (int i = 0; i < states; i++)
        next[i] = mi_apply(graph, "Where", (mi_value *const[]){real, next[i], now[i]}, 3, NULL, 0);
}

void mi_recurrent_mask(struct mi_layer *layer, const mica_recurrent_desc *desc, const mi_value *x)
{
    mi_value *mask = mi_layer_mask(layer, x);
    if (mask && desc->return_sequences)
        layer->mask = desc->go_backwards ? reversed_steps(layer, mask) : mask;
}

bool mi_recurrent_run(struct mi_layer *layer, const struct mi_cell *cell, const mica_recurrent_desc *desc, mi_value *x,
                      mi_value *const *first, bool backwards, struct mi_run *run)
{
    struct mi_graph *graph = layer->graph;
    mi_value *bias[2], *now[MI_MOST_STATES] = {NULL}, *next[MI_MOST_STATES] = {NULL};
    int64_t rows = cell->gates * desc->units;
    if (!add_biases(layer, cell, desc, bias))
        return false;
    mi_value *with = bias[0] && !cell->adds_bias ? mi_op2(graph, "Add", bias[0], bias[1]) : bias[0];
    mi_value *products = input_products(layer, cell, desc, mi_layer_float(layer, x), with);
    struct mi_turn turn = {.layer = layer, .desc = desc, .bias = cell->adds_bias ? bias[1] : NULL};
    turn.weight = parameter(layer, "weight_hh_l0", rows, desc->units, &desc->recurrent, "orthogonal");
    if (desc->recurrent_dropout > 0)
        turn.mask = dropped(layer, filled(layer, x, desc->units, 1), desc->recurrent_dropout, desc, 0);
    for (int i = 0; i < cell->states; i++)
        now[i] = first ? first[i] : filled(layer, x, desc->units, 0);
    if (!products || !turn.weight || !mi_repeat_begin(graph, x->shape.dim[1].b, backwards))
        return false;
    for (int i = 0; i < cell->states; i++)
        now[i] = mi_carry(graph, now[i]);
    cell->turn(&turn, mi_at_turn(graph, products, 1), now, next);
    hold(layer, mi_layer_mask(layer, x), now, next, cell->states);
    struct mi_node *end = mi_repeat_end(graph, next, cell->states);
    for (int i = 0; i < cell->states; i++)
        run->last[i] = mi_last(end, i);
    run->all = mi_stack(end, next[0]);
    return run->all != NULL;
}

mi_value *mi_recurrent_sequence(struct mi_layer *layer, mi_value *all, bool reversed)
{
    mi_value *y = MI_APPLY(layer->graph, "Transpose", ((mi_value *[]){all}), MI_INTS("perm", ((int64_t[]){1, 0, 2}), 3));
    return reversed ? reversed_steps(layer, y) : y;
}

/* ---- Checks ---- */

static bool rate_fits(struct mi_layer *layer, const char *what, float rate)
{
    if (rate >= 0 && rate < 1)
        return true;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s must be at least 0 and below 1, not %g", what, (double)rate);
    return false;
}

static bool state_fits(struct mi_layer *layer, const mica_recurrent_desc *desc, const mi_value *state, int number)
{
    const struct mi_shape *shape = &state->shape;
    if (shape->rank == 2 && mi_dim_is(shape->dim[1], desc->units) && state->type == MI_FLOAT)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "input %d, a state to begin with, is %s of shape %s per sample, needs float32 (%lld)", number,
                  mi_types[state->type].name, mi_layer_shape_text(layer, state), (long long)desc->units);
    return false;
}

bool mi_recurrent_fits(struct mi_layer *layer, const mica_recurrent_desc *desc, mi_value *const *x, int count, int states)
{
    const struct mi_shape *shape = &x[0]->shape;
    if (!mi_layer_size(layer, "units", desc->units, 1) || !rate_fits(layer, "dropout", desc->dropout) ||
        !rate_fits(layer, "recurrent_dropout", desc->recurrent_dropout))
        return false;
    if (shape->rank != 3 || shape->dim[1].b < 1 || shape->dim[2].b < 1) {
        mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs (steps, features); a recurrent layer gives these "
                      "with \"return_sequences\", \"reshape\" makes them of others", mi_layer_shape_text(layer, x[0]));
        return false;
    }
    if (count != 1 && count != 1 + states) {
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "takes a sequence, and %d state%s to begin with or none, not %d", states,
                      states == 1 ? "" : "s", count - 1);
        return false;
    }
    for (int i = 1; i < count; i++)
        if (!state_fits(layer, desc, x[i], i))
            return false;
    return true;
}
