/* Job files: every kind of mistake gives one line that names it; overrides; what a good job opens as. */
#include "support/files.h"
#include "train/golden.h"
#include "job/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char good[] =
    "{\"model\": {\"layers\": [{\"type\": \"dense\", \"name\": \"d\", \"units\": 3, \"activation\": \"relu\"},\n"
    "  {\"type\": \"dense\", \"units\": 2}]},\n"
    " \"data\": {\"format\": \"csv\", \"path\": \"test_job.csv\", \"label\": \"kind\", \"split\": [0.5, 0.25, 0.25]},\n"
    " \"loss\": \"sparse_categorical_crossentropy\", \"metrics\": [\"accuracy\"],\n"
    " \"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.01}, \"batch_size\": 4, \"epochs\": 2, \"seed\": 3}";

/* The same with every other key, each of them null. */
static const char with_nulls[] =
    "{\"model\": {\"input_shape\": null, \"outputs\": null, \"weights\": null, \"partial\": null, \"layers\": [\n"
    "  {\"type\": \"dense\", \"name\": \"d\", \"units\": 3, \"activation\": \"relu\", \"use_bias\": null, \"inputs\": null,\n"
    "   \"kernel_initializer\": null, \"bias_initializer\": {\"type\": \"zeros\", \"value\": null}},\n"
    "  {\"type\": \"dense\", \"units\": 2, \"name\": null, \"activation\": null}]},\n"
    " \"data\": {\"format\": \"csv\", \"path\": \"test_job.csv\", \"label\": \"kind\", \"split\": [0.5, 0.25, 0.25], \"seed\": null,\n"
    "  \"header\": null, \"missing\": null, \"categorical\": null, \"normalize\": null, \"shuffle\": null, \"sample_shape\": null},\n"
    " \"loss\": {\"type\": \"sparse_categorical_crossentropy\", \"from_logits\": null}, \"from_logits\": null,\n"
    " \"metrics\": [\"accuracy\"], \"validation_split\": null, \"shuffle\": null, \"bucket_by_length\": null, \"exact\": null,\n"
    " \"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.01, \"beta_1\": null, \"weight_decay\": null},\n"
    " \"batch_size\": 4, \"epochs\": 2, \"seed\": 3}";

static int setup(void **state)
{
    write_text("test_job_one.csv", "a,b,kind\n1,2,one\n3,4,one\n5,7,one\n");
    write_text("test_job.json", good);
    FILE *file = fopen("test_job.csv", "wb");
    fputs("a,b,kind\n", file);
    for (int i = 0; i < 40; i++)
        fprintf(file, "%d,%d.%d,%s\n", i, i / 2, i % 2 * 5, i % 2 ? "odd" : "even");
    fclose(file);
    return golden_device_open(state);
}

static int teardown(void **state)
{
    remove("test_job.json");
    remove("test_job.csv");
    remove("test_job_one.csv");
    remove("test_job_bad.json");
    return golden_device_close(state);
}

/* Seconds of a day, told apart by a minute: nothing of them is lost before they are normalised, in no part of a model's life. */
static void times(void **state)
{
    enum { ROWS = 60 };
    mica_answer answers[ROWS];
    FILE *file = fopen("test_job_times.csv", "wb");
    fputs("time,kind\n", file);
    for (int i = 0; i < ROWS; i++)
        fprintf(file, "%d,%s\n", 1700000000 + i, i < ROWS / 2 ? "early" : "late");
    fclose(file);
    static const char *const sets[] = {"data.path=test_job_times.csv", "data.normalize=standard", "data.split=null",
                                       "optimizer.learning_rate=0.1", "epochs=30", "model.layers.0.activation=tanh"};
    mica_job *job = mica_job_open(*state, "test_job.json", sets, MI_COUNT(sets));
    if (mica_job_status(job))
        fail_msg("%s", mica_job_error(job));
    assert_string_equal(mica_data_note(mica_job_data(job), 1), "inputs: time");
    assert_int_equal(mica_job_run(job, NULL), MICA_OK);
    assert_int_equal(mica_model_save(mica_job_model(job), "test_job_times.safetensors"), MICA_OK);
    mica_model *model = mica_model_load(*state, "test_job_times.safetensors");
    mica_data *inputs = mica_data_open_inputs(*state, "test_job_times.csv", model);
    assert_int_equal(mica_data_status(inputs), MICA_OK);
    assert_int_equal(mica_classify_data(model, inputs, MICA_TRAIN, NULL, 1, answers), MICA_OK);
    for (int i = 0; i < ROWS; i++)
        if (i < ROWS / 2 - 3 || i > ROWS / 2 + 3) /* the border is where the network draws it */
            assert_int_equal(answers[i].class_index, i > ROWS / 2);
    mica_data_destroy(inputs);
    mica_model_destroy(model);
    mica_job_destroy(job);
    remove("test_job_times.csv");
    remove("test_job_times.safetensors");
}

