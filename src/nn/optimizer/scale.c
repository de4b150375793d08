/* The scale of a loss whose gradients are rounded to float16: unscaled, small ones would become 0. It finds itself (Micikevicius
 * and others, "Mixed Precision Training", 2018): it is halved where a gradient overflows, and that step changes nothing; after 2000
 * steps without that it is doubled. It begins at 32768, as that of Keras's LossScaleOptimizer.
 *
 * The scaled loss gives gradients g. The sum of g * 0 over all of them is 0, or NaN where one is no finite number. LossScale makes
 * of that, of the scale and of the number of good steps the factor 1 / scale, or NaN. So g * factor is the gradient of the loss
 * itself, or NaN, and then the update leaves everything as it is (around.c). */
#include "nn/optimizer/optimizer.h"

#include "ops/ops.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

static const float first_scale = 32768;

/* A number of the device's, of that name. */
static struct mi_variable *number(mica_model *model, const char *name, float first)
{
    const struct mi_shape scalar = {.rank = 0};
    struct mi_variable *variable = mi_variable_find(&model->variables, name);
    float *value = variable ? NULL : mi_new(1, sizeof *value);
    if (value) {
        *value = first;
        variable = mi_variable_add(&model->variables, &model->device->error, name, MI_ACCUMULATOR, MI_FLOAT, &scalar, value);
    }
    return variable;
}

mi_value *mi_loss_scale(mica_model *model, struct mi_graph *graph)
{
    struct mi_variable *scale = number(model, "loss_scale", first_scale);
    return scale ? mi_variable(graph, scale) : NULL;
}

/* 0, or NaN where a gradient has an element that is no finite number. */
static mi_value *faults(struct mi_graph *graph, mi_value *const *gradient, int count)
{
    mi_value *all = NULL;
    for (int i = count - 1; i >= 0; i--) { /* the backward pass makes the last one first: what is needed first is made first */
        if (!gradient[i])
            continue;
        mi_value *none = mi_op2(graph, "Mul", gradient[i], mi_scalar(graph, 0));
        mi_value *own = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){none}), MI_INT("keepdims", 0));
        all = all ? mi_op2(graph, "Add", all, own) : own;
    }
    return all;
}

mi_value *mi_loss_factor(mica_model *model, struct mi_graph *graph, mi_value *const *gradient, int count)
{
    struct mi_variable *scale = number(model, "loss_scale", first_scale), *steps = number(model, "loss_scale_steps", 0);
    if (!scale || !steps) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    graph->scope = "loss_scale";
    mi_value *found = faults(graph, gradient, count);
    mi_value *in[] = {found, mi_variable(graph, scale), mi_variable(graph, steps)};
    struct mi_node *node = found ? mi_node_add(graph, "LossScale", in, 3, NULL, 0) : NULL;
    bool good = node && mi_assign(graph, scale, node->out[1]) && mi_assign(graph, steps, node->out[2]);
    return good ? node->out[0] : NULL;
}

mica_status mi_loss_scale_read(mica_model *model, float *scale, float *good_steps)
{
    const struct mi_variable *own = mi_variable_find(&model->variables, "loss_scale"),
                             *steps = mi_variable_find(&model->variables, "loss_scale_steps");
    *scale = first_scale;
    *good_steps = 0;
    if (!own || !steps)
        return MICA_OK;
    MI_TRY(mi_store_read(model->store, own, scale));
    return mi_store_read(model->store, steps, good_steps);
}

void mi_loss_unscale(struct mi_graph *graph, mi_value *factor, bool sums, mi_value **gradient, int count)
{
    for (int i = 0; i < count; i++)
        if (gradient[i])
            gradient[i] = mi_op2(graph, sums ? "UnscaleOrZero" : "Mul", gradient[i], factor);
}
