/* Where a plan puts its tensors: what lives at one time never overlaps, blocks stay within the device's largest allocation, and
 * what does not fit is refused before anything is allocated. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, SOURCES = 64 };

/* ---- Lifetimes, worked out again from the plan: the position in the order where a value is written and last read ---- */

struct life {
    int first, last;
    uint64_t begin, end;
    int block;
};

static void extend(struct life *life, int at)
{
    life->first = at < life->first ? at : life->first;
    life->last = at > life->last ? at : life->last;
}

static bool in_arena(const struct mica_plan *plan, const mi_value *value)
{
    const struct mi_tensor *tensor = &plan->tensors[value->id];
    return tensor->stored && !tensor->same_as && !plan->homes[value->id].variable && value->node->op != &mi_op_constant;
}

static struct life *lives_of(struct mica_plan *plan)
{
    int end = (int)plan->kernels.count;
    struct life *life = mi_new(plan->graph->value_count, sizeof *life);
    assert_non_null(life);
    for (size_t v = 0; v < plan->graph->value_count; v++) {
        const mi_value *value = plan->graph->values[v];
        bool outside = value->node->op == &mi_op_input || value->name; /* the caller may look at it at any time */
        life[v] = (struct life){outside ? 0 : end, outside ? end : -1, plan->homes[v].offset,
                                plan->homes[v].offset + mi_value_bytes(plan, value), plan->homes[v].block};
    }
    for (int at = 0; at < end; at++) {
        const struct mi_codes *codes = &plan->codes[plan->order[at]];
        for (int c = 0; c < codes->count; c++)
            for (int i = 0; i < codes->code[c].arguments; i++)
                if (codes->code[c].argument[i].value)
                    extend(&life[mi_canonical(plan, plan->graph->values[codes->code[c].argument[i].value->id])->id], at);
    }
    for (size_t a = 0; a < plan->assignment_count; a++)
        if (!plan->assignments[a].in_place)
            extend(&life[plan->assignments[a].value->id], end);
    return life;
}

static void check_lives(struct mica_plan *plan)
{
    struct life *life = lives_of(plan);
    size_t shared = 0;
    for (size_t v = 0; v < plan->graph->value_count; v++) {
        if (!in_arena(plan, plan->graph->values[v]))
            continue;
        assert_true(life[v].last >= life[v].first);
        assert_true((size_t)life[v].block < plan->block_count && life[v].end <= plan->block_bytes[life[v].block]);
        for (size_t u = 0; u < v; u++) {
            if (!in_arena(plan, plan->graph->values[u]) || life[u].block != life[v].block)
                continue;
            bool together = life[u].first <= life[v].last && life[v].first <= life[u].last;
            bool overlap = life[u].begin < life[v].end && life[v].begin < life[u].end;
            if (together && overlap)
                fail_msg("values %zu (%s) and %zu (%s) share memory while both live", u,
                         plan->graph->values[u]->node->name, v, plan->graph->values[v]->node->name);
            shared += overlap;
        }
    }
    assert_true(shared > 0); /* else the test has not seen what it is about */
    free(life);
}

/* Scratch memory of a kernel keeps away from whatever lives while it runs. */
static void check_scratch(struct mica_plan *plan)
{
    struct life *life = lives_of(plan);
    for (int at = 0; at < (int)plan->kernels.count; at++) {
        int k = plan->order[at];
        for (int s = 0; s < plan->codes[k].scratches; s++) {
            const struct mi_home *home = &plan->scratch[k][s];
            uint64_t end = home->offset + (uint64_t)plan->codes[k].scratch[s];
            for (size_t v = 0; v < plan->graph->value_count; v++)
                if (in_arena(plan, plan->graph->values[v]) && life[v].block == home->block && life[v].first <= at &&
                    at <= life[v].last)
                    assert_true(end <= life[v].begin || life[v].end <= home->offset);
        }
    }
    free(life);
}

/* ---- A network with branches, so that lifetimes cross ---- */

