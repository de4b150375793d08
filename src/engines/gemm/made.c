/* Operands of a product that are in no memory: maps and moves ahead of it, computed panel by panel while they are packed. */
#include "engines/gemm/gemm.h"

/* One element, into the place that `to` names. */
static void emit_element(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, bool of_a,
                         const char *to)
{
    const mi_value *value = of_a ? g->p.a : g->p.b;
    const struct mi_operand *operand = c->a.value == value ? &c->a : &c->b;
    const char *name[MI_PRODUCT_AXES] = {"batch", of_a ? "m_" : NULL, of_a ? NULL : "n_", "k_"}, *axis[MI_MAX_AXES],
               *guard;
    struct mi_coordinate at[MI_MAX_RANK];
    mi_product_axes(e, c, &g->p, name, axis);
    mi_emit_operand(e, c, operand, axis, at, &guard);
    mi_line(e, "%s = %s;", to, mi_emit_value(e, value, at, guard));
}

/* Elements that lie side by side along k are computed in rows, some steps at a time, and packed from there. */
static void emit_rows(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, bool of_a)
{
    const char *wide = of_a ? "MR" : "WIDTH", *place = of_a ? "m_" : "n_";
    size_t some = mi_scope_open(e, "for (int done = 0; done < deep; done += MADE_STEPS) ");
    mi_line(e, "float made[%s*MADE_STEPS];", wide);
    mi_line(e, "const int steps = min(deep - done, MADE_STEPS);");
    size_t row = mi_scope_open(e, "for (int row = 0; row < count; row++) ");
    mi_line(e, "const IDX %s = first + row;", place);
    size_t step = mi_scope_open(e, "for (int step = 0; step < steps; step++) ");
    mi_line(e, "const IDX k_ = k0 + done + step;");
    emit_element(e, c, g, of_a, "made[row*MADE_STEPS + step]");
    mi_scope_close(e, step);
    mi_scope_close(e, row);
    mi_line(e, "mica_pack_made(made, MADE_STEPS, 1, count, to + done*%s, %s, steps);", wide, wide);
    mi_scope_close(e, some);
}

/* Others lie in the panel as they are computed. */
static void emit_columns(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, bool of_a)
{
    size_t step = mi_scope_open(e, "for (int step = 0; step < deep; step++) ");
    mi_line(e, "const IDX k_ = k0 + step;");
    size_t column = mi_scope_open(e, "for (int column = 0; column < count; column++) ");
    mi_line(e, "const IDX %s = first + column;", of_a ? "m_" : "n_");
    emit_element(e, c, g, of_a, mi_arena_format(e->arena, "to[step*%s + column]", of_a ? "MR" : "WIDTH"));
    mi_scope_close(e, column);
    mi_scope_close(e, step);
}

const char *mi_gemm_made(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, bool of_a)
{
    if (!(of_a ? g->made_a : g->made_b))
        return "";
    bool by_columns = mi_dim_is(of_a ? g->p.stride_a[MI_PRODUCT_M] : g->p.stride_b[MI_PRODUCT_N], 1);
    e->indent = 4;
    if (by_columns)
        emit_columns(e, c, g, of_a);
    else
        emit_rows(e, c, g, of_a);
    return mi_emit_take(e);
}
