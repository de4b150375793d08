/* Recurrent layers as they run: against the same network written otherwise, in parts or with other inputs; what is dropped; every
 * way to train. Their values and gradients are compared with PyTorch's in test_golden_layers.c. */
#include "nn/model.h"
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 5, UNITS = 4 };

static mica_model *described(mica_device *device, const char *json)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 11});
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    return model;
}

static void fill(float *values, int count, uint64_t which)
{
    for (int i = 0; i < count; i++)
        values[i] = 2 * mi_uniform(3, which, (uint64_t)i) - 1;
}

static void same(const char *what, const float *got, const float *want, int count)
{
    for (int i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= 2e-6f * fmaxf(1, fabsf(want[i]))))
            fail_msg("%s: element %d is %.9g, not %.9g", what, i, (double)got[i], (double)want[i]);
}

static void predict(mica_device *device, mica_model *model, const float *inputs, int64_t n, float *out, int count)
{
    assert_int_equal(mica_predict(model, inputs, n, out, (size_t)count), MICA_OK);
    golden_assert_fine(device);
}

/* Another model's variables by name, or those that are called otherwise there. */
static void copy(mica_model *to, const char *to_name, mica_model *from, const char *from_name, int count)
{
    float values[256];
    assert_true(count <= 256);
    assert_int_equal(mica_model_read(from, from_name, values, (size_t)count), MICA_OK);
    assert_int_equal(mica_model_write(to, to_name, values, (size_t)count), MICA_OK);
}

static void copy_cell(mica_model *to, const char *to_layer, mica_model *from, const char *from_layer, int gates, int features)
{
    const char *names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
    const int counts[] = {gates * UNITS * features, gates * UNITS * UNITS, gates * UNITS, gates * UNITS};
    for (int i = 0; i < 4; i++) {
        char a[64], b[64];
        mi_format(a, sizeof a, "%s.%s", to_layer, names[i]);
        mi_format(b, sizeof b, "%s.%s", from_layer, names[i]);
        copy(to, a, from, b, counts[i]);
    }
}

/* ---- Batches ---- */

#define CELL(type, keys) "{\"type\": \"" type "\", \"name\": \"r\", \"units\": 4" keys "}"
#define BOTH(type, keys)                                                                                                         \
    "{\"type\": \"bidirectional\", \"name\": \"r\", \"layer\": {\"type\": \"" type "\", \"units\": 4" keys "}}"
#define ON(shape, layers) "{\"input_shape\": " shape ", \"layers\": [" layers "]}"

static const char *const cells[] = {
    CELL("simple_rnn", ""), CELL("lstm", ""), CELL("gru", ""), CELL("gru", ", \"reset_after\": false"),
    CELL("lstm", ", \"return_sequences\": true, \"go_backwards\": true"),
    BOTH("lstm", ""), BOTH("gru", ", \"return_sequences\": true, \"go_backwards\": true"),
};

/* A plan for five samples gives each of them, alone and in part of a batch, what a plan for one gives. */
static void batches(void **state)
{
    for (size_t c = 0; c < MI_COUNT(cells); c++) {
        char json[256];
        float inputs[BATCH * 18], all[BATCH * 48], some[3 * 48], one[48];
        mi_format(json, sizeof json, ON("[6, 3]", "%s"), cells[c]);
        mica_model *model = described(*state, json);
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = BATCH});
        fill(inputs, BATCH * 18, 1);
        const struct mi_shape *shape = &model->graph->outputs[0]->shape;
        int each = (int)mi_shape_count(shape, 1);
        assert_true(each <= 48);
        mica_plan_write(plan, NULL, inputs, BATCH * 18);
        mica_plan_run(plan, BATCH);
        mica_plan_read(plan, NULL, all, (size_t)(BATCH * each));
        mica_plan_write(plan, NULL, inputs + 18, 3 * 18);
        mica_plan_run(plan, 3);
        mica_plan_read(plan, NULL, some, (size_t)(3 * each));
        golden_assert_fine(*state);
        same("part of a batch", some, all + each, 3 * each);
        for (int i = 0; i < BATCH; i++) {
            predict(*state, model, inputs + 18 * i, 1, one, each);
            same("one sample", one, all + i * each, each);
        }
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

/* ---- The same in parts ---- */

