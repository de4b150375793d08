/* The products of recurrent cells with their weights: of all steps of the input at once, and of the states in each turn. */
#include "nn/layer/recurrent.h"

#include "nn/layer/convolve.h"
#include "ops/ops.h"

/* ---- Parameters ---- */

/* (rows, columns, window...), or with columns 0 a bias (rows). */
static mi_value *parameter(struct mi_turn *turn, const char *name, int64_t rows, int64_t columns, const mica_parameter_desc *desc,
                           const char *otherwise)
{
    struct mi_layer *layer = turn->layer;
    const struct mi_window *window = &turn->window;
    double places = mi_window_places(window), fan_in = (double)(columns ? columns : rows);
    struct mi_parameter wanted = {
        .name = mi_arena_format(&layer->graph->arena, "%s_l%d", name, turn->number), .rank = columns ? 2 + window->spatial : 1,
        .dim = {rows, columns}, .desc = desc, .otherwise = otherwise, .fan_in = places * fan_in, .fan_out = places * (double)rows};
    for (int i = 0; i < window->spatial && columns; i++)
        wanted.dim[2 + i] = window->size[i];
    return mi_layer_parameter(layer, &wanted);
}

/* The bias of the input's products, and of the states'. */
static bool add_biases(struct mi_turn *turn, mi_value **bias)
{
    const struct mi_cell *cell = turn->use->cell;
    const mica_recurrent_desc *desc = turn->desc;
    int64_t rows = cell->gates * desc->units;
    bool one = turn->use->window && !cell->adds_bias;
    bias[0] = bias[1] = NULL;
    if (desc->no_bias)
        return true;
    bias[0] = parameter(turn, "bias_ih", rows, 0, &desc->bias, "zeros");
    bias[1] = one ? NULL : parameter(turn, "bias_hh", rows, 0, &desc->bias, "zeros");
    if (!bias[0] || (!bias[1] && !one))
        return false;
    return !cell->begin_bias || desc->bias.initializer.type || cell->begin_bias(turn, bias[0]);
}

/* ---- Products ---- */

/* The same elements are dropped in all steps of a sequence. */
static mi_value *dropped(const struct mi_turn *turn, mi_value *x, float rate, int shared_axis)
{
    const int64_t shared = shared_axis;
    const struct mi_attribute attributes[] = {MI_REAL("rate", rate), MI_INT("seed", (int64_t)turn->desc->seed),
                                              MI_INTS("shared", &shared, 1)};
    return rate > 0 ? mi_apply(turn->layer->graph, "Dropout", &x, 1, attributes, shared_axis ? 3 : 2) : x;
}

static mi_value *product(struct mi_graph *graph, mi_value *x, mi_value *weight, mi_value *bias)
{
    mi_value *in[] = {x, weight, bias};
    return mi_apply(graph, "Gemm", in, bias ? 3 : 2, (const struct mi_attribute[]){MI_INT("transB", 1)}, 1);
}

mi_value *mi_recurrent_product(const struct mi_turn *turn, mi_value *h)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *kept = turn->mask ? mi_op2(graph, "Mul", h, turn->mask) : h;
    if (turn->use->window)
        return mi_convolve_by(graph, "Conv", (mi_value *[]){kept, turn->weight, turn->bias}, &turn->window, 1);
    return product(graph, kept, turn->weight, turn->bias);
}

mi_value *mi_gate(const struct mi_turn *turn, mi_value *gates, int which)
{
    const int64_t axis = 1, from = which * turn->desc->units, to = from + turn->desc->units;
    return MI_APPLY(turn->layer->graph, "Slice", ((mi_value *[]){gates}), MI_INTS("starts", &from, 1), MI_INTS("ends", &to, 1),
                    MI_INTS("axes", &axis, 1));
}

/* ---- Beginning ---- */

static bool rate_fits(struct mi_layer *layer, const char *what, float rate)
{
    if (rate >= 0 && rate < 1)
        return true;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s must be at least 0 and below 1, not %g", what, (double)rate);
    return false;
}

