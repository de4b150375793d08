/* What is the same around every recurrent cell: the repeat that runs it, steps that are padding, states, and results. */
#include "nn/layer/recurrent.h"

#include "ops/ops.h"

/* ---- One cell ---- */

static bool state_fits(struct mi_layer *layer, const struct mi_shape *shape, const mi_value *state, int number)
{
    if (state->type == MI_FLOAT && mi_shape_equal(&state->shape, shape))
        return true;
    struct mi_shape sample = {.rank = shape->rank - 1};
    for (int i = 0; i < sample.rank; i++)
        sample.dim[i] = shape->dim[i + 1];
    mi_layer_fail(layer, MICA_SHAPE, "input %d, a state to begin with, is %s of shape %s per sample, needs float32 %s", number,
                  mi_types[state->type].name, mi_layer_shape_text(layer, state), mi_shape_text(&layer->graph->arena, &sample));
    return false;
}

/* `made` where a step is real, else `held`: real (...) begins as the values' shapes do. */
static mi_value *where_real(struct mi_graph *graph, mi_value *real, mi_value *made, mi_value *held)
{
    struct mi_shape beside = {.rank = made ? made->shape.rank : 0};
    if (!real || !made)
        return NULL;
    for (int k = 0; k < beside.rank; k++)
        beside.dim[k] = k < real->shape.rank ? real->shape.dim[k] : mi_fixed(1);
    return mi_apply(graph, "Where", (mi_value *const[]){mi_reshape_to(graph, real, &beside), made, held}, 3, NULL, 0);
}

/* Where the step is padding, values stay as they are; real (N), or (N, 1): where it is not. */
static void hold(struct mi_layer *layer, mi_value *real, mi_value *const *now, mi_value **next, int count)
{
    for (int i = 0; i < count && real && next[i]; i++)
        next[i] = where_real(layer->graph, real, next[i], now[i]);
}

/* A state that is given counts in the run of the first step; later ones begin with what the last has left. */
static mi_value *given_once(struct mi_layer *layer, mi_value *given, mi_value *kept)
{
    mi_value *first = mi_op2(layer->graph, "Equal", mi_layer_place(layer), mi_scalar(layer->graph, 0));
    return mi_apply(layer->graph, "Where", (mi_value *const[]){first, given, kept}, 3, NULL, 0);
}

/* What the first turn begins with: states that are given, from input `number` on; what the last run has left; or zeros. */
static bool first_states(struct mi_turn *turn, bool keeps, mi_value *const *given, int number, mi_value **now)
{
    struct mi_layer *layer = turn->layer;
    struct mi_graph *graph = layer->graph;
    for (int i = 0; i < turn->use->states; i++) {
        if (given && !state_fits(layer, &turn->shape[i], given[i], number + i))
            return false;
        bool kept = layer->stepping || (keeps && !given);
        const char *name = kept ? mi_arena_format(&graph->arena, "state_%d", number - 1 + i) : NULL;
        turn->kept[i] = name ? mi_layer_state(layer, name, &turn->shape[i]) : NULL;
        now[i] = turn->kept[i] ? mi_variable(graph, turn->kept[i])
                 : given       ? given[i]
                               : mi_expand_to(graph, mi_scalar(graph, 0), &turn->shape[i]);
        now[i] = given && turn->kept[i] ? given_once(layer, given[i], now[i]) : now[i];
        if (!now[i])
            return false;
    }
    return true;
}

/* ---- Chunks of turns, which training computes again ---- */

/* How many turns a chunk has: about the square root of all, so that what is kept between chunks and what a chunk keeps take the
 * least together; if there is one near, a divisor of all. */
static int64_t turns_of_chunk(int64_t turns)
{
    int64_t root = 1;
    while (root * root < turns)
        root++;
    for (int64_t off = 0; off <= root / 2; off++)
        for (int64_t chunk = root - off; chunk <= root + off; chunk += off ? 2 * off : 1)
            if (chunk > 1 && turns % chunk == 0)
                return chunk;
    return root;
}

