/* Chains of operators that are attention: which become the one operator, and that they compute the same. */
#include "support/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How a chain is written. */
enum {
    EINSUM = 1,                     /* products by an equation, without transposes */
    JOINED = 2,                     /* n and heads are one axis in the products */
    TURNED = 4,                     /* the key is transposed, not by the product */
    PLAIN = 8,                      /* three axes, as (n, steps, features) lie */
    SCALED = 16,                    /* scores times 0.3 */
    DIVIDED = 32,                   /* by 2 */
    FACTORED = 64,                  /* times input 3, which no key has to itself */
    MASKED = 128,                   /* plus input 3 */
    CHOSEN = 256,                   /* -20 where input 3, which is bool, does not hold */
    LATER = 512,                    /* minus infinity where a key is behind its query, by a choice */
    LATER_ADDED = 1024,             /* the same, added */
    DROPPED = 2048,
    ALONG_QUERIES = 4096,           /* softmax over the other axis: not attention */
    READ_SCORES = 8192, READ_WEIGHTS = 16384, /* somebody else wants them too: not attention */
    TRAINED = 32768                 /* the mask is a parameter */
};

static mi_value *reshaped(struct mi_graph *graph, mi_value *x, int rank, const struct mi_dim *dim)
{
    const struct mi_shape shape = mi_shape_of(rank, dim);
    return mi_reshape_to(graph, x, &shape);
}