/* A thousand steps at once, and a hundred ten times, each beginning with the last states of those before. */
static void long_sequence(void **state)
{
    enum { STEPS = 1000, PART = 100 };
    static float inputs[2 * STEPS * 2];
    float h[2 * UNITS] = {0}, c[2 * UNITS] = {0}, whole[2 * UNITS];
    mica_model *at_once = described(*state, ON("[1000, 2]", CELL("lstm", "")));
    mica_model *parts = described(*state, "{\"layers\": [{\"type\": \"input\", \"name\": \"x\", \"shape\": [100, 2]}, "
        "{\"type\": \"input\", \"name\": \"h\", \"shape\": [4]}, {\"type\": \"input\", \"name\": \"c\", \"shape\": [4]}, "
        "{\"type\": \"lstm\", \"name\": \"r\", \"units\": 4, \"return_state\": true, \"inputs\": [\"x\", \"h\", \"c\"]}, "
        "{\"type\": \"activation\", \"activation\": \"linear\", \"name\": \"next_c\", \"inputs\": [\"r:2\"]}]}");
    mica_node *outputs[] = {mica_model_node(parts, "r"), mica_model_node(parts, "next_c")};
    copy_cell(parts, "r", at_once, "r", 4, 2);
    mica_plan *plan = mica_compile(parts, &(mica_plan_desc){.batch = 2, .outputs = outputs, .output_count = 2});
    golden_assert_fine(*state);
    fill(inputs, 2 * STEPS * 2, 2);
    predict(*state, at_once, inputs, 2, whole, 2 * UNITS);
    for (int p = 0; p < STEPS / PART; p++) {
        float part[2 * PART * 2];
        for (int n = 0; n < 2; n++)
            memcpy(part + n * PART * 2, inputs + (n * STEPS + p * PART) * 2, PART * 2 * sizeof *part);
        mica_plan_write(plan, "x", part, 2 * PART * 2);
        mica_plan_write(plan, "h", h, 2 * UNITS);
        mica_plan_write(plan, "c", c, 2 * UNITS);
        mica_plan_run(plan, 2);
        mica_plan_read(plan, "r", h, 2 * UNITS);
        mica_plan_read(plan, "next_c", c, 2 * UNITS);
    }
    golden_assert_fine(*state);
    same("the last state", h, whole, 2 * UNITS);
    mica_plan_destroy(plan);
    mica_model_destroy(parts);
    mica_model_destroy(at_once);
}

/* Behind a table of rows, and behind a convolution: the same as with these as inputs. */
static void behind_others(void **state)
{
    float rows[7 * 3], fed[2 * 6 * 3], got[2 * UNITS], want[2 * UNITS], seen[2 * 3 * 6];
    const float words[2 * 6] = {0, 6, 2, 2, 5, 1, 3, 4, 0, 1, 6, 6};
    mica_model *plain = described(*state, ON("[6, 3]", CELL("gru", "")));
    mica_model *table = described(*state, "{\"layers\": [{\"type\": \"input\", \"shape\": [6], \"integer\": true}, {\"type\": \"embedding\", "
                                          "\"name\": \"e\", \"input_dim\": 7, \"output_dim\": 3}, " CELL("gru", "") "]}");
    copy_cell(table, "r", plain, "r", 3, 3);
    assert_int_equal(mica_model_read(table, "e.weight", rows, 21), MICA_OK);
    for (int i = 0; i < 12; i++)
        memcpy(fed + 3 * i, rows + 3 * (int)words[i], 3 * sizeof *fed);
    predict(*state, table, words, 2, got, 2 * UNITS);
    predict(*state, plain, fed, 2, want, 2 * UNITS);
    same("behind a table", got, want, 2 * UNITS);
    mica_model_destroy(table);

    mica_model *image = described(*state, ON("[2, 8]", "{\"type\": \"conv1d\", \"name\": \"conv\", \"filters\": 3, \"kernel_size\": 3}, "
                                             "{\"type\": \"permute\", \"dims\": [2, 1]}, " CELL("gru", "")));
    copy_cell(image, "r", plain, "r", 3, 3);
    mica_node *filters = mica_model_node(image, "conv");
    mica_plan *plan = mica_compile(image, &(mica_plan_desc){.batch = 2, .outputs = &filters, .output_count = 1});
    float pixels[2 * 16];
    fill(pixels, 32, 4);
    mica_plan_write(plan, NULL, pixels, 32);
    mica_plan_run(plan, 2);
    mica_plan_read(plan, "conv", seen, 36);
    for (int i = 0; i < 36; i++)
        fed[i / 18 * 18 + i % 6 * 3 + i / 6 % 3] = seen[i];
    predict(*state, image, pixels, 2, got, 2 * UNITS);
    predict(*state, plain, fed, 2, want, 2 * UNITS);
    same("behind a convolution", got, want, 2 * UNITS);
    mica_plan_destroy(plan);
    mica_model_destroy(image);
    mica_model_destroy(plain);
}

