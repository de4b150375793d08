/* What the rows' infer and gradient functions share: errors, types, attributes, shapes as attributes. */
#include "ops/ops.h"

#include <string.h>

mica_status mi_op_fail(const struct mi_node *node, mica_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = mi_arena_vformat(&node->graph->arena, format, arguments);
    va_end(arguments);
    return mi_fail(&node->graph->error, status, "%s \"%s\": %s", node->op->name, node->name ? node->name : "",
                   text);
}

/* ---- Types ---- */

bool mi_is_float(enum mi_type type)
{
    return mi_types[type].kind == 'f';
}

mica_status mi_same_types(const struct mi_node *node)
{
    enum mi_type type = node->in[0]->type;
    for (int i = 1; i < node->inputs; i++)
        if (node->in[i] && node->in[i]->type != type)
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input 0 has type %s, input %d has type %s: Cast makes them one",
                              mi_types[type].name, i, mi_types[node->in[i]->type].name);
    return MICA_OK;
}

mica_status mi_number_type(const struct mi_node *node)
{
    if (node->in[0]->type != MI_BOOL)
        return MICA_OK;
    return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input has type bool, it must be numbers: Cast makes them");
}

mica_status mi_number_types(const struct mi_node *node)
{
    MI_TRY(mi_number_type(node));
    return mi_same_types(node);
}

mica_status mi_float_type(const struct mi_node *node)
{
    if (mi_is_float(node->in[0]->type))
        return MICA_OK;
    return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input has type %s, it must be one of floating point",
                      mi_types[node->in[0]->type].name);
}

mica_status mi_float_types(const struct mi_node *node)
{
    MI_TRY(mi_float_type(node));
    return mi_same_types(node);
}

/* ---- Outputs ---- */

void mi_infer_output(struct mi_node *node, int output, enum mi_type type, const struct mi_shape *shape)
{
    node->out[output]->type = type;
    node->out[output]->shape = *shape;
}

mica_status mi_infer_broadcast(struct mi_node *node, enum mi_type type)
{
    struct mi_shape shape = node->in[0]->shape, joined;
    for (int i = 1; i < node->inputs; i++) {
        if (!mi_shape_broadcast(&shape, &node->in[i]->shape, &joined))
            return mi_op_fail(node, MICA_SHAPE, "shapes %s and %s do not broadcast",
                              mi_shape_text(&node->graph->arena, &shape),
                              mi_shape_text(&node->graph->arena, &node->in[i]->shape));
        shape = joined;
    }
    mi_infer_output(node, 0, type, &shape);
    return MICA_OK;
}

mica_status mi_infer_float_map(struct mi_node *node)
{
    MI_TRY(mi_float_types(node));
    return mi_infer_broadcast(node, node->in[0]->type);
}

/* ---- Attributes ---- */

static mica_status append_attribute(struct mi_node *node, struct mi_attribute attribute)
{
    struct mi_arena *arena = &node->graph->arena;
    struct mi_attribute *grown = mi_arena_new(arena, (size_t)node->attributes + 1, sizeof *grown);
    if (!grown)
        return mi_out_of_memory(&node->graph->error);
    if (node->attributes)
        memcpy(grown, node->attribute, (size_t)node->attributes * sizeof *grown);
    grown[node->attributes++] = attribute;
    node->attribute = grown;
    return MICA_OK;
}

mica_status mi_set_attribute(struct mi_node *node, struct mi_attribute attribute)
{
    struct mi_arena *arena = &node->graph->arena;
    if (attribute.ints) {
        int64_t *ints = mi_arena_new(arena, (size_t)attribute.count, sizeof *ints);
        if (!ints)
            return mi_out_of_memory(&node->graph->error);
        if (attribute.count)
            memcpy(ints, attribute.ints, (size_t)attribute.count * sizeof *ints);
        attribute.ints = ints;
    }
    for (int i = 0; i < node->attributes; i++)
        if (strcmp(node->attribute[i].name, attribute.name) == 0) {
            attribute.name = node->attribute[i].name;
            node->attribute[i] = attribute;
            return MICA_OK;
        }
    return append_attribute(node, attribute);
}

mica_status mi_default_float(struct mi_node *node, const char *name, float value)
{
    return mi_attribute_find(node, name) ? MICA_OK : append_attribute(node, MI_REAL(name, value));
}

mica_status mi_default_int(struct mi_node *node, const char *name, int64_t value)
{
    return mi_attribute_find(node, name) ? MICA_OK : append_attribute(node, MI_INT(name, value));
}

mica_status mi_fold_ints(struct mi_node *node, int input, const char *name, const int64_t **values,
                         int *count)
{
    *count = 0;
    if (node->inputs <= input || !node->in[input]) {
        *values = mi_attribute_ints(node, name, count);
        return MICA_OK;
    }
    const int64_t *constant = mi_constant_ints(node->in[input], count);
    if (!constant)
        return mi_op_fail(node, MICA_UNSUPPORTED, "%s (input %d) must be a constant of int64", name, input);
    MI_TRY(mi_set_attribute(node, MI_INTS(name, constant, *count)));
    *values = mi_attribute_ints(node, name, count);
    return MICA_OK;
}

