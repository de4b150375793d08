/* Pad: pads as input 1 or attribute, constant_value (0) as input 2 or attribute, or `fill`, axes (all) as input 3 or attribute.
 * Written back as pads for every axis. Attribute mode says what stands in the places that are added: "constant", where negative
 * pads cut; "edge", the nearest element; "reflect", the elements mirrored at the first or last, which is not repeated; "wrap",
 * those of the other end. */
#include "ops/ops.h"

#include <string.h>

/* ---- Modes ---- */

/* What a mode makes of the places beside an axis; NULL in the constant one. */
struct mode {
    const char *name;
    /* The index of a place, which may lie beside the axis, as a text. */
    const char *(*fold)(struct mi_arena *arena, const char *place, const char *size);
    int64_t (*most)(int64_t size); /* places beside one side */
    /* Of the elements that stand beside one side, which has so many places: the lowest index on the axis. */
    int64_t (*first)(int64_t size, int64_t places, bool after);
    bool reversed, one;          /* they stand there backwards; they are all one */
};

static const char *fold_edge(struct mi_arena *arena, const char *place, const char *size)
{
    return mi_arena_format(arena, "(%s < 0 ? 0 : %s < %s ? %s : %s - 1)", place, place, size, place, size);
}

static const char *fold_reflect(struct mi_arena *arena, const char *place, const char *size)
{
    return mi_arena_format(arena, "(%s < 0 ? -%s : %s < %s ? %s : 2 * (%s - 1) - %s)", place, place, place, size, place, size,
                           place);
}

static const char *fold_wrap(struct mi_arena *arena, const char *place, const char *size)
{
    return mi_arena_format(arena, "(%s < 0 ? %s + %s : %s < %s ? %s : %s - %s)", place, place, size, place, size, place, place,
                           size);
}

static int64_t most_edge(int64_t size) { return size > 0 ? INT32_MAX : 0; }
static int64_t most_reflect(int64_t size) { return size > 0 ? size - 1 : 0; }
static int64_t most_wrap(int64_t size) { return size; }

static int64_t first_edge(int64_t size, int64_t places, bool after) { return (void)places, after ? size - 1 : 0; }
static int64_t first_reflect(int64_t size, int64_t places, bool after) { return after ? size - 1 - places : 1; }
static int64_t first_wrap(int64_t size, int64_t places, bool after) { return after ? 0 : size - places; }

static const struct mode modes[] = {
    {.name = "constant"},
    {"edge", fold_edge, most_edge, first_edge, false, true},
    {"reflect", fold_reflect, most_reflect, first_reflect, true, false},
    {"wrap", fold_wrap, most_wrap, first_wrap, false, false},
};