/* (N, T, ...) with steps of one value behind the others. */
static mi_value *with_steps(struct mi_graph *graph, mi_value *x, int64_t more, mi_value *value)
{
    struct mi_shape shape = x->shape;
    shape.dim[1] = mi_fixed(more);
    mi_value *in[] = {x, mi_expand_to(graph, value, &shape)};
    return more ? mi_apply(graph, "Concat", in, 2, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1) : x;
}

/* (N, chunks * steps, ...) at the turn of the chunks: (N, steps, ...). */
static mi_value *chunk_of(struct mi_graph *graph, mi_value *x, int64_t chunks)
{
    if (!x)
        return NULL;
    struct mi_shape shape = {.rank = x->shape.rank + 1, .dim = {x->shape.dim[0], mi_fixed(chunks)}};
    for (int i = 2; i < shape.rank; i++)
        shape.dim[i] = x->shape.dim[i - 1];
    shape.dim[2].b /= chunks;
    return mi_at_turn(graph, mi_reshape_to(graph, x, &shape), 1);
}

/* Whether the cell may run in chunks; an input that does not fit is told of as a whole. */
static bool has_chunks(const struct mi_turn *turn, const mi_value *x)
{
    const struct mi_layer *layer = turn->layer;
    int rank = turn->use->own ? x->shape.rank : turn->use->window ? 3 + layer->type->spatial : 3;
    return !layer->stepping && x->shape.rank == rank && rank > 1 && rank < MI_MAX_RANK && x->shape.dim[1].b > 3;
}

/* Opens the repeat of chunks, which the cell's own turns stand within: x and the mask are then those of a chunk. Where chunks do
 * not divide the steps, more of them follow that are padding. */
static bool begin_chunks(struct mi_turn *turn, bool backwards, mi_value **x, mi_value **mask)
{
    struct mi_graph *graph = turn->layer->graph;
    int64_t steps = (*x)->shape.dim[1].b, each = turns_of_chunk(steps), chunks = (steps + each - 1) / each;
    int64_t more = chunks * each - steps;
    const struct mi_shape all = {.rank = 2, .dim = {mi_fixed(1), mi_fixed(steps)}};
    mi_value *real = *mask || !more ? *mask : mi_expand_to(graph, mi_number(graph, MI_BOOL, 1), &all);
    mi_value *padded = with_steps(graph, *x, more, mi_number(graph, (*x)->type, 0));
    real = real ? with_steps(graph, real, more, mi_number(graph, MI_BOOL, 0)) : NULL;
    if (!padded || !mi_repeat_begin(graph, chunks, backwards))
        return false;
    turn->chunks = chunks;
    turn->steps = steps;
    *x = chunk_of(graph, padded, chunks);
    *mask = chunk_of(graph, real, chunks);
    return *x != NULL;
}

/* A value that the repeat of chunks carries, while the one within it is open. */
static mi_value *carry_chunks(struct mi_graph *graph, mi_value *first)
{
    int within = graph->open;
    graph->open = graph->repeats[within].outer;
    mi_value *value = mi_carry(graph, first);
    graph->open = within;
    return value;
}

/* Ends the repeat of chunks: what a chunk has left is what the next one begins with. */
static bool end_chunks(const struct mi_turn *turn, int result, struct mi_run *run, mi_value **last)
{
    struct mi_graph *graph = turn->layer->graph;
    const int64_t axis = 0, from = 0;
    int states = turn->use->states, carried = result == states ? states + 1 : states;
    mi_value *next[MI_MOST_STATES + 1] = {NULL}, *within = run->all;
    for (int i = 0; i < carried; i++)
        next[i] = i < states ? last[i] : run->result;
    struct mi_node *end = mi_repeat_end(graph, next, carried);
    for (int i = 0; i < states; i++)
        last[i] = mi_last(end, i);
    mi_value *all = end ? mi_stack(end, within) : NULL;
    struct mi_shape shape = within->shape;
    shape.dim[0].b *= turn->chunks;
    all = mi_reshape_to(graph, all, &shape);
    run->result = end ? mi_last(end, result) : NULL;
    run->all = shape.dim[0].b == turn->steps ? all : MI_APPLY(graph, "Slice", ((mi_value *[]){all}), MI_INTS("starts", &from, 1),
                                                              MI_INTS("ends", &turn->steps, 1), MI_INTS("axes", &axis, 1));
    return run->all != NULL;
}