/* ---- What a good job opens as ---- */

static void opens(void **state)
{
    mica_job *job = mica_job_open(*state, "test_job.json", NULL, 0);
    if (mica_job_status(job))
        fail_msg("%s", mica_job_error(job));
    const mica_fit_desc *fit = mica_job_fit(job);
    assert_int_equal(fit->objective_count, 1);
    assert_string_equal(fit->objectives[0].loss, "sparse_categorical_crossentropy");
    assert_string_equal(fit->objectives[0].metrics[0].type, "accuracy");
    assert_string_equal(fit->optimizer.type, "adam");
    assert_true(fabs(fit->optimizer.setting[0].value - 0.01) < 1e-9);
    assert_int_equal(fit->batch_size, 4);
    assert_int_equal(fit->epochs, 2);
    assert_int_equal(fit->seed, 3);
    assert_int_equal(mica_data_count(mica_job_data(job), MICA_TRAIN), 20);
    assert_int_equal(mica_data_classes(mica_job_data(job)), 2);
    assert_int_equal(mica_model_parameter_count(mica_job_model(job)), 2 * 3 + 3 + 3 * 2 + 2);
    mica_job_destroy(job);
}

static void overrides(void **state)
{
    static const char *const sets[] = {"optimizer=sgd", "optimizer.learning_rate=0.5", "epochs=0", "shuffle=false", "exact=true",
                                       "model.layers.0.units=7", "data.normalize=standard", "loss.from_logits=true"};
    mica_job *job = mica_job_open(*state, "test_job.json", sets, MI_COUNT(sets));
    if (mica_job_status(job))
        fail_msg("%s", mica_job_error(job));
    const mica_fit_desc *fit = mica_job_fit(job);
    assert_string_equal(fit->optimizer.type, "sgd");
    assert_true(fabs(fit->optimizer.setting[0].value - 0.5) < 1e-9);
    assert_int_equal(fit->epochs, -1);
    assert_int_equal(fit->objectives[0].from_logits, 1);
    assert_true(fit->no_shuffle);
    assert_true(mica_job_model(job)->exact);
    assert_int_equal(mica_model_parameter_count(mica_job_model(job)), 2 * 7 + 7 + 7 * 2 + 2);
    mica_job_destroy(job);
}

/* A network of two outputs cannot be trained; it can be looked at, and run. */
/* Layers of the data stand behind the inputs, before whoever names them, and are saved with the model. */
static void prepared(void **state)
{
    static const char *const one[] = {"data.layers=[{\"type\": \"map\", \"expression\": \"x * 0.5\"},"
                                      "{\"type\": \"op\", \"op\": \"Sub\", \"inputs\": [\"map\", \"input\"]}]",
                                      "model.layers=[{\"type\": \"add\", \"inputs\": [\"input\", \"input\"]}]",
                                      "model.outputs={\"y\": \"add\"}"};
    const float x[2] = {3, -8};
    float y[2];
    mica_job *job = mica_job_open(*state, "test_job.json", one, MI_COUNT(one));
    if (mica_job_status(job))
        fail_msg("%s", mica_job_error(job));
    assert_int_equal(mica_model_save(mica_job_model(job), "test_job_prepared.safetensors"), MICA_OK);
    mica_model *loaded = mica_model_load(*state, "test_job_prepared.safetensors");
    mica_model *models[] = {mica_job_model(job), loaded};
    for (int i = 0; i < 2; i++) {
        mica_plan *plan = mica_compile(models[i], NULL);
        assert_int_equal(mica_plan_write(plan, "input", x, 2), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read(plan, "y", y, 2), MICA_OK);
        assert_true(fabsf(y[0] + 3) < 1e-6f && fabsf(y[1] - 8) < 1e-6f); /* 2 (x / 2 - x) */
        mica_plan_destroy(plan);
    }
    mica_model_destroy(loaded);
    mica_job_destroy(job);
    remove("test_job_prepared.safetensors");
}

