/* Any operator with anything: random inputs of every rank and type, and random attributes, give a node or one error. What comes out
 * can be described, is the same again from its description, and runs. `--calls N` for each operator, `--seed S`, `--only OPERATOR`. */
#include "nn/fixture.h"
#include "support/gather.h"

#include "device/device.h"
#include "ops/ops.h"

#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INPUTS = 5, MOST_ATTRIBUTES = 6, MOST_INTS = 18, BATCH = 3 };

static uint64_t seed = 1;
static int calls = 2000, plans = 1;
static const char *only;

/* ---- Drawing: everything about a call follows from its number ---- */

struct draw {
    uint64_t stream, at;
};

static uint64_t below(struct draw *draw, uint64_t count)
{
    uint32_t word[4];
    mi_philox(seed, draw->stream, draw->at++, word);
    return ((uint64_t)word[1] << 32 | word[0]) % count;
}

static bool chance(struct draw *draw, uint64_t in)
{
    return below(draw, in) == 0;
}

static const int64_t extremes[] = {0,  1,  -1, 2,  3,  -2, 4,     5,         -3,         7,         8,         9, -8, 16, 63, 64, 255,
                                   256, -255, 65536, INT32_MAX, INT32_MIN, (int64_t)1 << 32, INT64_MAX, INT64_MIN, 1000003};

static int64_t any_int(struct draw *draw)
{
    return chance(draw, 4) ? extremes[below(draw, MI_COUNT(extremes))] : (int64_t)below(draw, 9) - 3;
}

static float any_float(struct draw *draw)
{
    static const float floats[] = {0, 1, -1, 0.5f, 1e-3f, 3, -7, 1e-30f, 1e-45f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN};
    return floats[below(draw, MI_COUNT(floats))];
}

static const char *any_text(struct draw *draw)
{
    static const char *const texts[] = {"float32", "float16", "int32", "int64", "uint8", "bool", "SAME_UPPER", "SAME_LOWER", "VALID",
                                        "NOTSET", "mean", "sum", "none", "tanh", "constant", "", "\xff\n", NULL};
    return texts[below(draw, MI_COUNT(texts))];
}

static mica_attribute any_attribute(struct draw *draw, const char *takes, int number, int usual, char *name, int64_t *ints)
{
    static const char *const names[] = {"axis", "axes", "shape", "shape_n", "from", "step", "fill", "inner", "size", "rows", "", NULL};
    static const char *const kinds[] = {"int", "float", "text", "ints"};
    uint64_t kind = below(draw, 4);
    mica_attribute out = {.i = any_int(draw), .f = any_float(draw), .text = any_text(draw), .ints = ints};
    out.name = names[below(draw, MI_COUNT(names))];
    if (*takes && !chance(draw, 12)) { /* one that it takes, mostly of its kind */
        int words = 1, at;
        for (const char *c = takes; *c; c++)
            words += *c == ' ' && c[1];
        at = (chance(draw, 3) ? (int)below(draw, (uint64_t)words) : number) % words;
        while (at--)
            takes = strchr(takes, ' ') + 1;
        size_t length = strcspn(takes, ":");
        memcpy(name, takes, length);
        name[length] = 0;
        out.name = name;
        bool its_kind = !chance(draw, 12);
        for (uint64_t k = 0; k < 4; k++)
            if (its_kind && strncmp(takes + length + 1, kinds[k], strlen(kinds[k])) == 0)
                kind = k; /* "ints" comes after "int" */
    }
    out.type = (mica_attribute_type)kind;
    out.count = (int)below(draw, chance(draw, 8) ? MOST_INTS : 5);
    for (int i = 0; i < out.count; i++)
        ints[i] = any_int(draw);
    if (!chance(draw, 3)) { /* small, and as many as there are of others */
        out.count = strncmp(out.name ? out.name : "", "pads", 4) ? usual : 2 * usual;
        for (int i = 0; i < out.count; i++)
            ints[i] = 1 + (int64_t)below(draw, 2);
    }
    if (chance(draw, 5)) /* a permutation, or all axes */
        for (int i = 0; i < out.count; i++)
            ints[i] = (i + 1) % out.count;
    if (chance(draw, 100))
        out.count = -1;
    if (chance(draw, 100))
        out.ints = NULL;
    return out;
}

