/* What a training step does to need less memory changes nothing but the memory: large parameters are updated as soon as their
 * gradients are there, cheap maps are computed again for the gradients, and a max pool goes before its activation. */
#include "plan/inside.h"
#include "support/device.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Updates as soon as they can ---- */

enum { ROWS = 8, WIDE = 520, LARGE = 512 };

static mi_value *wide_loss(struct network *net)
{
    mi_value *x = mi_op1(net->graph, "Tanh", network_dense(net, network_input(net, "x", "n 8", MI_FLOAT), "a", WIDE));
    x = mi_op1(net->graph, "Tanh", network_dense(net, x, "b", LARGE));
    return network_cross_entropy(net, network_dense(net, x, "c", 5));
}

static void feed_wide(struct network *net)
{
    float *x = random_floats(ROWS * 8, 1);
    int32_t *labels = random_classes(ROWS, 5, 2);
    network_feed(net, "x", x, ROWS);
    network_feed(net, "labels", labels, ROWS);
    network_step(net, ROWS, 1);
    free(x);
    free(labels);
}

/* The gradients by a plan that changes nothing, one after the other as network_state has the parameters. */
static float *wide_gradients(mica_device *device, size_t count)
{
    struct network net;
    size_t known = 0;
    network_begin(&net, device);
    mi_value *loss = wide_loss(&net), *value[8], *gradient[8];
    int parameters = (int)net.variables.count;
    for (int i = 0; i < parameters; i++)
        value[i] = mi_variable(net.graph, net.variables.list[i]);
    assert_int_equal(mi_differentiate(net.graph, loss, value, parameters, gradient), MICA_OK);
    for (int i = 0; i < parameters; i++)
        mi_output(net.graph, net.variables.list[i]->name, gradient[i]);
    network_compile(&net, ROWS, NULL);
    feed_wide(&net);
    float *all = mi_new(count, sizeof *all);
    assert_non_null(all);
    for (int i = 0; i < parameters; i++) {
        size_t size;
        float *one = network_fetch(&net, net.variables.list[i]->name, ROWS, &size);
        assert_true(known + size <= count);
        memcpy(all + known, one, size * sizeof *one);
        known += size;
        free(one);
    }
    assert_int_equal(known, count);
    network_end(&net);
    return all;
}

/* A large gradient lies among the activations and is gone when the step ends, the small ones in an arena. */
static void check_places(struct mica_plan *plan)
{
    int large = 0, end = (int)plan->kernels.count;
    for (int at = 0; at < end; at++) {
        const struct mi_kernel *kernel = &plan->kernels.list[plan->order[at]];
        if (!kernel->update)
            continue;
        const struct mi_variable *variable = kernel->nodes[0]->in[0]->node->variable;
        const struct mi_home *home = &plan->homes[mi_canonical(plan, kernel->nodes[0]->in[1])->id];
        assert_int_equal(kernel->together, mi_is_small(variable));
        assert_int_equal(home->gradient, kernel->together);
        if (!kernel->together) {
            large++;
            assert_true(at < end - 5); /* the five small ones come last */
        }
    }
    assert_int_equal(large, 1);
    uint64_t bytes = mi_store_bytes(plan->store, MI_GRADIENT);
    assert_int_equal(bytes, mi_store_gradient_bytes(plan->store));
    assert_true(bytes > 0 && bytes < (uint64_t)WIDE * LARGE * sizeof(float) / 8);
}

static void test_early_updates(void **state)
{
    struct network net;
    size_t count;
    network_begin(&net, *state);
    network_train(&net, wide_loss(&net), "SgdUpdate");
    assert_int_equal(mi_store_place(net.store), MICA_OK);
    float *expected = network_state(&net, &count), *gradients = wide_gradients(*state, count);
    for (size_t i = 0; i < count; i++)
        expected[i] -= 0.25f * gradients[i];
    network_compile(&net, ROWS, NULL);
    check_places(net.plan);
    feed_wide(&net);
    float *got = network_state(&net, &count);
    assert_near("parameters after a step", got, expected, count, 1e-5);
    free(got);
    free(gradients);
    free(expected);
    network_end(&net);
}

/* ---- Computed again, and pooled first ---- */

enum { BATCH = 16 };

