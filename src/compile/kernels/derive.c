/* Derived copies of variables, such as weights packed for an engine: kernels that read nothing but variables which no step of
 * this plan changes. They keep their memory and run only when a variable's version differs from the copy's. */
#include "compile/kernels/kernels.h"

#include <string.h>

enum { MOST_ON_THE_WAY = 256 };

/* Whether what the kernel stores may stay where it is from step to step. */
static bool may_stay(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    for (int o = 0; o < kernel->outs; o++) {
        if (kernel->out[o]->name)
            return false;
        for (size_t a = 0; a < plan->assignment_count; a++)
            if (plan->assignments[a].value == kernel->out[o])
                return false;
    }
    return (!kernel->anchor || kernel->anchor->op->kind == MI_OWN) && !kernel->update && !kernel->stage && !kernel->repeat;
}

/* Whether what is computed there, or on the way to it where it is used, asks for the step or for n; after `left` nodes it may. */
static bool asks_for_step(const struct mica_plan *plan, const struct mi_node *node, int *left)
{
    if (mi_names_the_step(node) || --*left < 0)
        return true;
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] && !plan->tensors[node->in[i]->id].stored && asks_for_step(plan, node->in[i]->node, left))
            return true;
    return false;
}

static bool is_derived(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    struct mi_source source[MI_MOST_SOURCES];
    int sources = 0;
    if (!may_stay(plan, kernel))
        return false;
    for (int m = 0; m < kernel->count; m++) {
        int count = mi_sources(plan, kernel->nodes[m], source), left = MOST_ON_THE_WAY;
        if (asks_for_step(plan, kernel->nodes[m], &left))
            return false;
        for (int i = 0; i < count; i++) {
            const struct mi_node *node = source[i].value->node;
            int home = plan->home[node->id];
            bool constant = node->op == &mi_op_variable ? !mi_of_variable(plan->graph, node->variable).assigned
                                                        : home >= 0 && (plan->derived[home] || &plan->kernels.list[home] == kernel);
            if (!constant)
                return false;
        }
        sources += count;
    }
    return sources > 0;
}

/* Lists the variables that a derived kernel reads, each once. */
static void list_variables(struct mica_plan *plan, const struct mi_kernel *kernel)
{
    struct mi_source source[MI_MOST_SOURCES];
    for (int m = 0; m < kernel->count; m++) {
        int count = mi_sources(plan, kernel->nodes[m], source);
        for (int i = 0; i < count; i++) {
            struct mi_variable *variable = source[i].value->node->variable;
            size_t known = 0;
            while (known < plan->derived_from_count && plan->derived_from[known] != variable)
                known++;
            if (variable && known == plan->derived_from_count)
                plan->derived_from[plan->derived_from_count++] = variable;
        }
    }
}

mica_status mi_derive(struct mica_plan *plan)
{
    plan->derived = mi_arena_new(&plan->arena, plan->kernels.count, sizeof *plan->derived);
    plan->derived_from = mi_arena_new(&plan->arena, plan->graph->node_count, sizeof *plan->derived_from);
    if (!plan->derived || !plan->derived_from)
        return mi_out_of_memory(&plan->error);
    for (size_t at = 0; at < plan->kernels.count; at++) {
        int k = plan->order[at];
        plan->derived[k] = is_derived(plan, &plan->kernels.list[k]);
        if (plan->derived[k])
            list_variables(plan, &plan->kernels.list[k]);
    }
    return MICA_OK;
}