/* NULL: there is none of that name. */
static const struct mode *find_mode(const struct mi_node *node)
{
    const char *name = mi_attribute_text(node, "mode", "constant");
    for (size_t i = 0; i < MI_COUNT(modes); i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

/* ---- Inference ---- */

static mica_status read_pads(struct mi_node *node, int64_t pads[2 * MI_MAX_RANK])
{
    int rank = node->in[0]->shape.rank, count, axis_count, axis;
    const int64_t *given, *axes;
    MI_TRY(mi_fold_ints(node, 1, "pads", &given, &count));
    MI_TRY(mi_fold_ints(node, 3, "axes", &axes, &axis_count));
    int padded = axes ? axis_count : rank;
    if (!given || count != 2 * padded)
        return mi_op_fail(node, MICA_SHAPE, "%d pads, %d axes need %d", count, padded, 2 * padded);
    for (int i = 0; i < padded; i++) {
        MI_TRY(mi_axis(node, axes ? axes[i] : i, rank, &axis));
        if (given[i] <= -INT32_MAX || given[i] >= INT32_MAX || given[padded + i] <= -INT32_MAX ||
            given[padded + i] >= INT32_MAX)
            return mi_op_fail(node, MICA_SHAPE, "axis %d is padded by %lld and %lld", axis,
                              (long long)given[i], (long long)given[padded + i]);
        pads[axis] = given[i];
        pads[rank + axis] = given[padded + i];
    }
    return MICA_OK;
}

static mica_status read_fill(struct mi_node *node)
{
    const struct mi_attribute *given = mi_attribute_find(node, "constant_value");
    float fill = 0;
    if (node->inputs > 2 && node->in[2]) {
        if (!mi_constant_float(node->in[2], &fill))
            return mi_op_fail(node, MICA_UNSUPPORTED,
                              "constant_value (input 2) must be a constant of float32");
        MI_TRY(mi_set_attribute(node, MI_REAL("fill", fill)));
    } else if (given)
        MI_TRY(mi_set_attribute(node, MI_REAL("fill", given->f)));
    fill = mi_attribute_float(node, "fill", 0);
    if (!mi_type_holds(node->in[0]->type, (double)fill))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "constant_value is %g, which is no %s", (double)fill,
                          mi_types[node->in[0]->type].name);
    return MICA_OK;
}

/* Whether a mode has elements for all places beside an axis. */
static mica_status check_beside(const struct mi_node *node, const struct mode *mode, int axis, struct mi_dim size,
                                const int64_t pads[2])
{
    if (!mode->fold || (pads[0] == 0 && pads[1] == 0))
        return MICA_OK;
    if (size.a)
        return mi_op_fail(node, MICA_UNSUPPORTED, "axis %d has size %s, mode %s pads axes of a fixed size", axis,
                          mi_dim_text(&node->graph->arena, size), mode->name);
    for (int i = 0; i < 2; i++)
        if (pads[i] < 0 || pads[i] > mode->most(size.b))
            return mi_op_fail(node, MICA_SHAPE, "axis %d of size %lld is padded by %lld, mode %s takes 0 to %lld", axis,
                              (long long)size.b, (long long)pads[i], mode->name, (long long)mode->most(size.b));
    return MICA_OK;
}

static mica_status infer_pad(struct mi_node *node)
{
    static const char *const names[] = {"constant", "edge", "reflect", "wrap", NULL};
    struct mi_shape out = node->in[0]->shape;
    int64_t pads[2 * MI_MAX_RANK] = {0}, all[MI_MAX_RANK];
    const struct mode *mode = find_mode(node);
    if (!mode) {
        const char *given = mi_attribute_text(node, "mode", "");
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "there is no mode \"%s\"%s", mi_show(given).text,
                          mi_advise(given, names).text);
    }
    MI_TRY(read_pads(node, pads));
    MI_TRY(read_fill(node));
    mi_drop_inputs(node, 1);
    for (int i = 0; i < out.rank; i++) {
        all[i] = i;
        MI_TRY(check_beside(node, mode, i, out.dim[i], (const int64_t[]){pads[i], pads[out.rank + i]}));
        out.dim[i].b += pads[i] + pads[out.rank + i];
        if (out.dim[i].b < 0)
            return mi_op_fail(node, MICA_SHAPE, "axis %d of %s is padded by %lld and %lld", i,
                              mi_shape_text(&node->graph->arena, &node->in[0]->shape), (long long)pads[i],
                              (long long)pads[out.rank + i]);
    }
    MI_TRY(mi_set_attribute(node, MI_INTS("pads", pads, 2 * out.rank)));
    MI_TRY(mi_set_attribute(node, MI_INTS("axes", all, out.rank)));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

/* ---- Gradient ---- */

static mi_value *pad_axis(struct mi_graph *graph, mi_value *x, int64_t axis, int64_t before, int64_t after)
{
    const int64_t pads[] = {before, after};
    return MI_APPLY(graph, "Pad", ((mi_value *[]){x}), MI_INTS("pads", pads, 2), MI_INTS("axes", &axis, 1));
}

/* The gradients of `places` places beside an axis of `size`, from place `from` on, added to where their elements are. */
static mi_value *bring_back(struct mi_graph *graph, const struct mode *mode, mi_value *d, int64_t axis, int64_t size, int64_t from,
                            int64_t places, bool after)
{
    int64_t start = mode->reversed ? from + places - 1 : from, step = mode->reversed ? -1 : 1;
    int64_t end = !mode->reversed ? from + places : from ? from - 1 : -INT32_MAX;
    int64_t first = mode->first(size, places, after), wide = mode->one ? 1 : places;
    mi_value *part = MI_APPLY(graph, "Slice", ((mi_value *[]){d}), MI_INTS("starts", &start, 1), MI_INTS("ends", &end, 1),
                              MI_INTS("axes", &axis, 1), MI_INTS("steps", &step, 1));
    if (mode->one)
        part = mi_reduce(graph, "ReduceSum", part, &axis, 1, true);
    return pad_axis(graph, part, axis, first, size - first - wide);
}

/* The places of the axis itself, and on them those that repeat them before and after. */
static mi_value *unpad_axis(struct mi_graph *graph, const struct mode *mode, mi_value *d, int64_t axis, int64_t size,
                            int64_t before, int64_t after)
{
    mi_value *sum = pad_axis(graph, d, axis, -before, -after);
    if (mode->fold && before)
        sum = mi_op2(graph, "Add", sum, bring_back(graph, mode, d, axis, size, 0, before, false));
    if (mode->fold && after)
        sum = mi_op2(graph, "Add", sum, bring_back(graph, mode, d, axis, size, before + size, after, true));
    return sum;
}

static mica_status gradient_pad(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    int count = 0, rank = node->in[0]->shape.rank;
    const int64_t *pads = mi_attribute_ints(node, "pads", &count);
    const struct mode *mode = find_mode(node);
    dx[0] = dy[0];
    for (int i = 0; i < rank; i++)
        if (pads[i] || pads[rank + i])
            dx[0] = unpad_axis(node->graph, mode, dx[0], i, node->in[0]->shape.dim[i].b, pads[i], pads[rank + i]);
    return node->graph->error.status;
}

/* ---- The move ---- */

/* Where there is no other access for what lies beside the axes, that is the fill. */
static int move_pad(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                    struct mi_access *access)
{
    const struct mi_shape *in = &node->in[0]->shape;
    int count = 0;
    const int64_t *pads = mi_attribute_ints(node, "pads", &count);
    const struct mode *mode = find_mode(node);
    access[0] = (struct mi_access){.value = node->in[0], .knows = true, .exact = true};
    struct mi_access beside = {.value = node->in[0]};
    for (int i = 0; i < in->rank; i++) {
        access->index[i] = beside.index[i] = index[i];
        if (pads[i] == 0 && pads[in->rank + i] == 0)
            continue;
        const char *place = mi_arena_format(arena, "((%s) - %lld)", index[i], (long long)pads[i]);
        const char *size = mi_dim_text(arena, in->dim[i]);
        const char *guard = mi_arena_format(arena, "%s >= 0 && %s < %s", place, place, size);
        access->guard = access->guard ? mi_arena_format(arena, "%s && %s", access->guard, guard) : guard;
        access->index[i] = place;
        access->knows = access->knows && in->dim[i].a == 0 && in->dim[i].b > 0;
        access->inside[i] = (struct mi_range){pads[i], pads[i] + in->dim[i].b};
        if (mode->fold)
            beside.index[i] = mode->fold(arena, place, size);
    }
    if (!mode->fold || !access->guard)
        return 1;
    access[1] = beside;
    return 2;
}
MI_MOVE_ROW(Pad, 4, infer_pad, gradient_pad, move_pad);
