#include "support/network.h"

#include "plan/inside.h"
#include "tune/tune.h"
#include "device/programs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Life ---- */

void network_begin(struct network *net, mica_device *device)
{
    *net = (struct network){.device = device};
    mica_device_clear_error(device); /* of a test that failed before */
    assert_int_equal(mi_store_create(device, &net->variables, &net->store), MICA_OK);
    net->graph = mi_graph_create(mi_ops, &net->variables);
    assert_non_null(net->graph);
    net->graph->training = true;
}

mica_status network_try(struct network *net, int64_t batch, const struct mi_plan_desc *how)
{
    struct mi_plan_desc desc = how ? *how : (struct mi_plan_desc){0};
    desc.device = net->device;
    desc.store = net->store;
    desc.graph = net->graph;
    desc.batch = batch;
    desc.search = mi_tune;
    net->graph = NULL;
    return mi_plan_create(&desc, &net->plan);
}

/* A kernel that cannot be joined with others takes a program of its own, which a driver reads its declarations for. */
static void assert_joins(const struct mica_plan *plan)
{
    for (size_t k = 0; k < plan->kernels.count; k++)
        for (int c = 0; c < plan->codes[k].count; c++) {
            const struct mi_code *code = &plan->codes[k].code[c];
            struct mi_text text = {0};
            if (code->source && !mi_join_source(&text, code->name, code->source, "_0"))
                fail_msg("kernel %s cannot be joined with others:\n%s", code->name, code->source);
            mi_text_destroy(&text);
        }
}

void network_compile_sized(struct network *net, int64_t batch, const struct mi_plan_desc *how, bool runs)
{
    if (net->graph->error.status != MICA_OK)
        fail_msg("the graph: %s", net->graph->error.text);
    network_try(net, batch, how);
    assert_non_null(net->plan);
    if (mica_plan_status(net->plan) != (runs ? MICA_OK : MICA_CANCELLED))
        fail_msg("the plan: %s", mica_plan_error(net->plan));
    assert_joins(net->plan);
}

void network_compile(struct network *net, int64_t batch, const struct mi_plan_desc *how)
{
    network_compile_sized(net, batch, how, true);
}

void network_gather(struct network *net, int64_t batch, const struct mi_plan_desc *how, struct gathering *gathering)
{
    network_try(net, batch, how);
    gather_plan(gathering, net->plan);
}

void network_end(struct network *net)
{
    mica_plan_destroy(net->plan);
    mi_graph_destroy(net->graph);
    mi_store_destroy(net->store);
    mi_variables_destroy(&net->variables);
    mica_device_clear_error(net->device);
    *net = (struct network){0};
}

/* ---- Numbers ---- */