void mi_drop_inputs(struct mi_node *node, int keep)
{
    if (node->inputs > keep)
        node->inputs = keep;
}

/* ---- Shapes as attributes ---- */

struct mi_shape mi_shape_of(int rank, const struct mi_dim *dim)
{
    struct mi_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dim[i];
    return shape;
}

void mi_shape_attributes(struct mi_graph *graph, const struct mi_shape *shape, struct mi_attribute out[2])
{
    int64_t *parts = mi_arena_new(&graph->arena, 2 * MI_MAX_RANK, sizeof *parts);
    int rank = parts ? shape->rank : 0;
    for (int i = 0; i < rank; i++) {
        parts[i] = shape->dim[i].b;
        parts[MI_MAX_RANK + i] = shape->dim[i].a;
    }
    out[0] = MI_INTS("shape", parts, rank);
    out[1] = MI_INTS("shape_n", parts ? parts + MI_MAX_RANK : NULL, rank);
}

mica_status mi_set_shape(struct mi_node *node, const struct mi_shape *shape)
{
    struct mi_attribute parts[2];
    mi_shape_attributes(node->graph, shape, parts);
    MI_TRY(mi_set_attribute(node, parts[0]));
    return mi_set_attribute(node, parts[1]);
}

bool mi_get_shape(const struct mi_node *node, struct mi_shape *shape)
{
    int count = 0, factors = 0;
    const int64_t *fixed = mi_attribute_ints(node, "shape", &count),
                  *factor = mi_attribute_ints(node, "shape_n", &factors);
    if (!fixed || !factor || count != factors || count > MI_MAX_RANK)
        return false;
    *shape = (struct mi_shape){.rank = count};
    for (int i = 0; i < count; i++)
        shape->dim[i] = (struct mi_dim){factor[i], fixed[i]};
    return true;
}

static mi_value *apply_shape(struct mi_graph *graph, const char *op, mi_value *value,
                             const struct mi_shape *shape)
{
    if (!value || mi_shape_equal(&value->shape, shape))
        return value;
    struct mi_attribute parts[2];
    mi_shape_attributes(graph, shape, parts);
    return mi_apply(graph, op, &value, 1, parts, 2);
}

mi_value *mi_reshape_to(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape)
{
    return apply_shape(graph, "Reshape", value, shape);
}

mi_value *mi_cast(struct mi_graph *graph, mi_value *value, enum mi_type type)
{
    return value && value->type != type ? MI_APPLY(graph, "Cast", ((mi_value *[]){value}), MI_INT("to", type)) : value;
}

mi_value *mi_expand_to(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape)
{
    return apply_shape(graph, "Expand", value, shape);
}

mi_value *mi_channels(struct mi_graph *graph, mi_value *value, int rank)
{
    if (!value)
        return NULL;
    struct mi_shape shape = {.rank = rank - 1, .dim = {value->shape.dim[0]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = mi_fixed(1);
    return mi_reshape_to(graph, value, &shape);
}

/* ---- Building ---- */

mica_status mi_axis(const struct mi_node *node, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return mi_op_fail(node, MICA_SHAPE, "axis is %lld, input has rank %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return MICA_OK;
}

mi_value *mi_reduce(struct mi_graph *graph, const char *op, mi_value *value, const int64_t *axes, int count,
                    bool keepdims)
{
    return MI_APPLY(graph, op, ((mi_value *[]){value}), MI_INTS("axes", axes, count),
                    MI_INT("keepdims", keepdims), MI_INT("noop_with_empty_axes", 1));
}

mi_value *mi_divide_by_count(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape,
                             uint32_t mask)
{
    struct mi_shape counted = {.rank = 0};
    struct mi_dim count;
    for (int i = 0; i < shape->rank; i++)
        if (mask >> i & 1)
            counted.dim[counted.rank++] = shape->dim[i];
    if (!mi_shape_product(&counted, 0, counted.rank, &count)) {
        mi_fail(&graph->error, MICA_UNSUPPORTED, "mean over shape %s: two dimensions vary with the batch",
                mi_shape_text(&graph->arena, shape));
        return NULL;
    }
    return MI_APPLY(graph, "DivideByCount", ((mi_value *[]){value}), MI_INT("per_n", count.a),
                    MI_INT("fixed", count.b));
}

mi_value *mi_apply_as(struct mi_node *node, const char *op, mi_value *const *inputs, int count,
                      const struct mi_attribute *extra, int extras)
{
    struct mi_attribute *all =
        mi_arena_new(&node->graph->arena, (size_t)(node->attributes + extras), sizeof *all);
    if (!all)
        return NULL;
    if (extras)
        memcpy(all, extra, (size_t)extras * sizeof *all);
    if (node->attributes)
        memcpy(all + extras, node->attribute, (size_t)node->attributes * sizeof *all);
    return mi_apply(node->graph, op, inputs, count, all, node->attributes + extras);
}
