/* What optimizers keep of each parameter from step to step. */
#include "nn/optimizer/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a moment begins with: an average that holds no value yet is NaN. */
static float first_value(const struct mi_optimizer *optimizer, int slot)
{
    const struct mi_optimizer_row *row = optimizer->row;
    if (slot >= MI_SUM)
        return slot == MI_AVERAGE ? NAN : 0;
    for (int i = 0; slot == 0 && row->first && row->keys[i].name; i++)
        if (strcmp(row->keys[i].name, row->first) == 0)
            return optimizer->value[i];
    return 0;
}

/* A moment's first values, the caller's to free. */
static float *first_values(const struct mi_optimizer *optimizer, size_t count, int slot)
{
    float *values = mi_new(count, sizeof *values), first = first_value(optimizer, slot);
    for (size_t i = 0; values && i < count; i++)
        values[i] = first;
    return values;
}

/* A variable of a parameter's, of a name with that before the parameter's, made when first needed. */
static struct mi_variable *find_or_make(mica_model *model, const struct mi_optimizer *optimizer, struct mi_variable *parameter,
                                        int slot, const char *prefix, const struct mi_shape *shape)
{
    struct mi_text name = {0};
    mi_text_add(&name, "%s/%s", prefix, parameter->name);
    struct mi_variable *found = name.failed ? NULL : mi_variable_find(&model->variables, name.data);
    if (!found && !name.failed) {
        float *values = first_values(optimizer, (size_t)mi_shape_count(shape, 0), slot);
        if (values)
            found = mi_variable_add(&model->variables, &model->device->error, name.data, MI_MOMENT, MI_FLOAT, shape, values);
        if (found) {
            found->shadows = parameter;
            found->moment = slot;
        }
    }
    mi_text_destroy(&name);
    return found;
}

struct mi_variable *mi_optimizer_moment(mica_model *model, const struct mi_optimizer *optimizer, struct mi_variable *parameter,
                                        int slot)
{
    char prefix[24];
    mi_format(prefix, sizeof prefix, "moment%d", slot + 1);
    return find_or_make(model, optimizer, parameter, slot, slot == MI_AVERAGE ? "average" : slot == MI_SUM ? "sum" : prefix,
                        &parameter->shape);
}

struct mi_variable *mi_optimizer_state(const struct mi_updating *of, int slot, const char *prefix, const struct mi_shape *shape)
{
    if (mi_shape_equal(shape, &of->parameter->shape))
        return mi_optimizer_moment(of->model, of->optimizer, of->parameter, slot);
    return find_or_make(of->model, of->optimizer, of->parameter, slot, prefix, shape);
}

mica_status mi_optimizer_reset(mica_model *model, const struct mi_optimizer *optimizer, const char *train)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        struct mi_variable *variable = model->variables.list[i];
        if (variable->role != MI_MOMENT || !mi_name_matches(train, variable->shadows->name))
            continue;
        float *values = first_values(optimizer, mi_variable_count(variable), variable->moment);
        if (!values)
            return mi_out_of_memory(&model->device->error);
        status = mi_store_write(model->store, variable, values);
        free(values);
    }
    return status;
}