float *random_floats(size_t count, uint64_t stream)
{
    float *values = mi_new(count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = mi_uniform(11, stream, i) - 0.5f;
    return values;
}

int32_t *random_classes(size_t count, int32_t classes, uint64_t stream)
{
    int32_t *values = mi_new(count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (int32_t)(mi_uniform(13, stream, i) * (float)classes);
    return values;
}

/* ---- Building ---- */

struct mi_shape network_shape(const char *text)
{
    struct mi_shape shape = {.rank = 0};
    while (*text) {
        char *end;
        if (*text == 'n') {
            shape.dim[shape.rank++] = mi_batch();
            text++;
        } else {
            shape.dim[shape.rank++] = mi_fixed(strtoll(text, &end, 10));
            assert_true(end != text);
            text = end;
        }
        text += strspn(text, " ");
    }
    return shape;
}

mi_value *network_input(struct network *net, const char *name, const char *shape, enum mi_type type)
{
    struct mi_shape sizes = network_shape(shape);
    return mi_input(net->graph, name, type, &sizes);
}

static mi_value *weight(struct network *net, const char *name, const struct mi_shape *shape, float scale)
{
    struct mi_error error = {0};
    size_t count = (size_t)mi_shape_count(shape, 0);
    float *values = random_floats(count, 100 + net->variables.count);
    for (size_t i = 0; i < count; i++)
        values[i] *= scale;
    struct mi_variable *variable = mi_variable_add(&net->variables, &error, name, MI_PARAMETER, MI_FLOAT, shape, values);
    assert_non_null(variable);
    return mi_variable(net->graph, variable);
}

mi_value *network_weight(struct network *net, const char *name, const char *shape, float scale)
{
    struct mi_shape sizes = network_shape(shape);
    return weight(net, name, &sizes, scale);
}

struct mi_variable *network_variable(struct network *net, const char *name, const char *shape, enum mi_role role, float value)
{
    struct mi_error error = {0};
    struct mi_shape sizes = network_shape(shape);
    size_t count = (size_t)mi_shape_count(&sizes, 0);
    float *values = mi_new(count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = value;
    struct mi_variable *variable = mi_variable_add(&net->variables, &error, name, role, MI_FLOAT, &sizes, values);
    assert_non_null(variable);
    return variable;
}

static mi_value *parameter(struct network *net, const char *layer, const char *what, int rank, const int64_t *size, float scale)
{
    char name[64];
    struct mi_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = mi_fixed(size[i]);
    snprintf(name, sizeof name, "%s.%s", layer, what);
    return weight(net, name, &shape, scale);
}

mi_value *network_dense(struct network *net, mi_value *x, const char *name, int64_t out)
{
    const int64_t sizes[] = {out, x->shape.dim[1].b};
    mi_value *in[] = {x, parameter(net, name, "weight", 2, sizes, 1), parameter(net, name, "bias", 1, sizes, 1)};
    return MI_APPLY(net->graph, "Gemm", in, MI_INT("transB", 1));
}

mi_value *network_conv(struct network *net, mi_value *x, const char *name, int64_t filters, int64_t k)
{
    const int64_t sizes[] = {filters, x->shape.dim[1].b, k, k}, pads[] = {k / 2, k / 2, k / 2, k / 2};
    mi_value *in[] = {x, parameter(net, name, "weight", 4, sizes, 0.5f), parameter(net, name, "bias", 1, sizes, 1)};
    return MI_APPLY(net->graph, "Conv", in, MI_INTS("pads", pads, 4));
}

mi_value *network_cross_entropy(struct network *net, mi_value *scores)
{
    return mi_op2(net->graph, "SoftmaxCrossEntropyLoss", scores, network_input(net, "labels", "n", MI_INT32));
}

static void update(struct network *net, const char *optimizer, struct mi_variable *variable, mi_value *gradient)
{
    int moments = strcmp(optimizer, "AdamUpdate") == 0 ? 2 : strcmp(optimizer, "MomentumUpdate") == 0 ? 1 : 0;
    /* A large epsilon, so that a gradient of nearly nothing does not decide the sign of a whole step. */
    const struct mi_attribute epsilon = MI_REAL("epsilon", 0.1f);
    struct mi_variable *target[3] = {variable};
    mi_value *in[4] = {mi_variable(net->graph, variable), gradient};
    for (int k = 0; k < moments; k++) {
        char name[64];
        struct mi_error error = {0};
        snprintf(name, sizeof name, "moment%d/%s", k, variable->name);
        target[1 + k] = mi_variable_add(&net->variables, &error, name, MI_MOMENT, MI_FLOAT, &variable->shape, NULL);
        assert_non_null(target[1 + k]);
        target[1 + k]->shadows = variable;
        target[1 + k]->moment = k;
        in[2 + k] = mi_variable(net->graph, target[1 + k]);
    }
    struct mi_node *node = mi_node_add(net->graph, optimizer, in, 2 + moments, &epsilon, moments == 2);
    if (!node)
        fail_msg("%s: %s", optimizer, net->graph->error.text);
    for (int k = 0; k <= moments; k++)
        assert_true(mi_assign(net->graph, target[k], node->out[k]));
}

void network_train(struct network *net, mi_value *loss, const char *optimizer)
{
    enum { MOST = 32 };
    struct mi_variable *trained[MOST];
    mi_value *value[MOST] = {0}, *gradient[MOST] = {0};
    int count = 0;
    for (size_t i = 0; i < net->variables.count; i++)
        if (net->variables.list[i]->role == MI_PARAMETER) {
            assert_true(count < MOST);
            trained[count] = net->variables.list[i];
            value[count] = mi_variable(net->graph, trained[count]);
            count++;
        }
    if (mi_differentiate(net->graph, loss, value, count, gradient) != MICA_OK)
        fail_msg("gradients: %s", net->graph->error.text);
    for (int i = 0; i < count; i++)
        if (gradient[i])
            update(net, optimizer, trained[i], gradient[i]);
}

/* ---- Running ---- */

void network_feed(struct network *net, const char *name, const void *elements, int64_t n)
{
    int input = mi_plan_input(net->plan, name);
    cl_event done = NULL;
    if (input >= 0 && mi_plan_feed(net->plan, input, elements, n, &done) != MICA_OK)
        fail_msg("input %s: %s", name, mica_plan_error(net->plan));
    mi_event_wait(net->device, &done);
}

void network_step(struct network *net, int64_t n, uint64_t step)
{
    if (mi_plan_step(net->plan, &(struct mi_step){(int32_t)n, 0.25f, step, 42}) != MICA_OK)
        fail_msg("step: %s", mica_plan_error(net->plan));
}

float *network_fetch(struct network *net, const char *name, int64_t n, size_t *count)
{
    int output = mi_plan_output(net->plan, name);
    assert_true(output >= 0);
    struct mi_shape shape = mi_plan_output_shape(net->plan, output);
    *count = (size_t)mi_shape_count(&shape, n);
    float *values = mi_new(*count, sizeof *values);
    assert_non_null(values);
    if (mi_plan_fetch(net->plan, output, values, n) != MICA_OK)
        fail_msg("output %s: %s", name, mica_plan_error(net->plan));
    return values;
}

float *network_state(struct network *net, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < net->variables.count; i++)
        *count += mi_variable_count(net->variables.list[i]);
    float *state = mi_new(*count, sizeof *state), *next = state;
    assert_non_null(state);
    for (size_t i = 0; i < net->variables.count; i++) {
        assert_int_equal(mi_store_read(net->store, net->variables.list[i], next), MICA_OK);
        next += mi_variable_count(net->variables.list[i]);
    }
    return state;
}

void network_set_state(struct network *net, const float *state)
{
    for (size_t i = 0; i < net->variables.count; i++) {
        assert_int_equal(mi_store_write(net->store, net->variables.list[i], state), MICA_OK);
        state += mi_variable_count(net->variables.list[i]);
    }
}

void assert_near(const char *what, const float *got, const float *expected, size_t count, double tolerance)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(expected[i]) && fabs((double)expected[i]) > most)
            most = fabs((double)expected[i]);
    for (size_t i = 0; i < count; i++) {
        bool same = isnan(expected[i]) ? isnan(got[i])
                                       : fabs((double)got[i] - (double)expected[i]) <= tolerance * most;
        if (!same)
            fail_msg("%s: element %zu of %zu is %.9g, expected %.9g", what, i, count, (double)got[i], (double)expected[i]);
    }
}