static void build(struct network *net)
{
    const int64_t two[] = {2, 2};
    mi_value *x = network_input(net, "x", "n 3 12 12", MI_FLOAT);
    mi_value *a = mi_op1(net->graph, "Relu", network_conv(net, x, "a", 16, 3));
    mi_value *b = mi_op1(net->graph, "Tanh", network_conv(net, a, "b", 16, 3));
    mi_value *c = mi_op1(net->graph, "Relu", mi_op2(net->graph, "Add", network_conv(net, b, "c", 16, 1), a));
    c = MI_APPLY(net->graph, "MaxPool", ((mi_value *[]){c}), MI_INTS("kernel_shape", two, 2), MI_INTS("strides", two, 2));
    mi_value *loss = network_cross_entropy(net, network_dense(net, mi_op1(net->graph, "Flatten", c), "d", 5));
    mi_output(net->graph, "loss", loss);
    network_train(net, loss, "AdamUpdate");
}

/* The loss after two steps. */
static float train(struct network *net)
{
    size_t count;
    float *x = random_floats(BATCH * 3 * 12 * 12, 1);
    int32_t *labels = random_classes(BATCH, 5, 2);
    for (uint64_t s = 1; s <= 2; s++) {
        network_feed(net, "x", x, BATCH);
        network_feed(net, "labels", labels, BATCH);
        network_step(net, BATCH, s);
    }
    float *loss = network_fetch(net, "loss", BATCH, &count), value = loss[0];
    free(loss);
    free(x);
    free(labels);
    return value;
}

static float loss_on(mica_device *device, size_t *blocks, uint64_t *peak)
{
    struct network net;
    network_begin(&net, device);
    build(&net);
    network_compile(&net, BATCH, NULL);
    check_lives(net.plan);
    check_scratch(net.plan);
    for (size_t b = 0; b < net.plan->block_count; b++)
        assert_true(net.plan->block_bytes[b] <= device->info.largest_allocation_bytes);
    *blocks = net.plan->block_count;
    *peak = mica_plan_peak_bytes(net.plan);
    float loss = train(&net);
    network_end(&net);
    return loss;
}

static void test_lifetimes(void **state)
{
    size_t blocks;
    uint64_t peak;
    loss_on(*state, &blocks, &peak);
    assert_int_equal(blocks, 1);
}

/* The same on a device that allocates only a little at once: more blocks, the same result. */
static void test_small_allocations(void **state)
{
    size_t one, several;
    uint64_t peak;
    mica_device *small = mica_device_open(&(mica_device_desc){.limits = {.allocation_bytes = 96 * 1024}});
    assert_int_equal(mica_device_status(small), MICA_OK);
    float expected = loss_on(*state, &one, &peak), loss = loss_on(small, &several, &peak);
    assert_true(several > one);
    assert_near("loss", &loss, &expected, 1, 1e-5);
    mica_device_destroy(small);
}

/* Parameters, too, lie in several blocks; an update is one launch a block. */
static void test_small_parameter_blocks(void **state)
{
    struct network net;
    mica_device *small = mica_device_open(&(mica_device_desc){.limits = {.allocation_bytes = 8 * 1024}});
    (void)state;
    network_begin(&net, small);
    mi_value *x = network_dense(&net, network_input(&net, "x", "n 32", MI_FLOAT), "a", 40);
    x = network_dense(&net, network_dense(&net, x, "b", 40), "c", 5);
    network_train(&net, network_cross_entropy(&net, x), "MomentumUpdate");
    network_compile(&net, 2, NULL);
    int updates = 0, blocks = 0;
    for (size_t i = 0; i < net.plan->action_count; i++)
        updates += net.plan->kernels.list[net.plan->actions[i].kernel].update;
    for (size_t i = 0; i < net.variables.count; i++)
        if (net.variables.list[i]->role == MI_PARAMETER && net.variables.list[i]->block >= blocks)
            blocks = net.variables.list[i]->block + 1;
    assert_true(blocks > 1);
    assert_int_equal(updates, blocks);
    network_end(&net);
    mica_device_destroy(small);
}

