/* Values of a plan: which of them share memory, how much they take, and what a node reads. */
#include "plan/inside.h"

mi_value *mi_canonical(const struct mica_plan *plan, mi_value *value)
{
    while (plan->tensors[value->id].same_as)
        value = plan->tensors[value->id].same_as;
    return value;
}

mi_value *mi_owner(const struct mica_plan *plan, mi_value *value)
{
    value = mi_canonical(plan, value);
    mi_value *of = plan->tensors[value->id].part.of;
    return of ? mi_canonical(plan, of) : value;
}

bool mi_is_made_by(const struct mica_plan *plan, const mi_value *value, int kernel)
{
    const struct mi_node *node = value->node;
    if (node->op == &mi_op_part)
        node = node->in[1]->node;
    return node->op == &mi_op_repeat ? mi_repeat_within(plan->graph, plan->kernels.list[kernel].repeat, node->ends)
                                     : plan->home[node->id] == kernel;
}

uint64_t mi_value_bytes(const struct mica_plan *plan, const mi_value *value)
{
    int64_t count = mi_layout_count(&plan->tensors[value->id].layout, &value->shape, plan->batch);
    return count < 0 ? MI_UNCOUNTED_BYTES : (uint64_t)count * mi_types[value->type].bytes;
}

bool mi_keeps_places(const struct mi_node *node)
{
    return node->op->kind == MI_MAP || mi_is_squeeze(node);
}

static void sources_of(const struct mica_plan *plan, mi_value *value, bool direct, struct mi_source *out, int *count)
{
    if (!value || value->node->op == &mi_op_constant)
        return;
    const struct mi_node *node = value->node;
    if (plan->tensors[value->id].same_as) {
        sources_of(plan, plan->tensors[value->id].same_as, direct && mi_is_squeeze(node), out, count);
        return;
    }
    if (plan->tensors[value->id].part.of && node->op->kind == MI_MOVE) {
        sources_of(plan, node->in[0], false, out, count);
        return;
    }
    bool virtual_node = plan->home[node->id] < 0 && node->op->kind != MI_SOURCE && !plan->tensors[value->id].stored;
    if (virtual_node) {
        bool keeps = direct && mi_keeps_places(node);
        for (int i = 0; i < node->inputs; i++)
            sources_of(plan, node->in[i], keeps, out, count);
        return;
    }
    for (int i = 0; i < *count; i++)
        if (out[i].value == value) {
            out[i].direct = out[i].direct && direct;
            return;
        }
    if (*count < MI_MOST_SOURCES)
        out[(*count)++] = (struct mi_source){value, direct};
}

int mi_sources(const struct mica_plan *plan, const struct mi_node *node, struct mi_source out[MI_MOST_SOURCES])
{
    int count = 0;
    for (int i = 0; i < node->inputs; i++)
        sources_of(plan, node->in[i], true, out, &count);
    return count;
}

static void set_part(struct mica_plan *plan, const mi_value *value, mi_value *of)
{
    struct mi_tensor *tensor = &plan->tensors[value->id];
    bool turns = mi_attribute_int(value->node, "turns", 0) != 0;
    tensor->part = (struct mi_part){of, mi_attribute_int(value->node, "shift", 0), turns ? value->node->repeat : 0,
                                    mi_attribute_int(value->node, "runs", 0) != 0, (int)mi_attribute_int(value->node, "until", 0)};
    tensor->stored = true;
}

/* What lies within a ring: parts, and what is put there, before the first turn or in each. */
static void set_parts(struct mica_plan *plan, const struct mi_node *node)
{
    if (node->op == &mi_op_part) {
        set_part(plan, node->out[0], node->in[0]);
        if (node->in[1]->node->op == &mi_op_put)
            set_part(plan, node->in[1], node->in[0]);
    }
    for (int i = 0; i < node->inputs / 2 && node->op == &mi_op_repeat; i++)
        if (node->in[i])
            set_part(plan, node->in[i], node->in[node->inputs / 2 + i]);
}

mica_status mi_start_tensors(struct mica_plan *plan)
{
    const struct mi_graph *graph = plan->graph;
    plan->tensors = mi_arena_new(&plan->arena, graph->value_count, sizeof *plan->tensors);
    plan->home = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->home);
    plan->choices = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->choices);
    plan->inside = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->inside);
    plan->wanted = mi_arena_new(&plan->arena, graph->value_count, sizeof *plan->wanted);
    plan->turn = mi_arena_new(&plan->arena, graph->repeat_count + 1, sizeof *plan->turn);
    plan->updates = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->updates);
    if (plan->arena.failed)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < graph->node_count; i++)
        plan->home[i] = -1;
    for (size_t v = 0; v < graph->value_count; v++) {
        const struct mi_op *op = graph->values[v]->node->op;
        plan->tensors[v].layout = mi_layout_plain(graph->values[v]->shape.rank);
        plan->tensors[v].stored = op == &mi_op_input || op == &mi_op_variable || op == &mi_op_ring;
        if (mi_shape_count(&graph->values[v]->shape, plan->batch) < 0)
            return mi_fail(&plan->error, MICA_SHAPE, "%s \"%s\": a batch of %lld makes it too large", op->name,
                           graph->values[v]->node->name, (long long)plan->batch);
    }
    for (size_t i = 0; i < graph->node_count; i++)
        set_parts(plan, graph->nodes[i]);
    return mi_turns_make(plan);
}