/* Of several inputs each has its own; the others have none. */
static void prepared_by_names(void **state)
{
    static const char *const several[] = {
        "data.layers={\"b\": [{\"type\": \"map\", \"expression\": \"10 * x\"}]}", "data.label=null",
        "data.inputs={\"a\": \"a\", \"b\": \"b\"}", "data.targets=kind",
        "model.layers=[{\"type\": \"input\", \"name\": \"a\", \"shape\": [1]}, {\"type\": \"input\", \"name\": \"b\", \"shape\": [1]},"
        "{\"type\": \"concatenate\", \"inputs\": [\"a\", \"b\"]}, {\"type\": \"dense\", \"units\": 2}]",
        "model.outputs={\"kind\": \"dense\"}"};
    const float a = 3, b = 4;
    float both[2];
    mica_job *job = mica_job_open(*state, "test_job.json", several, MI_COUNT(several));
    if (mica_job_status(job))
        fail_msg("%s", mica_job_error(job));
    mica_node *joined = mica_model_node(mica_job_model(job), "concatenate");
    mica_plan *plan = mica_compile(mica_job_model(job), &(mica_plan_desc){.outputs = &joined, .output_count = 1});
    assert_int_equal(mica_plan_write(plan, "a", &a, 1), MICA_OK);
    assert_int_equal(mica_plan_write(plan, "b", &b, 1), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, both, 2), MICA_OK);
    assert_true(fabsf(both[0] - 3) < 1e-6f && fabsf(both[1] - 40) < 1e-5f);
    mica_plan_destroy(plan);
    assert_int_equal(mica_job_run(job, NULL), MICA_OK);
    mica_job_destroy(job);
    static const char *const list[] = {"data.layers=[{\"type\": \"flatten\"}]", several[1], several[2], several[3], several[4],
                                       several[5]};
    job = mica_job_open(*state, "test_job.json", list, MI_COUNT(list));
    if (!strstr(mica_job_error(job), "data.layers is one list, and there are several inputs"))
        fail_msg("%s", mica_job_error(job));
    mica_job_destroy(job);
}

static void two_outputs(void **state)
{
    static const char *const sets[] = {"model.outputs={\"a\": \"d\", \"b\": \"dense\"}"};
    mica_job *job = mica_job_open_model(*state, "test_job.json", sets, 1);
    golden_assert_fine(*state);
    char *text = NULL;
    assert_int_equal(mica_model_inspect(mica_job_model(job), &(mica_inspect_desc){.with_plan = true}, &text), MICA_OK);
    mica_free(text);
    assert_int_equal(mica_model_inspect(mica_job_model(job), &(mica_inspect_desc){.with_plan = true, .training = true}, &text),
                     MICA_OK);
    assert_non_null(strstr(text, "launches"));
    mica_free(text);
    mica_job_destroy(job);
}

/* A key that is null is left out: the same order of samples, the same weights. */
static void nulls(void **state)
{
    static const char *const settings[] = {"data.split=null", "validation_split=0.5", "optimizer=null", "metrics=null"};
    float a[6], b[6];
    write_text("test_job_null.json", with_nulls);
    mica_job *plain = mica_job_open(*state, "test_job.json", NULL, 0);
    mica_job *job = mica_job_open(*state, "test_job_null.json", NULL, 0);
    golden_assert_fine(*state);
    const mica_fit_desc *left = mica_job_fit(plain), *right = mica_job_fit(job);
    assert_string_equal(left->objectives[0].metrics[0].type, right->objectives[0].metrics[0].type);
    assert_true(left->epochs == right->epochs && left->batch_size == right->batch_size && left->seed == right->seed);
    assert_true(left->no_shuffle == right->no_shuffle && left->validation_split == right->validation_split);
    for (int i = 0; i < 20; i++) {
        mica_data_sample(mica_job_data(plain), MICA_TRAIN, i, a, NULL);
        mica_data_sample(mica_job_data(job), MICA_TRAIN, i, b, NULL);
        assert_memory_equal(a, b, 2 * sizeof *a);
    }
    mica_model_read(mica_job_model(plain), "d.weight", a, 6);
    mica_model_read(mica_job_model(job), "d.weight", b, 6);
    assert_memory_equal(a, b, sizeof a);
    mica_job_destroy(plain);
    mica_job_destroy(job);
    job = mica_job_open(*state, "test_job_null.json", settings, MI_COUNT(settings));
    golden_assert_fine(*state);
    assert_int_equal(mica_data_count(mica_job_data(job), MICA_TRAIN), 40);
    assert_null(mica_job_fit(job)->optimizer.type);
    assert_null(mica_job_fit(job)->objectives[0].metrics[0].type);
    mica_job_destroy(job);
    remove("test_job_null.json");
}

