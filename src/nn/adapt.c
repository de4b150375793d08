/* Layers that learn statistics of data before the first step: which have yet to, and what becomes of it. */
#include "nn/layer.h"
#include "nn/part.h"

#include <math.h>
#include <stdlib.h>

/* The statistic that is NaN until the layer has learnt; NULL: the layer never does. */
static struct mi_variable *learnt_by(mica_model *model, const struct mi_layer_record *layer)
{
    if (!layer->type->adapts)
        return NULL;
    const char *name = mi_arena_format(&model->graph->arena, "%s.%s", layer->name, layer->type->adapts);
    return name ? mi_variable_find(&model->variables, name) : NULL;
}

mica_status mi_layer_learns(mica_model *model, const struct mi_layer_record *layer, bool *learns, bool *waits)
{
    struct mi_variable *variable = learnt_by(model, layer);
    *learns = variable != NULL;
    *waits = false;
    if (!variable)
        return MICA_OK;
    size_t count = mi_variable_count(variable);
    float *values = mi_new(count, sizeof *values);
    mica_status status = values ? mica_model_read(model, variable->name, values, count) : mi_out_of_memory(&model->device->error);
    *waits = status == MICA_OK && count > 0 && isnan(values[0]);
    free(values);
    return status;
}

mica_status mi_adapting_write(struct mi_adapting *adapting, const char *name, const float *values, size_t count)
{
    const struct mi_layer_record *layer = adapting->layer;
    struct mi_error *error = &adapting->model->device->error;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return mi_fail(error, MICA_DATA, "%s \"%s\": %s is %g in the data that it learns from", layer->type->type, layer->name,
                           name, (double)values[i]);
    const char *full = mi_arena_format(&adapting->model->graph->arena, "%s.%s", layer->name, name);
    return full ? mica_model_write(adapting->model, full, values, count) : mi_out_of_memory(error);
}

mica_status mi_adapted_check(mica_model *model, const struct mi_graph *graph)
{
    for (size_t i = 0; i < model->layer_count; i++) {
        const struct mi_layer_record *layer = &model->layers[i];
        const struct mi_variable *variable = learnt_by(model, layer);
        bool learns, waits, needed = false;
        MI_TRY(mi_layer_learns(model, layer, &learns, &waits));
        if (waits)
            MI_TRY(mi_part_needs(graph, mi_of_variable(graph, variable).value, &needed));
        if (needed)
            return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "%s \"%s\": its %s is not known yet: mica_fit learns it "
                           "from the training data, or mica_model_adapt before it", layer->type->type, layer->name,
                           layer->type->adapts);
    }
    return MICA_OK;
}
