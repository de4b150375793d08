/* Plans that train: a loss made of layers, the variables that may change, layers that are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static void assert_near(float got, double wanted)
{
    if (!(fabs((double)got - wanted) <= 1e-5 * (1 + fabs(wanted))))
        fail_msg("%g instead of %g", (double)got, wanted);
}

static void assert_fine(mica_model *model)
{
    if (mica_model_status(model) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
}

static mica_plan *compile(mica_model *model, const mica_plan_desc *desc)
{
    mica_plan *plan = mica_compile(model, desc);
    if (mica_plan_status(plan) != MICA_OK)
        fail_msg("%s", mica_plan_error(plan));
    return plan;
}

static void write_all(mica_plan *plan, const char *name, const float *values, size_t count)
{
    if (mica_plan_write(plan, name, values, count) != MICA_OK)
        fail_msg("%s", mica_plan_error(plan));
}

static float read_one(mica_plan *plan, const char *name)
{
    float value = 0;
    if (mica_plan_read(plan, name, &value, 1) != MICA_OK)
        fail_msg("%s", mica_plan_error(plan));
    return value;
}

static const mica_initializer ones = {.type = "ones"};

/* y = w x + b: the gradients are means of 2 (y - t) x and of 2 (y - t). */
static void test_line(void **state)
{
    mica_device *device = *state;
    mica_model *model = mica_model_create(device, NULL);
    const float x[3] = {1, 2, -1}, t[3] = {3, 5, 0};
    double w = 1, b = 0;
    float got;
    mica_node *in = mica_input(model, "x", MICA_SHAPE(1)), *target = mica_input(model, "t", MICA_SHAPE(1));
    mica_node *y = mica_dense(in, &(mica_dense_desc){.name = "line", .units = 1, .kernel.initializer = ones});
    mica_node *loss = mica_mean_squared_error(y, target, &(mica_loss_desc){.name = "square"});
    assert_fine(model);
    mica_plan *plan = compile(model, &(mica_plan_desc){.batch = 3, .loss = loss, .outputs = &y, .output_count = 1,
                                                        .optimizer = {"sgd", {{"learning_rate", 0.1}}}});
    write_all(plan, "x", x, 3);
    write_all(plan, "t", t, 3);
    for (int step = 0; step < 5; step++) {
        double dw = 0, db = 0, sum = 0, first = w * (double)x[0] + b;
        if (step == 3)
            assert_int_equal(mica_plan_set(plan, "learning_rate", 0.05), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 3), MICA_OK);
        for (int i = 0; i < 3; i++) {
            double off = w * (double)x[i] + b - (double)t[i];
            dw += 2 * off * (double)x[i] / 3;
            db += 2 * off / 3;
            sum += off * off / 3;
        }
        w -= (step < 3 ? 0.1 : 0.05) * dw;
        b -= (step < 3 ? 0.1 : 0.05) * db;
        assert_near(read_one(plan, "loss"), sum); /* before the update */
        assert_int_equal(mica_plan_read(plan, "line", &got, 1), MICA_OK);
        assert_near(got, first);
        assert_int_equal(mica_model_read(model, "line.weight", &got, 1), MICA_OK);
        assert_near(got, w);
        assert_int_equal(mica_model_read(model, "line.bias", &got, 1), MICA_OK);
        assert_near(got, b);
    }
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* Two plans over one model change each its own variables, take each its own inputs, and see what the other did. */
static void test_in_turn(void **state)
{
    mica_device *device = *state;
    mica_model *model = mica_model_create(device, NULL);
    const float one[2] = {1, 2}, zero[2] = {0, 0};
    float first, second, before;
    mica_node *noise = mica_input(model, "noise", MICA_SHAPE(1)), *unused = mica_input(model, "unused", MICA_SHAPE(2));
    mica_node *target = mica_input(model, "target", MICA_SHAPE(1));
    mica_node *a = mica_dense(noise, &(mica_dense_desc){.name = "first.line", .units = 1, .kernel.initializer = ones, .no_bias = true});
    mica_node *b = mica_dense(a, &(mica_dense_desc){.name = "second.line", .units = 1, .kernel.initializer = ones, .no_bias = true});
    mica_output(model, "other", mica_dense(unused, &(mica_dense_desc){.name = "third", .units = 1}));
    mica_node *loss = mica_mean_squared_error(b, target, NULL);
    assert_fine(model);
    mica_plan *of_first = compile(model, &(mica_plan_desc){.batch = 2, .loss = loss, .train = "first.*",
                                                            .optimizer = {"sgd", {{"learning_rate", 0.01}}}});
    mica_plan *of_second = compile(model, &(mica_plan_desc){.batch = 2, .loss = loss, .train = "second.*",
                                                             .optimizer = {"sgd", {{"learning_rate", 0.01}}}});
    assert_int_equal(mica_plan_write(of_first, "unused", one, 2), MICA_INVALID_ARGUMENT); /* no input of this plan */
    mica_device_clear_error(device);
    double w1 = 1, w2 = 1;
    for (int step = 0; step < 4; step++) {
        mica_plan *plan = step % 2 ? of_second : of_first;
        write_all(plan, "noise", one, 2);
        write_all(plan, "target", zero, 2);
        assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
        double gradient = 2 * w1 * w2 * (1 + 4) / 2.0; /* of the product, by either factor times the other */
        if (step % 2)
            w2 -= 0.01 * gradient * w1;
        else
            w1 -= 0.01 * gradient * w2;
        assert_int_equal(mica_model_read(model, "first.line.weight", &first, 1), MICA_OK);
        assert_int_equal(mica_model_read(model, "second.line.weight", &second, 1), MICA_OK);
        assert_near(first, w1);
        assert_near(second, w2);
    }
    before = second;
    assert_true(before < 1);
    mica_plan_destroy(of_first);
    mica_plan_destroy(of_second);
    mica_model_destroy(model);
}

