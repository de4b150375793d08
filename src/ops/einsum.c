/* Einsum: products of up to 4 operands by an equation, made of matrix products, sums and moves.
 *
 * Operands are joined from left to right. Of two, each letter has one of four parts: a batch (both have it and it stays), a sum
 * (both have it and it goes), or rows and columns (one has it). Letters that only one has and nobody asks for are summed first.
 * Both are then put in order as (batch..., rows, sum) and (batch..., sum, columns), or transposed where they lie so, and are one
 * MatMul; where there is nothing to sum, one Mul. */
#include "ops/equation.h"
#include "ops/ops.h"

#include <string.h>

/* A value whose axes have letters. */
struct lettered {
    mi_value *value;
    struct mi_term term;
};

/* ---- Inferring ---- */

/* The equation is written back with a letter for each axis, which is what lowering and gradients read. */
static mica_status infer_einsum(struct mi_node *node)
{
    struct mi_graph *graph = node->graph;
    struct mi_equation equation;
    struct mi_error error = {0};
    const struct mi_shape *shapes[MI_MOST_TERMS];
    struct mi_dim size[128];
    struct mi_shape out = {.rank = 0};
    const char *text = mi_attribute_text(node, "equation", NULL);
    MI_TRY(mi_number_types(node));
    if (!text)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attribute equation is missing");
    for (int i = 0; i < node->inputs; i++) {
        if (!node->in[i])
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "operand %d is left out", i);
        shapes[i] = &node->in[i]->shape;
    }
    if (mi_equation_parse(&error, text, &equation) || mi_equation_fit(&error, &equation, shapes, node->inputs, size))
        return mi_op_fail(node, error.status, "%s", error.text);
    const char *whole = mi_equation_text(&graph->arena, &equation);
    if (!whole)
        return mi_out_of_memory(&graph->error);
    MI_TRY(mi_set_attribute(node, MI_TEXT("equation", whole)));
    for (int i = 0; i < equation.result.count; i++)
        out.dim[out.rank++] = size[(int)equation.result.letter[i]];
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static mica_status read_equation(struct mi_node *node, struct mi_equation *equation)
{
    return mi_equation_parse(&node->graph->error, mi_attribute_text(node, "equation", ""), equation);
}

/* ---- Letters ---- */

static bool has(const struct mi_term *term, char letter)
{
    return mi_term_find(term, letter) >= 0;
}

/* Appends the letters of `more` that are not there. */
static void add(struct mi_term *term, const struct mi_term *more)
{
    for (int i = 0; i < more->count; i++)
        if (!has(term, more->letter[i]))
            term->letter[term->count++] = more->letter[i];
}

/* The letters of `term` that are (or are not) in `other`. */
static struct mi_term those(const struct mi_term *term, const struct mi_term *other, bool in)
{
    struct mi_term out = {.dots = -1};
    for (int i = 0; i < term->count; i++)
        if (has(other, term->letter[i]) == in)
            out.letter[out.count++] = term->letter[i];
    return out;
}

static bool same_order(const struct mi_term *x, const struct mi_term *y)
{
    return x->count == y->count && memcmp(x->letter, y->letter, (size_t)x->count) == 0;
}

static struct mi_dim size_of(const struct lettered *x, char letter)
{
    return x->value->shape.dim[mi_term_find(&x->term, letter)];
}

/* ---- Moves ---- */

/* x with its axes in the order of a term of the same letters. */
static mi_value *ordered(struct mi_graph *graph, const struct lettered *x, const struct mi_term *order)
{
    int64_t perm[MI_MAX_RANK];
    if (!x->value || same_order(&x->term, order))
        return x->value;
    for (int i = 0; i < order->count; i++)
        perm[i] = mi_term_find(&x->term, order->letter[i]);
    return MI_APPLY(graph, "Transpose", ((mi_value *[]){x->value}), MI_INTS("perm", perm, order->count));
}

/* Sums what nobody asks for. */
static void sum_unasked(struct mi_graph *graph, struct lettered *x, const struct mi_term *asked)
{
    struct mi_term kept = those(&x->term, asked, true);
    int64_t axes[MI_MAX_RANK];
    int count = 0;
    for (int i = 0; i < x->term.count; i++)
        if (!has(asked, x->term.letter[i]))
            axes[count++] = i;
    if (count)
        *x = (struct lettered){mi_reduce(graph, "ReduceSum", x->value, axes, count, false), kept};
}