/* Sizes, rates, and a sequence of what the cell reads. */
static bool fits(struct mi_turn *turn, const mi_value *x)
{
    static const char *const needs[] = {"(steps, features); a recurrent layer gives these with \"return_sequences\", \"reshape\" "
                                        "makes them of others", "(steps, channels, length)", "(steps, channels, height, width)",
                                        "(steps, channels, depth, height, width)"};
    struct mi_layer *layer = turn->layer;
    const mica_recurrent_desc *desc = turn->desc;
    int spatial = turn->use->window ? layer->type->spatial : 0;
    if (!mi_layer_size(layer, spatial ? "filters" : "units", desc->units, 1) || !rate_fits(layer, "dropout", desc->dropout) ||
        !rate_fits(layer, "recurrent_dropout", desc->recurrent_dropout))
        return false;
    if (x->shape.rank == 3 + spatial && x->shape.dim[1].b >= 1 && x->shape.dim[2].b >= 1)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs %s", mi_layer_shape_text(layer, x), needs[spatial]);
    return false;
}

/* The window over the states, which keep their sizes. */
static struct mi_window window_of_state(const struct mi_window *of_input)
{
    struct mi_window out = {.spatial = of_input->spatial};
    for (int i = 0; i < out.spatial; i++) {
        out.size[i] = of_input->size[i];
        out.stride[i] = out.dilation[i] = 1;
        out.pads[i] = (out.size[i] - 1) / 2;
        out.pads[i + out.spatial] = out.size[i] - 1 - out.pads[i];
    }
    return out;
}

/* What dropout leaves of x: within a repeat, where a node draws anew in each turn, by a mask from outside. */
static mi_value *left_of(const struct mi_turn *turn, mi_value *x)
{
    float rate = turn->desc->dropout;
    struct mi_graph *graph = turn->layer->graph;
    if (graph->open <= 0 || rate <= 0)
        return dropped(turn, x, rate, 1);
    struct mi_shape step = x->shape;
    step.dim[1] = mi_fixed(1);
    return mi_op2(graph, "Mul", x, dropped(turn, mi_expand_to(graph, mi_scalar(graph, 1), &step), rate, 0));
}

/* W x of all steps: (N, T, gates * units, ...). */
static mi_value *of_inputs(struct mi_turn *turn, mi_value *x, mi_value *bias)
{
    struct mi_graph *graph = turn->layer->graph;
    const mica_recurrent_desc *desc = turn->desc;
    mi_value *kept = left_of(turn, mi_layer_float(turn->layer, x));
    mi_value *samples = kept ? mi_steps_as_samples(graph, kept) : NULL;
    if (!samples || (turn->use->window && !mi_window_resolve(turn->layer, samples, turn->use->window, &turn->window)))
        return NULL;
    mi_value *weight = parameter(turn, "weight_ih", turn->use->cell->gates * desc->units, x->shape.dim[2].b, &desc->kernel,
                                 "glorot_uniform");
    if (!weight)
        return NULL;
    mi_value *y = turn->use->window ? mi_convolve_by(graph, "Conv", (mi_value *[]){samples, weight, bias}, &turn->window, 1)
                                    : product(graph, samples, weight, bias);
    return mi_samples_as_steps(graph, x, y);
}

bool mi_begin_products(struct mi_turn *turn, mi_value *x)
{
    struct mi_graph *graph = turn->layer->graph;
    const struct mi_cell *cell = turn->use->cell;
    const mica_recurrent_desc *desc = turn->desc;
    mi_value *bias[2];
    if (!fits(turn, x) || !add_biases(turn, bias))
        return false;
    mi_value *with = bias[1] && !cell->adds_bias ? mi_op2(graph, "Add", bias[0], bias[1]) : bias[0];
    turn->inputs = of_inputs(turn, x, with);
    if (!turn->inputs)
        return false;
    turn->window = window_of_state(&turn->window);
    turn->bias = cell->adds_bias ? bias[1] : NULL;
    turn->weight = parameter(turn, "weight_hh", cell->gates * desc->units, desc->units, &desc->recurrent, "orthogonal");
    struct mi_shape shape = {.rank = turn->inputs->shape.rank - 1, .dim = {x->shape.dim[0], mi_fixed(desc->units)}};
    for (int i = 2; i < shape.rank; i++)
        shape.dim[i] = turn->inputs->shape.dim[i + 1];
    for (int i = 0; i < cell->states; i++)
        turn->shape[i] = shape;
    if (desc->recurrent_dropout > 0)
        turn->mask = dropped(turn, mi_expand_to(graph, mi_scalar(graph, 1), &shape), desc->recurrent_dropout, 0);
    return turn->weight != NULL;
}