/* A normalisation that is used twice: its running mean takes the first use, then the second; a plan that does not train it reads
 * it; and one that needs the second use alone takes that alone. */
static void test_statistics(void **state)
{
    mica_device *device = *state;
    mica_model *model = mica_model_create(device, NULL);
    const float x[2] = {1, 3}, z[2] = {10, 14}, t[2] = {0, 0};
    float mean, again;
    mica_node *in[2] = {mica_input(model, "x", MICA_SHAPE(1)), mica_input(model, "z", MICA_SHAPE(1))};
    mica_node *target = mica_input(model, "t", MICA_SHAPE(1));
    mica_node *first = mica_batch_normalization(in[0], &(mica_batch_normalization_desc){.name = "norm", .momentum = 0.5f});
    mica_node *second = mica_again(model, "norm", &in[1], 1, "norm_of_z");
    mica_node *head = mica_dense(mica_add((mica_node *[]){first, second}, 2, NULL), &(mica_dense_desc){.name = "head", .units = 1});
    mica_node *alone = mica_again(model, "head", &second, 1, NULL);
    assert_fine(model);
    mica_node *both = mica_mean_squared_error(head, target, NULL), *one = mica_mean_squared_error(alone, target, NULL);
    assert_fine(model);
    mica_plan *all = compile(model, &(mica_plan_desc){.batch = 2, .loss = both, .optimizer = {"sgd"}});
    write_all(all, "x", x, 2);
    write_all(all, "z", z, 2);
    write_all(all, "t", t, 2);
    assert_int_equal(mica_plan_run(all, 2), MICA_OK);
    assert_int_equal(mica_model_read(model, "norm.running_mean", &mean, 1), MICA_OK);
    assert_near(mean, (0 * 0.5 + 2 * 0.5) * 0.5 + 12 * 0.5);

    mica_plan *still = compile(model, &(mica_plan_desc){.batch = 2, .loss = both, .train = "head.*", .optimizer = {"sgd"}});
    write_all(still, "x", x, 2);
    write_all(still, "z", z, 2);
    write_all(still, "t", t, 2);
    assert_int_equal(mica_plan_run(still, 2), MICA_OK);
    assert_int_equal(mica_model_read(model, "norm.running_mean", &again, 1), MICA_OK);
    assert_near(again, (double)mean);

    mica_plan *of_z = compile(model, &(mica_plan_desc){.batch = 2, .loss = one, .optimizer = {"sgd"}});
    assert_int_equal(mica_plan_write(of_z, "x", x, 2), MICA_INVALID_ARGUMENT);
    mica_device_clear_error(device);
    write_all(of_z, "z", z, 2);
    write_all(of_z, "t", t, 2);
    assert_int_equal(mica_plan_run(of_z, 2), MICA_OK);
    assert_int_equal(mica_model_read(model, "norm.running_mean", &again, 1), MICA_OK);
    assert_near(again, (double)mean * 0.5 + 12 * 0.5);
    mica_plan_destroy(all);
    mica_plan_destroy(still);
    mica_plan_destroy(of_z);
    mica_model_destroy(model);
}

