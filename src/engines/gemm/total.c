/* Sums of a product's operand over k, by items of the product: what they read is in their core's cache then, and it costs no
 * launch. So a dense layer's bias has its gradient beside that of the weights. */
#include "engines/gemm/gemm.h"

/* Where the operand's sum lies: the coordinates of its axes that are not summed, and those that are as ones where they are kept. */
static void total_at(const struct mi_operand *operand, const mi_value *total, const char *const *axis, struct mi_coordinate *at)
{
    uint32_t summed = 0;
    bool keepdims = false;
    int next = 0;
    mi_reduce_axes(total->node, &summed, &keepdims);
    for (int d = 0; d < operand->value->shape.rank; d++) {
        const struct mi_index *index = &operand->index[d];
        bool stays = !(summed >> d & 1);
        if (stays || keepdims)
            at[next++] = (struct mi_coordinate){.at = stays && index->terms ? axis[index->axis[0]] : "0"};
    }
}

static void emit_total(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, mi_value *total)
{
    mi_value *value = total->node->in[0];
    const struct mi_operand *operand = c->a.value == value ? &c->a : &c->b;
    bool of_a = g->p.a == value;
    const char *name[MI_PRODUCT_AXES] = {"batch", of_a ? "m_" : NULL, of_a ? NULL : "n_", NULL}, *axis[MI_MAX_AXES];
    const char *first = of_a ? "m_first" : "n_first", *matrix = of_a ? "A" : "B", *side = of_a ? "M" : "N";
    struct mi_coordinate at[MI_MAX_RANK];
    size_t mine = mi_scope_open(e, "if (%s == 0 && piece == 0) ", of_a ? "n_first" : "m_first");
    mi_line(e, "const IDX end = min(%s + %s, (IDX)%s);", first, of_a ? "MB" : "NB", side);
    size_t some = mi_scope_open(e, "for (IDX from = %s; from < end; from += TOTALS) ", first);
    mi_line(e, "float total[TOTALS];");
    mi_line(e, "const int count = (int)min((IDX)TOTALS, end - from);");
    mi_line(e, "mica_total(p%d + batch*%s_BATCH + from*%s_%s, %s_%s, %s_K, K, count, total);",
            mi_emit_argument(e, value, false), matrix, matrix, side, matrix, side, matrix);
    size_t each = mi_scope_open(e, "for (int t = 0; t < count; t++) ");
    mi_line(e, "const IDX %s = from + t;", of_a ? "m_" : "n_");
    mi_product_axes(e, c, &g->p, name, axis);
    total_at(operand, total, axis, at);
    mi_emit_store(e, total, at, "total[t]", NULL);
    mi_scope_close(e, each);
    mi_scope_close(e, some);
    mi_scope_close(e, mine);
}

const char *mi_gemm_totals(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, struct mi_text *text)
{
    const struct mi_kernel *kernel = e->kernel;
    if (kernel->totals == 0)
        return "";
    mi_add_file(text, "gemm_total.cl", NULL, NULL, 0);
    e->indent = 1;
    for (int o = kernel->outs - kernel->totals; o < kernel->outs; o++)
        emit_total(e, c, g, kernel->out[o]);
    return mi_emit_take(e);
}
