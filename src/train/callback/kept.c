#include "train/callback/kept.h"

#include <stdlib.h>

void mi_kept_destroy(struct mi_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        free(kept->elements[i]);
    free(kept->elements);
    *kept = (struct mi_kept){0};
}

static mica_status take(struct mi_kept *kept, mica_model *model)
{
    struct mi_store *store;
    MI_TRY(mi_model_store(model, &store));
    kept->elements = mi_new(model->variables.count, sizeof *kept->elements);
    for (size_t i = 0; kept->elements && i < model->variables.count; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        if (!mi_variable_in_files(variable))
            continue;
        void *elements = mi_new(mi_variable_count(variable), mi_types[variable->type].bytes);
        if (!elements)
            return mi_out_of_memory(&model->device->error);
        kept->elements[kept->count++] = elements;
        MI_TRY(mi_store_read(store, variable, elements));
    }
    return kept->elements ? MICA_OK : mi_out_of_memory(&model->device->error);
}

mica_status mi_kept_take(struct mi_kept *kept, mica_model *model)
{
    struct mi_kept now = {0};
    mica_status status = take(&now, model);
    if (status != MICA_OK) {
        mi_kept_destroy(&now);
        return status;
    }
    mi_kept_destroy(kept);
    *kept = now;
    return MICA_OK;
}

mica_status mi_kept_give(const struct mi_kept *kept, mica_model *model)
{
    size_t k = 0;
    for (size_t i = 0; i < model->variables.count && k < kept->count; i++) {
        struct mi_variable *variable = model->variables.list[i];
        if (mi_variable_in_files(variable))
            MI_TRY(mi_store_write(model->store, variable, kept->elements[k++]));
    }
    return MICA_OK;
}