/* The product of the sizes of a term's letters; false: it is not affine in n. */
static bool joined(const struct lettered *x, const struct mi_term *term, struct mi_dim *size)
{
    struct mi_shape shape = {.rank = term->count};
    for (int i = 0; i < term->count; i++)
        shape.dim[i] = size_of(x, term->letter[i]);
    return mi_shape_product(&shape, 0, shape.rank, size);
}

/* x as (batch..., first, second), each joined of its letters, or as (batch..., second, first) where it lies so: then *turned. */
static mi_value *as_matrix(struct mi_graph *graph, const struct lettered *x, const struct mi_term *batch,
                           const struct mi_term *first, const struct mi_term *second, bool *turned)
{
    struct mi_term straight = *batch, across = *batch;
    struct mi_shape shape = {.rank = batch->count + 2};
    struct mi_dim sizes[2];
    add(&straight, first);
    add(&straight, second);
    add(&across, second);
    add(&across, first);
    *turned = !same_order(&x->term, &straight) && same_order(&x->term, &across);
    if (!joined(x, first, &sizes[0]) || !joined(x, second, &sizes[1])) {
        mi_fail(&graph->error, MICA_UNSUPPORTED, "Einsum: two axes that vary with the batch would become one");
        return NULL;
    }
    for (int i = 0; i < batch->count; i++)
        shape.dim[i] = size_of(x, batch->letter[i]);
    shape.dim[batch->count] = sizes[*turned];
    shape.dim[batch->count + 1] = sizes[!*turned];
    return mi_reshape_to(graph, ordered(graph, x, *turned ? &across : &straight), &shape);
}

/* ---- Two operands ---- */

/* Side by side, each with an axis of size 1 for what it lacks. */
static mi_value *beside(struct mi_graph *graph, const struct lettered *x, const struct mi_term *all)
{
    struct mi_term own = those(all, &x->term, true);
    struct mi_shape shape = {.rank = all->count};
    for (int i = 0; i < all->count; i++)
        shape.dim[i] = has(&own, all->letter[i]) ? size_of(x, all->letter[i]) : mi_fixed(1);
    return mi_reshape_to(graph, ordered(graph, x, &own), &shape);
}

static struct lettered multiply(struct mi_graph *graph, const struct lettered *a, const struct lettered *b, struct mi_term all)
{
    return (struct lettered){mi_op2(graph, "Mul", beside(graph, a, &all), beside(graph, b, &all)), all};
}

static struct lettered contract(struct mi_graph *graph, const struct lettered *a, const struct lettered *b,
                                const struct mi_term *batch, const struct mi_term *sum, struct mi_term all)
{
    struct mi_term rows = those(&a->term, &b->term, false), columns = those(&b->term, &a->term, false);
    struct mi_shape shape = {.rank = all.count};
    bool turned_a, turned_b;
    mi_value *x = as_matrix(graph, a, batch, &rows, sum, &turned_a), *y = as_matrix(graph, b, batch, sum, &columns, &turned_b);
    mi_value *product = MI_APPLY(graph, "MatMul", ((mi_value *[]){x, y}), MI_INT("transA", turned_a), MI_INT("transB", turned_b));
    for (int i = 0; i < all.count; i++)
        shape.dim[i] = size_of(has(&a->term, all.letter[i]) ? a : b, all.letter[i]);
    return (struct lettered){mi_reshape_to(graph, product, &shape), all};
}

/* The product of two, with the letters that are asked for. */
static struct lettered join(struct mi_graph *graph, struct lettered a, struct lettered b, const struct mi_term *asked)
{
    struct mi_term in_a = *asked, in_b = *asked;
    add(&in_a, &b.term);
    add(&in_b, &a.term);
    sum_unasked(graph, &a, &in_a);
    sum_unasked(graph, &b, &in_b);
    struct mi_term both = those(&a.term, &b.term, true), sum = those(&both, asked, false), batch = those(&both, asked, true);
    struct mi_term all = batch, rows = those(&a.term, &b.term, false);
    add(&all, &rows);
    for (int i = 0; i < b.term.count; i++)
        if (!has(&a.term, b.term.letter[i]))
            all.letter[all.count++] = b.term.letter[i];
    if (a.value && b.value && (all.count > MI_MAX_RANK || batch.count + 2 > MI_MAX_RANK))
        mi_fail(&graph->error, MICA_UNSUPPORTED, "Einsum: a product on the way has more than %d dimensions", MI_MAX_RANK);
    if (graph->error.status != MICA_OK)
        return (struct lettered){NULL, all};
    return sum.count ? contract(graph, &a, &b, &batch, &sum, all) : multiply(graph, &a, &b, all);
}

