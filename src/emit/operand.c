/* A contraction in a kernel: coordinates of its axes from those of its result, and of an operand from those of the axes. */
#include "emit/emit.h"

void mi_emit_axes(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_coordinate *at,
                  const char **axis)
{
    const struct mi_operand *out = &c->out;
    for (int d = 0; d < out->value->shape.rank; d++) {
        const struct mi_index *index = &out->index[d];
        if (index->terms == 1)
            axis[index->axis[0]] = at[d].at;
        if (index->terms != 2)
            continue;
        long long size = (long long)index->coefficient[0];
        const char *high = mi_emit_name(e, "a"), *low = mi_emit_name(e, "a");
        mi_line(e, "const IDX %s = (%s)/%lld, %s = (%s)%%%lld;", high, at[d].at, size, low, at[d].at, size);
        axis[index->axis[0]] = high;
        axis[index->axis[1]] = low;
    }
}

bool mi_always_inside(const struct mi_contraction *c, const struct mi_index *index, struct mi_dim dim)
{
    if (index->divisor != 1)
        return false;
    if (index->terms == 1 && index->coefficient[0] == 1 && index->offset == 0)
        return mi_dim_equal(c->extent[index->axis[0]], dim);
    int64_t low = index->offset, high = index->offset;
    for (int t = 0; t < index->terms; t++) {
        struct mi_dim extent = c->extent[index->axis[t]];
        if (extent.a)
            return false;
        int64_t reach = index->coefficient[t] * (extent.b - 1);
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    return low >= 0 && (dim.a > 0 || high < dim.b);
}

void mi_emit_operand(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_operand *operand,
                     const char *const *axis, struct mi_coordinate *at, const char **guard)
{
    *guard = NULL;
    for (int d = 0; d < operand->value->shape.rank; d++) {
        const struct mi_index *index = &operand->index[d];
        const char *text = NULL;
        for (int t = 0; t < index->terms; t++) {
            const char *term = index->coefficient[t] == 1 ? axis[index->axis[t]]
                                                          : mi_arena_format(e->arena, "%s*%lld", axis[index->axis[t]],
                                                                            (long long)index->coefficient[t]);
            text = text ? mi_arena_format(e->arena, "%s + %s", text, term) : term;
        }
        text = text ? text : "0";
        if (index->offset)
            text = mi_arena_format(e->arena, "%s + (%lld)", text, (long long)index->offset);
        struct mi_dim dim = operand->value->shape.dim[d];
        bool inside = mi_always_inside(c, index, dim);
        const char *name = mi_emit_index(e, text);
        if (!inside) {
            const char *condition = mi_emit_name(e, "g"), *size = mi_dim_code(e->arena, dim);
            if (index->divisor == 1)
                mi_line(e, "const bool %s = %s >= 0 && %s < %s;", condition, name, name, size);
            else
                mi_line(e, "const bool %s = %s >= 0 && %s %% %lld == 0 && %s / %lld < %s;", condition, name, name,
                        (long long)index->divisor, name, (long long)index->divisor, size);
            *guard = *guard ? mi_arena_format(e->arena, "%s && %s", *guard, condition) : condition;
        }
        if (index->divisor != 1) {
            const char *quotient = mi_emit_name(e, "i");
            mi_line(e, "const IDX %s = %s / %lld;", quotient, name, (long long)index->divisor);
            name = quotient;
        }
        at[d] = (struct mi_coordinate){.at = name};
    }
}

const char *mi_emit_factor(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_operand *operand,
                           const char *const *axis)
{
    struct mi_coordinate at[MI_MAX_RANK];
    const mi_value *value = operand->value;
    const char *guard;
    mi_emit_operand(e, c, operand, axis, at, &guard);
    const char *text = mi_emit_value(e, value, at, guard);
    if (!guard || e->tensors[value->id].stored) /* what is loaded is 0 there already; what is computed may be a fill */
        return text;
    const char *name = mi_emit_name(e, "v");
    mi_line(e, "const %s %s = %s ? %s : %s;", mi_types[value->type].c, name, guard, text, mi_types[value->type].zero);
    return name;
}