static mi_value *normalize(struct network *net, mi_value *x, const char *name)
{
    const char *const parts[] = {"scale", "bias", "mean", "variance"};
    char channels[16], full[32];
    mi_value *in[5] = {x};
    snprintf(channels, sizeof channels, "%d", (int)x->shape.dim[1].b);
    for (int i = 0; i < 4; i++) {
        snprintf(full, sizeof full, "%s.%s", name, parts[i]);
        in[1 + i] = mi_variable(net->graph, network_variable(net, full, channels, i < 2 ? MI_PARAMETER : MI_STATISTIC, i % 3 == 0));
    }
    return mi_apply(net->graph, "BatchNormalization", in, 5, NULL, 0);
}

static mi_value *block_loss(struct network *net)
{
    const int64_t two[] = {2, 2};
    net->graph->training = true;
    mi_value *x = network_conv(net, network_input(net, "x", "n 3 16 16", MI_FLOAT), "stem", 16, 3);
    x = mi_op1(net->graph, "LeakyRelu", x);
    mi_value *in = MI_APPLY(net->graph, "MaxPool", ((mi_value *[]){x}), MI_INTS("kernel_shape", two, 2), MI_INTS("strides", two, 2));
    for (int i = 0; i < 2; i++) {
        const char *const names[] = {"a", "b", "an", "bn"};
        x = mi_op1(net->graph, "Relu", normalize(net, network_conv(net, in, names[i], 16, 3), names[2 + i]));
        in = mi_op2(net->graph, "Add", x, in);
    }
    return network_cross_entropy(net, network_dense(net, mi_op1(net->graph, "Flatten", in), "d", 5));
}

static float *train_block(mica_device *device, const struct mi_plan_desc *how, bool pool_first, struct network *net, size_t *count)
{
    network_begin(net, device);
    mi_value *loss = block_loss(net);
    if (pool_first)
        mi_pick_first(net->graph);
    network_train(net, loss, "MomentumUpdate");
    network_compile(net, BATCH, how);
    float *x = random_floats(BATCH * 3 * 16 * 16, 1);
    int32_t *labels = random_classes(BATCH, 5, 2);
    network_feed(net, "x", x, BATCH);
    network_feed(net, "labels", labels, BATCH);
    for (uint64_t s = 1; s <= 3; s++)
        network_step(net, BATCH, s);
    free(x);
    free(labels);
    return network_state(net, count);
}

static int count_again(const struct mica_plan *plan, enum mi_again again)
{
    int count = 0;
    for (size_t i = 0; i < plan->graph->node_count; i++)
        count += plan->graph->nodes[i]->again == again;
    return count;
}

static void test_forgotten(void **state)
{
    struct network kept, forgot;
    size_t count;
    const struct mi_plan_desc apart = {.no_fusion = true}, plain = {.no_blocked = true};
    float *expected = train_block(*state, &apart, false, &kept, &count);
    assert_int_equal(count_again(kept.plan, MI_AGAIN_INLINE) + count_again(kept.plan, MI_AGAIN_STORED), 0);
    network_end(&kept);
    for (int way = 0; way < 2; way++) {
        float *got = train_block(*state, way ? &plain : NULL, true, &forgot, &count);
        assert_true(count_again(forgot.plan, MI_AGAIN_INLINE) > 0);
        assert_near("state after three steps", got, expected, count, 1e-4);
        free(got);
        network_end(&forgot);
    }
    free(expected);
}

static void test_pool_first(void **state)
{
    struct network net;
    network_begin(&net, *state);
    block_loss(&net);
    mi_pick_first(net.graph);
    for (size_t i = 0; i < net.graph->node_count; i++) {
        const struct mi_node *node = net.graph->nodes[i];
        if (strcmp(node->op->name, "MaxPool") == 0)
            assert_string_equal(node->in[0]->node->op->name, "Conv");
        if (strcmp(node->op->name, "LeakyRelu") == 0) {
            assert_string_equal(node->in[0]->node->op->name, "MaxPool");
            assert_true(mi_dim_is(node->out[0]->shape.dim[2], 8) && mi_dim_is(node->in[0]->shape.dim[2], 8));
        }
    }
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_early_updates), cmocka_unit_test(test_forgotten),
                                       cmocka_unit_test(test_pool_first)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