/* ---- The row ---- */

static mica_status lower_einsum(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct mi_equation equation;
    MI_TRY(read_equation(node, &equation));
    struct lettered product = {node->in[0], equation.operand[0]};
    for (int i = 1; i < equation.operands; i++) {
        struct mi_term asked = equation.result;
        for (int k = i + 1; k < equation.operands; k++)
            add(&asked, &equation.operand[k]);
        product = join(graph, product, (struct lettered){node->in[i], equation.operand[i]}, &asked);
    }
    sum_unasked(graph, &product, &equation.result);
    out[0] = ordered(graph, &product, &equation.result);
    return graph->error.status;
}

/* By operand i: the equation with dy in its place and the result's. Along a letter that only this operand has the gradient is
 * everywhere the same. */
static mi_value *gradient_by(struct mi_node *node, const struct mi_equation *equation, mi_value *dy, int i)
{
    struct mi_graph *graph = node->graph;
    struct mi_equation back = {.operands = 1, .operand = {equation->result}};
    struct mi_term known = equation->result;
    mi_value *in[MI_MOST_TERMS] = {dy};
    for (int k = 0; k < equation->operands; k++)
        if (k != i) {
            in[back.operands] = node->in[k];
            back.operand[back.operands++] = equation->operand[k];
            add(&known, &equation->operand[k]);
        }
    back.result = those(&equation->operand[i], &known, true);
    const char *text = mi_equation_text(&graph->arena, &back);
    if (!text)
        return mi_out_of_memory(&graph->error), NULL;
    struct lettered dx = {mi_apply(graph, "Einsum", in, back.operands, (const struct mi_attribute[]){MI_TEXT("equation", text)}, 1),
                          back.result};
    return dx.value ? mi_expand_to(graph, beside(graph, &dx, &equation->operand[i]), &node->in[i]->shape) : NULL;
}

static mica_status gradient_einsum(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_equation equation;
    MI_TRY(read_equation(node, &equation));
    for (int i = 0; i < equation.operands; i++)
        dx[i] = gradient_by(node, &equation, dy[0], i);
    return node->graph->error.status;
}

/* ---- As one contraction, for whoever asks before it is lowered ---- */

static void index_by(const struct mi_term *term, const struct mi_term *axes, struct mi_index *index)
{
    for (int i = 0; i < term->count; i++)
        index[i] = (struct mi_index){.terms = 1, .axis = {mi_term_find(axes, term->letter[i])}, .coefficient = {1}, .divisor = 1};
}

/* Of two operands. */
static mica_status contract_einsum(const struct mi_node *node, struct mi_contraction *c)
{
    struct mi_error error = {0};
    struct mi_equation equation;
    MI_TRY(mi_equation_parse(&error, mi_attribute_text(node, "equation", ""), &equation));
    struct mi_term axes = equation.result;
    add(&axes, &equation.operand[0]);
    if (equation.operands == 2)
        add(&axes, &equation.operand[1]);
    if (equation.operands != 2 || axes.count > MI_MAX_AXES)
        return MICA_UNSUPPORTED;
    *c = (struct mi_contraction){.axes = axes.count, .out_axes = equation.result.count, .a.value = node->in[0],
                                 .b.value = node->in[1], .out.value = node->out[0]};
    index_by(&equation.operand[0], &axes, c->a.index);
    index_by(&equation.operand[1], &axes, c->b.index);
    index_by(&equation.result, &axes, c->out.index);
    for (int i = 0; i < axes.count; i++) {
        int of = has(&equation.operand[0], axes.letter[i]) ? 0 : 1;
        c->extent[i] = size_of(&(struct lettered){node->in[of], equation.operand[of]}, axes.letter[i]);
    }
    return MICA_OK;
}

const struct mi_op mi_op_Einsum = {.name = "Einsum", .kind = MI_COMPOSITE, .min_inputs = 1, .max_inputs = MI_MOST_TERMS,
                                   .outputs = 1, .infer = infer_einsum, .gradient = gradient_einsum, .contract = contract_einsum,
                                   .lower = lower_einsum};