/* ---- Turns ---- */

/* The place of the result among the values that are carried on. One that is no state is carried too, so that a step that is
 * padding has that of the step before. -1: there is none. */
static int carried_result(const struct mi_turn *turn, mi_value *y, mi_value **first, mi_value **now, mi_value **next)
{
    struct mi_graph *graph = turn->layer->graph;
    int i = 0, states = turn->use->states;
    while (i < states && next[i] != y)
        i++;
    if (!y || i < states)
        return y ? i : -1;
    first[i] = mi_expand_to(graph, mi_scalar(graph, 0), &y->shape);
    first[i] = turn->chunks ? carry_chunks(graph, first[i]) : first[i];
    now[i] = mi_carry(graph, first[i]);
    next[i] = y;
    return now[i] ? i : -1;
}

/* The result in all turns, (T, N, ...). Those that do not run, as every sample has but padding there, have what the first of them
 * would hold: the last result, or backwards what was there before. */
static mi_value *in_all_turns(struct mi_graph *graph, mi_value *mask, mi_value *all, mi_value *held)
{
    const int64_t order[] = {1, 0};
    mi_value *real = MI_APPLY(graph, "Transpose", ((mi_value *[]){mask}), MI_INTS("perm", order, 2));
    return where_real(graph, real, all, held);
}

/* All turns, or those of a chunk, from the states of before; of sequences with lengths up to that of the longest. */
static bool run_turns(struct mi_turn *turn, mi_value *mask, mi_value **first, bool backwards, struct mi_run *run, mi_value **last)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *now[MI_MOST_STATES + 1] = {NULL}, *next[MI_MOST_STATES + 1] = {NULL};
    const char *lengths = mi_mask_lengths(mask);
    int states = turn->use->states;
    for (int i = 0; i < states && turn->chunks; i++)
        first[i] = mi_carry(graph, first[i]);
    if (!mi_repeat_begin(graph, turn->inputs->shape.dim[1].b, backwards))
        return false;
    mi_repeat_until(graph, lengths);
    for (int i = 0; i < states; i++)
        now[i] = mi_carry(graph, first[i]);
    mi_value *y = turn->use->cell->turn(turn, mi_at_turn(graph, turn->inputs, 1), now, next);
    int result = carried_result(turn, y, first, now, next), carried = result == states ? states + 1 : states;
    hold(turn->layer, mask ? mi_at_turn(graph, mask, 1) : NULL, now, next, carried);
    struct mi_node *end = mi_repeat_end(graph, next, carried);
    if (!end || result < 0)
        return false;
    for (int i = 0; i < states; i++)
        last[i] = mi_last(end, i);
    run->result = mi_last(end, result);
    run->all = lengths ? in_all_turns(graph, mask, mi_stack_of_run(end, next[result]), backwards ? first[result] : run->result)
                       : mi_stack(end, next[result]);
    return run->all && (!turn->chunks || end_chunks(turn, result, run, last));
}

/* The only step of a run. Cells that run so have a state for a result. */
static bool run_step(struct mi_turn *turn, mi_value *mask, mi_value *const *now, struct mi_run *run, mi_value **last)
{
    struct mi_graph *graph = turn->layer->graph;
    const int64_t axis = 1, first = 0;
    mi_value *x = MI_APPLY(graph, "Squeeze", ((mi_value *[]){turn->inputs}), MI_INTS("axes", &axis, 1));
    run->result = turn->use->cell->turn(turn, x, now, last);
    int result = 0;
    while (result + 1 < turn->use->states && last[result] != run->result)
        result++;
    hold(turn->layer, mask, now, last, turn->use->states);
    run->result = last[result];
    run->all = MI_APPLY(graph, "Unsqueeze", ((mi_value *[]){run->result}), MI_INTS("axes", &first, 1));
    return run->all != NULL;
}

/* ---- All cells ---- */

