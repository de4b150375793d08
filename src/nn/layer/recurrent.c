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

/* Where the step is padding, values stay as they are. */
static void hold(struct mi_layer *layer, mi_value *mask, mi_value *const *now, mi_value **next, int count)
{
    struct mi_graph *graph = layer->graph;
    mi_value *real = mask ? mi_at_turn(graph, mask, 1) : NULL;
    for (int i = 0; i < count && real && next[i]; i++) {
        struct mi_shape beside = {.rank = next[i]->shape.rank, .dim = {real->shape.dim[0]}};
        for (int k = 1; k < beside.rank; k++)
            beside.dim[k] = mi_fixed(1);
        next[i] = mi_apply(graph, "Where", (mi_value *const[]){mi_reshape_to(graph, real, &beside), next[i], now[i]}, 3, NULL, 0);
    }
}

/* What the first turn begins with: states that are given, from input `number` on; what the last run has left; or zeros. */
static bool first_states(struct mi_turn *turn, bool keeps, mi_value *const *given, int number, mi_value **now)
{
    struct mi_layer *layer = turn->layer;
    struct mi_graph *graph = layer->graph;
    for (int i = 0; i < turn->use->states; i++) {
        if (given && !state_fits(layer, &turn->shape[i], given[i], number + i))
            return false;
        const char *name = keeps && !given ? mi_arena_format(&graph->arena, "state_%d", number - 1 + i) : NULL;
        turn->kept[i] = name ? mi_layer_state(layer, name, &turn->shape[i]) : NULL;
        now[i] = given           ? given[i]
                 : turn->kept[i] ? mi_variable(graph, turn->kept[i])
                                 : mi_expand_to(graph, mi_scalar(graph, 0), &turn->shape[i]);
        if (!now[i])
            return false;
    }
    return true;
}

/* The place of the result among the values that are carried on. One that is no state is carried too, so that a step that is
 * padding has that of the step before. -1: there is none. */
static int carried_result(struct mi_graph *graph, mi_value *y, mi_value **now, mi_value **next, int states)
{
    int i = 0;
    while (i < states && next[i] != y)
        i++;
    if (!y || i < states)
        return y ? i : -1;
    now[i] = mi_carry(graph, mi_expand_to(graph, mi_scalar(graph, 0), &y->shape));
    next[i] = y;
    return now[i] ? i : -1;
}

/* All turns, from the states of before. */
static bool run_turns(struct mi_turn *turn, mi_value *mask, mi_value **now, bool backwards, struct mi_run *run, mi_value **last)
{
    struct mi_graph *graph = turn->layer->graph;
    mi_value *next[MI_MOST_STATES + 1] = {NULL};
    int states = turn->use->states;
    if (!mi_repeat_begin(graph, turn->inputs->shape.dim[1].b, backwards))
        return false;
    for (int i = 0; i < states; i++)
        now[i] = mi_carry(graph, now[i]);
    mi_value *y = turn->use->cell->turn(turn, mi_at_turn(graph, turn->inputs, 1), now, next);
    int result = carried_result(graph, y, now, next, states), carried = result == states ? states + 1 : states;
    hold(turn->layer, mask, now, next, carried);
    struct mi_node *end = mi_repeat_end(graph, next, carried);
    if (!end || result < 0)
        return false;
    for (int i = 0; i < states; i++)
        last[i] = mi_last(end, i);
    run->result = mi_last(end, result);
    run->all = mi_stack(end, next[result]);
    return run->all != NULL;
}

/* The only step of a run. */
static bool run_step(struct mi_turn *turn, mi_value *const *now, struct mi_run *run, mi_value **last)
{
    struct mi_graph *graph = turn->layer->graph;
    const int64_t axis = 1, first = 0;
    mi_value *x = MI_APPLY(graph, "Squeeze", ((mi_value *[]){turn->inputs}), MI_INTS("axes", &axis, 1));
    run->result = turn->use->cell->turn(turn, x, now, last);
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
    mi_value *mask = mi_layer_mask(layer, x);
    int before = 0;
    for (int k = 0; k < how->cells; k++) {
        const struct mi_cell_use *use = &how->cell[k];
        struct mi_turn turn = {.layer = layer, .use = use, .desc = use->desc, .number = k, .several = how->cells > 1};
        mi_value *now[MI_MOST_STATES + 1] = {NULL};
        if (k > 0)
            x = sequence(layer->graph, run->all);
        mi_value **last = run->last + before;
        bool keeps = how->stateful || layer->stepping;
        if (!use->cell->begin(&turn, x) || !first_states(&turn, keeps, first ? first + before : NULL, 1 + before, now) ||
            !(layer->stepping ? run_step(&turn, now, run, last) : run_turns(&turn, mask, now, backwards, run, last)))
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
    if (layer->graph->open > 0)
        mi_layer_fail(layer, MICA_UNSUPPORTED, "it runs over a sequence, within a step of another recurrent layer");
    else if (count != 1 && count != 1 + states)
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
