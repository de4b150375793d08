/* A recurrent layer in both directions. */
#include "nn/layer/wrapper.h"

#include "nn/layer/recurrent.h"
#include "ops/ops.h"

#include <string.h>

static const char *const modes[] = {"concat", "sum", "mul", "ave", NULL};

/* Two results as one. */
static mi_value *merged(struct mi_layer *layer, mi_value *x, mi_value *y, const char *mode, bool sequences)
{
    struct mi_graph *graph = layer->graph;
    if (strcmp(mode, "sum") == 0)
        return mi_op2(graph, "Add", x, y);
    if (strcmp(mode, "mul") == 0)
        return mi_op2(graph, "Mul", x, y);
    if (strcmp(mode, "ave") == 0)
        return mi_op2(graph, "Mul", mi_op2(graph, "Add", x, y), mi_scalar(graph, 0.5f));
    return MI_APPLY(graph, "Concat", ((mi_value *[]){x, y}), MI_INT("axis", sequences ? 2 : 1));
}

static bool is_mode(const char *mode)
{
    int i = 0;
    while (modes[i] && strcmp(modes[i], mode) != 0)
        i++;
    return modes[i] != NULL;
}

static bool both_ways(struct mi_layer *layer, const struct mi_recurrence *how, mi_value *const *x, int count, struct mi_run run[2])
{
    int states = mi_recurrence_states(how);
    for (int i = 0; i < 2; i++) {
        layer->suffix = i ? "_reverse" : NULL;
        if (!mi_recurrent_run(layer, how, x[0], count > 1 ? x + 1 + i * states : NULL, i != how->go_backwards, &run[i]))
            return false;
    }
    layer->suffix = NULL;
    return true;
}

/* The states of the first way, then those of the way back. */
static mi_value *give_states(struct mi_layer *layer, mi_value *y, const struct mi_run run[2], int states)
{
    mi_value *all[2 * MI_MOST_LAST];
    for (int i = 0; i < 2 * states; i++)
        all[i] = run[i / states].last[i % states];
    return mi_recurrent_results(layer, y, all, 2 * states);
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const struct mi_bidirectional_desc *desc = given;
    const struct mi_around *around = &desc->around;
    const char *mode = desc->merge_mode ? desc->merge_mode : modes[0];
    struct mi_recurrence how = {.cells = 0};
    struct mi_run run[2];
    struct mi_layer within = *layer;
    within.type = around->type;
    if (!within.type->recurs)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s is no recurrent layer, as \"lstm\", \"gru\" and \"simple_rnn\" "
                             "are", within.type->type);
    if (!is_mode(mode))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no merge_mode \"%s\"%s", mi_show(mode).text,
                             mi_advise(mode, modes).text);
    bool said = within.type->recurs(&within, around->within, &how);
    layer->cells = within.cells;
    if (!said || !mi_recurrent_fits(layer, count, 2 * mi_recurrence_states(&how)) || !both_ways(&within, &how, x, count, run))
        return NULL;
    mi_recurrent_mask(layer, &how, x[0]);
    mi_value *y = merged(layer, mi_recurrent_result(layer, &how, &run[0]), mi_recurrent_result(layer, &how, &run[1]), mode,
                         how.return_sequences);
    if (!y || !mi_layer_write_within(layer, around))
        return NULL;
    return how.return_state ? give_states(layer, y, run, mi_recurrence_states(&how)) : y;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(struct mi_bidirectional_desc, "layer", MI_KEY_JSON, around.layer, .required = true),
    MI_KEY(struct mi_bidirectional_desc, "merge_mode", MI_KEY_TEXT, merge_mode),
    {0},
};

const struct mi_layer_type mi_layer_bidirectional = {
    .type = "bidirectional", .desc_size = sizeof(struct mi_bidirectional_desc), .keys = keys, .min_inputs = 1,
    .max_inputs = 1 + 2 * MI_MOST_LAST, .wraps = true, .build = build};
