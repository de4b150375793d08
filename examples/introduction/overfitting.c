/* Over-fitting: 300 digits, a fifth of which are labelled wrong, and a network that can learn them by heart, mistakes and all, so
 * that it tells 67.8 % of new digits right. Dropout makes that 75.2 %, an L2 penalty 72.2 %, early stopping 78.1 %, four times the
 * data 73.6 %: the means of three networks.
 * Ends with 0 where each of them makes the loss on new digits smaller. Usage: overfitting [TABLE [NETWORKS]] */
#include <mica/mica.h>

#include <stdio.h>
#include <stdlib.h>

enum { EPOCHS = 100, PATIENCE = 10, SAMPLES = 1797, PIXELS = 64, FEW = 300, MANY = 1200, VALIDATED = 200 };

struct remedy {
    const char *name;
    float dropout, decay;
    bool stop_early;
    int samples;      /* that are trained on */
    double loss, accuracy, learned;
};

/* From 0 to below n. */
static int draw(uint32_t *seed, int n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (int)((*seed >> 8) / 16777216.0 * n);
}

/* The first digits train, a fifth of which are called another digit; the last ones validate and test. */
static mica_data *open_digits(mica_device *device, const char *path, int learned)
{
    static float inputs[SAMPLES * PIXELS];
    static int32_t classes[SAMPLES];
    uint32_t seed = 1;
    int tested = SAMPLES - MANY - VALIDATED, count = 0;
    mica_data *table = mica_csv_open(device, path, &(mica_csv_desc){.label = "-1", .header = MICA_HEADER_NO});
    for (int i = 0; i < SAMPLES; i++) {
        if (i >= learned && i < MANY)
            continue;
        mica_data_sample(table, MICA_TRAIN, i, inputs + count * PIXELS, &classes[count]);
        if (i < learned && draw(&seed, 5) == 0)
            classes[count] = (classes[count] + 1 + draw(&seed, 9)) % 10;
        count++;
    }
    mica_data_destroy(table);
    return mica_arrays_open(device, &(mica_arrays_desc){
        .samples = count, .input_shape = MICA_SHAPE(PIXELS), .inputs = inputs, .classes = classes,
        .split = {.fraction = {(float)learned / (float)count, VALIDATED / (float)count, (float)tested / (float)count},
                  .no_shuffle = true},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}});
}

static mica_model *describe(mica_device *device, const mica_data *data, float dropout, uint64_t seed)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = seed});
    mica_node *x = mica_input(model, NULL, mica_data_shape(data));
    for (int i = 0; i < 2; i++) {
        x = mica_dense(x, &(mica_dense_desc){.units = 256, .activation = "relu"});
        if (dropout > 0)
            x = mica_dropout(x, &(mica_dropout_desc){.rate = dropout});
    }
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 10}));
    return model;
}

/* The training ends where the loss on the validation part has not been smaller for some epochs, with the parameters of the best. */
static const mica_callback early_stopping = {
    "early_stopping", .setting = {{"patience", PATIENCE}, {"restore_best_weights", 1}}};

static void try(mica_device *device, const char *path, struct remedy *remedy, int networks)
{
    mica_data *data = open_digits(device, path, remedy->samples);
    for (int i = 0; i < networks; i++) {
        mica_model *model = describe(device, data, remedy->dropout, (uint64_t)i);
        mica_scores *learned = NULL, *test = NULL;
        mica_fit(model, data, &(mica_fit_desc){
            .loss = "sparse_categorical_crossentropy", .epochs = EPOCHS, .seed = (uint64_t)i,
            .optimizer = {"adam", {{"weight_decay", remedy->decay}}},
            .callbacks = &early_stopping, .callback_count = remedy->stop_early}, NULL);
        mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &learned);
        mica_evaluate(model, data, MICA_TEST, NULL, 0, &test);
        remedy->learned += mica_scores_get(learned, "accuracy") / networks;
        remedy->loss += mica_scores_get(test, "loss") / networks;
        remedy->accuracy += mica_scores_get(test, "accuracy") / networks;
        mica_scores_destroy(learned);
        mica_scores_destroy(test);
        mica_model_destroy(model);
    }
    mica_data_destroy(data);
}

int main(int argc, char **argv)
{
    struct remedy remedies[] = {{.name = "nothing", .samples = FEW},
                                {.name = "dropout 0.5", .samples = FEW, .dropout = 0.5f},
                                {.name = "L2 of 0.01", .samples = FEW, .decay = 0.01f},
                                {.name = "early stopping", .samples = FEW, .stop_early = true},
                                {.name = "four times the data", .samples = MANY}};
    enum { COUNT = sizeof remedies / sizeof *remedies };
    bool better = true;
    mica_device *device = mica_device_open(NULL);
    printf("%-20s %14s %14s %14s\n", "", "as labelled", "loss, new", "right, new");
    for (int i = 0; i < COUNT && !mica_device_status(device); i++) {
        struct remedy *it = &remedies[i];
        try(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz", it, argc > 2 ? atoi(argv[2]) : 3);
        printf("%-20s %12.1f %% %14.3f %12.1f %%\n", it->name, 100 * it->learned, it->loss, 100 * it->accuracy);
        fflush(stdout);
        better = better && (i == 0 || it->loss < remedies[0].loss);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "overfitting: %s\n", mica_device_error(device));
    mica_device_destroy(device);
    return failed ? failed : !better;
}