static mica_shape any_shape(struct draw *draw)
{
    mica_shape shape = {.rank = (int)below(draw, chance(draw, 3) ? 8 : 5)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = 1 + (int64_t)below(draw, shape.rank > 4 ? 3 : 5);
    return shape;
}

/* NULL: as it is. */
static const char *any_type(struct draw *draw)
{
    static const char *const types[] = {NULL, "float16", "int32", "int64", "uint8", "bool"};
    return types[chance(draw, 3) ? below(draw, MI_COUNT(types)) : 0];
}

/* An input, a variable, a number, or what some operator makes of one: of another type, turned, or with no elements left. */
static mica_node *any_operand(struct draw *draw, mica_model *model, const mica_shape *like, const char *type)
{
    mica_shape shape = like && !chance(draw, 3) ? *like : any_shape(draw);
    uint64_t kind = below(draw, 8);
    mica_node *x = kind < 4    ? mica_input(model, NULL, shape)
                   : kind == 4 ? mica_scalar(model, any_float(draw))
                   : kind == 5 ? mica_input_integer(model, NULL, shape)
                               : mica_variable(model, &(mica_variable_desc){.shape = shape});
    if (mica_model_status(model) != MICA_OK)
        return NULL;
    if (kind < 2) /* something to train before it */
        x = mica_op_mul(x, mica_variable(model, NULL));
    if (type)
        x = mica_op_cast(x, type);
    if (chance(draw, 12))
        x = mica_op(&x, 1, &(mica_op_desc){.op = "Transpose"});
    if (chance(draw, 12) && mica_node_shape(x).rank > 0)
        x = mica_op_slice(x, -1, 0, 0);
    return x;
}

/* What goes with a first input of shape (n, like): filters, a matrix, a vector of its channels, its samples' classes, another like it. */
static mica_node *any_partner(struct draw *draw, mica_model *model, const mica_shape *like, uint64_t kind)
{
    mica_shape shape = {.rank = 1, .dim = {like->rank ? like->dim[0] : 1}};
    if (kind == 0) {
        shape = (mica_shape){.rank = like->rank + 1 < 8 ? like->rank + 1 : 7, .dim = {1 + (int64_t)below(draw, 4)}};
        for (int i = 1; i < shape.rank; i++)
            shape.dim[i] = i == 1 ? like->dim[0] : 1 + (int64_t)below(draw, 3);
    } else if (kind == 1)
        shape = (mica_shape){.rank = 2, .dim = {like->rank ? like->dim[like->rank - 1] : 1, 1 + (int64_t)below(draw, 4)}};
    else if (kind == 2) {
        shape.rank = like->rank ? like->rank - 1 : 0;
        for (int i = 0; i < shape.rank; i++)
            shape.dim[i] = like->dim[i + 1];
        return mica_input_integer(model, NULL, shape);
    } else if (kind == 3)
        return mica_input(model, NULL, *like);
    return mica_variable(model, &(mica_variable_desc){.shape = shape});
}

struct call {
    mica_node *node;
    mica_model *model;
    char text[64];
};

/* The call of this number on a device. */
static void make_call(struct call *call, mica_device *device, const struct mi_caller_op *of, uint64_t number)
{
    struct draw draw = {.stream = number};
    char names[MOST_ATTRIBUTES][32];
    int64_t ints[MOST_ATTRIBUTES][MOST_INTS];
    mica_attribute attributes[MOST_ATTRIBUTES];
    mica_node *in[MOST_INPUTS + 2] = {0};
    int least = of->op->min_inputs, most = of->op->max_inputs < 0 ? 4 : of->op->max_inputs;
    int count = least + (int)below(&draw, (uint64_t)(most - least) + 1);
    mi_format(call->text, sizeof call->text, "--seed %llu, call %llu of %s", (unsigned long long)seed, (unsigned long long)number,
              of->op->name);
    call->model = mica_model_create(device, NULL);
    call->node = NULL;
    if (chance(&draw, 20))
        count += chance(&draw, 2) || count < 2 ? 1 : -1;
    mica_shape like = any_shape(&draw);
    const char *type = any_type(&draw);
    bool alike = !chance(&draw, 4), one_type = !chance(&draw, 4), partners = chance(&draw, 2);
    uint64_t kind = below(&draw, 5);
    type = partners ? NULL : type;
    bool asks = !partners && chance(&draw, 6); /* its first input is a condition */
    for (int i = 0; i < count && mica_model_status(call->model) == MICA_OK; i++)
        in[i] = partners && i && !chance(&draw, 8) ? any_partner(&draw, call->model, &like, kind)
                                                   : any_operand(&draw, call->model, alike || partners ? &like : NULL,
                                                                 asks && !i ? "bool" : one_type ? type : any_type(&draw));
    int usual = like.rank + 1 - (chance(&draw, 2) ? 2 : (int)below(&draw, 4)); /* axes in space, say */
    usual = usual < 1 ? 1 : usual;
    int given = (int)below(&draw, chance(&draw, 4) ? MOST_ATTRIBUTES : 3);
    if ((partners && chance(&draw, 2)) || (!*of->takes && !chance(&draw, 8)))
        given = 0;
    else if (*of->takes && !given && !chance(&draw, 3))
        given = 1 + (int)below(&draw, 2);
    for (int i = 0; i < given; i++)
        attributes[i] = any_attribute(&draw, of->takes, i, usual, names[i], ints[i]);
    if (mica_model_status(call->model) == MICA_OK)
        call->node = mica_op(in, count, &(mica_op_desc){.op = of->op->name, .attributes = attributes, .attribute_count = given,
                                                        .output = chance(&draw, 20) ? (int)below(&draw, 5) - 1 : 0});
}

static void check_result(const struct call *call)
{
    const char *error = mica_model_error(call->model);
    if (!call->node != (mica_model_status(call->model) != MICA_OK) || !call->node != (*error != 0) || strchr(error, '\n') ||
        mica_model_status(call->model) == MICA_INTERNAL)
        fail_msg("%s: node %p, error \"%s\"", call->text, (void *)call->node, error);
}

/* The model from its own description has the same last layer. */
static void check_description(const struct call *call, mica_device *device)
{
    cJSON *json = mi_model_describe(call->model);
    char *text = cJSON_PrintUnformatted(json);
    mica_model *again = mica_model_create(device, NULL);
    if (mica_model_add_json(again, text) != MICA_OK)
        fail_msg("%s: %s\n%s", call->text, mica_model_error(again), text);
    const mi_value *value = again->layers[again->layer_count - 1].value;
    if (!mi_shape_equal(&value->shape, &call->node->shape) || value->type != call->node->type)
        fail_msg("%s: another shape from\n%s", call->text, text);
    mica_model_destroy(again);
    cJSON_free(text);
    cJSON_Delete(json);
}

static void calls_of(mica_device *device, const struct mi_caller_op *of)
{
    int good = 0;
    for (int i = 0; i < calls; i++) {
        struct call call;
        make_call(&call, device, of, (uint64_t)i);
        check_result(&call);
        if (call.node && good++ % 8 == 0)
            check_description(&call, device);
        mica_model_destroy(call.model);
        device->error = (struct mi_error){0};
    }
    if (good == 0)
        fail_msg("%s: none of %d calls was good", of->op->name, calls);
}

static void test_calls(void **state)
{
    struct fixture *f = *state;
    for (const struct mi_caller_op *of = mi_caller_ops; of->op; of++)
        if (!only || strcmp(only, of->op->name) == 0)
            calls_of(&f->device, of);
}

/* ---- Running ---- */

/* Every input's values: small numbers, whole ones too. */
static void feed(mica_plan *plan, const struct mi_graph *graph, int64_t n)
{
    for (size_t i = 0; i < graph->input_count; i++) {
        size_t count = (size_t)mi_shape_count(&graph->inputs[i]->shape, n);
        float *values = mi_new(count + 1, sizeof *values);
        for (size_t k = 0; k < count; k++)
            values[k] = (float)((int)((k * 7 + i) % 9) - 2) * (i % 2 ? 0.5f : 1);
        mica_plan_write(plan, graph->inputs[i]->name, values, count); /* another plan may have left the input out */
        free(values);
    }
}

static int ran; /* plans */

static void check_steps(const struct call *call, mica_plan *plan, const char *output, const struct mi_shape *shape)
{
    static const int64_t samples[] = {BATCH, 0, 1};
    if (mica_plan_status(plan) == MICA_INTERNAL || strchr(mica_plan_error(plan), '\n'))
        fail_msg("%s: plan: %s", call->text, mica_plan_error(plan));
    if (mica_plan_status(plan) != MICA_OK)
        return;
    ran++;
    for (size_t i = 0; i < MI_COUNT(samples); i++) {
        int64_t n = samples[i], count = mi_shape_count(shape, n);
        float *values = mi_new((size_t)count + 1, sizeof *values);
        feed(plan, call->model->graph, n);
        mica_device_clear_error(call->model->device);
        if (mica_plan_run(plan, n) != MICA_OK || mica_plan_read(plan, output, values, (size_t)count) != MICA_OK)
            fail_msg("%s: %lld samples: %s", call->text, (long long)n, mica_device_error(call->model->device));
        free(values);
    }
}

/* Runs the plan, or remembers its kernels. */
static void finish(const struct call *call, mica_plan *plan, const char *output, const struct mi_shape *shape,
                   struct gathering *gathering)
{
    if (gathering)
        gather_plan(gathering, plan);
    else
        check_steps(call, plan, output, shape);
    mica_plan_destroy(plan);
    mica_device_clear_error(call->model->device);
}

static bool runs(const struct mi_caller_op *of, mica_device *device, uint64_t number, struct gathering *gathering)
{
    struct call call;
    make_call(&call, device, of, number);
    check_result(&call);
    bool good = call.node && mi_shape_count(&call.node->shape, BATCH) < 1 << 16;
    if (good) {
        const mi_value *node = call.node;
        mica_node *out = node->type == MI_FLOAT ? call.node : mica_op_cast(call.node, "float32");
        mica_node *loss = node->shape.rank ? mica_op_reduce_mean(out, NULL, 0, false) : out;
        mica_plan *plan = mica_compile(call.model, &(mica_plan_desc){.batch = BATCH, .outputs = &out, .output_count = 1});
        finish(&call, plan, mi_model_layer_of(call.model, out), &out->shape, gathering);
        plan = mica_compile(call.model, &(mica_plan_desc){.batch = BATCH, .loss = loss, .optimizer = {.type = "sgd"}});
        finish(&call, plan, "loss", &(struct mi_shape){0}, gathering);
    }
    mica_model_destroy(call.model);
    mica_device_clear_error(device);
    return good;
}

static void run_all(mica_device *device, struct gathering *gathering)
{
    for (const struct mi_caller_op *of = mi_caller_ops; of->op; of++)
        for (int i = 0, good = 0; i < calls && good < plans && (!only || strcmp(only, of->op->name) == 0); i++)
            good += runs(of, device, (uint64_t)i, gathering);
}

static void test_runs(void **state)
{
    mica_device *device = mica_device_open(NULL);
    struct gathering gathering = {0};
    struct mi_compiling told = gather_from(device);
    (void)state;
    run_all(device, &gathering);
    gather_build(&gathering, device, told);
    gather_end(&gathering);
    run_all(device, NULL);
    assert_true(only || !plans || ran > 100);
    mica_device_destroy(device);
    print_message("%d plans ran\n", ran);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_calls, fixture_begin, fixture_end),
                                       cmocka_unit_test(test_runs)};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--calls") == 0)
            calls = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--plans") == 0)
            plans = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = (uint64_t)atoll(argv[i + 1]);
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
    }
    return cmocka_run_group_tests_name("op_hostile", tests, NULL, NULL);
}