/* ---- A layer that is used again ---- */

#define SEQUENCES(name) "{\"type\": \"lstm\", \"name\": \"" name "\", \"units\": 4, \"return_sequences\": true}, "
#define MEAN "{\"type\": \"permute\", \"dims\": [2, 1]}, {\"type\": \"global_average_pooling\"}"

/* One step of SGD, and what it adds to two variables. */
static void step(mica_device *device, mica_model *model, const char *const names[2], int count, float change[2][64])
{
    const mica_objective goal = {.loss = "mse"};
    float inputs[BATCH * 24], targets[BATCH * UNITS], after[64];
    fill(inputs, BATCH * 24, 5);
    fill(targets, BATCH * UNITS, 6);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mica_model_read(model, names[i], change[i], (size_t)count), MICA_OK);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .objectives = &goal, .objective_count = 1,
                                                            .optimizer = {"sgd", {{"learning_rate", 1}}}});
    mica_plan_write(plan, "input", inputs, BATCH * 24);
    mica_plan_write(plan, "output_target", targets, BATCH * UNITS);
    mica_plan_run(plan, BATCH);
    golden_assert_fine(device);
    mica_plan_destroy(plan);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mica_model_read(model, names[i], after, (size_t)count), MICA_OK);
        for (int k = 0; k < count; k++)
            change[i][k] = after[k] - change[i][k];
    }
}

/* Its gradient is the sum of those of two layers with the same parameters. */
static void again(void **state)
{
    static const char *const names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"};
    for (int v = 0; v < 3; v++) {
        float once[2][64], apart[2][64], largest = 0;
        char r[32], s[32];
        mica_model *shared = described(*state, ON("[6, 4]", SEQUENCES("r") "{\"layer\": \"r\", \"name\": \"s\"}, " MEAN));
        mica_model *two = described(*state, ON("[6, 4]", SEQUENCES("r") SEQUENCES("s") MEAN));
        assert_int_equal(mica_model_variable_count(shared), 4);
        copy_cell(two, "r", shared, "r", 4, 4);
        copy_cell(two, "s", shared, "r", 4, 4);
        mi_format(r, sizeof r, "r.%s", names[v]);
        mi_format(s, sizeof s, "s.%s", names[v]);
        step(*state, shared, (const char *[]){r, r}, v < 2 ? 64 : 16, once);
        step(*state, two, (const char *[]){r, s}, v < 2 ? 64 : 16, apart);
        for (int i = 0; i < (v < 2 ? 64 : 16); i++) {
            apart[0][i] += apart[1][i];
            largest = fmaxf(largest, fabsf(apart[0][i]));
        }
        assert_true(largest > 1e-3f);
        same(names[v], once[0], apart[0], v < 2 ? 64 : 16);
        mica_model_destroy(shared);
        mica_model_destroy(two);
    }
}

/* ---- What is dropped ---- */

enum { SAMPLES = 64, STEPS = 7, WIDE = 32, COUNT = SAMPLES * STEPS * WIDE };

/* What a layer that adds nothing of its own makes of ones, or of ones in the first step alone. */
static void run(mica_device *device, const char *keys, bool training, bool first_alone, uint64_t step_number, float *out)
{
    static float ones[COUNT];
    char json[512];
    mi_format(json, sizeof json, "{\"input_shape\": [%d, %d], \"layers\": [{\"type\": \"simple_rnn\", \"units\": %d, \"activation\": \"linear\", "
              "\"use_bias\": false, \"kernel_initializer\": \"identity\", \"return_sequences\": true, %s}]}", STEPS, WIDE, WIDE, keys);
    mica_model *model = described(device, json);
    for (int i = 0; i < COUNT; i++)
        ones[i] = !first_alone || i / WIDE % STEPS == 0;
    golden_run(model, training, ones, SAMPLES, &(struct mi_step){.n = SAMPLES, .step = step_number, .seed = 42}, out);
    mica_model_destroy(model);
}

