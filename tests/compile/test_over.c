/* A variable's new value in the place of the old one, which its kernel reads once more behind a reduction or another store. Nothing
 * is read twice where each node is a kernel of its own: that says what is right. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, PLACES = 512 };

static mi_value *sum(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    return mi_reduce(graph, "ReduceSum", x, &axis, 1, true);
}

/* The sums of columns are added to a state; what the columns are multiplied with is the new one. */
static void kept(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *x = network_weight(net, "x", "64 8", 1);
    mi_value *changed = mi_op2(graph, "Add", mi_variable(graph, state), sum(graph, x, 0));
    mi_assign(graph, state, changed);
    mi_output(graph, "y", mi_op2(graph, "Mul", x, changed));
}

/* The same of rows, which lanes of a group fold together: none may store while another has still to read. */
static void kept_of_rows(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *x = network_weight(net, "x", "4 128", 1);
    mi_value *changed = mi_op2(graph, "Add", mi_variable(graph, state), sum(graph, x, 1));
    mi_assign(graph, state, changed);
    mi_output(graph, "y", mi_op2(graph, "Mul", x, changed));
}

/* The new state is folded, and divided by its sum afterwards. */
static void folded(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *changed = mi_op2(graph, "Add", mi_variable(graph, state), network_weight(net, "x", "64 8", 1));
    mi_assign(graph, state, changed);
    mi_output(graph, "y", mi_op2(graph, "Sub", changed, sum(graph, mi_op2(graph, "Mul", changed, changed), 1)));
}

/* What is dear, and would wait in the result's place until its sum is known. */
static void waiting(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *dear = mi_op1(graph, "Exp", network_weight(net, "x", "64 8", 1));
    mi_assign(graph, state, mi_op2(graph, "Add", mi_op2(graph, "Div", dear, sum(graph, dear, 1)), mi_variable(graph, state)));
}

/* The state's norm is folded before the new one is stored. */
static void normed(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *old = mi_variable(graph, state), *change = network_weight(net, "x", "64 8", 1);
    mi_value *norm = mi_op1(graph, "Sqrt", sum(graph, mi_op2(graph, "Mul", old, old), 1));
    mi_assign(graph, state, mi_op2(graph, "Sub", old, mi_op2(graph, "Mul", change, norm)));
}

/* What the sums of columns are added to is read by the sweep besides. */
static void kept_and_read(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *x = network_weight(net, "x", "64 8", 1), *old = mi_variable(graph, state);
    mi_value *changed = mi_op2(graph, "Add", old, sum(graph, x, 0));
    mi_assign(graph, state, changed);
    mi_output(graph, "y", mi_op2(graph, "Mul", mi_op2(graph, "Sub", x, old), changed));
}

/* The new state is made of something else, and the old one is read beside it. */
static void beside(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    mi_value *changed = mi_op1(graph, "Relu", network_weight(net, "x", "64 8", 1));
    mi_assign(graph, state, changed);
    mi_output(graph, "y", mi_op2(graph, "Sub", changed, mi_variable(graph, state)));
}

/* Two variables take each other's values. */
static void exchanged(struct network *net, struct mi_variable *state)
{
    struct mi_graph *graph = net->graph;
    struct mi_variable *other = network_variable(net, "other", "64 8", MI_STATISTIC, 0.5f);
    mi_value *first = mi_op2(graph, "Add", network_weight(net, "x", "64 8", 1), mi_variable(graph, other));
    mi_assign(graph, state, first);
    mi_assign(graph, other, mi_op2(graph, "Mul", first, mi_variable(graph, state)));
}

/* The variables after three steps, and the result of the last. */
static float *run(mica_device *device, void (*build)(struct network *net, struct mi_variable *state), const char *shape, bool fused,
                  float **y, size_t *count)
{
    struct network net;
    network_begin(&net, device);
    build(&net, network_variable(&net, "state", shape, MI_STATISTIC, 0.25f));
    network_compile(&net, 1, &(struct mi_plan_desc){.no_fusion = !fused});
    for (uint64_t step = 1; step <= STEPS; step++)
        network_step(&net, 1, step);
    *y = mi_plan_output(net.plan, "y") >= 0 ? network_fetch(&net, "y", 1, &(size_t){0}) : NULL;
    float *values = network_state(&net, count);
    network_end(&net);
    return values;
}

static void check(mica_device *device, const char *name, void (*build)(struct network *net, struct mi_variable *state),
                  const char *shape)
{
    float *wanted_y, *y;
    size_t count;
    float *wanted = run(device, build, shape, false, &wanted_y, &count), *got = run(device, build, shape, true, &y, &count);
    assert_near(name, got, wanted, count, 1e-5);
    if (y)
        assert_near(name, y, wanted_y, PLACES, 1e-5);
    free(wanted);
    free(wanted_y);
    free(got);
    free(y);
}

/* The same with a GPU's kernels. */
static void check_gpu(const char *name, void (*build)(struct network *net, struct mi_variable *state), const char *shape)
{
    mica_device *device = mica_device_open(&(mica_device_desc){.limits = {.gpu_kernels = true}});
    assert_non_null(device);
    check(device, name, build, shape);
    mica_device_destroy(device);
}

#define CASE(name, shape)                                                                                                        \
    static void test_##name(void **state)                                                                                        \
    {                                                                                                                            \
        check(*state, #name, name, shape);                                                                                       \
        check_gpu(#name, name, shape);                                                                                           \
    }
CASE(kept, "1 8")
CASE(kept_of_rows, "4 1")
CASE(kept_and_read, "1 8")
CASE(normed, "64 8")
CASE(folded, "64 8")
CASE(waiting, "64 8")
CASE(beside, "64 8")
CASE(exchanged, "64 8")

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept), cmocka_unit_test(test_kept_of_rows),
                                       cmocka_unit_test(test_kept_and_read),
                                       cmocka_unit_test(test_normed), cmocka_unit_test(test_folded),
                                       cmocka_unit_test(test_waiting), cmocka_unit_test(test_beside),
                                       cmocka_unit_test(test_exchanged)};
    return cmocka_run_group_tests_name("over", tests, open_device, close_device);
}
