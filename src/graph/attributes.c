/* What nodes say: attributes, constants, the axes of reductions. */
#include "graph/op.h"

#include <string.h>

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
