/* Maps and moves that a product computes while it packs its operands: beside plans in which every node is a kernel of its own, for
 * whole and partial batches; and those that it must leave alone. */
#include "plan/inside.h"
#include "engines/gemm/gemm.h"
#include "support/network.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 67, CUTS = 2 };

typedef mi_value *operand(struct network *net, const char *name, const char *shape);

static mi_value *as_it_is(struct network *net, const char *name, const char *shape)
{
    return network_input(net, name, shape, MI_FLOAT);
}

/* relu(x x - 0.1) */
static mi_value *mapped(struct network *net, const char *name, const char *shape)
{
    mi_value *x = as_it_is(net, name, shape), *square = mi_op2(net->graph, "Mul", x, x);
    return mi_op1(net->graph, "Relu", mi_op2(net->graph, "Sub", square, mi_scalar(net->graph, 0.1f)));
}

/* The last two axes exchanged. */
static mi_value *turned(struct network *net, const char *name, const char *shape)
{
    static const int64_t last[] = {0, 2, 1}, both[] = {1, 0};
    mi_value *x = as_it_is(net, name, shape);
    int rank = x->shape.rank;
    return MI_APPLY(net->graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", rank == 3 ? last : both, rank));
}

static mi_value *mapped_and_turned(struct network *net, const char *name, const char *shape)
{
    static const int64_t both[] = {1, 0};
    mi_value *x = mapped(net, name, shape);
    return MI_APPLY(net->graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", both, 2));
}

/* Two columns more on either side. */
static mi_value *padded(struct network *net, const char *name, const char *shape)
{
    static const int64_t pads[] = {0, 2, 0, 2};
    mi_value *x = as_it_is(net, name, shape);
    return MI_APPLY(net->graph, "Pad", ((mi_value *[]){x}), MI_INTS("pads", pads, 4));
}

/* Rows of a table of 50 by 64, each scaled. */
static mi_value *looked_up(struct network *net, const char *name, const char *shape)
{
    mi_value *rows[] = {network_weight(net, "table", "50 64", 1), network_input(net, name, shape, MI_INT32)};
    return mi_op2(net->graph, "Mul", MI_APPLY(net->graph, "Gather", rows, MI_INT("axis", 0)), mi_scalar(net->graph, 3));
}

/* Whole numbers, as pixels come. */
static mi_value *whole(struct network *net, const char *name, const char *shape)
{
    mi_value *x = network_input(net, name, shape, MI_INT32);
    x = MI_APPLY(net->graph, "Cast", ((mi_value *[]){x}), MI_INT("to", MI_FLOAT));
    return mi_op2(net->graph, "Mul", x, mi_scalar(net->graph, 1 / 50.0f));
}

struct product {
    const char *a, *b; /* shapes of the inputs */
    operand *make_a, *make_b;
    bool transpose_a, transpose_b;
};

static const struct product products[] = {
    {"n 300", "300 70", mapped, as_it_is, false, false},
    {"n 300", "300 70", as_it_is, mapped, false, false},
    {"n 784", "128 784", whole, mapped, false, true},
    {"45 n", "45 300", turned, as_it_is, false, false},
    {"n 45", "n 530", mapped, padded, true, false},
    {"n 6 40", "n 33 40", as_it_is, turned, false, false},
    {"13 3000", "37 3000", mapped, mapped, false, true},
    {"n", "64 40", looked_up, as_it_is, false, false},
    {"500 n", "500 19", mapped_and_turned, mapped, false, false},
    {"n 1", "1 24", mapped, mapped, false, false},
};

static void build(struct network *net, const struct product *p)
{
    mi_value *in[] = {p->make_a(net, "a", p->a), p->make_b(net, "b", p->b)};
    mi_value *y =
        MI_APPLY(net->graph, "MatMul", in, MI_INT("transA", p->transpose_a), MI_INT("transB", p->transpose_b));
    mi_output(net->graph, "y", mi_op1(net->graph, "Relu", y));
}

static void feed(struct network *net, const char *name, int64_t n)
{
    int input = mi_plan_input(net->plan, name);
    struct mi_shape shape = mi_plan_input_shape(net->plan, input);
    size_t count = (size_t)mi_shape_count(&shape, n);
    void *elements = mi_plan_input_type(net->plan, input) == MI_INT32 ? (void *)random_classes(count, 50, 7)
                                                                      : (void *)random_floats(count, 8);
    network_feed(net, name, elements, n);
    free(elements);
}

/* Which operands a product made while it packed them (1: its first, 2: its second). */
static uint32_t made_in(const mica_plan *plan)
{
    uint32_t made = 0;
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &plan->kernels.list[k];
        for (int i = 0; i < 2 && kernel->choice.engine == &mi_engine_gemm; i++)
            made |= (uint32_t)(kernel->anchor->in[i]->node->again == MI_AGAIN_PACKED) << i;
    }
    return made;
}

/* All samples, then fewer: both results, one after the other. */
static float *compute(mica_device *device, const struct product *p, const struct mi_plan_desc *how, size_t *count,
                      uint32_t *made)
{
    static const int64_t samples[] = {MOST, 5};
    struct network net;
    float *both = NULL;
    network_begin(&net, device);
    build(&net, p);
    network_compile(&net, MOST, how);
    *made = made_in(net.plan);
    *count = 0;
    for (size_t s = 0; s < MI_COUNT(samples); s++) {
        size_t more;
        feed(&net, "a", samples[s]);
        feed(&net, "b", samples[s]);
        network_step(&net, samples[s], 1);
        float *y = network_fetch(&net, "y", samples[s], &more);
        both = realloc(both, (*count + more) * sizeof *both);
        assert_non_null(both);
        memcpy(both + *count, y, more * sizeof *both);
        *count += more;
        free(y);
    }
    network_end(&net);
    return both;
}

/* The best cuts of each product, beside plain loops over what kernels of their own made. */
static void test_products(void **state)
{
    uint32_t all = 0;
    for (size_t i = 0; i < MI_COUNT(products); i++) {
        size_t count, expected_count;
        uint32_t made;
        struct mi_plan_desc how = {.no_fusion = true, .engine = "nest"};
        float *expected = compute(*state, &products[i], &how, &expected_count, &made);
        assert_int_equal(made, 0);
        for (int v = 0; v < CUTS; v++) {
            how = (struct mi_plan_desc){.engine = "gemm", .variant = v};
            float *y = compute(*state, &products[i], &how, &count, &made);
            assert_int_equal(count, expected_count);
            assert_near(products[i].a, y, expected, count, 1e-5);
            all |= made;
            free(y);
        }
        free(expected);
    }
    const mica_device *device = *state; /* the engine is for CPUs with vectors */
    assert_int_equal(all, device->is_cpu && device->vector_width >= 4 ? 3 : 0);
}

/* ---- Left alone ---- */

/* A map that what makes its input computes in passing. */
static mi_value *behind_a_product(struct network *net, mi_value *x)
{
    mi_value *in[] = {x, network_weight(net, "w", "300 300", 1)};
    return mi_op1(net->graph, "Relu", MI_APPLY(net->graph, "MatMul", in, MI_INT("transA", 0)));
}

/* One whose result is looked at elsewhere too. */
static mi_value *named(struct network *net, mi_value *x)
{
    mi_value *y = mi_op1(net->graph, "Relu", x);
    mi_output(net->graph, "relu", y);
    return y;
}

static mi_value *dear(struct network *net, mi_value *x)
{
    return mi_op1(net->graph, "Tanh", x);
}

/* A copy of weights is made once, not in every step. */
static mi_value *weights(struct network *net, mi_value *x)
{
    mi_output(net->graph, "x", mi_op1(net->graph, "Relu", x));
    return mi_op1(net->graph, "Relu", network_weight(net, "v", "64 300", 1));
}

static void test_left_alone(void **state)
{
    mi_value *(*const make[])(struct network *, mi_value *) = {behind_a_product, named, dear, weights};
    for (size_t i = 0; i < MI_COUNT(make); i++) {
        struct network net;
        network_begin(&net, *state);
        mi_value *x = network_input(&net, "x", "n 300", MI_FLOAT), *b = network_input(&net, "b", "300 40", MI_FLOAT);
        mi_output(net.graph, "y", mi_op2(net.graph, "MatMul", make[i](&net, x), b));
        network_compile(&net, MOST, NULL);
        assert_int_equal(made_in(net.plan), 0);
        network_end(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_left_alone)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