#define OF_X "\"recurrent_initializer\": \"zeros\", \"dropout\": 0.5"
#define OF_H "\"recurrent_initializer\": \"identity\", \"recurrent_dropout\": 0.5"

/* An element of x is dropped in all steps or in none; so is one of h, which doubles in each step where it stays. */
static void dropped(void **state)
{
    static float y[COUNT], other[COUNT];
    static const char *const keys[] = {OF_X, OF_H, OF_X ", \"recompute\": true"};
    for (int way = 0; way < 3; way++) {
        bool recurrent = way == 1;
        int zeros = 0;
        run(*state, keys[way], true, recurrent, 3, y);
        for (int n = 0; n < SAMPLES; n++)
            for (int c = 0; c < WIDE; c++) {
                const float *at = y + n * STEPS * WIDE + c;
                float kept = at[WIDE];
                assert_true(kept < 1e-30f || fabsf(kept - 2) < 1e-6f);
                zeros += kept < 1;
                for (int t = recurrent ? 1 : 0; t < STEPS; t++)
                    assert_true(fabsf(at[t * WIDE] - (kept < 1 ? 0 : recurrent ? powf(2, (float)t) : 2)) < 1e-6f);
            }
        /* Five standard errors. */
        assert_true(fabs(zeros / (double)(SAMPLES * WIDE) - 0.5) < 5 * sqrt(0.25 / (SAMPLES * WIDE)));
        run(*state, keys[way], true, recurrent, 4, other);
        assert_memory_not_equal(y, other, sizeof y);
        run(*state, keys[way], false, recurrent, 3, other);
        for (int i = 0; i < COUNT; i++)
            assert_true(fabsf(other[i] - 1) < 1e-6f);
    }
}

/* ---- Every way to train ---- */

enum { RUNS = 6 };

#define PENALTY ", \"recurrent_regularizer\": \"l2\", \"kernel_regularizer\": \"l2\", \"dropout\": 0.25, \"recurrent_dropout\": 0.25"
#define NETWORK ON("[6, 3]", "{\"type\": \"bidirectional\", \"layer\": {\"type\": \"lstm\", \"units\": 4, \"return_sequences\": true" PENALTY "}}, " \
                             "{\"type\": \"gru\", \"units\": 4" PENALTY "}, {\"type\": \"dense\", \"units\": 4}")

/* Losses of some steps, with batches of different sizes, and a parameter at the end. */
static void train(mica_device *device, mica_type precision, float loss[RUNS], float weight[48])
{
    const mica_objective goal = {.loss = "mse"};
    float inputs[BATCH * 18], targets[BATCH * UNITS];
    mica_model *model = described(device, NETWORK);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){
        .batch = BATCH, .objectives = &goal, .objective_count = 1, .precision = precision,
        .optimizer = {"adam", {{"learning_rate", 0.02}, {"gradient_accumulation_steps", 2}, {"global_clipnorm", 0.5}}}});
    for (int r = 0; r < RUNS; r++) {
        int n = r % 3 == 1 ? 1 : r % 3 == 2 ? 3 : BATCH;
        double told = 0;
        fill(inputs, BATCH * 18, 8);
        fill(targets, BATCH * UNITS, 9);
        mica_plan_reset_metrics(plan);
        mica_plan_write(plan, "input", inputs, (size_t)n * 18);
        mica_plan_write(plan, "output_target", targets, (size_t)n * UNITS);
        mica_plan_run(plan, n);
        mica_plan_metrics(plan, &told, 1);
        loss[r] = (float)told;
    }
    mica_model_read(model, "gru.weight_hh_l0", weight, 48);
    golden_assert_fine(device);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* The same twice, bit for bit; nearly the same with every tensor in a buffer of its own that was filled with NaN, and in 16 bits. */
