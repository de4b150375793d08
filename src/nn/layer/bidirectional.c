/* A recurrent layer in both directions. */
#include "nn/layer/wrapper.h"

#include "nn/layer/recurrent.h"
#include "ops/ops.h"

#include <string.h>

static const char *const modes[] = {"concat", "sum", "mul", "ave", NULL};

/* Two results as one. */
static mi_value *merged(struct mi_layer *layer, mi_value *x, mi_value *y, const char *mode)
{
    struct mi_graph *graph = layer->graph;
    if (strcmp(mode, "sum") == 0)
        return mi_op2(graph, "Add", x, y);
    if (strcmp(mode, "mul") == 0)
        return mi_op2(graph, "Mul", x, y);
    if (strcmp(mode, "ave") == 0)
        return mi_op2(graph, "Mul", mi_op2(graph, "Add", x, y), mi_scalar(graph, 0.5f));
    return MI_APPLY(graph, "Concat", ((mi_value *[]){x, y}), MI_INT("axis", -1));
}

static bool is_mode(const char *mode)
{
    int i = 0;
    while (modes[i] && strcmp(modes[i], mode) != 0)
        i++;
    return modes[i] != NULL;
}

static mi_value *give_states(struct mi_layer *layer, mi_value *y, const struct mi_run run[2], int states)
{
    mi_value **results = mi_arena_new(&layer->graph->arena, 1 + 2 * MI_MOST_STATES, sizeof *results);
    if (!results)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    results[0] = y;
    for (int i = 0; i < 2 * states; i++)
        results[1 + i] = run[i / states].last[i % states];
    mi_layer_results(layer, results, 1 + 2 * states);
    return y;
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const struct mi_bidirectional_desc *desc = given;
    const struct mi_cell *cell = desc->around.type->cell;
    const mica_recurrent_desc *within = desc->around.within;
    const char *mode = desc->merge_mode ? desc->merge_mode : modes[0];
    struct mi_run run[2];
    mi_value *way[2];
    if (!cell)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s is no recurrent layer, as \"lstm\", \"gru\" and \"simple_rnn\" are",
                             desc->around.type->type);
    if (!is_mode(mode))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no merge_mode \"%s\"%s", mi_show(mode).text,
                             mi_advise(mode, modes).text);
    if (!mi_recurrent_fits(layer, within, x, count, 2 * cell->states))
        return NULL;
    for (int i = 0; i < 2; i++) {
        layer->suffix = i ? "_reverse" : NULL;
        mi_value *const *first = count > 1 ? x + 1 + i * cell->states : NULL;
        if (!mi_recurrent_run(layer, cell, within, x[0], first, i != within->go_backwards, &run[i]))
            return NULL;
        way[i] = within->return_sequences ? mi_recurrent_sequence(layer, run[i].all, within->go_backwards) : run[i].last[0];
    }
    layer->suffix = NULL;
    mi_recurrent_mask(layer, within, x[0]);
    mi_value *y = merged(layer, way[0], way[1], mode);
    if (desc->around.written && y && !mi_keys_write(desc->around.type->keys, within, desc->around.written))
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    return y && within->return_state ? give_states(layer, y, run, cell->states) : y;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(struct mi_bidirectional_desc, "layer", MI_KEY_JSON, around.layer, .required = true),
    MI_KEY(struct mi_bidirectional_desc, "merge_mode", MI_KEY_TEXT, merge_mode),
    {0},
};

const struct mi_layer_type mi_layer_bidirectional = {
    .type = "bidirectional", .desc_size = sizeof(struct mi_bidirectional_desc), .keys = keys, .min_inputs = 1,
    .max_inputs = 1 + 2 * MI_MOST_STATES, .wraps = true, .build = build};