/* ---- Mistakes ---- */

static void mistakes(void **state)
{
    static const struct {
        const char *set, *error;
    } cases[] = {
        {"epoch=3", "test_job.json: there is no key \"epoch\"; did you mean \"epochs\"?"},
        {"train=dens.*", "test_job.json: train: no parameter is called \"dens.*\""},
        {"optimizer={\"type\": \"sgd\", \"groups\": [{\"variables\": \"x.*\", \"weight_decay\": 0}]}",
         "test_job.json: optimizer.groups[0]: no parameter is called \"x.*\""},
        {"optimizer={\"type\": \"sgd\", \"groups\": [{\"variables\": \"d.*\"}]}", "optimizer.groups[0]: sets nothing"},
        {"optimizer.ema_momentum=0.9", "optimizer.ema_momentum: is of the average that \"use_ema\": true makes"},
        {"optimizer.gradient_accumulation_steps=0", "must be a whole number from 1 to 1e+06, not 0"},
        {"precision=16", "precision: must be a text; there are \"float32\", \"float16\", \"bfloat16\""},
        {"precision=float8", "there is no precision \"float8\""},
        {"mixed_precision=float16", "there is no key \"mixed_precision\"; did you mean \"precision\"?"},
        {"data.layers=3", "data.layers must be a list of layers, or an object"},
        {"data.layers=[]", "data.layers is empty: there is at least one layer in a list of them"},
        {"data.layers={}", "data.layers is empty: it names at least one input, or is left out"},
        {"data.layers={\"type\": \"map\", \"expression\": \"x\"}", "data.layers must be a list of layers, or an object of such lists"},
        {"data.layers=[{\"type\": \"mapp\"}]", "data.layers[0]: there is no layer type \"mapp\"; did you mean \"map\"?"},
        {"data.layers={\"inptu\": [{\"type\": \"flatten\"}]}", "no input \"inptu\"; did you mean \"input\"?"},
        {"data.layers={\"input\": [{\"type\": \"reshape\", \"target_shape\": [5]}]}", "data.layers.input[0]: reshape"},
        {"optimiser=adam", "there is no key \"optimiser\"; did you mean \"optimizer\"?"},
        {"optimizer=adm", "there is no type \"adm\"; did you mean \"adam\"?"},
        {"optimizer.learning_rat=1", "optimizer: there is no key \"learning_rat\"; did you mean \"learning_rate\"?"},
        {"optimizer.momentum=0.9", "optimizer: adam has no \"momentum\", which sgd has"},
        {"optimizer.lerning_rate=x", "optimizer: there is no key \"lerning_rate\"; did you mean \"learning_rate\"?"},
        {"optimizer.use_ema=yes", "optimizer.use_ema: must be true or false"},
        {"sample_weight=trust", "\"data\" has \"sample_weight\": the field that holds the weights"},
        {"optimizer={\"type\": \"sgd\", \"beta_1\": 0.9}", "optimizer: sgd has no \"beta_1\", which adam has"},
        {"optimizer.learning_rate=-1", "optimizer.learning_rate: must be at least 0, not -1"},
        {"optimizer.beta_2=1", "optimizer.beta_2: must be at least 0 and below 1, not 1"},
        {"optimizer.amsgrad=2", "optimizer.amsgrad: must be true or false"},
        {"optimizer={\"type\": \"lion\", \"beta_1\": 0}", "optimizer.beta_1: must be above 0 and at most 1, not 0"},
        {"optimizer={\"type\": \"ftrl\", \"learning_rate_power\": 0.5}",
         "optimizer.learning_rate_power: must be from -10 to 0, not 0.5"},
        {"optimizer={\"type\": \"adamax\", \"amsgrad\": true}", "optimizer: adamax has no \"amsgrad\", which adam has"},
        {"optimizer.learning_rate={\"type\": \"cosine_decai\", \"decay_steps\": 9}",
         "optimizer.learning_rate: there is no type \"cosine_decai\"; did you mean \"cosine_decay\"?"},
        {"optimizer.learning_rate={\"type\": \"cosine_decay\"}", "optimizer.learning_rate: the key \"decay_steps\" is missing"},
        {"optimizer.learning_rate={\"decay_steps\": 9}", "optimizer.learning_rate: the key \"type\" is missing"},
        {"optimizer.learning_rate={\"type\": \"cosine_decay\", \"decay_steps\": 0}",
         "optimizer.learning_rate.decay_steps: must be a whole number at least 1, not 0"},
        {"optimizer.learning_rate={\"type\": \"constant\", \"warmup_step\": 9}",
         "optimizer.learning_rate: there is no key \"warmup_step\"; did you mean \"warmup_steps\"?"},
        {"optimizer.learning_rate={\"type\": \"constant\", \"values\": [1]}",
         "optimizer.learning_rate: constant has no \"values\""},
        {"optimizer.learning_rate={\"type\": \"piecewise_constant_decay\", \"boundaries\": [4], \"values\": [1]}",
         "optimizer.learning_rate: 1 boundaries take 2 values, not 1"},
        {"optimizer.learning_rate={\"type\": \"piecewise_constant_decay\", \"boundaries\": 4, \"values\": [1, 2]}",
         "optimizer.learning_rate.boundaries: must be a list of numbers"},
        {"optimizer.learning_rate={\"type\": \"piecewise_constant_decay\", \"boundaries\": [4, 4], \"values\": [1, 2, 3]}",
         "optimizer.learning_rate.boundaries[1]: must be above the one before, not 4"},
        {"optimizer.learning_rate=fast", "optimizer.learning_rate: must be a number"},
        {"loss=sparse_crossentropy", "there is no type \"sparse_crossentropy\""},
        {"loss=binary_crossentropy", "which take one output, not 2"},
        {"loss={\"type\": \"hubert\", \"delta\": 1}", "loss: there is no type \"hubert\"; did you mean \"huber\"?"},
        {"loss={\"type\": \"huber\", \"dleta\": 1}", "loss: there is no key \"dleta\"; did you mean \"delta\"?"},
        {"loss={\"type\": \"huber\", \"delta\": 0}", "loss.delta: must be above 0, not 0"},
        {"loss={\"type\": \"huber\", \"delta\": \"small\"}", "loss.delta: must be a number, not the text \"small\""},
        {"loss={\"output\": {\"type\": \"mse\", \"delta\": 1}}", "loss.output: there is no key \"delta\""},
        {"loss={\"otput\": \"mse\"}", "test_job.json: loss: the model has no output \"otput\"; did you mean \"output\"?"},
        {"loss={\"typ\": \"mse\"}", "loss: the model has no output \"typ\"; did you mean \"type\"?"},
        {"loss={\"delta\": 1}", "loss: the key \"type\" is missing; without it, keys are outputs of the model, and \"delta\" is none"},
        {"loss={\"type\": \"mse\", \"from_logits\": true}", "loss: there is no key \"from_logits\"; it goes with losses of prob"},
        {"loss={\"type\": \"triplet_margin\"}", "loss: there is no type \"triplet_margin\""},
        {"metrics=[\"acuracy\"]", "metrics[0]: there is no metric \"acuracy\"; did you mean \"accuracy\"?"},
        {"metrics=accuracy", "metrics: must be a list"},
        {"callbacks=early_stopping", "callbacks: must be a list"},
        {"callbacks=[\"early_stoping\"]", "callbacks[0]: there is no type \"early_stoping\"; did you mean \"early_stopping\"?"},
        {"callbacks=[\"terminate_on_nan\", {\"type\": \"early_stopping\", \"patiense\": 3}]",
         "callbacks[1]: there is no key \"patiense\"; did you mean \"patience\"?"},
        {"callbacks=[{\"type\": \"csv_logger\"}]", "callbacks[0]: \"filename\" is missing"},
        {"callbacks=[{\"type\": \"early_stopping\", \"mode\": \"up\"}]", "callbacks[0]: there is no mode \"up\""},
        {"callbacks=[\"learning_rate_scheduler\"]", "learning_rate_scheduler takes a function"},
        {"batch_size=0", "batch_size: must be a whole number from 1 to 2147483647, or \"all\""},
        {"batch_size=2.5", "batch_size: must be a whole number from 1 to 2147483647"},
        {"epochs=-1", "epochs: must lie between 0 and"},
        {"seed=-1", "seed: must be at least 0"},
        {"validation_split=0.1", "validation_split stands beside data.split"},
        {"bucket_by_length=1", "test_job.json: bucket_by_length: must be true or false"},
        {"bucket_by_length=true", "bucket_by_length: all samples of the data have as many steps"},
        {"validation_split=1.5", "test_job.json: validation_split: must be at least 0 and below 1, not 1.5"},
        {"validation_split=1", "test_job.json: validation_split: must be at least 0 and below 1, not 1"},
        {"validation_split=0.99999999", "must be at least 0 and below 1, not 0.99999999, which is 1 as a float"},
        {"train=", "test_job.json: train: names no parameter; there are \"d.weight\""},
        {"optimizer={\"type\": \"sgd\", \"groups\": [{\"variables\": \" ,\", \"weight_decay\": 0}]}",
         "test_job.json: optimizer.groups[0]: names no parameter"},
        {"optimizer.amsgrad=1", "optimizer.amsgrad: must be true or false"},
        {"optimizer.use_ema=1", "optimizer.use_ema: must be true or false"},
        {"optimizer.learning_rate=true", "optimizer.learning_rate: must be a number"},
        {"optimizer.learning_rate={\"type\": \"exponential_decay\", \"decay_steps\": 9, \"decay_rate\": 1, \"staircase\": 1}",
         "optimizer.learning_rate.staircase: must be true or false"},
        {"metrics=[{\"type\": \"top_k_accuracy\", \"k\": true}]", "metrics[0].k: must be a number"},
        {"metrics=[\"acc\", \"accuracy\"]", "metrics[1]: \"accuracy\" is given twice"},
        {"model.outputs={\"a\": \"d\", \"b\": \"dense\"}", "test_job.json: the model has 2 outputs (\"a\", \"b\")"},
        {"model.layers.1.activation=sigmoid", "the last layer is a sigmoid"},
        {"model.layers.1.units=1", "needs at least 2"},
        {"model.layers.5.units=1", "the list has no item 5"},
        {"model.layers.1.typ=dense", "model.layers[1]: there is no key \"typ\"; did you mean \"type\"?"},
        {"model.layers.1.type=dence", "model.layers[1]: there is no layer type \"dence\"; did you mean \"dense\"?"},
        {"model.layers.1.inputs=[\"e\"]", "there is no earlier layer \"e\""},
        {"model.layer=1", "model: there is no key \"layer\"; did you mean \"layers\"?"},
        {"model.input_shape=[3]", "a sample has shape [2]"},
        {"model.weights=nowhere.safetensors", "nowhere.safetensors: No such file"},
        {"data.format=csw", "csv"},
        {"data.path=nowhere.csv", "nowhere.csv"},
        {"data.label=kinds", "kind"},
        {"data={\"format\": \"csv\", \"path\": \"test_job_one.csv\", \"label\": \"kind\"}",
         "test_job.json: data: every label is \"one\": there is only one class to learn"},
        {"model.layers=[]", "test_job.json: model.layers is empty"},
        {"data=3", "data: this must be an object"},
        {"data.split=[0, 0, 1]", "test_job.json: the data have no training part"},
        {"seed.x=1", "neither an object nor a list: seed"},
        {"=1", "this is not KEY.PATH=VALUE"},
        {"epochs", "this is not KEY.PATH=VALUE"},
        {"model..x=1", "a key is empty"},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_device_clear_error(*state);
        mica_job *job = mica_job_open(*state, "test_job.json", &cases[i].set, 1);
        mica_status status = mica_job_status(job);
        if (!status) /* found when the model meets the data */
            status = mica_job_run(job, NULL);
        const char *text = mica_job_status(job) ? mica_job_error(job) : mica_device_error(*state);
        if (!status || !strstr(text, cases[i].error) || strchr(text, '\n'))
            fail_msg("--set %s: \"%s\", not \"%s\"", cases[i].set, text, cases[i].error);
        mica_job_destroy(job);
    }
    mica_device_clear_error(*state);
}

