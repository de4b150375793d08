/* Recurrent cells: what becomes of the states in one turn. A cell is one function and two rows. */
#include "nn/layer/recurrent.h"

/* ---- What each turn does ---- */

/* An activation that keeps the shape: all but those that take their input apart. */
static mi_value *through(const struct mi_turn *turn, mi_value *x, const char *type)
{
    mi_value *y = mi_layer_activation(turn->layer, x, type, 0, -1);
    if (y && !mi_shape_equal(&y->shape, &x->shape))
        return mi_layer_fail(turn->layer, MICA_SHAPE, "activation \"%s\" makes %s of %s; a cell needs one that keeps the shape",
                             type, mi_layer_shape_text(turn->layer, y), mi_layer_shape_text(turn->layer, x));
    return y;
}

static mi_value *activated(const struct mi_turn *turn, mi_value *x)
{
    return through(turn, x, turn->desc->activation ? turn->desc->activation : "tanh");
}

static mi_value *gated(const struct mi_turn *turn, mi_value *x)
{
    return through(turn, x, turn->desc->recurrent_activation ? turn->desc->recurrent_activation : "sigmoid");
}

static void turn_simple(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
{
    next[0] = activated(turn, mi_op2(turn->layer->graph, "Add", x, mi_recurrent_product(turn, now[0])));
}

static void turn_lstm(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *all = mi_op2(graph, "Add", x, mi_recurrent_product(turn, now[0]));
    mi_value *i = gated(turn, mi_gate(turn, all, 0)), *f = gated(turn, mi_gate(turn, all, 1));
    mi_value *g = activated(turn, mi_gate(turn, all, 2)), *o = gated(turn, mi_gate(turn, all, 3));
    next[1] = mi_op2(graph, "Add", mi_op2(graph, "Mul", f, now[1]), mi_op2(graph, "Mul", i, g));
    next[0] = mi_op2(graph, "Mul", o, activated(turn, next[1]));
}

/* The product for n alone, of what the reset gate leaves of h: with the last rows of the weight. */
static mi_value *product_of_rest(const struct mi_turn *turn, mi_value *rest)
{
    struct mi_graph *graph = turn->layer->graph;
    const int64_t axis = 0, from = 2 * turn->desc->units, to = from + turn->desc->units;
    const struct mi_attribute rows[] = {MI_INTS("starts", &from, 1), MI_INTS("ends", &to, 1), MI_INTS("axes", &axis, 1)};
    struct mi_turn own = *turn;
    own.weight = mi_apply(graph, "Slice", &turn->weight, 1, rows, 3);
    own.bias = turn->bias ? mi_apply(graph, "Slice", &turn->bias, 1, rows, 3) : NULL;
    own.mask = NULL;
    return mi_recurrent_product(&own, turn->mask ? mi_op2(graph, "Mul", rest, turn->mask) : rest);
}

static void turn_gru(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *product = mi_recurrent_product(turn, now[0]), *gate[3], *part[3];
    for (int i = 0; i < 3; i++) {
        gate[i] = mi_gate(turn, x, i);
        part[i] = mi_gate(turn, product, i);
    }
    mi_value *r = gated(turn, mi_op2(graph, "Add", gate[0], part[0])), *z = gated(turn, mi_op2(graph, "Add", gate[1], part[1]));
    mi_value *of_h = turn->desc->reset_before ? product_of_rest(turn, mi_op2(graph, "Mul", r, now[0]))
                                              : mi_op2(graph, "Mul", r, part[2]);
    mi_value *n = activated(turn, mi_op2(graph, "Add", gate[2], of_h));
    mi_value *left = mi_op2(graph, "Sub", mi_scalar(graph, 1), z);
    next[0] = mi_op2(graph, "Add", mi_op2(graph, "Mul", left, n), mi_op2(graph, "Mul", z, now[0]));
}

/* ---- First values ---- */

/* Ones for the second of four gates, zeros for the others. */
static bool fill_forget(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    (void)how;
    int64_t units = shape->dim[0].b / 4;
    for (int64_t i = 0; i < 4 * units; i++)
        values[i] = i / units == 1 ? 1.0f : 0.0f;
    return true;
}

static bool begin_forget(struct mi_layer *layer, const mica_recurrent_desc *desc, mi_value *bias)
{
    if (!desc->no_unit_forget_bias)
        mi_layer_first_values(layer, bias->node->variable, &(struct mi_initial){.fill = fill_forget});
    return true;
}

/* ---- Rows ---- */

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_recurrent_desc *desc = given;
    const struct mi_cell *cell = layer->type->cell;
    struct mi_run run;
    if (!mi_recurrent_fits(layer, desc, x, count, cell->states) ||
        !mi_recurrent_run(layer, cell, desc, x[0], count > 1 ? x + 1 : NULL, desc->go_backwards, &run))
        return NULL;
    mi_recurrent_mask(layer, desc, x[0]);
    mi_value *y = desc->return_sequences ? mi_recurrent_sequence(layer, run.all, desc->go_backwards) : run.last[0];
    if (!desc->return_state)
        return y;
    mi_value **results = mi_arena_new(&layer->graph->arena, 1 + MI_MOST_STATES, sizeof *results);
    if (!results)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    results[0] = y;
    for (int i = 0; i < cell->states; i++)
        results[1 + i] = run.last[i];
    mi_layer_results(layer, results, 1 + cell->states);
    return y;
}