static void ways_to_train(void **state)
{
    float loss[RUNS], weight[48], loss_again[RUNS], weight_again[48];
    mica_device *debug = mica_device_open(&(mica_device_desc){.debug = true});
    train(*state, MICA_FLOAT32, loss, weight);
    train(*state, MICA_FLOAT32, loss_again, weight_again);
    assert_memory_equal(loss, loss_again, sizeof loss);
    assert_memory_equal(weight, weight_again, sizeof weight);
    assert_true(loss[3] < loss[0]);
    train(debug, MICA_FLOAT32, loss_again, weight_again);
    same("loss in the debug mode", loss_again, loss, RUNS);
    for (int i = 0; i < 48; i++)
        assert_true(fabsf(weight_again[i] - weight[i]) < 1e-4f);
    mica_device_destroy(debug);
    for (int t = 0; t < 2; t++) {
        train(*state, t ? MICA_BFLOAT16 : MICA_FLOAT16, loss_again, weight_again);
        for (int r = 0; r < RUNS; r++)
            if (!(fabsf(loss_again[r] - loss[r]) < 0.02f * loss[r]))
                fail_msg("%s: loss %d is %g, not %g", t ? "bfloat16" : "float16", r, (double)loss_again[r], (double)loss[r]);
    }
}

/* A step that names one layer changes that alone, and a plan beside it sees the change. */
static void named(void **state)
{
    const mica_objective goal = {.loss = "mse"};
    float inputs[BATCH * 18], targets[BATCH * UNITS], before[BATCH * UNITS], after[BATCH * UNITS], kept[2][64], now[2][64];
    const char *names[] = {"lstm.weight_hh_l0", "gru.weight_ih_l0"};
    const size_t counts[] = {64, 48};
    mica_model *model = described(*state, ON("[6, 3]", "{\"type\": \"lstm\", \"units\": 4, \"return_sequences\": true}, {\"type\": \"gru\", \"units\": 4}"));
    mica_plan *answers = mica_compile(model, &(mica_plan_desc){.batch = BATCH});
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .objectives = &goal, .objective_count = 1, .train = "lstm*"});
    fill(inputs, BATCH * 18, 8);
    fill(targets, BATCH * UNITS, 9);
    mica_plan_write(answers, NULL, inputs, BATCH * 18);
    mica_plan_run(answers, BATCH);
    mica_plan_read(answers, NULL, before, BATCH * UNITS);
    for (int i = 0; i < 2; i++)
        mica_model_read(model, names[i], kept[i], counts[i]);
    mica_plan_write(plan, "input", inputs, BATCH * 18);
    mica_plan_write(plan, "output_target", targets, BATCH * UNITS);
    mica_plan_run(plan, BATCH);
    mica_plan_run(answers, BATCH);
    mica_plan_read(answers, NULL, after, BATCH * UNITS);
    for (int i = 0; i < 2; i++)
        mica_model_read(model, names[i], now[i], counts[i]);
    golden_assert_fine(*state);
    assert_memory_not_equal(now[0], kept[0], counts[0] * sizeof(float));
    assert_memory_equal(now[1], kept[1], counts[1] * sizeof(float));
    assert_memory_not_equal(before, after, sizeof before);
    mica_plan_destroy(plan);
    mica_plan_destroy(answers);
    mica_model_destroy(model);
}

/* A file holds all of it: the same outputs, bit for bit. */
static void file(void **state)
{
    static const char path[] = "test_recurrent.safetensors";
    float inputs[3 * 18], before[3 * UNITS], after[3 * UNITS];
    mica_model *model = described(*state, NETWORK);
    fill(inputs, 3 * 18, 10);
    predict(*state, model, inputs, 3, before, 3 * UNITS);
    assert_int_equal(mica_model_save(model, path), MICA_OK);
    mica_model_destroy(model);
    model = mica_model_load(*state, path);
    golden_assert_fine(*state);
    predict(*state, model, inputs, 3, after, 3 * UNITS);
    assert_memory_equal(before, after, sizeof before);
    mica_model_destroy(model);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches), cmocka_unit_test(long_sequence), cmocka_unit_test(behind_others), cmocka_unit_test(again),
        cmocka_unit_test(dropped), cmocka_unit_test(ways_to_train), cmocka_unit_test(named),         cmocka_unit_test(file),
    };
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