/* A group that is used again has the gradients of both uses, and comes back from a file. */
static void test_group(void **state)
{
    mica_device *device = *state;
    mica_model *model = mica_model_create(device, NULL);
    const float x[1] = {2}, z[1] = {3}, t[1] = {0};
    float weight, got[2], back[2];
    mica_node *in[2] = {mica_input(model, "x", MICA_SHAPE(1)), mica_input(model, "z", MICA_SHAPE(1))};
    mica_node *target = mica_input(model, "t", MICA_SHAPE(1));
    assert_int_equal(mica_group_begin(model, "tower", in, 1), MICA_OK);
    mica_node *y = mica_dense(in[0], &(mica_dense_desc){.name = "in", .units = 1, .kernel.initializer = ones, .no_bias = true});
    y = mica_dense(y, &(mica_dense_desc){.units = 1, .kernel.initializer = ones, .no_bias = true});
    y = mica_group_end(model, y);
    mica_node *twin = mica_again(model, "tower", &in[1], 1, "twin");
    mica_node *sum = mica_add((mica_node *[]){y, twin}, 2, "sum");
    mica_node *loss = mica_mean_squared_error(sum, target, NULL);
    mica_output(model, NULL, sum);
    assert_fine(model);
    assert_int_equal(mica_model_parameter_count(model), 2);
    mica_plan *plan = compile(model, &(mica_plan_desc){.loss = loss, .optimizer = {"sgd", {{"learning_rate", 0.001}}}});
    write_all(plan, "x", x, 1);
    write_all(plan, "z", z, 1);
    write_all(plan, "t", t, 1);
    assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
    assert_int_equal(mica_model_read(model, "tower.in.weight", &weight, 1), MICA_OK);
    assert_near(weight, 1 - 0.001 * 2 * 5 * 5);
    assert_int_equal(mica_model_read(model, "tower.dense.weight", &weight, 1), MICA_OK);
    assert_near(weight, 1 - 0.001 * 2 * 5 * 5);
    mica_plan_destroy(plan);

    assert_int_equal(mica_model_save(model, "step_group.safetensors"), MICA_OK);
    mica_model *loaded = mica_model_load(device, "step_group.safetensors");
    assert_fine(loaded);
    mica_model *models[] = {model, loaded};
    float *out[] = {got, back};
    for (int i = 0; i < 2; i++) {
        plan = compile(models[i], NULL);
        write_all(plan, "x", x, 1);
        write_all(plan, "z", z, 1);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read(plan, NULL, out[i], 1), MICA_OK);
        mica_plan_destroy(plan);
    }
    assert_memory_equal(got, back, sizeof *got);
    mica_model_destroy(loaded);
    mica_model_destroy(model);
}

