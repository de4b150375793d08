/* Sums of a product's operands that its kernel makes: each way to cut the product, whole and partial batches, against sums in
 * double; and sums that it must leave alone. */
#include "plan/inside.h"
#include "engines/gemm/gemm.h"
#include "support/network.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 67, MOST_CUTS = 5, KINDS = 8 };

/* y = A B and the sums of A and B over what the product sums. */
struct shape {
    const char *a, *b;
    bool transpose_a, transpose_b;
    int64_t axis_a, axis_b; /* summed */
};

static const struct shape shapes[] = {
    {"n 45", "n 70", true, false, 0, 0},      {"n 130", "61 130", false, true, 1, 1},
    {"13 3000", "37 3000", false, true, 1, 1}, {"3 20 9", "3 31 20", true, true, 1, 2},
    {"n 6 40", "n 40 33", false, false, 2, 1}, {"n 3", "n 1", true, false, 0, 0},
};

static mi_value *sum_of(struct network *net, mi_value *value, int64_t axis, bool keepdims)
{
    return mi_reduce(net->graph, "ReduceSum", value, &axis, 1, keepdims);
}

static void build(struct network *net, const struct shape *s)
{
    mi_value *a = network_input(net, "a", s->a, MI_FLOAT), *b = network_input(net, "b", s->b, MI_FLOAT);
    mi_output(net->graph, "of_a", sum_of(net, a, s->axis_a, false));
    mi_value *y = MI_APPLY(net->graph, "MatMul", ((mi_value *[]){a, b}), MI_INT("transA", s->transpose_a),
                           MI_INT("transB", s->transpose_b));
    mi_output(net->graph, "y", mi_op1(net->graph, "Relu", y));
    mi_output(net->graph, "of_b", sum_of(net, b, s->axis_b, true));
}

/* Sums over one axis of an array of n samples. */
static float *expected(const char *shape, int64_t axis, int64_t n, const float *x, size_t *count)
{
    struct mi_shape dims = network_shape(shape);
    int64_t outer = 1, along = mi_dim_at(dims.dim[axis], n), inner = 1;
    for (int d = 0; d < dims.rank; d++)
        if (d != axis)
            *(d < axis ? &outer : &inner) *= mi_dim_at(dims.dim[d], n);
    *count = (size_t)(outer * inner);
    float *sums = mi_new(*count, sizeof *sums);
    assert_non_null(sums);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            double sum = 0;
            for (int64_t k = 0; k < along; k++)
                sum += (double)x[(o * along + k) * inner + i];
            sums[o * inner + i] = (float)sum;
        }
    return sums;
}

static void check_sum(struct network *net, const char *name, const char *shape, int64_t axis, int64_t n, const float *x)
{
    size_t count, got;
    float *good = expected(shape, axis, n, x, &count), *sums = network_fetch(net, name, n, &got);
    assert_int_equal(got, count);
    assert_near(name, sums, good, count, 1e-5);
    free(good);
    free(sums);
}

/* All samples, then fewer. */
static void try_cut(mica_device *device, const struct shape *s, int variant)
{
    static const int64_t samples[] = {MOST, 5};
    struct network net;
    struct mi_shape shape_a = network_shape(s->a), shape_b = network_shape(s->b);
    network_begin(&net, device);
    build(&net, s);
    network_compile(&net, MOST, &(struct mi_plan_desc){.engine = "gemm", .variant = variant});
    int totals = 0;
    for (size_t k = 0; k < net.plan->kernels.count; k++)
        totals += net.plan->kernels.list[k].totals;
    assert_int_equal(totals, 2);
    for (size_t i = 0; i < MI_COUNT(samples); i++) {
        float *a = random_floats((size_t)mi_shape_count(&shape_a, samples[i]), 5);
        float *b = random_floats((size_t)mi_shape_count(&shape_b, samples[i]), 6);
        network_feed(&net, "a", a, samples[i]);
        network_feed(&net, "b", b, samples[i]);
        network_step(&net, samples[i], 1);
        check_sum(&net, "of_a", s->a, s->axis_a, samples[i], a);
        check_sum(&net, "of_b", s->b, s->axis_b, samples[i], b);
        free(a);
        free(b);
    }
    network_end(&net);
}

static unsigned kind_of(const struct mi_variant *v)
{
    return 1u << (v->number[MI_GEMM_TURNED] != 0) | 1u << (2 + (v->number[MI_GEMM_SPLIT] > 1)) |
           1u << (4 + v->number[MI_GEMM_PACK_B]);
}