/* ---- What does not fit ---- */

static void refuse(mica_device *device, const char *part)
{
    struct network net;
    network_begin(&net, device);
    build(&net);
    assert_int_equal(mi_store_place(net.store), MICA_OK); /* variables have their buffers already */
    uint64_t buffers = device->calls_buffer;
    assert_int_equal(network_try(&net, BATCH, NULL), MICA_DEVICE_MEMORY);
    if (!strstr(mica_plan_error(net.plan), part))
        fail_msg("\"%s\" is not in: %s", part, mica_plan_error(net.plan));
    assert_null(strchr(mica_plan_error(net.plan), '\n'));
    assert_int_equal(device->calls_buffer, buffers);
    network_end(&net);
}

/* A plan that is refused has filled no memory: the first values are still the host's, and are there for who asks for them. */
static void refuse_and_read(mica_device *device)
{
    struct network net;
    network_begin(&net, device);
    build(&net);
    const struct mi_variable *first = net.variables.list[0];
    size_t bytes = (size_t)mi_variable_count(first) * sizeof(float);
    float *expected = malloc(bytes), *got = malloc(bytes);
    assert_true(expected && got && first->initial);
    memcpy(expected, first->initial, bytes);
    assert_int_equal(network_try(&net, BATCH, NULL), MICA_DEVICE_MEMORY);
    assert_non_null(first->initial);
    mica_device_clear_error(device);
    assert_int_equal(mi_store_read(net.store, first, got), MICA_OK);
    assert_null(first->initial);
    assert_memory_equal(got, expected, bytes);
    free(expected);
    free(got);
    network_end(&net);
}

static void test_budget(void **state)
{
    struct network net;
    size_t blocks;
    uint64_t peak;
    loss_on(*state, &blocks, &peak);
    mica_device *tight = mica_device_open(&(mica_device_desc){.memory_budget_bytes = peak - 1});
    refuse(tight, "the budget is");
    refuse_and_read(tight);
    mica_device_destroy(tight);
    tight = mica_device_open(&(mica_device_desc){.memory_budget_bytes = 1000});
    network_begin(&net, tight);
    build(&net);
    uint64_t buffers = tight->calls_buffer;
    assert_int_equal(network_try(&net, BATCH, NULL), MICA_DEVICE_MEMORY);
    assert_non_null(strstr(mica_plan_error(net.plan), "1000"));
    assert_int_equal(tight->calls_buffer, buffers); /* not even the variables' */
    network_end(&net);
    mica_device_destroy(tight);
    mica_device *enough = mica_device_open(&(mica_device_desc){.memory_budget_bytes = peak});
    network_begin(&net, enough);
    build(&net);
    network_compile(&net, BATCH, NULL);
    assert_true(mica_plan_peak_bytes(net.plan) <= peak);
    network_end(&net);
    mica_device_destroy(enough);
}

static void test_too_large_tensor(void **state)
{
    (void)state;
    mica_device *small = mica_device_open(&(mica_device_desc){.limits = {.allocation_bytes = 24 * 1024}});
    refuse(small, "choose a smaller batch");
    mica_device_destroy(small);
}

static void test_batches_that_overflow(void **state)
{
    struct network net;
    network_begin(&net, *state);
    mi_output(net.graph, "y", mi_op1(net.graph, "Exp", network_input(&net, "x", "n 2147483647 1024", MI_FLOAT)));
    assert_int_equal(network_try(&net, 2147483647, NULL), MICA_SHAPE);
    assert_non_null(strstr(mica_plan_error(net.plan), "2147483647"));
    network_end(&net);
    network_begin(&net, *state);
    mi_output(net.graph, "y", mi_op1(net.graph, "Exp", network_input(&net, "x", "n", MI_FLOAT)));
    assert_int_equal(network_try(&net, 0, NULL), MICA_INVALID_ARGUMENT);
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_small_allocations),
        cmocka_unit_test(test_small_parameter_blocks),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_too_large_tensor),
        cmocka_unit_test(test_batches_that_overflow),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
