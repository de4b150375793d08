/* Recurrent cells: what becomes of the states in one turn. A cell is one function and three rows: what it does, and the types
 * of a cell and of a layer that runs it alone. */
#include "nn/layer/recurrent.h"

/* ---- What each turn does ---- */

/* An activation that keeps the shape: all but those that take their input apart. */
static mi_value *through(const struct mi_turn *turn, mi_value *x, const char *type)
{
    mi_value *y = mi_layer_activation(turn->layer, x, type, 0, 1);
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

static mi_value *turn_simple(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
{
    return next[0] = activated(turn, mi_op2(turn->layer->graph, "Add", x, mi_recurrent_product(turn, now[0])));
}

static mi_value *turn_lstm(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *all = mi_op2(graph, "Add", x, mi_recurrent_product(turn, now[0]));
    mi_value *i = gated(turn, mi_gate(turn, all, 0)), *f = gated(turn, mi_gate(turn, all, 1));
    mi_value *g = activated(turn, mi_gate(turn, all, 2)), *o = gated(turn, mi_gate(turn, all, 3));
    next[1] = mi_op2(graph, "Add", mi_op2(graph, "Mul", f, now[1]), mi_op2(graph, "Mul", i, g));
    return next[0] = mi_op2(graph, "Mul", o, activated(turn, next[1]));
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

static mi_value *turn_gru(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
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
    return next[0] = mi_op2(graph, "Add", mi_op2(graph, "Mul", left, n), mi_op2(graph, "Mul", z, now[0]));
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

static bool begin_forget(const struct mi_turn *turn, mi_value *bias)
{
    if (!turn->desc->no_unit_forget_bias)
        mi_layer_first_values(turn->layer, bias->node->variable, &(struct mi_initial){.fill = fill_forget});
    return true;
}

/* ---- Rows ---- */

bool mi_recurs_alone(struct mi_layer *layer, const void *given, struct mi_recurrence *out)
{
    const mica_recurrent_desc *desc = given;
    const struct mi_cell *cell = layer->type->cell;
    *out = (struct mi_recurrence){.cell = {{.cell = cell, .desc = desc, .states = cell->states}}, .cells = 1,
                                  .return_sequences = desc->return_sequences, .return_state = desc->return_state,
                                  .go_backwards = desc->go_backwards, .stateful = desc->stateful,
                                  .recompute = desc->recompute};
    return true;
}

/* States to begin with are there before the first step. */
static bool steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    const mica_recurrent_desc *desc = given;
    bool states = false;
    for (int i = 1; i < count; i++)
        states = states || taken[i];
    return (void)x, taken[0] && !states && desc->return_sequences && !desc->go_backwards;
}

#define FIRST_KEYS                                                                                                               \
    MI_KEY_WITH(mica_recurrent_desc, "units", MI_KEY_LONG, units, .required = true, MI_KEY_AT_LEAST(1)),                         \
    MI_KEY(mica_recurrent_desc, "activation", MI_KEY_TEXT, activation)
#define LAST_KEYS MI_PRODUCT_KEYS(mica_recurrent_desc)
#define GATE_KEY MI_KEY(mica_recurrent_desc, "recurrent_activation", MI_KEY_TEXT, recurrent_activation)
#define SIMPLE_KEYS FIRST_KEYS, LAST_KEYS
#define LSTM_KEYS                                                                                                                \
    FIRST_KEYS, GATE_KEY, MI_KEY(mica_recurrent_desc, "unit_forget_bias", MI_KEY_NOT, no_unit_forget_bias), LAST_KEYS
#define GRU_KEYS FIRST_KEYS, GATE_KEY, MI_KEY(mica_recurrent_desc, "reset_after", MI_KEY_NOT, reset_before), LAST_KEYS

static const struct mi_cell simple = {.gates = 1, .states = 1, .begin = mi_begin_products, .turn = turn_simple};
const struct mi_cell mi_cell_lstm = {
    .gates = 4, .states = 2, .begin = mi_begin_products, .turn = turn_lstm, .begin_bias = begin_forget};
static const struct mi_cell gru = {.gates = 3, .states = 1, .adds_bias = true, .begin = mi_begin_products, .turn = turn_gru};

#define ROWS(id, its_cell, its_keys, most)                                                                                       \
    static const struct mi_key id##_cell_keys[] = {its_keys, {0}};                                                               \
    static const struct mi_key id##_keys[] = {its_keys, MI_SEQUENCE_KEYS(mica_recurrent_desc),                                   \
                                              MI_KEY(mica_recurrent_desc, "stateful", MI_KEY_BOOL, stateful), {0}};              \
    static const struct mi_layer_type id##_cell = {                                                                              \
        .type = #id "_cell", .desc_size = sizeof(mica_recurrent_desc), .keys = id##_cell_keys, .cell = &(its_cell)};             \
    const struct mi_layer_type mi_layer_##id = {.type = #id, .desc_size = sizeof(mica_recurrent_desc), .keys = id##_keys,        \
        .min_inputs = 1, .max_inputs = 1 + (most), .cell = &(its_cell), .recurs = mi_recurs_alone, .steps = steps,               \
        .build = mi_recurrent_build}
ROWS(simple_rnn, simple, SIMPLE_KEYS, 1);
ROWS(lstm, mi_cell_lstm, LSTM_KEYS, 2);
ROWS(gru, gru, GRU_KEYS, 1);

const struct mi_layer_type *const mi_cell_types[] = {&simple_rnn_cell, &lstm_cell, &gru_cell, NULL};

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