/* The best cut of each shape, and the first of any kind that those before did not have. */
static void test_cuts(void **state)
{
    unsigned all = 0;
    for (size_t i = 0; i < MI_COUNT(shapes); i++) {
        struct network net;
        struct mi_variant list[MI_MOST_VARIANTS];
        network_begin(&net, *state);
        build(&net, &shapes[i]);
        struct mi_problem problem = {.device = *state, .batch = MOST};
        for (size_t node = 0; node < net.graph->node_count; node++)
            if (net.graph->nodes[node]->op->kind == MI_CONTRACT)
                problem.node = net.graph->nodes[node];
        assert_non_null(problem.node);
        assert_int_equal(problem.node->op->contract(problem.node, &problem.c), MICA_OK);
        int count = mi_engine_gemm.supports(&problem) ? mi_engine_gemm.variants(&problem, list, MI_MOST_VARIANTS) : 0;
        network_end(&net);
        for (int v = 0, tried = 0; v < count && tried < MOST_CUTS; v++) {
            if (v > 0 && (all | kind_of(&list[v])) == all)
                continue;
            all |= kind_of(&list[v]);
            try_cut(*state, &shapes[i], v);
            tried++;
        }
    }
    const mica_device *device = *state; /* the engine is for CPUs with vectors */
    assert_int_equal(all, device->is_cpu && device->vector_width >= 4 ? (1u << KINDS) - 1 : 0);
}

/* ---- Sums that are launches of their own ---- */

static mi_value *other_axis(struct network *net, mi_value *a, mi_value *y)
{
    (void)y;
    return sum_of(net, a, 1, true);
}

static mi_value *all_axes(struct network *net, mi_value *a, mi_value *y)
{
    const int64_t axes[] = {0, 1};
    (void)y;
    return mi_reduce(net->graph, "ReduceSum", a, axes, 2, true);
}

static mi_value *largest(struct network *net, mi_value *a, mi_value *y)
{
    const int64_t first = 0;
    (void)y;
    return mi_reduce(net->graph, "ReduceMax", a, &first, 1, true);
}

/* A sum of what the product makes, not of what it reads. */
static mi_value *of_result(struct network *net, mi_value *a, mi_value *y)
{
    (void)a;
    return sum_of(net, y, 0, true);
}

static void test_left_alone(void **state)
{
    mi_value *(*const make[])(struct network *, mi_value *, mi_value *) = {other_axis, all_axes, largest, of_result};
    for (size_t i = 0; i < MI_COUNT(make); i++) {
        struct network net;
        network_begin(&net, *state);
        mi_value *a = network_input(&net, "a", "n 48", MI_FLOAT), *b = network_input(&net, "b", "n 40", MI_FLOAT);
        mi_value *y = MI_APPLY(net.graph, "MatMul", ((mi_value *[]){a, b}), MI_INT("transA", 1));
        mi_output(net.graph, "y", y);
        mi_output(net.graph, "sum", make[i](&net, a, y));
        network_compile(&net, MOST, NULL);
        for (size_t k = 0; k < net.plan->kernels.count; k++)
            assert_int_equal(net.plan->kernels.list[k].totals, 0);
        network_end(&net);
    }
}

/* A sum that the other operand is made of: (b - sum of a)' a. The product has to wait for it, and cannot make it. */
static void test_circle(void **state)
{
    struct network net;
    size_t count;
    network_begin(&net, *state);
    mi_value *a = network_input(&net, "a", "n 48", MI_FLOAT), *b = network_input(&net, "b", "n 48", MI_FLOAT);
    mi_value *other = mi_op1(net.graph, "Tanh", mi_op2(net.graph, "Sub", b, sum_of(&net, a, 0, true)));
    mi_output(net.graph, "y", MI_APPLY(net.graph, "MatMul", ((mi_value *[]){other, a}), MI_INT("transA", 1)));
    network_compile(&net, MOST, NULL);
    float *x = random_floats(MOST * 48, 1);
    network_feed(&net, "a", x, MOST);
    network_feed(&net, "b", x, MOST);
    network_step(&net, MOST, 1);
    float *y = network_fetch(&net, "y", MOST, &count);
    float good[48 * 48];
    for (int i = 0; i < 48; i++)
        for (int j = 0; j < 48; j++) {
            double sum = 0, product = 0;
            for (int k = 0; k < MOST; k++)
                sum += (double)x[48 * k + i];
            for (int k = 0; k < MOST; k++)
                product += tanh((double)x[48 * k + i] - sum) * (double)x[48 * k + j];
            good[48 * i + j] = (float)product;
        }
    assert_int_equal(count, 48 * 48);
    assert_near("circle", y, good, count, 1e-5);
    free(x);
    free(y);
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts), cmocka_unit_test(test_left_alone),
                                       cmocka_unit_test(test_circle)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
