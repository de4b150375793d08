/* Units that die. A relu that gives 0 for every sample has no slope anywhere, so no step changes it any more, and a step that is
 * too long does that to many of them at once: of 128 hidden units 77 are silent for all training digits after ten epochs at a rate
 * of 1.2, and 4 at a rate of 0.1. Units with a slope on both sides come back (5), and where gradients are clipped no step is so
 * long (6).
 * Ends with 0 where clipping saves most of them. Usage: dead_units [TABLE] */
#include <mica/mica.h>

#include <stdio.h>

enum { UNITS = 128, MOST_SAMPLES = 1500 };

struct way {
    const char *name, *activation;
    double rate, clipnorm;
    int silent;
    double accuracy;
};

/* How many units are at most 0 for every training sample. */
static int count_silent(mica_model *model, mica_data *data)
{
    static float values[MOST_SAMPLES][UNITS];
    int64_t count = mica_data_count(data, MICA_TRAIN);
    int silent = 0;
    if (count > MOST_SAMPLES ||
        mica_predict_data(model, data, MICA_TRAIN, "hidden", values[0], (size_t)(count * UNITS)) != MICA_OK)
        return -1;
    for (int unit = 0; unit < UNITS; unit++) {
        bool speaks = false;
        for (int64_t i = 0; i < count && !speaks; i++)
            speaks = values[i][unit] > 0;
        silent += !speaks;
    }
    return silent;
}

static void try(mica_device *device, mica_data *data, struct way *way)
{
    const mica_objective digit = {.output = "digit", .loss = "sparse_categorical_crossentropy", .metrics = {{"accuracy"}}};
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_scores *test = NULL;
    mica_node *x = mica_input(model, NULL, mica_data_shape(data));
    x = mica_output(model, "hidden", mica_dense(x, &(mica_dense_desc){.units = UNITS, .activation = way->activation}));
    mica_output(model, "digit", mica_dense(x, &(mica_dense_desc){.units = 10}));
    mica_fit(model, data, &(mica_fit_desc){
        .objectives = &digit, .objective_count = 1, .epochs = 10,
        .optimizer = {"sgd", {{"learning_rate", way->rate}, {way->clipnorm > 0 ? "global_clipnorm" : NULL, way->clipnorm}}}}, NULL);
    mica_evaluate(model, data, MICA_TEST, &digit, 1, &test);
    way->accuracy = mica_scores_get(test, "accuracy");
    way->silent = count_silent(model, data);
    mica_scores_destroy(test);
    mica_model_destroy(model);
}

/* The last column is what the output "digit" should be; the output "hidden" has no target. */
static mica_data *open_digits(mica_device *device, const char *path)
{
    const char *const last[] = {"-1", NULL};
    const mica_column_field fields[] = {{.role = MICA_INPUT, .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}},
                                        {.role = MICA_TARGET, .name = "digit", .columns = last}};
    return mica_csv_open(device, path, &(mica_csv_desc){.header = MICA_HEADER_NO, .fields = fields, .field_count = 2,
                                                        .split = {.fraction = {0.8f, 0, 0.2f}}});
}

int main(int argc, char **argv)
{
    struct way ways[] = {{.name = "relu, rate 0.1", .activation = "relu", .rate = 0.1},
                         {.name = "relu, rate 1.2", .activation = "relu", .rate = 1.2},
                         {.name = "leaky relu, rate 1.2", .activation = "leaky_relu", .rate = 1.2},
                         {.name = "relu, rate 1.2, clipped", .activation = "relu", .rate = 1.2, .clipnorm = 0.5}};
    enum { COUNT = sizeof ways / sizeof *ways };
    mica_device *device = mica_device_open(NULL);
    mica_data *data = open_digits(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz");
    for (int i = 0; i < COUNT && !mica_device_status(device); i++) {
        try(device, data, &ways[i]);
        printf("%-24s %3d of %d units silent, %5.1f %% right\n", ways[i].name, ways[i].silent, UNITS, 100 * ways[i].accuracy);
        fflush(stdout);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "dead_units: %s\n", mica_device_error(device));
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed ? failed : !(ways[1].silent > 3 * ways[3].silent);
}
