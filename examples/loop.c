/* The loop of mica_fit, written out: a plan that trains, one that evaluates, and batches for both. Learns the digits of
 * examples/data; 96 % of the test part are right after 20 epochs. Usage: loop TABLE [EPOCHS] */
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 32 };

/* One pass over the batches of a part; a plan that trains changes the model as it goes. */
static mica_status pass(mica_plan *plan, mica_batches *batches, uint64_t epoch, double *values, int count)
{
    int64_t n = 0;
    mica_plan_reset_metrics(plan);
    mica_batches_begin(batches, epoch);
    while (mica_batches_next(batches, &n) == MICA_OK && n > 0)
        mica_plan_run(plan, n); /* waits for nothing */
    return mica_plan_metrics(plan, values, count); /* only this waits */
}

static mica_model *describe(mica_device *device, mica_shape input)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_dense(mica_input(model, NULL, input), &(mica_dense_desc){.units = 64, .activation = "relu"});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 10}));
    return model;
}

int main(int argc, char **argv)
{
    int epochs = argc > 2 ? atoi(argv[2]) : 20;
    mica_device *device = mica_device_open(NULL);
    mica_data *data = mica_csv_open(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz", &(mica_csv_desc){
        .label = "-1", .header = MICA_HEADER_NO, .split = {.fraction = {0.8f, 0, 0.2f}},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}});
    mica_model *model = describe(device, mica_data_shape(data));
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"accuracy"}}};
    mica_plan_desc desc = {.batch = BATCH, .objectives = &goal, .objective_count = 1, .optimizer = {"adam"}};
    mica_plan *train = mica_compile(model, &desc);
    desc.evaluate = true;
    mica_plan *evaluate = mica_compile(model, &desc);
    mica_batches *learned = NULL, *held = NULL;
    mica_batches_create(train, data, &(mica_batches_desc){.part = MICA_TRAIN, .shuffle = true}, &learned);
    mica_batches_create(evaluate, data, &(mica_batches_desc){.part = MICA_TEST}, &held);

    for (int epoch = 1; epoch <= epochs && !mica_device_status(device); epoch++) {
        double now[2] = {0}, test[2] = {0}; /* the loss, and the metric */
        mica_plan_set(train, "learning_rate", epoch < epochs / 2 ? 0.003 : 0.001);
        pass(train, learned, (uint64_t)epoch, now, 2);
        pass(evaluate, held, 0, test, 2);
        printf("epoch %d: loss %.4f, accuracy %.4f; test: loss %.4f, accuracy %.4f\n", epoch, now[0], now[1], test[0], test[1]);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "loop: %s\n", mica_device_error(device));
    mica_batches_destroy(learned);
    mica_batches_destroy(held);
    mica_plan_destroy(train);
    mica_plan_destroy(evaluate);
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed != 0;
}
