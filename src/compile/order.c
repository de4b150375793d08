/* The order in which kernels run: after what they read, and writers of a variable after its readers. An assignment whose
 * writer cannot wait for every reader becomes a copy at the end of the step. */
#include "compile/compile.h"

#include <stdlib.h>

enum { MOST_SOURCES = 64 };

struct edges {
    unsigned char *before;     /* before[b * count + a]: kernel a runs before kernel b */
    size_t count;
};

static bool reads(const struct mica_plan *plan, size_t kernel, const struct mi_variable *variable, bool *element_wise)
{
    const struct mi_kernel *k = &plan->kernels.list[kernel];
    struct mi_source source[MOST_SOURCES];
    bool found = false;
    *element_wise = true;
    for (int m = 0; m < k->count; m++) {
        int count = mi_sources(plan, k->nodes[m], source, MOST_SOURCES);
        for (int i = 0; i < count && i < MOST_SOURCES; i++)
            if (source[i].value->node->variable == variable) {
                found = true;
                *element_wise = *element_wise && source[i].direct && k->nodes[m]->op->kind == MI_MAP;
            }
    }
    return found;
}

static void add_data(const struct mica_plan *plan, struct edges *edges)
{
    struct mi_source source[MOST_SOURCES];
    for (size_t k = 0; k < edges->count; k++)
        for (int m = 0; m < plan->kernels.list[k].count; m++) {
            int count = mi_sources(plan, plan->kernels.list[k].nodes[m], source, MOST_SOURCES);
            for (int i = 0; i < count && i < MOST_SOURCES; i++) {
                int home = plan->home[source[i].value->node->id];
                if (home >= 0 && (size_t)home != k)
                    edges->before[k * edges->count + (size_t)home] = 1;
            }
        }
}

static void add_hazards(const struct mica_plan *plan, struct edges *edges)
{
    bool element_wise;
    for (size_t a = 0; a < plan->assignment_count; a++) {
        const struct mi_assignment *assignment = &plan->assignments[a];
        if (!assignment->in_place)
            continue;
        size_t writer = (size_t)plan->home[assignment->value->node->id];
        for (size_t k = 0; k < edges->count; k++)
            if (k != writer && reads(plan, k, assignment->variable, &element_wise))
                edges->before[writer * edges->count + k] = 1;
    }
}

/* Takes the first kernel that waits for nothing, again and again. Returns how many could be taken. */
static size_t take(const struct edges *edges, int *order, bool *taken)
{
    size_t done = 0;
    for (size_t k = 0; k < edges->count; k++)
        taken[k] = false;
    for (size_t from = 0; from < edges->count;) {
        size_t k = from;
        for (; k < edges->count; k++) {
            bool ready = !taken[k];
            for (size_t b = 0; b < edges->count && ready; b++)
                ready = !edges->before[k * edges->count + b] || taken[b];
            if (ready)
                break;
        }
        if (k == edges->count)
            break;
        taken[k] = true;
        order[done++] = (int)k;
        from = 0;
        while (from < edges->count && taken[from])
            from++;
    }
    return done;
}

static bool can_be_in_place(const struct mica_plan *plan, const struct mi_assignment *assignment)
{
    const mi_value *value = assignment->value;
    bool element_wise;
    int home = plan->home[value->node->id];
    if (home < 0 || value->name || value->type != assignment->variable->type)
        return false;
    for (size_t a = 0; a < plan->assignment_count; a++)
        if (&plan->assignments[a] < assignment && plan->assignments[a].value == value)
            return false;
    return mi_layout_is_plain(&plan->tensors[value->id].layout, value->shape.rank) &&
           (!reads(plan, (size_t)home, assignment->variable, &element_wise) || element_wise);
}

static mica_status list_assignments(struct mica_plan *plan)
{
    const struct mi_graph *graph = plan->graph;
    plan->assignments = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->assignments);
    if (!plan->assignments)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_assign) {
            struct mi_assignment *assignment = &plan->assignments[plan->assignment_count++];
            assignment->variable = graph->nodes[i]->variable;
            assignment->value = mi_canonical(plan, graph->nodes[i]->in[0]);
            assignment->in_place = can_be_in_place(plan, assignment);
        }
    return MICA_OK;
}

/* What is written in place, in the emitter's eyes: the variable's old value and the new one are one tensor. */
static void mark_over(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        const struct mi_node *node = plan->graph->nodes[i];
        for (size_t a = 0; a < plan->assignment_count && node->op == &mi_op_variable; a++)
            if (plan->assignments[a].in_place && plan->assignments[a].variable == node->variable)
                plan->tensors[plan->assignments[a].value->id].over = node->out[0];
    }
}

mica_status mi_order(struct mica_plan *plan)
{
    size_t count = plan->kernels.count;
    struct edges edges = {mi_new(count * count, 1), count};
    bool *taken = mi_new(count, sizeof *taken);
    plan->order = mi_arena_new(&plan->arena, count, sizeof *plan->order);
    mica_status status = MICA_OK;
    if (!edges.before || !taken || !plan->order)
        status = mi_out_of_memory(&plan->error);
    if (status == MICA_OK)
        status = list_assignments(plan);
    for (int attempt = 0; status == MICA_OK && attempt < 2; attempt++) {
        for (size_t i = 0; i < count * count; i++)
            edges.before[i] = 0;
        add_data(plan, &edges);
        add_hazards(plan, &edges);
        if (take(&edges, plan->order, taken) == count)
            break;
        if (attempt == 1)
            status = mi_fail(&plan->error, MICA_INTERNAL, "the plan's kernels wait for each other");
        for (size_t a = 0; a < plan->assignment_count; a++)
            if (plan->assignments[a].in_place && !taken[plan->home[plan->assignments[a].value->node->id]])
                plan->assignments[a].in_place = false;
    }
    if (status == MICA_OK)
        mark_over(plan);
    free(edges.before);
    free(taken);
    return status;
}
