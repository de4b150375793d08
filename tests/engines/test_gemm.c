/* Matrix products: each way to cut one, on shapes that fill no tile, no block and no panel, compared with sums in double. */
#include "engines/gemm/gemm.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 67 };

struct shape {
    const char *a, *b;
    bool transpose_a, transpose_b;
    bool weights; /* B is a variable that nothing changes */
    bool plain;   /* no map rides along */
};

static const struct shape shapes[] = {
    {"n 700", "40 700", false, true, true, false},       {"n 700", "700 410", false, false, false, false},
    {"1800 300", "1800 900", true, false, false, false}, {"n 13", "n 37", true, false, false, false},
    {"13 3000", "37 3000", false, true, false, false},   {"n 1 65", "n 65 33", false, false, false, false},
    {"3 20 9", "3 31 20", true, true, false, false},     {"n 20", "n 90", true, false, false, true},
    {"n 100", "61 100", false, true, false, true},
};

/* What the tried cuts had in them: each must have come up. */
enum { A_IN_PLACE, A_PACKED, B_IN_PLACE, B_BY_ITEM, B_BEFORE, B_BLOCK, PARTS, FAR_PARTS, SPLIT, TURNED, DIRECT, KINDS };

struct product {
    int64_t batch, m, n, k;
    const float *a, *b;
    bool transpose_a, transpose_b;
};

/* A row of the result, in double; step by step of k, so that large B are read as they lie. */
static void sum_row(const struct product *p, const float *bias, int64_t i, int64_t row, double *sum)
{
    const float *a = p->a + i * p->m * p->k, *b = p->b + i * p->k * p->n;
    int64_t across = p->transpose_b ? p->k : 1, along = p->transpose_b ? 1 : p->n;
    for (int64_t column = 0; column < p->n; column++)
        sum[column] = bias ? (double)bias[column] : 0;
    for (int64_t k = 0; k < p->k; k++) {
        double x = (double)(p->transpose_a ? a[k * p->m + row] : a[row * p->k + k]);
        for (int64_t column = 0; column < p->n; column++)
            sum[column] += x * (double)b[column * across + k * along];
    }
}

static float *reference(const struct product *p, const float *bias)
{
    float *y = mi_new((size_t)(p->batch * p->m * p->n), sizeof *y), *next = y;
    double *sum = mi_new((size_t)p->n, sizeof *sum);
    assert_non_null(y);
    assert_non_null(sum);
    for (int64_t i = 0; i < p->batch; i++)
        for (int64_t row = 0; row < p->m; row++) {
            sum_row(p, bias, i, row, sum);
            for (int64_t column = 0; column < p->n; column++)
                *next++ = sum[column] < 0 && bias ? 0 : (float)sum[column];
        }
    free(sum);
    return y;
}

static int64_t size_at(const struct mi_shape *shape, int axis, int64_t n)
{
    return axis < 0 ? 1 : mi_dim_at(shape->dim[axis], n);
}

static struct product product_of(const struct shape *s, int64_t n)
{
    struct mi_shape a = network_shape(s->a), b = network_shape(s->b);
    int last = a.rank - 1;
    return (struct product){.batch = size_at(&a, last - 2, n),
                            .m = size_at(&a, s->transpose_a ? last : last - 1, n),
                            .k = size_at(&a, s->transpose_a ? last - 1 : last, n),
                            .n = size_at(&b, s->transpose_b ? last - 1 : last, n),
                            .transpose_a = s->transpose_a,
                            .transpose_b = s->transpose_b};
}

/* relu(A B + bias), or the plain product; returns the product's node. */
static const struct mi_node *build(struct network *net, const struct shape *s)
{
    struct product p = product_of(s, MOST);
    char columns[32];
    snprintf(columns, sizeof columns, "%d", (int)p.n);
    mi_value *a = network_input(net, "a", s->a, MI_FLOAT);
    mi_value *b = s->weights ? network_weight(net, "b", s->b, 1) : network_input(net, "b", s->b, MI_FLOAT);
    mi_value *bias = s->plain ? NULL : network_input(net, "bias", columns, MI_FLOAT);
    mi_value *y = MI_APPLY(net->graph, "MatMul", ((mi_value *[]){a, b}), MI_INT("transA", s->transpose_a),
                           MI_INT("transB", s->transpose_b));
    assert_non_null(y);
    mi_output(net->graph, "y", s->plain ? y : mi_op1(net->graph, "Relu", mi_op2(net->graph, "Add", y, bias)));
    return y->node;
}

/* One step of n samples. */
static void try_step(struct network *net, const struct shape *s, int64_t n, const char *what)
{
    struct product p = product_of(s, n);
    size_t count;
    float *a = random_floats((size_t)(p.batch * p.m * p.k), 5), *bias = random_floats((size_t)p.n, 6);
    float *b = random_floats((size_t)(p.batch * p.k * p.n), s->weights ? 100 : 7);
    p.a = a;
    p.b = b;
    network_feed(net, "a", a, n);
    if (!s->weights)
        network_feed(net, "b", b, n);
    if (!s->plain)
        network_feed(net, "bias", bias, n);
    network_step(net, n, 1);
    float *y = network_fetch(net, "y", n, &count), *good = reference(&p, s->plain ? NULL : bias);
    assert_near(what, y, good, count, 1e-5);
    free(a);
    free(b);
    free(bias);
    free(y);
    free(good);
}

