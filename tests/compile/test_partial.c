/* What a reduction by columns has folded is read once where its results are made (src/nest/fold.c). */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <string.h>

/* The moments of four channels, each of which has four partial results, and what they normalise. */
static void normalize(struct network *net, mica_device *device)
{
    network_begin(net, device);
    struct mi_graph *graph = net->graph;
    const int64_t axis = 2;
    mi_value *x = network_input(net, "x", "n 4 1 1 8", MI_FLOAT);
    x = MI_APPLY(graph, "ReduceMean", ((mi_value *[]){x, mi_ints(graph, &axis, 1)}), MI_INT("keepdims", 0));
    struct mi_variable *mean = network_variable(net, "mean", "4", MI_STATISTIC, 0.25f);
    struct mi_variable *variance = network_variable(net, "variance", "4", MI_STATISTIC, 2);
    mi_value *scale = network_weight(net, "scale", "4", 1);
    mi_value *in[] = {x, scale, scale, mi_variable(graph, mean), mi_variable(graph, variance)};
    struct mi_node *node = mi_node_add(graph, "BatchNormalization", in, 5, NULL, 0);
    assert_non_null(node);
    assert_true(mi_assign(graph, mean, node->out[1]) && mi_assign(graph, variance, node->out[2]));
    mi_output(graph, "y", node->out[0]);
    network_compile(net, 8, NULL);
}

/* Whether the state's lanes are read in one statement, and nowhere behind it. */
static bool is_read_once(const char *source, const char *array)
{
    char text[64];
    snprintf(text, sizeof text, " = %s[v];", array);
    const char *read = strstr(source, text);
    return read && !strstr(read + strlen(text), array);
}

static void test_partial(void **state)
{
    struct network net;
    mica_device *device = *state;
    int found = 0;
    normalize(&net, device);
    for (size_t k = 0; k < net.plan->kernels.count; k++)
        for (int c = 0; c < net.plan->codes[k].count && device->is_cpu; c++) {
            const char *source = net.plan->codes[k].code[c].source;
            if (!source || !strstr(source, "float s0_1["))
                continue;
            assert_true(is_read_once(source, "s0_0") && is_read_once(source, "s0_1"));
            found++;
        }
    assert_int_equal(found, device->is_cpu ? 1 : 0);
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_partial)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
