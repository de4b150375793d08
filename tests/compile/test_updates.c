/* Updates of small parameters, which run flat over all that lie side by side, against the same steps in double. */
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 4, STEPS = 3, VALUES = 5 };
static const float inputs[SAMPLES] = {-0.5f, 0.25f, 0.375f, 1};
static const double rate = 0.25; /* network_step's */

/* The sum of ((w x + b) v)^2: w, b and v are 1, 1 and 3 numbers. */
struct line {
    double w, b, v[3];
};

static void gradient_of(const struct line *p, struct line *g)
{
    double norm = p->v[0] * p->v[0] + p->v[1] * p->v[1] + p->v[2] * p->v[2];
    *g = (struct line){0};
    for (int i = 0; i < SAMPLES; i++) {
        double x = (double)inputs[i], z = p->w * x + p->b;
        g->w += 2 * norm * z * x;
        g->b += 2 * norm * z;
        for (int j = 0; j < 3; j++)
            g->v[j] += 2 * p->v[j] * z * z;
    }
}

static void train(struct line *p, double momentum)
{
    struct line velocity = {0};
    for (int step = 0; step < STEPS; step++) {
        struct line g;
        double *value = &p->w, *speed = &velocity.w, *slope = &g.w;
        gradient_of(p, &g);
        for (int i = 0; i < VALUES; i++) {
            speed[i] = momentum * speed[i] + slope[i];
            value[i] -= rate * speed[i];
        }
    }
}

static void check(mica_device *device, const char *shape_w, const char *optimizer, double momentum)
{
    struct network net;
    struct line line = {0.5, -0.25, {0.125, 0.25, 0.5}};
    float begin[VALUES] = {0.5f, -0.25f, 0.125f, 0.25f, 0.5f}, expected[VALUES];
    size_t count;
    network_begin(&net, device);
    mi_value *x = network_input(&net, "x", "n 1", MI_FLOAT);
    mi_value *w = network_weight(&net, "w", shape_w, 1), *b = network_weight(&net, "b", "1", 1);
    mi_value *z = mi_op2(net.graph, "Add", mi_op2(net.graph, w->shape.rank == 2 ? "MatMul" : "Mul", x, w), b);
    mi_value *y = mi_op2(net.graph, "Mul", z, network_weight(&net, "v", "3", 1));
    mi_value *square = mi_op2(net.graph, "Mul", y, y);
    network_train(&net, MI_APPLY(net.graph, "ReduceSum", ((mi_value *[]){square}), MI_INT("keepdims", 0)), optimizer);
    network_compile(&net, SAMPLES, NULL);
    float *state = network_state(&net, &count);
    memcpy(state, begin, sizeof begin); /* states of the optimizer come after, and begin as 0 */
    network_set_state(&net, state);
    free(state);
    for (uint64_t step = 1; step <= STEPS; step++) {
        network_feed(&net, "x", inputs, SAMPLES);
        network_step(&net, SAMPLES, step);
    }
    train(&line, momentum);
    for (int i = 0; i < VALUES; i++)
        expected[i] = (float)(&line.w)[i];
    state = network_state(&net, &count);
    assert_near(optimizer, state, expected, VALUES, 1e-5);
    free(state);
    network_end(&net);
}

/* A weight of one element is as flat as the others that lie beside it. */
static void test_one_element(void **state)
{
    check(*state, "1 1", "SgdUpdate", 0);
    check(*state, "1 1", "MomentumUpdate", 0.9);
    check(*state, "1", "SgdUpdate", 0);
    check(*state, "", "MomentumUpdate", 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_element)};
    return cmocka_run_group_tests_name("updates", tests, open_device, close_device);
}
