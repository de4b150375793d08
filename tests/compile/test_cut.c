/* Expressions that would grow without bound, and kernels that would read more tensors than one can: stored on the way. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, WIDTH = 5, MOST_JOINED = 140 };

static mi_value *join(struct mi_graph *graph, mi_value *const *in, int count)
{
    return mi_apply(graph, "Concat", in, count, &MI_INT("axis", 1), 1);
}

static float *run(struct network *net, const float *x, size_t *count)
{
    network_compile(net, BATCH, NULL);
    network_feed(net, "x", x, BATCH);
    network_step(net, BATCH, 1);
    return network_fetch(net, "y", BATCH, count);
}

/* A tensor joined with itself again and again, and a map of the result; sums of such in between. */
static void test_doubled(void **state)
{
    enum { TIMES = 12 };
    struct network net;
    size_t count;
    float *x = random_floats(BATCH * WIDTH, 1);
    network_begin(&net, *state);
    mi_value *value = network_input(&net, "x", "n 5", MI_FLOAT);
    for (int i = 0; i < TIMES; i++)
        value = join(net.graph, (mi_value *[]){value, value}, 2);
    mi_output(net.graph, "y", mi_op1(net.graph, "Neg", value));
    float *y = run(&net, x, &count);
    assert_int_equal(count, (BATCH * WIDTH) << TIMES);
    for (size_t i = 0; i < count; i++) {
        size_t sample = i / ((size_t)WIDTH << TIMES), place = i % WIDTH;
        assert_true(y[i] == -x[sample * WIDTH + place]);
    }
    assert_in_range(mica_plan_launches(net.plan), 2, TIMES);
    network_end(&net);
    free(x);
    free(y);
}

/* Many tensors that are each in memory: input and sums of it with a number. */
static void check_joined(mica_device *device, int parts, bool fused)
{
    struct network net;
    size_t count;
    float *x = random_floats(BATCH * WIDTH, 2);
    mi_value *in[MOST_JOINED];
    network_begin(&net, device);
    mi_value *value = network_input(&net, "x", "n 5", MI_FLOAT);
    for (int i = 0; i < parts; i++) {
        in[i] = mi_op2(net.graph, "Add", value, mi_scalar(net.graph, (float)i));
        if (i % 50 == 0) {
            char name[16];
            snprintf(name, sizeof name, "part%d", i);
            mi_output(net.graph, name, in[i]);
        }
    }
    mi_output(net.graph, "y", join(net.graph, in, parts));
    network_compile(&net, BATCH, &(struct mi_plan_desc){.no_fusion = !fused});
    network_feed(&net, "x", x, BATCH);
    network_step(&net, BATCH, 1);
    float *y = network_fetch(&net, "y", BATCH, &count);
    assert_int_equal(count, BATCH * WIDTH * parts);
    for (size_t i = 0; i < count; i++) {
        size_t sample = i / (size_t)(WIDTH * parts), part = i / WIDTH % (size_t)parts;
        assert_true(y[i] == x[sample * WIDTH + i % WIDTH] + (float)part);
    }
    network_end(&net);
    free(x);
    free(y);
}

static void test_many_parts(void **state)
{
    check_joined(*state, 17, true);
    check_joined(*state, 40, false);
    check_joined(*state, MOST_JOINED, true);
}

/* Both operands of a product are joined from weights, and so is a sum of many of them: (n, 60) (60, 4), and 30 numbers. */
static void test_operands(void **state)
{
    enum { PARTS = 12, COLUMNS = 4 };
    struct network net;
    size_t count, states;
    float *x = random_floats(BATCH * WIDTH, 3);
    mi_value *left[PARTS], *right[PARTS];
    network_begin(&net, *state);
    mi_value *value = network_input(&net, "x", "n 5", MI_FLOAT);
    for (int i = 0; i < PARTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%02d", i);
        left[i] = mi_op2(net.graph, "Mul", value, network_weight(&net, name, "5", 1));
        snprintf(name, sizeof name, "b%02d", i);
        right[i] = network_weight(&net, name, "5 4", 1);
    }
    mi_value *joined = mi_apply(net.graph, "Concat", right, PARTS, &MI_INT("axis", 0), 1);
    mi_output(net.graph, "y", mi_op2(net.graph, "MatMul", join(net.graph, left, PARTS), joined));
    network_compile(&net, BATCH, &(struct mi_plan_desc){.engine = "nest"});
    network_feed(&net, "x", x, BATCH);
    network_step(&net, BATCH, 1);
    float *y = network_fetch(&net, "y", BATCH, &count), *w = network_state(&net, &states), expected[BATCH * COLUMNS] = {0};
    enum { PAIR = WIDTH + WIDTH * COLUMNS };
    for (int i = 0; i < BATCH * COLUMNS; i++)
        for (int p = 0; p < PARTS; p++)
            for (int k = 0; k < WIDTH; k++)
                expected[i] += x[i / COLUMNS * WIDTH + k] * w[p * PAIR + k] * w[p * PAIR + WIDTH + k * COLUMNS + i % COLUMNS];
    assert_near("product", y, expected, count, 1e-5);
    network_end(&net);
    free(x);
    free(y);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_doubled), cmocka_unit_test(test_many_parts),
                                       cmocka_unit_test(test_operands)};
    return cmocka_run_group_tests_name("cut", tests, open_device, close_device);
}