/* One step of sgd from a gradient of (3, 4) and one of 12: the norms are 5, 12 and 13. */
static void test_clipping(void **state)
{
    static const struct {
        const char *key;
        double value, first, second, third;
    } cases[] = {
        {"clipvalue", 3.5, 3, 3.5, 3.5}, {"clipnorm", 2.5, 1.5, 2, 2.5}, {"global_clipnorm", 6.5, 1.5, 2, 6},
        {"global_clipnorm", 20, 3, 4, 12},
    };
    mica_device *device = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_model *model = mica_model_create(device, NULL);
        const float x[2] = {0.25f, 1.0f / 3}, t[1] = {0};
        float got[2];
        mica_node *in = mica_input(model, "x", MICA_SHAPE(2)), *target = mica_input(model, "t", MICA_SHAPE(1));
        mica_node *y = mica_dense(in, &(mica_dense_desc){.name = "line", .units = 1, .bias.initializer = {"constant", 6}});
        mica_node *loss = mica_mean_squared_error(y, target, NULL);
        mica_plan *plan = compile(model, &(mica_plan_desc){
            .loss = loss, .optimizer = {"sgd", {{"learning_rate", 1}, {cases[i].key, cases[i].value}}}});
        const float zeros[2] = {0, 0};
        assert_int_equal(mica_model_write(model, "line.weight", zeros, 2), MICA_OK);
        write_all(plan, "x", x, 2);
        write_all(plan, "t", t, 1);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_model_read(model, "line.weight", got, 2), MICA_OK);
        assert_near(got[0], -cases[i].first);
        assert_near(got[1], -cases[i].second);
        assert_int_equal(mica_model_read(model, "line.bias", got, 1), MICA_OK);
        assert_near(got[0], 6 - cases[i].third);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

static void assert_refused(mica_model *model, const mica_plan_desc *desc, const char *says)
{
    mica_plan *plan = mica_compile(model, desc);
    assert_int_not_equal(mica_plan_status(plan), MICA_OK);
    if (!strstr(mica_plan_error(plan), says))
        fail_msg("\"%s\" says nothing of \"%s\"", mica_plan_error(plan), says);
    mica_plan_destroy(plan);
}

static void test_refused(void **state)
{
    mica_device *device = *state;
    mica_model *model = mica_model_create(device, NULL), *other = mica_model_create(device, NULL);
    mica_node *in = mica_input(model, "x", MICA_SHAPE(2)), *target = mica_input(model, "t", MICA_SHAPE(1));
    mica_node *y = mica_dense(in, &(mica_dense_desc){.name = "line", .units = 1}), *strange = mica_input(other, "x", MICA_SHAPE(1));
    mica_node *loss = mica_mean_squared_error(y, target, NULL), *none = NULL;
    mica_output(model, NULL, y);
    assert_fine(model);
    assert_refused(model, &(mica_plan_desc){.loss = loss, .optimizer = {"adm"}}, "did you mean \"adam\"?");
    assert_refused(model, &(mica_plan_desc){.loss = loss, .optimizer = {"adam", {{"beta1", 0.5}}}}, "did you mean \"beta_1\"?");
    assert_refused(model, &(mica_plan_desc){.loss = loss, .optimizer = {"sgd", {{"learning_rate", -1}}}}, "must be at least 0, not -1");
    assert_refused(model, &(mica_plan_desc){.loss = loss, .train = "lines.*"}, "\"lines.*\"");
    assert_refused(model, &(mica_plan_desc){.loss = strange}, "another model");
    assert_refused(model, &(mica_plan_desc){.outputs = &none, .output_count = 1}, "NULL");
    mica_plan *plan = compile(model, NULL);
    assert_int_equal(mica_plan_set(plan, "learning_rate", 1), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_plan_set(plan, "rate", 1), MICA_INVALID_ARGUMENT);
    mica_plan_destroy(plan);

    assert_null(mica_again(model, "lime", &in, 1, NULL));
    assert_non_null(strstr(mica_model_error(model), "\"lime\""));
    mica_model_destroy(other);
    mica_model_destroy(model);
    model = mica_model_create(device, NULL);
    in = mica_input(model, "x", MICA_SHAPE(2));
    mica_dense(in, &(mica_dense_desc){.name = "line", .units = 1});
    mica_node *wide = mica_input(model, "wide", MICA_SHAPE(3));
    assert_null(mica_again(model, "line", &wide, 1, NULL)); /* its weight has two columns */
    assert_non_null(strstr(mica_model_error(model), "weight"));
    mica_model_destroy(model);
}

/* ---- A layer of the application's own ---- */

