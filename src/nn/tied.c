/* Layers whose weight is that of another layer. */
#include "nn/layer.h"

/* A layer by its name as it is within the groups that are open, from the innermost on; NULL: there is none. */
static const struct mi_layer_record *named(mica_model *model, const char *name)
{
    const mi_value *value = mi_scoped_value(model, name);
    for (size_t i = model->layer_count; value && i-- > 0;)
        if (model->layers[i].value == value)
            return &model->layers[i];
    return NULL;
}

mi_value *mi_layer_tied(struct mi_layer *layer, const char *to, const struct mi_shape *shape)
{
    mica_model *model = layer->whole ? layer->whole : layer->model;
    struct mi_arena *arena = &layer->graph->arena;
    const struct mi_layer_record *record = named(model, to);
    if (layer->wrapped)
        return mi_layer_fail(layer, MICA_UNSUPPORTED, "tied_to: a layer within a wrapper has a weight of its own");
    if (!record)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "tied_to: there is no earlier layer \"%s\"", mi_show(to).text);
    const char *owner = mi_layer_used(record) ? mi_layer_used(record) : record->name;
    struct mi_variable *weight = mi_variable_find(&model->variables, mi_arena_format(arena, "%s.weight", owner));
    if (!weight)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "tied_to: %s \"%s\" has no weight", record->type->type, record->name);
    if (!mi_shape_equal(&weight->shape, shape))
        return mi_layer_fail(layer, MICA_SHAPE, "tied_to: the weight of \"%s\" has shape %s, needs %s", record->name,
                             mi_shape_text(arena, &weight->shape), mi_shape_text(arena, shape));
    layer->tied = record->name;
    return mi_variable(layer->graph, weight);
}