/* All samples, then fewer, then all again: what was packed once must still be right. */
static void run_variant(struct network *net, const struct shape *s, const struct mi_plan_desc *how, bool runs)
{
    static const int64_t samples[] = {MOST, 5, MOST};
    char what[128];
    snprintf(what, sizeof what, "%s by %s, %d lanes, cut %d", s->a, s->b, net->device->vector_width, how->variant);
    network_compile_sized(net, MOST, how, runs);
    for (size_t i = 0; i < MI_COUNT(samples) && runs; i++)
        try_step(net, s, samples[i], what);
}

/* Or remembers its kernels. */
static void try_variant(mica_device *device, const struct shape *s, int variant, bool runs, struct gathering *gathering)
{
    const struct mi_plan_desc how = {.engine = "gemm", .variant = variant};
    struct network net;
    network_begin(&net, device);
    build(&net, s);
    if (gathering)
        network_gather(&net, MOST, &how, gathering);
    else
        run_variant(&net, s, &how, runs);
    network_end(&net);
}

static int list_variants(mica_device *device, const struct shape *s, struct mi_variant *list)
{
    struct network net;
    network_begin(&net, device);
    struct mi_problem problem = {.node = build(&net, s), .device = device, .batch = MOST};
    assert_int_equal(problem.node->op->contract(problem.node, &problem.c), MICA_OK);
    assert_true(mi_engine_gemm.supports(&problem));
    int count = mi_engine_gemm.variants(&problem, list, MI_MOST_VARIANTS);
    network_end(&net);
    return count;
}

static unsigned kinds_of(const mica_device *device, const struct shape *s, const struct mi_variant *v)
{
    const struct mi_gemm room = {.vw = device->vector_width, .local_bytes = device->info.local_memory_bytes};
    const int32_t *n = v->number;
    bool parts = product_of(s, MOST).k / n[MI_GEMM_SPLIT] > n[MI_GEMM_KB];
    return 1u << (n[MI_GEMM_PACK_A] ? A_PACKED : A_IN_PLACE) | 1u << (B_IN_PLACE + n[MI_GEMM_PACK_B]) |
           (parts ? 1u << (mi_gemm_sums_near(&room, v) ? PARTS : FAR_PARTS) : 0) |
           (n[MI_GEMM_SPLIT] > 1 ? 1u << SPLIT : 0) |
           (n[MI_GEMM_TURNED] ? 1u << TURNED
            : s->plain        ? 1u << DIRECT
                              : 0);
}

/* The first `always` cuts of a shape, and the first of any kind that those before did not have. */
static void try_shape(mica_device *device, const struct shape *s, int always, unsigned *all, bool runs, struct gathering *gathering)
{
    struct mi_variant list[MI_MOST_VARIANTS];
    int count = list_variants(device, s, list);
    assert_true(count > 0);
    for (int v = 0; v < count; v++) {
        unsigned kinds = kinds_of(device, s, &list[v]);
        if (v >= always && (*all | kinds) == *all)
            continue;
        *all |= kinds;
        try_variant(device, s, v, runs, gathering);
    }
}

/* All shapes, whose kernels are built together first. */
static void try_shapes(mica_device *device, int always, unsigned *all, bool runs)
{
    struct gathering gathering = {0};
    struct mi_compiling told = gather_from(device);
    unsigned before = *all;
    for (size_t s = 0; s < MI_COUNT(shapes); s++)
        try_shape(device, &shapes[s], always, all, runs, &gathering);
    gather_build(&gathering, device, told);
    gather_end(&gathering);
    *all = before;
    for (size_t s = 0; s < MI_COUNT(shapes); s++)
        try_shape(device, &shapes[s], always, all, runs, NULL);
}

/* The best guess of each shape, and each kind of cut that this device has. */
static void test_cuts(void **state)
{
    unsigned all = 0;
    try_shapes(*state, 1, &all, true);
}

/* Devices of each width, small and large ones together, have every kind of cut. */
static void test_sizes(void **state)
{
    unsigned all = 0;
    for (int i = 0; i < DEVICE_SIZES; i++) {
        bool runs;
        if (!is_tried(&device_sizes[i], *state))
            continue;
        mica_device *device = open_sized(&device_sizes[i], &runs);
        if (!device)
            skip();
        try_shapes(device, 0, &all, runs);
        mica_device_destroy(device);
        if (i + 1 < DEVICE_SIZES && device_sizes[i + 1].lanes == device_sizes[i].lanes)
            continue;
        assert_int_equal(all, (1u << KINDS) - 1);
        all = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts), cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
