/* A layer of cells that its descriptor names. */
#include "nn/layer/recurrent.h"

#include <string.h>

static const struct mi_layer_type *cell_named(const char *name)
{
    const struct mi_layer_type *const *type = mi_cell_types;
    while (*type && strcmp((*type)->type, name))
        type++;
    return *type;
}

static bool fail_unknown(struct mi_layer *layer, const char *name)
{
    const char *names[8] = {NULL};
    for (size_t i = 0; mi_cell_types[i] && i + 1 < MI_COUNT(names); i++)
        names[i] = mi_cell_types[i]->type;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no cell \"%s\"%s", mi_show(name).text, mi_advise(name, names).text);
    return false;
}

/* A cell that has a name, with its keys in `json`. */
static bool take_named(struct mi_layer *layer, const mica_cell *cell, struct mi_cell_use *out, cJSON *json)
{
    static const mica_recurrent_desc none = {.units = 0};
    const struct mi_layer_type *type = cell_named(cell->type);
    if (!type)
        return fail_unknown(layer, cell->type);
    *out = (struct mi_cell_use){.cell = type->cell, .desc = cell->desc ? cell->desc : &none, .states = type->cell->states};
    if (cJSON_AddStringToObject(json, "type", type->type) && mi_keys_write(type->keys, out->desc, json))
        return true;
    mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    return false;
}

static bool take_own(struct mi_layer *layer, const mica_cell *cell, struct mi_cell_use *out, cJSON *json)
{
    *out = (struct mi_cell_use){.cell = &mi_cell_own, .own = cell, .described = json, .states = cell->state_count};
    if (!cell->step)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "a cell has neither a type nor a function");
    else if (cell->state_count < 0 || cell->state_count > MI_MOST_STATES || (cell->state_count && !cell->states))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "a cell has 0 to %d states with their shapes, not %d", MI_MOST_STATES,
                      cell->state_count);
    else
        return true;
    return false;
}

static bool recurs(struct mi_layer *layer, const void *given, struct mi_recurrence *out)
{
    const mica_rnn_desc *desc = given;
    *out = (struct mi_recurrence){.cells = desc->cell_count, .return_sequences = desc->return_sequences,
                                  .return_state = desc->return_state, .go_backwards = desc->go_backwards,
                                  .recompute = desc->recompute};
    if (!desc->cells || desc->cell_count < 1 || desc->cell_count > MI_MOST_CELLS) {
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "has 1 to %d cells, not %d", MI_MOST_CELLS, desc->cells ? desc->cell_count : 0);
        return false;
    }
    layer->cells = cJSON_CreateArray();
    for (int i = 0; i < desc->cell_count; i++) {
        cJSON *json = cJSON_CreateObject();
        if (!layer->cells || !json || !cJSON_AddItemToArray(layer->cells, json)) {
            cJSON_Delete(json);
            mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
            return false;
        }
        const mica_cell *cell = &desc->cells[i];
        if (!(cell->type ? take_named : take_own)(layer, cell, &out->cell[i], json))
            return false;
    }
    return true;
}

static const struct mi_key keys[] = {MI_SEQUENCE_KEYS(mica_rnn_desc), {0}};

const struct mi_layer_type mi_layer_rnn = {
    .type = "rnn", .desc_size = sizeof(mica_rnn_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1 + MI_MOST_LAST,
    .has_cells = true, .recurs = recurs, .build = mi_recurrent_build};

mica_node *mica_rnn(mica_node *const *x, int count, const mica_rnn_desc *desc)
{
    return mi_layer_add(&mi_layer_rnn, x, count, desc);
}
