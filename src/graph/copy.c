/* Copies of graphs, and reading of nodes. */
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

/* ---- Reading ---- */

const struct mi_attribute *mi_attribute_find(const struct mi_node *node, const char *name)
{
    for (int i = 0; i < node->attributes; i++)
        if (strcmp(node->attribute[i].name, name) == 0)
            return &node->attribute[i];
    return NULL;
}

int64_t mi_attribute_int(const struct mi_node *node, const char *name, int64_t otherwise)
{
    const struct mi_attribute *attribute = mi_attribute_find(node, name);
    return attribute && attribute->type == MI_ATTRIBUTE_INT ? attribute->i : otherwise;
}

float mi_attribute_float(const struct mi_node *node, const char *name, float otherwise)
{
    const struct mi_attribute *attribute = mi_attribute_find(node, name);
    return attribute && attribute->type == MI_ATTRIBUTE_FLOAT ? attribute->f : otherwise;
}

const char *mi_attribute_text(const struct mi_node *node, const char *name, const char *otherwise)
{
    const struct mi_attribute *attribute = mi_attribute_find(node, name);
    return attribute && attribute->type == MI_ATTRIBUTE_TEXT ? attribute->s : otherwise;
}

const int64_t *mi_attribute_ints(const struct mi_node *node, const char *name, int *count)
{
    const struct mi_attribute *attribute = mi_attribute_find(node, name);
    if (!attribute || attribute->type != MI_ATTRIBUTE_INTS)
        return NULL;
    *count = attribute->count;
    return attribute->ints;
}

const int64_t *mi_constant_ints(const mi_value *value, int *count)
{
    if (!value || value->node->op != &mi_op_constant || value->type != MI_INT64)
        return NULL;
    *count = value->shape.rank ? (int)value->shape.dim[0].b : 1;
    return value->node->constant;
}

bool mi_constant_float(const mi_value *value, float *out)
{
    if (!value || value->node->op != &mi_op_constant || value->type != MI_FLOAT || mi_shape_count(&value->shape, 0) != 1)
        return false;
    memcpy(out, value->node->constant, sizeof *out);
    return true;
}

mica_status mi_reduce_axes(const struct mi_node *node, uint32_t *mask, bool *keepdims)
{
    int rank = node->in[0]->shape.rank, count = 0;
    const int64_t *axes = node->inputs > 1 ? mi_constant_ints(node->in[1], &count) : mi_attribute_ints(node, "axes", &count);
    int64_t single = mi_attribute_int(node, "axis", 0);
    if (!axes && mi_attribute_find(node, "axis")) {
        axes = &single;
        count = 1;
    }
    *keepdims = mi_attribute_int(node, "keepdims", 1) != 0;
    *mask = 0;
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank)
            return mi_fail(&node->graph->error, MICA_SHAPE, "%s \"%s\": axis %lld, input has rank %d", node->op->name,
                           node->name, (long long)axes[i], rank);
        *mask |= 1u << axis;
    }
    if (count == 0 && !mi_attribute_int(node, "noop_with_empty_axes", 0))
        *mask = (1u << rank) - 1;
    return MICA_OK;
}