static void bad_files(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "line 1, column 1: this is not valid JSON: it ends too early"},
        {"{\"model\": {},\n\"data\": {},\n}\n", "line 3, column 1: this is not valid JSON: there is a comma too many"},
        {"{\"model\": {\"seed\": 1,},\n\"data\": {}}", "line 1, column 22: this is not valid JSON: there is a comma too many"},
        {"{\"model\": {}\n\"data\": {}}", "line 2, column 1: this is not valid JSON: a comma is missing before it"},
        {"{\"model\": {},\n\"data\": {},,}", "line 2, column 13: this is not valid JSON: there is a comma too many"},
        {"{\"model\": {},\n\"data\": {},}", "line 2, column 12: this is not valid JSON: there is a comma too many"},
        {"{'model': {}}", "line 1, column 2: this is not valid JSON: texts stand between double quotes"},
        {"{\"model\": {}, // the network\n}", "line 1, column 15: this is not valid JSON: JSON has no comments"},
        {"# a job\n{}", "line 1, column 1: this is not valid JSON: JSON has no comments"},
        {"{\"shuffle\": True}", "line 1, column 13: this is not valid JSON: true and false are in lower case"},
        {"{\"model\": {}, \"data\": {}", "this is not valid JSON: "},
        {"a,b\n1,2\n", "line 1, column 1: this is not valid JSON: \"a,b\\n1,2\\n\""},
        {"{\"model\": {\"layers\": []}, \"data\": {\"format\": \"csv\"}, \"loss\": \"mse\", \"epochs\": \"10\"}",
         "epochs: must be a whole number, not the text \"10\""},
        {"[1]", "must hold a JSON object"},
        {"{}", "\"model\" is missing"},
        {"{\"model\": {\"layers\": []}, \"data\": {\"format\": \"csv\"}}", "\"loss\" is missing"},
        {"{\"model\": {\"layers\": []}, \"data\": {\"format\": \"csv\"}, \"loss\": 3}", "loss: must be a name, or an object with a \"type\""},
        {"{\"model\": {}, \"data\": {\"format\": \"csv\", \"path\": \"test_job.csv\", \"label\": \"kind\"}, "
         "\"loss\": \"sparse_categorical_crossentropy\"}", "model: \"layers\" is missing"},
        /* What needs no data is found before they are read. */
        {"{\"model\": {\"layers\": [{\"type\": \"relu\"}, {\"type\": \"convlstm2d\"}]}, \"loss\": \"mse\", "
         "\"data\": {\"format\": \"csv\", \"path\": \"absent.csv\"}}",
         "model.layers[1]: there is no layer type \"convlstm2d\"; did you mean \"conv_lstm2d\"?"},
        {"{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 2, \"activation\": \"frobnicate\"}]}, \"loss\": \"mse\", "
         "\"data\": {\"format\": \"csv\", \"path\": \"absent.csv\"}}",
         "model.layers[0]: there is no activation \"frobnicate\"; there are \"linear\", "},
        {"{\"model\": {\"layers\": []}, \"data\": {}, \"loss\": \"mse\", \"lr\": 0.1}",
         "there is no key \"lr\"; the optimizer has it: \"optimizer\": {"},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_device_clear_error(*state);
        write_text("test_job_bad.json", cases[i].text);
        mica_job *job = mica_job_open(*state, "test_job_bad.json", NULL, 0);
        if (!mica_job_status(job) || !strstr(mica_job_error(job), cases[i].error))
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, mica_job_error(job), cases[i].error);
        assert_int_not_equal(mica_job_run(job, NULL), MICA_OK);
        mica_job_destroy(job);
    }
    mica_device_clear_error(*state);
    char deep[1101] = "";
    memset(deep, '[', sizeof deep - 1);
    write_text("test_job_bad.json", deep);
    mica_job *job = mica_job_open(*state, "test_job_bad.json", NULL, 0);
    assert_non_null(strstr(mica_job_error(job), "column 1001: this is not valid JSON: it is nested too deeply"));
    mica_job_destroy(job);
    mica_device_clear_error(*state);
    job = mica_job_open(*state, "nowhere.json", NULL, 0);
    assert_int_equal(mica_job_status(job), MICA_IO);
    assert_non_null(strstr(mica_job_error(job), "nowhere.json: No such file or directory"));
    mica_job_destroy(job);
    mica_device_clear_error(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(times),       cmocka_unit_test(opens), cmocka_unit_test(overrides),
                                       cmocka_unit_test(nulls),       cmocka_unit_test(mistakes),
                                       cmocka_unit_test(two_outputs), cmocka_unit_test(bad_files),
                                       cmocka_unit_test(prepared),    cmocka_unit_test(prepared_by_names)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