/* (T, N, ...) as (N, T, ...) */
static mi_value *sequence(struct mi_graph *graph, mi_value *all)
{
    const int64_t order[MI_MAX_RANK] = {1, 0, 2, 3, 4, 5, 6, 7};
    return MI_APPLY(graph, "Transpose", ((mi_value *[]){all}), MI_INTS("perm", order, all->shape.rank));
}

/* As what a cell makes of step t is made of steps before t alone, one cell may run through the whole sequence before the next one
 * begins, whose products with its inputs are then one product of all steps too. */
bool mi_recurrent_run(struct mi_layer *layer, const struct mi_recurrence *how, mi_value *x, mi_value *const *first, bool backwards,
                      struct mi_run *run)
{
    mi_value *masked = mi_layer_mask(layer, x);
    int before = 0;
    for (int k = 0; k < how->cells; k++) {
        mi_value *mask = masked;
        const struct mi_cell_use *use = &how->cell[k];
        struct mi_turn turn = {.layer = layer, .use = use, .desc = use->desc, .number = k, .several = how->cells > 1};
        mi_value *now[MI_MOST_STATES + 1] = {NULL};
        if (k > 0)
            x = sequence(layer->graph, run->all);
        mi_value **last = run->last + before;
        bool keeps = how->stateful || layer->stepping;
        if (how->recompute && has_chunks(&turn, x) && !begin_chunks(&turn, backwards, &x, &mask))
            return false;
        if (!use->cell->begin(&turn, x) || !first_states(&turn, keeps, first ? first + before : NULL, 1 + before, now) ||
            !(layer->stepping && layer->stepping->length == 1 ? run_step(&turn, mask, now, run, last)
                                                              : run_turns(&turn, mask, now, backwards, run, last)))
            return false;
        for (int i = 0; i < use->states && turn.kept[i]; i++)
            mi_assign(layer->graph, turn.kept[i], last[i]);
        before += use->states;
    }
    return true;
}

int mi_recurrence_states(const struct mi_recurrence *how)
{
    int states = 0;
    for (int k = 0; k < how->cells; k++)
        states += how->cell[k].states;
    return states;
}

bool mi_recurrent_fits(struct mi_layer *layer, int count, int states)
{
    if (count != 1 && count != 1 + states)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "takes a sequence, and %d state%s to begin with or none, not %d", states,
                      states == 1 ? "" : "s", count - 1);
    else
        return true;
    return false;
}

/* ---- What the layer gives ---- */

mi_value *mi_recurrent_result(struct mi_layer *layer, const struct mi_recurrence *how, const struct mi_run *run)
{
    if (!how->return_sequences)
        return run->result;
    mi_value *y = sequence(layer->graph, run->all);
    return how->go_backwards ? mi_steps_reversed(layer->graph, y) : y;
}

void mi_recurrent_mask(struct mi_layer *layer, const struct mi_recurrence *how, const mi_value *x)
{
    mi_value *mask = mi_layer_mask(layer, x);
    if (mask && how->return_sequences)
        layer->mask = how->go_backwards ? mi_steps_reversed(layer->graph, mask) : mask;
}

mi_value *mi_recurrent_results(struct mi_layer *layer, mi_value *y, mi_value *const *states, int count)
{
    mi_value **results = mi_arena_new(&layer->graph->arena, 1 + (size_t)count, sizeof *results);
    if (!results)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    results[0] = y;
    for (int i = 0; i < count; i++)
        results[1 + i] = states[i];
    mi_layer_results(layer, results, 1 + count);
    return y;
}

mi_value *mi_recurrent_build(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    struct mi_recurrence how = {.cells = 0};
    struct mi_run run;
    if (!layer->type->recurs(layer, desc, &how) || !mi_recurrent_fits(layer, count, mi_recurrence_states(&how)) ||
        !mi_recurrent_run(layer, &how, x[0], count > 1 ? x + 1 : NULL, how.go_backwards, &run))
        return NULL;
    mi_recurrent_mask(layer, &how, x[0]);
    mi_value *y = mi_recurrent_result(layer, &how, &run);
    return how.return_state ? mi_recurrent_results(layer, y, run.last, mi_recurrence_states(&how)) : y;
}