/* Two dense layers, the second of as many units as came in, added to x. */
static mica_node *residual(mica_model *model, mica_node *const *x, int count, mica_layer_keys *keys)
{
    int *calls = mica_layer_user(keys);
    int64_t units = mica_node_shape(x[0]).dim[0];
    (void)model;
    if (count != 1)
        return NULL;
    (*calls)++;
    mica_node *y = mica_dense(x[0], &(mica_dense_desc){.units = (int64_t)mica_layer_number(keys, "hidden", 4),
                                                       .activation = mica_layer_text(keys, "activation", "relu")});
    y = mica_dense(y, &(mica_dense_desc){.name = "back", .units = units});
    return mica_add((mica_node *[]){x[0], y}, 2, NULL);
}

static void test_own(void **state)
{
    static const char good[] = "{\"input_shape\": [3], \"layers\": [{\"type\": \"residual\", \"hidden\": 5}, "
                               "{\"type\": \"residual\", \"name\": \"last\", \"activation\": \"tanh\"}, "
                               "{\"layer\": \"residual\"}]}";
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"{\"input_shape\": [3], \"layers\": [{\"type\": \"residual\", \"hiden\": 5}]}",
         "layers[0]: there is no key \"hiden\"; did you mean \"hidden\"?"},
        {"{\"input_shape\": [3], \"layers\": [{\"type\": \"residual\", \"hidden\": \"5\"}]}", "layers[0].hidden: must be a number"},
        {"{\"input_shape\": [3], \"layers\": [{\"type\": \"residual\", \"hidden\": 0}]}", "units must be at least 1"},
        {"{\"input_shape\": [3], \"layers\": [{\"type\": \"residual\", \"hidden\": 3, \"inputs\": [\"input\", \"input\"]}]}",
         "layers[0]: residual gave no node of 2 inputs"},
        {"{\"input_shape\": [3], \"layers\": [{\"type\": \"resdual\"}]}", "no layer type \"resdual\"; did you mean \"residual\"?"},
        {"{\"input_shape\": [3], \"layers\": [{\"type\": \"unheard\"}]}", "no layer type \"unheard\"; there are \"residual\", \"input\""},
    };
    mica_device *device = *state;
    int calls = 0;
    float got[2][3];
    const float x[3] = {1, -2, 0.5f};
    assert_int_equal(mica_layer_register(device, "residual", residual, &calls), MICA_OK);
    assert_int_equal(mica_layer_register(device, "residual", residual, &calls), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_layer_register(device, "dense", residual, &calls), MICA_INVALID_ARGUMENT);
    mica_device_clear_error(device);
    mica_model *model = mica_model_create(device, NULL);
    if (mica_model_add_json(model, good) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    assert_int_equal(calls, 2);
    assert_int_equal(mica_model_parameter_count(model), 3 * 5 + 5 + 5 * 3 + 3 + 3 * 4 + 4 + 4 * 3 + 3);
    assert_string_equal(mica_model_variable_name(model, 2), "residual.back.weight");
    assert_int_equal(mica_model_save(model, "step_own.safetensors"), MICA_OK);
    mica_model *models[2] = {model, mica_model_load(device, "step_own.safetensors")};
    assert_int_equal(calls, 2); /* a file has the layers one by one */
    for (int i = 0; i < 2; i++) {
        mica_plan *plan = compile(models[i], NULL);
        write_all(plan, NULL, x, 3);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read(plan, NULL, got[i], 3), MICA_OK);
        mica_plan_destroy(plan);
        mica_model_destroy(models[i]);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        model = mica_model_create(device, NULL);
        assert_int_not_equal(mica_model_add_json(model, bad[i].json), MICA_OK);
        if (!strstr(mica_model_error(model), bad[i].says))
            fail_msg("\"%s\" says nothing of \"%s\"", mica_model_error(model), bad[i].says);
        mica_model_destroy(model);
    }
}

static int open_one(void **state)
{
    *state = mica_device_open(NULL);
    return mica_device_status(*state);
}

static int close_one(void **state)
{
    mica_device_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_line),     cmocka_unit_test(test_in_turn),  cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_group),    cmocka_unit_test(test_clipping), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, open_one, close_one);
}