#define FIRST_KEYS                                                                                                               \
    MI_KEY_WITH(mica_recurrent_desc, "units", MI_KEY_LONG, units, .required = true, MI_KEY_AT_LEAST(1)),                         \
    MI_KEY(mica_recurrent_desc, "activation", MI_KEY_TEXT, activation)
#define LAST_KEYS                                                                                                                \
    MI_KEY(mica_recurrent_desc, "use_bias", MI_KEY_NOT, no_bias), MI_PARAMETER_KEYS(mica_recurrent_desc, kernel),                \
    MI_PARAMETER_KEYS(mica_recurrent_desc, recurrent), MI_PARAMETER_KEYS(mica_recurrent_desc, bias),                             \
    MI_KEY_WITH(mica_recurrent_desc, "dropout", MI_KEY_FLOAT, dropout, MI_KEY_BELOW(0, 1)),                                      \
    MI_KEY_WITH(mica_recurrent_desc, "recurrent_dropout", MI_KEY_FLOAT, recurrent_dropout, MI_KEY_BELOW(0, 1)),                  \
    MI_KEY(mica_recurrent_desc, "seed", MI_KEY_SEED, seed),                                                                      \
    MI_KEY(mica_recurrent_desc, "return_sequences", MI_KEY_BOOL, return_sequences),                                              \
    MI_KEY(mica_recurrent_desc, "return_state", MI_KEY_BOOL, return_state),                                                      \
    MI_KEY(mica_recurrent_desc, "go_backwards", MI_KEY_BOOL, go_backwards), {0}
#define GATE_KEY MI_KEY(mica_recurrent_desc, "recurrent_activation", MI_KEY_TEXT, recurrent_activation)

static const struct mi_key simple_keys[] = {FIRST_KEYS, LAST_KEYS};
static const struct mi_key lstm_keys[] = {
    FIRST_KEYS, GATE_KEY, MI_KEY(mica_recurrent_desc, "unit_forget_bias", MI_KEY_NOT, no_unit_forget_bias), LAST_KEYS};
static const struct mi_key gru_keys[] = {
    FIRST_KEYS, GATE_KEY, MI_KEY(mica_recurrent_desc, "reset_after", MI_KEY_NOT, reset_before), LAST_KEYS};

static const struct mi_cell simple = {.gates = 1, .states = 1, .turn = turn_simple};
static const struct mi_cell lstm = {.gates = 4, .states = 2, .turn = turn_lstm, .begin_bias = begin_forget};
static const struct mi_cell gru = {.gates = 3, .states = 1, .adds_bias = true, .turn = turn_gru};

#define CELL_ROW(id, its_cell, its_keys, most)                                                                                   \
    const struct mi_layer_type mi_layer_##id = {.type = #id, .desc_size = sizeof(mica_recurrent_desc), .keys = (its_keys),       \
        .min_inputs = 1, .max_inputs = 1 + (most), .cell = &(its_cell), .build = build}
CELL_ROW(simple_rnn, simple, simple_keys, 1);
CELL_ROW(lstm, lstm, lstm_keys, 2);
CELL_ROW(gru, gru, gru_keys, 1);

mica_node *mica_simple_rnn(mica_node *const *x, int count, const mica_recurrent_desc *desc)
{
    return mi_layer_add(&mi_layer_simple_rnn, x, count, desc);
}

mica_node *mica_lstm(mica_node *const *x, int count, const mica_recurrent_desc *desc)
{
    return mi_layer_add(&mi_layer_lstm, x, count, desc);
}

mica_node *mica_gru(mica_node *const *x, int count, const mica_recurrent_desc *desc)
{
    return mi_layer_add(&mi_layer_gru, x, count, desc);
}
