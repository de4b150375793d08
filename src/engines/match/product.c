#include "engines/match/product.h"

#include <string.h>

/* Strides of plain rows, affine in n. */
static bool plain_strides(const struct mi_shape *shape, struct mi_dim *stride)
{
    for (int d = 0; d < shape->rank; d++)
        if (!mi_shape_product(shape, d + 1, shape->rank, &stride[d]))
            return false;
    return true;
}

/* The stride of every axis of the contraction in one operand; axes that it lacks have 0. False: not single axes. */
static bool axis_strides(const struct mi_contraction *c, const struct mi_operand *operand, struct mi_dim *by_axis,
                         bool *has)
{
    struct mi_dim stride[MI_MAX_RANK];
    const struct mi_shape *shape = &operand->value->shape;
    if (!plain_strides(shape, stride))
        return false;
    for (int d = 0; d < shape->rank; d++) {
        const struct mi_index *index = &operand->index[d];
        if (index->offset != 0 || index->divisor != 1)
            return false;
        for (int t = 0; t < index->terms; t++) {
            int axis = index->axis[t];
            if (mi_dim_is(c->extent[axis], 1))
                continue;
            int64_t coefficient = index->coefficient[t];
            if (coefficient < 1 || has[axis])
                return false;
            by_axis[axis] = (struct mi_dim){stride[d].a * coefficient, stride[d].b * coefficient};
            has[axis] = true;
        }
        /* Several axes in one dimension are strides too, as long as they stay inside it. */
        if (index->terms > 1 && !mi_always_inside(c, index, shape->dim[d]))
            return false;
    }
    return true;
}

struct operand_axes {
    struct mi_dim stride[MI_MAX_AXES];
    bool has[MI_MAX_AXES];
};

/* Whether axis `inner` continues `outer` in an operand: outer's stride is inner's times its extent. */
static bool continues(const struct operand_axes *o, struct mi_dim extent, int outer, int inner)
{
    if (!o->has[outer] && !o->has[inner])
        return true;
    if (!o->has[outer] || !o->has[inner])
        return false;
    struct mi_dim s = o->stride[inner];
    if (s.a && extent.a)
        return false;
    struct mi_dim whole =
        extent.a ? (struct mi_dim){extent.a * s.b, extent.b * s.b} : (struct mi_dim){s.a * extent.b, s.b * extent.b};
    return mi_dim_equal(whole, o->stride[outer]);
}

static bool extent_product(struct mi_dim x, struct mi_dim y, struct mi_dim *out)
{
    struct mi_shape both = {.rank = 2, .dim = {x, y}};
    return mi_shape_product(&both, 0, 2, out);
}

/* Whether the axes of a kind are one axis to every operand. */
static bool joins(const struct mi_contraction *c, const struct mi_product *p, int kind, const struct operand_axes o[3])
{
    for (int i = 1; i < p->axes[kind]; i++)
        for (int operand = 0; operand < 3; operand++)
            if (!continues(&o[operand], c->extent[p->axis[kind][i]], p->axis[kind][i - 1], p->axis[kind][i]))
                return false;
    return true;
}

/* An outermost axis of M or N that does not join the others is a batch, over which the other operand stands still. */
static void split_batch(const struct mi_contraction *c, struct mi_product *p, const struct operand_axes o[3])
{
    for (int kind = MI_PRODUCT_M; kind <= MI_PRODUCT_N; kind++)
        if (!joins(c, p, kind, o) && p->axes[MI_PRODUCT_BATCH] == 0) {
            p->axis[MI_PRODUCT_BATCH][p->axes[MI_PRODUCT_BATCH]++] = p->axis[kind][0];
            p->axes[kind]--;
            memmove(p->axis[kind], p->axis[kind] + 1, (size_t)p->axes[kind] * sizeof p->axis[kind][0]);
        }
}

static bool join(const struct mi_contraction *c, struct mi_product *p, const struct operand_axes o[3])
{
    split_batch(c, p, o);
    for (int kind = 0; kind < MI_PRODUCT_AXES; kind++) {
        p->extent[kind] = mi_fixed(1);
        for (int i = 0; i < p->axes[kind]; i++) {
            int axis = p->axis[kind][i];
            if (!extent_product(p->extent[kind], c->extent[axis], &p->extent[kind]))
                return false;
        }
        if (!joins(c, p, kind, o))
            return false;
        if (p->axes[kind] == 0)
            continue;
        int last = p->axis[kind][p->axes[kind] - 1];
        p->stride_a[kind] = o[0].has[last] ? o[0].stride[last] : mi_fixed(0);
        p->stride_b[kind] = o[1].has[last] ? o[1].stride[last] : mi_fixed(0);
        p->stride_c[kind] = o[2].has[last] ? o[2].stride[last] : mi_fixed(0);
    }
    return true;
}