static mi_value *transposed(struct mi_graph *graph, mi_value *x, const char *order)
{
    int64_t perm[MI_MAX_RANK];
    for (int i = 0; order[i]; i++)
        perm[i] = order[i] - '0';
    return MI_APPLY(graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", perm, (int)strlen(order)));
}

/* x (n, steps, heads * features) as the products of the chain take it. */
static mi_value *apart(struct mi_graph *graph, mi_value *x, int64_t heads, int64_t how)
{
    const struct mi_dim *dim = x->shape.dim, each = mi_fixed(dim[2].b / heads);
    if (how & PLAIN)
        return x;
    x = reshaped(graph, x, 4, (struct mi_dim[]){dim[0], dim[1], mi_fixed(heads), each});
    if (how & EINSUM)
        return x;
    x = transposed(graph, x, "0213");
    return how & JOINED ? reshaped(graph, x, 3, (struct mi_dim[]){{dim[0].a * heads, dim[0].b * heads}, dim[1], each}) : x;
}

static mi_value *product(struct mi_graph *graph, mi_value *a, mi_value *b, int64_t how, const char *equation, bool turns)
{
    mi_value *in[] = {a, b};
    if (how & EINSUM)
        return MI_APPLY(graph, "Einsum", in, MI_TEXT("equation", equation));
    if (turns && how & TURNED)
        in[1] = transposed(graph, b, b->shape.rank == 3 ? "021" : "0132");
    return MI_APPLY(graph, "MatMul", in, MI_INT("transB", turns && !(how & TURNED)));
}

static mi_value *later(struct mi_graph *graph, mi_value *scores)
{
    mi_value *key = MI_APPLY(graph, "Index", ((mi_value *[]){scores}), MI_INT("axis", -1));
    mi_value *query = MI_APPLY(graph, "Index", ((mi_value *[]){scores}), MI_INT("axis", -2));
    return mi_op2(graph, "Greater", key, query);
}

static mi_value *choice(struct mi_graph *graph, mi_value *condition, mi_value *x, mi_value *y)
{
    return mi_apply(graph, "Where", (mi_value *[]){condition, x, y}, 3, NULL, 0);
}

static mi_value *changed(struct mi_graph *graph, mi_value *scores, mi_value *beside, int64_t how)
{
    if (how & SCALED)
        scores = mi_op2(graph, "Mul", mi_scalar(graph, 0.3f), scores);
    if (how & FACTORED)
        scores = mi_op2(graph, "Mul", scores, beside);
    if (how & MASKED)
        scores = mi_op2(graph, "Add", scores, beside);
    if (how & DIVIDED)
        scores = mi_op2(graph, "Div", scores, mi_scalar(graph, 2));
    if (how & CHOSEN)
        scores = choice(graph, beside->type == MI_BOOL ? beside : mi_op2(graph, "Greater", beside, mi_scalar(graph, 0)), scores,
                        mi_scalar(graph, -20));
    if (how & LATER)
        scores = choice(graph, later(graph, scores), mi_scalar(graph, -INFINITY), scores);
    if (how & LATER_ADDED)
        scores = mi_op2(graph, "Add", scores, choice(graph, later(graph, scores), mi_scalar(graph, -INFINITY), mi_scalar(graph, 0)));
    return scores;
}

/* The chain, before it is recognised. */
static mi_value *chain(struct mi_graph *graph, mi_value *const *in, int64_t heads, int64_t how)
{
    const struct mi_dim *dim = in[0]->shape.dim;
    mi_value *q = apart(graph, in[0], heads, how), *k = apart(graph, in[1], heads, how), *v = apart(graph, in[2], heads, how);
    mi_value *scores = product(graph, q, k, how, how & PLAIN ? "ntd,nsd->nts" : "nthd,nshd->nhts", true), *given = scores;
    const struct mi_shape joined = scores->shape;
    const struct mi_dim each[] = {dim[0], mi_fixed(heads), scores->shape.dim[joined.rank - 2], scores->shape.dim[joined.rank - 1]};
    if (how & JOINED)
        scores = reshaped(graph, scores, 4, each);
    scores = changed(graph, scores, in[3], how);
    mi_value *weights = MI_APPLY(graph, "Softmax", ((mi_value *[]){scores}), MI_INT("axis", how & ALONG_QUERIES ? -2 : -1));
    mi_value *softmax = weights;
    if (how & DROPPED)
        weights = MI_APPLY(graph, "Dropout", ((mi_value *[]){weights}), MI_REAL("rate", 0.25f), MI_INT("seed", 9));
    if (how & JOINED)
        weights = mi_reshape_to(graph, weights, &joined);
    mi_value *y = product(graph, weights, v, how, how & PLAIN ? "nts,nse->nte" : "nhts,nshe->nthe", false);
    const struct mi_dim whole[] = {dim[0], dim[1], mi_fixed(in[2]->shape.dim[2].b)};
    if (how & JOINED)
        y = reshaped(graph, y, 4, (struct mi_dim[]){dim[0], mi_fixed(heads), dim[1], mi_fixed(whole[2].b / heads)});
    y = how & (PLAIN | EINSUM) ? y : transposed(graph, y, "0213");
    y = reshaped(graph, y, 3, whole);
    mi_value *other = how & READ_SCORES ? given : how & READ_WEIGHTS ? softmax : NULL;
    return other ? mi_op2(graph, "Add", y, MI_APPLY(graph, "ReduceMax", ((mi_value *[]){other}), MI_INT("keepdims", 0))) : y;
}

/* ---- What becomes of it ---- */

static int live(const mi_value *value, const char *op, const struct mi_node **found)
{
    bool *marks = calloc(value->node->graph->node_count, sizeof *marks);
    int count = 0;
    assert_non_null(marks);
    marks[value->node->id] = true;
    for (int i = value->node->id; i >= 0; i--) {
        const struct mi_node *node = value->node->graph->nodes[i];
        assert_int_equal(node->id, i);
        for (int k = 0; k < node->inputs && marks[i]; k++) {
            assert_true(node->in[k]->node->id < i); /* in order */
            marks[node->in[k]->node->id] = true;
        }
        if (marks[i] && strcmp(node->op->name, op) == 0) {
            *found = node;
            count++;
        }
    }
    free(marks);
    return count;
}

static struct mi_shape shape_of(const char *text)
{
    struct mi_shape shape = {.rank = 0};
    for (char *at = (char *)(uintptr_t)text; *at;) {
        while (*at == ' ')
            at++;
        shape.dim[shape.rank++] = *at == 'n' ? mi_batch() : mi_fixed(strtoll(at, NULL, 10));
        while (*at && *at != ' ')
            at++;
    }
    return shape;
}

static void recognised(void **state)
{
    static const struct {
        int64_t how;
        const char *beside;         /* the shape of input 3 */
        int64_t heads;
        bool is, causal;
        const char *mask;           /* its shape as the operator has it */
        float scale;
    } cases[] = {
        {0, NULL, 2, true, false, NULL, 1},
        {PLAIN, NULL, 1, true, false, NULL, 1},
        {PLAIN | EINSUM | SCALED, NULL, 1, true, false, NULL, 0.3f},
        {EINSUM | DIVIDED, NULL, 2, true, false, NULL, 0.5f},
        {TURNED | SCALED | DIVIDED, NULL, 2, true, false, NULL, 0.15f},
        {JOINED | TURNED, NULL, 2, true, false, NULL, 1},
        {JOINED | MASKED | DROPPED, "n 1 1 4", 2, true, false, "(n, 1, 1, 4)", 1},
        {MASKED, "5 4", 2, true, false, "(1, 1, 5, 4)", 1},
        {MASKED | PLAIN, "n 5 1", 1, true, false, "(n, 1, 5, 1)", 1},
        {MASKED | DIVIDED, "2 1 4", 2, true, false, "(1, 2, 1, 4)", 0.5f},
        {MASKED | TRAINED, "2 5 4", 2, false, false, NULL, 1},
        {FACTORED, "2 1 1", 2, true, false, NULL, 1},
        {FACTORED | PLAIN, "n 5 1", 1, true, false, NULL, 1},
        {FACTORED, "5 4", 2, false, false, NULL, 1},
        {CHOSEN, "n 1 1 4", 2, true, false, "(n, 1, 1, 4)", 1},
        {CHOSEN | MASKED, "n 1 1 4", 2, false, false, NULL, 1},
        {LATER, NULL, 2, true, true, NULL, 1},
        {LATER_ADDED | SCALED | EINSUM, NULL, 2, true, true, NULL, 0.3f},
        {LATER_ADDED | MASKED, "n 1 1 4", 2, true, true, "(n, 1, 1, 4)", 1},
        {DROPPED | PLAIN, NULL, 1, true, false, NULL, 1},
        {ALONG_QUERIES, NULL, 2, false, false, NULL, 1},
        {READ_SCORES, NULL, 2, false, false, NULL, 1},
        {READ_WEIGHTS | DROPPED, NULL, 2, false, false, NULL, 1},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_variables variables = {0};
        struct mi_graph *graph = mi_graph_create(mi_ops, &variables);
        assert_non_null(graph);
        const char *shapes[] = {"n 5 6", "n 4 6", "n 4 8", cases[i].beside};
        mi_value *in[4] = {NULL};
        graph->training = true;
        for (int k = 0; k < 4 && shapes[k]; k++) {
            char name[] = {'x', (char)('0' + k), 0};
            struct mi_shape shape = shape_of(shapes[k]);
            bool is_mask = k == 3 && cases[i].how & CHOSEN && !(cases[i].how & MASKED);
            in[k] = k == 3 && cases[i].how & TRAINED
                        ? mi_variable(graph, mi_variable_add(&variables, &graph->error, "bias", MI_PARAMETER, MI_FLOAT, &shape, NULL))
                        : mi_input(graph, name, is_mask ? MI_BOOL : MI_FLOAT, &shape);
        }
        mi_value *y = chain(graph, in, cases[i].heads, cases[i].how);
        assert_non_null(y);
        assert_int_equal(mi_recognise(graph, &y), MICA_OK);
        const struct mi_node *node = NULL;
        int count = live(y, "Attention", &node);
        if (count != cases[i].is)
            fail_msg("case %zu: %d of Attention", i, count);
        if (count) {
            assert_int_equal(live(y, "Softmax", &(const struct mi_node *){NULL}), 0);
            assert_int_equal(mi_attribute_int(node, "q_num_heads", 0), cases[i].heads);
            assert_int_equal(mi_attribute_int(node, "is_causal", 0), cases[i].causal);
            assert_float_equal((double)mi_attribute_float(node, "scale", 0), (double)cases[i].scale, 1e-6);
            assert_float_equal((double)mi_attribute_float(node, "rate", 0), (cases[i].how & DROPPED ? 0.25 : 0), 0);
            assert_int_equal(node->inputs > 3, cases[i].mask != NULL);
            if (cases[i].mask)
                assert_string_equal(mi_shape_text(&graph->arena, &node->in[3]->shape), cases[i].mask);
        }
        mi_graph_destroy(graph);
        mi_variables_destroy(&variables);
    }
}

/* ---- What it computes ---- */

static mi_value *build(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    const struct mi_node *node;
    mi_value *y = chain(graph, in, op_int(c, "heads", 1), op_int(c, "how", 0));
    assert_int_equal(mi_recognise(graph, &y), MICA_OK);
    assert_int_equal(live(y, "Attention", &node), op_int(c, "how", 0) & READ_SCORES ? 0 : 1);
    return y;
}

struct head {
    const struct op_case *c;
    const struct tensor *in;
    int64_t heads, how, b, h, t;
};

static double score(const struct head *p, int64_t s)
{
    const struct tensor *q = &p->in[0], *k = &p->in[1];
    int64_t dim = q->dim[2] / p->heads;
    double sum = 0, beside = p->c->in[3].shape ? tensor_broadcast(&p->in[3], 4, (const int64_t[]){p->b, p->h, p->t, s}) : 0;
    for (int64_t i = 0; i < dim; i++)
        sum += q->data[tensor_offset(q, (const int64_t[]){p->b, p->t, p->h * dim + i})] *
               k->data[tensor_offset(k, (const int64_t[]){p->b, s, p->h * dim + i})];
    sum *= p->how & SCALED ? (double)0.3f : 1;
    sum *= p->how & FACTORED ? beside : 1;
    sum += p->how & MASKED ? beside : 0;
    sum /= p->how & DIVIDED ? 2 : 1;
    if (p->how & CHOSEN && !(beside > 0))
        sum = -20;
    return p->how & (LATER | LATER_ADDED) && s > p->t ? -(double)INFINITY : sum;
}

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *v = &in[2];
    struct head p = {.c = c, .in = in, .heads = op_int(c, "heads", 1), .how = op_int(c, "how", 0)};
    int64_t keys = v->dim[1], each = v->dim[2] / p.heads;
    for (p.b = 0; p.b < out->dim[0]; p.b++)
        for (p.h = 0; p.h < p.heads; p.h++)
            for (p.t = 0; p.t < out->dim[1]; p.t++) {
                double most = -(double)INFINITY, sum = 0;
                for (int64_t s = 0; s < keys; s++)
                    most = fmax(most, score(&p, s));
                for (int64_t s = 0; s < keys; s++)
                    sum += exp(score(&p, s) - most);
                for (int64_t i = 0; i < each; i++) {
                    double y = 0;
                    for (int64_t s = 0; s < keys; s++)
                        y += exp(score(&p, s) - most) / sum * v->data[tensor_offset(v, (const int64_t[]){p.b, s, p.h * each + i})];
                    out->data[tensor_offset(out, (const int64_t[]){p.b, p.t, p.h * each + i})] = y;
                }
            }
}

#define CHAIN(number, what) .attribute = {MI_INT("heads", number), MI_INT("how", what)}, .build = build, .reference = reference, .batch = 2
#define OPERANDS IN("n 3 6"), IN("n 4 6"), IN("n 4 4")

static void values(void **state)
{
    const struct op_case cases[] = {
        {.in = {OPERANDS, {.shape = "n 1 1 4", .no_gradient = true}}, CHAIN(2, JOINED | TURNED | MASKED | DIVIDED)},
        {.in = {OPERANDS, IN("2 3 1")}, CHAIN(2, FACTORED | LATER)},
        {.in = {OPERANDS, BOOLS("n 1 1 4")}, CHAIN(2, EINSUM | CHOSEN | SCALED)},
        {.in = {OPERANDS}, CHAIN(1, PLAIN | EINSUM | LATER_ADDED)},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(recognised), cmocka_unit_test(values)};
    return cmocka_run_group_tests_name("attention_chain", tests, op_devices_open, op_devices_close);
}
