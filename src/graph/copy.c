/* Copies of graphs. */
#include "graph/op.h"

#include <string.h>

static mi_value *copied(const struct mi_graph *to, const mi_value *value)
{
    return value ? to->values[value->id] : NULL;
}

static bool list_copy(struct mi_graph *to, mi_value ***list, size_t *count, size_t *capacity, mi_value *const *from, size_t n)
{
    if (!mi_grow(list, capacity, n, sizeof **list))
        return false;
    for (size_t i = 0; i < n; i++)
        (*list)[i] = copied(to, from[i]);
    *count = n;
    return true;
}

static struct mi_node *node_copy(struct mi_graph *to, const struct mi_node *from)
{
    struct mi_node *node = mi_arena_new(&to->arena, 1, sizeof *node);
    if (!node)
        return NULL;
    *node = *from;
    node->graph = to;
    node->in = mi_arena_new(&to->arena, (size_t)from->inputs, sizeof *node->in);
    if (!node->in)
        return NULL;
    for (int i = 0; i < from->inputs; i++)
        node->in[i] = copied(to, from->in[i]);
    node->name = mi_arena_strdup(&to->arena, from->name);
    node->attribute = mi_arena_new(&to->arena, (size_t)from->attributes, sizeof *node->attribute);
    for (int i = 0; i < from->attributes && node->attribute; i++) {
        struct mi_attribute *attribute = &node->attribute[i];
        *attribute = from->attribute[i];
        attribute->name = mi_arena_strdup(&to->arena, attribute->name);
        attribute->s = mi_arena_strdup(&to->arena, attribute->s);
        if (attribute->ints) {
            int64_t *ints = mi_arena_new(&to->arena, (size_t)attribute->count, sizeof *ints);
            if (ints)
                memcpy(ints, attribute->ints, (size_t)attribute->count * sizeof *ints);
            attribute->ints = ints;
        }
    }
    if (from->constant) {
        size_t bytes = (size_t)mi_shape_count(&from->out[0]->shape, 0) * mi_types[from->out[0]->type].bytes;
        void *constant = mi_arena_new(&to->arena, bytes, 1);
        if (constant && bytes)
            memcpy(constant, from->constant, bytes);
        node->constant = constant;
    }
    return to->arena.failed ? NULL : node;
}

static bool copy_into(struct mi_graph *to, const struct mi_graph *from)
{
    if (!mi_grow(&to->values, &to->value_capacity, from->value_count, sizeof *to->values) ||
        !mi_grow(&to->nodes, &to->node_capacity, from->node_count, sizeof *to->nodes))
        return false;
    for (size_t i = 0; i < from->value_count; i++) {
        mi_value *value = to->values[i] = mi_arena_new(&to->arena, 1, sizeof *value);
        if (!value)
            return false;
        *value = *from->values[i];
        value->name = mi_arena_strdup(&to->arena, value->name);
    }
    to->value_count = from->value_count;
    for (size_t i = 0; i < from->node_count; i++) {
        struct mi_node *node = to->nodes[i] = node_copy(to, from->nodes[i]);
        if (!node)
            return false;
        for (int o = 0; o < node->outputs; o++) {
            node->out[o] = copied(to, from->nodes[i]->out[o]);
            node->out[o]->node = node;
        }
    }
    to->node_count = from->node_count;
    if (!mi_grow(&to->repeats, &to->repeat_capacity, from->repeat_count, sizeof *to->repeats))
        return false;
    if (from->repeat_count)
        memcpy(to->repeats, from->repeats, from->repeat_count * sizeof *to->repeats);
    for (size_t i = 0; i < from->repeat_count; i++)
        to->repeats[i].lengths = mi_arena_strdup(&to->arena, from->repeats[i].lengths);
    to->repeat_count = from->repeat_count;
    return mi_graph_list_variables(to) &&
           list_copy(to, &to->inputs, &to->input_count, &to->input_capacity, from->inputs, from->input_count) &&
           list_copy(to, &to->outputs, &to->output_count, &to->output_capacity, from->outputs, from->output_count);
}

struct mi_graph *mi_graph_copy(const struct mi_graph *graph, struct mi_error *error)
{
    if (mi_error_report(error, &graph->error) != MICA_OK)
        return NULL;
    struct mi_graph *copy = mi_graph_create(graph->ops, graph->variables);
    if (copy) {
        copy->training = graph->training;
        copy->precision = graph->precision;
        copy->next_stable = graph->next_stable;
        copy->open = MI_ANY_REPEAT;
        if (copy_into(copy, graph) && !copy->arena.failed)
            return copy;
    }
    mi_graph_destroy(copy);
    mi_out_of_memory(error);
    return NULL;
}