bool mi_uses_axis(const struct mi_operand *operand, int axis)
{
    for (int d = 0; d < operand->value->shape.rank; d++)
        for (int t = 0; t < operand->index[d].terms; t++)
            if (operand->index[d].axis[t] == axis)
                return true;
    return false;
}

bool mi_product_match(const struct mi_contraction *c, struct mi_product *p)
{
    struct operand_axes o[3];
    memset(o, 0, sizeof o);
    memset(p, 0, sizeof *p);
    if (!axis_strides(c, &c->a, o[0].stride, o[0].has) || !axis_strides(c, &c->b, o[1].stride, o[1].has) ||
        !axis_strides(c, &c->out, o[2].stride, o[2].has))
        return false;
    /* The operand that has the result's last axis is B. */
    int last = -1;
    for (int axis = 0; axis < c->out_axes; axis++)
        if (o[2].has[axis] && mi_dim_is(o[2].stride[axis], 1))
            last = axis;
    bool exchange = last >= 0 && o[0].has[last] && !o[1].has[last];
    if (exchange) {
        struct operand_axes kept = o[0];
        o[0] = o[1];
        o[1] = kept;
    }
    p->a = exchange ? c->b.value : c->a.value;
    p->b = exchange ? c->a.value : c->b.value;
    for (int axis = 0; axis < c->axes; axis++) {
        bool out = o[2].has[axis], a = o[0].has[axis], b = o[1].has[axis];
        if (mi_dim_is(c->extent[axis], 1))
            continue;
        if ((!a && !b) || out != (axis < c->out_axes) || (!out && !(a && b)))
            return false;
        int kind = out && a && b ? MI_PRODUCT_BATCH : out && a ? MI_PRODUCT_M : out ? MI_PRODUCT_N : MI_PRODUCT_K;
        if (p->axes[kind] == MI_MAX_RANK)
            return false;
        p->axis[kind][p->axes[kind]++] = axis;
    }
    return join(c, p, o);
}

void mi_product_axes(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_product *p,
                     const char *const name[MI_PRODUCT_AXES], const char **axis)
{
    for (int i = 0; i < c->axes; i++)
        axis[i] = "0";
    for (int kind = 0; kind < MI_PRODUCT_AXES; kind++) {
        const char *rest = name[kind];
        if (!rest)
            continue;
        for (int i = p->axes[kind] - 1; i >= 0; i--) {
            int which = p->axis[kind][i];
            if (i == 0) {
                axis[which] = rest;
                continue;
            }
            const char *size = mi_dim_text(e->arena, c->extent[which]);
            const char *part = mi_arena_format(e->arena, "x%d", which), *next = mi_arena_format(e->arena, "y%d", which);
            mi_line(e, "const IDX %s = %s %% %s, %s = %s / %s;", part, rest, size, next, rest, size);
            axis[which] = part;
            rest = next;
        }
    }
}

void mi_output_at(struct mi_emitter *e, const struct mi_contraction *c, const char *const *axis,
                  struct mi_coordinate *at)
{
    for (int d = 0; d < c->out.value->shape.rank; d++) {
        const struct mi_index *index = &c->out.index[d];
        const char *text = index->terms ? NULL : "0";
        for (int t = 0; t < index->terms; t++) {
            const char *term = index->coefficient[t] == 1 ? axis[index->axis[t]]
                                                          : mi_arena_format(e->arena, "%s*%lld", axis[index->axis[t]],
                                                                            (long long)index->coefficient[t]);
            text = text ? mi_arena_format(e->arena, "%s + %s", text, term) : term;
        }
        if (index->terms > 1) {
            const char *name = mi_arena_format(e->arena, "z%d", d);
            mi_line(e, "const IDX %s = %s;", name, text);
            text = name;
        }
        at[d] = (struct mi_coordinate){.at = text};
    }
}
