/* What a nest stores beside a tensor in blocks, and nobody asked to lie otherwise, lies in the same blocks: its loops then
 * write both side by side, and so read those who use both. */
#include "compile/kernels/kernels.h"

/* Whether somebody counts on the value's plain rows: memory is shared, or an engine reads it. */
static bool is_pinned(const struct mica_plan *plan, const mi_value *value)
{
    const struct mi_tensor *tensor = &plan->tensors[value->id];
    if (value->name || plan->wanted[value->id] || tensor->same_as || !mi_layout_is_plain(&tensor->layout, value->shape.rank))
        return true;
    for (size_t v = 0; v < plan->graph->value_count; v++)
        if (plan->tensors[v].same_as == value)
            return true;
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        const struct mi_node *user = plan->graph->nodes[i];
        const struct mi_engine *engine = plan->choices[i].engine;
        bool counts = mi_takes_memory(user) || plan->updates[i] || (engine && engine->memory);
        for (int k = 0; k < user->inputs && counts; k++)
            if (user->in[k] == value)
                return true;
    }
    return false;
}

/* The layout in blocks of another tensor of that shape which the kernel stores; NULL: there is none. */
static const struct mi_layout *beside(const struct mica_plan *plan, const struct mi_kernel *kernel, const mi_value *value)
{
    for (int i = 0; i < kernel->outs; i++) {
        const mi_value *other = kernel->out[i];
        const struct mi_layout *layout = &plan->tensors[other->id].layout;
        if (plan->wanted[other->id] && layout->inners == 1 && mi_shape_equal(&other->shape, &value->shape))
            return layout;
    }
    return NULL;
}

mica_status mi_match_layouts(struct mica_plan *plan)
{
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &plan->kernels.list[k];
        for (int i = 0; i < kernel->outs && !kernel->anchor && !kernel->update; i++) {
            const mi_value *value = kernel->out[i];
            const struct mi_layout *layout = beside(plan, kernel, value);
            if (!layout || is_pinned(plan, value))
                continue;
            struct mi_layout *own = &plan->tensors[value->id].layout;
            *own = *layout;
            own->fill = 0;
            for (int a = 0; a < value->shape.rank; a++)
                own->low[a] = own->high[a] = 0;
        }
    }
    return MICA_OK;
}
