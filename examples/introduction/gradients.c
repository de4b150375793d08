/* Why deep networks once did not learn. Twelve layers of 32 units read digits; the norm of the loss's gradient by each layer's
 * weights says how strongly a layer is told what to change. Of 0.19 at the last of twelve sigmoids 3e-8 reaches the first, and
 * after ten epochs the network still guesses (8.9 %). Relus, He's initialisation, batch normalisation and residuals bring 2.8
 * there, and 95.5 %.
 * Ends with 0 where the sigmoids stall and the last network does not. Usage: gradients [TABLE [EPOCHS]] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAYERS = 12, UNITS = 32, SHOWN = 5 };

struct remedy {
    const char *name, *activation, *initializer;
    bool normalized, residual;
};

static mica_node *hidden(mica_node *x, int layer, const struct remedy *how)
{
    char name[16];
    snprintf(name, sizeof name, "hidden_%d", layer);
    mica_node *y = mica_dense(x, &(mica_dense_desc){.name = name, .units = UNITS, .kernel = {{how->initializer}}});
    if (how->normalized)
        y = mica_batch_normalization(y, NULL);
    y = mica_activation(y, &(mica_activation_desc){.type = how->activation});
    return how->residual && layer > 1 ? mica_add((mica_node *[]){x, y}, 2, NULL) : y;
}

static mica_model *describe(mica_device *device, const mica_data *data, const struct remedy *how)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_input(model, NULL, mica_data_shape(data));
    for (int layer = 1; layer <= LAYERS; layer++)
        x = hidden(x, layer, how);
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 10}));
    return model;
}

/* ---- Gradients ---- */

/* Gradient descent says what the gradient was: the weights before and after a step, divided by the rate. This is so large that the
 * smallest gradient is not lost in rounding a weight; the model is of no use afterwards. */
#define RATE 1e6

static const int shown[SHOWN] = {1, 3, 6, 9, 12};

static mica_status read_weights(mica_model *model, int layer, float *weights)
{
    char name[32];
    snprintf(name, sizeof name, "hidden_%d.weight", layer);
    return mica_model_read(model, name, weights, (size_t)(UNITS * (layer == 1 ? 64 : UNITS)));
}

static void measure(mica_device *device, mica_data *data, const struct remedy *how, double norms[SHOWN])
{
    static float before[SHOWN][UNITS * 64], after[UNITS * 64];
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true};
    mica_model *model = describe(device, data, how);
    mica_plan *step = mica_compile(model, &(mica_plan_desc){
        .batch = mica_data_count(data, MICA_TRAIN), .objectives = &goal, .objective_count = 1,
        .optimizer = {"sgd", {{"learning_rate", RATE}}}});
    mica_batches *batches = NULL;
    int64_t n = 0;
    for (int i = 0; i < SHOWN; i++)
        read_weights(model, shown[i], before[i]);
    mica_batches_create(step, data, &(mica_batches_desc){.part = MICA_TRAIN}, &batches);
    mica_batches_begin(batches, 1);
    if (mica_batches_next(batches, &n) == MICA_OK)
        mica_plan_run(step, n);
    for (int i = 0; i < SHOWN && read_weights(model, shown[i], after) == MICA_OK; i++) {
        double sum = 0;
        for (int k = 0; k < UNITS * (i ? UNITS : 64); k++)
            sum += pow((before[i][k] - after[k]) / RATE, 2);
        norms[i] = sqrt(sum);
    }
    mica_batches_destroy(batches);
    mica_plan_destroy(step);
    mica_model_destroy(model);
}

/* ---- Training ---- */

static double train(mica_device *device, mica_data *data, const struct remedy *how, int epochs)
{
    mica_model *model = describe(device, data, how);
    mica_scores *test = NULL;
    mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .epochs = epochs,
                                           .optimizer = {"sgd", {{"learning_rate", 0.05}}}}, NULL);
    mica_evaluate(model, data, MICA_TEST, NULL, 0, &test);
    double accuracy = mica_scores_get(test, "accuracy");
    mica_scores_destroy(test);
    mica_model_destroy(model);
    return accuracy;
}

int main(int argc, char **argv)
{
    static const struct remedy remedies[] = {{"sigmoid", "sigmoid", NULL, false, false},
                                             {"sigmoid, residual", "sigmoid", NULL, false, true},
                                             {"sigmoid, batch norm.", "sigmoid", NULL, true, false},
                                             {"relu", "relu", NULL, false, false},
                                             {"relu, He", "relu", "he_normal", false, false},
                                             {"relu, He, batch norm.", "relu", "he_normal", true, false},
                                             {"... and residual", "relu", "he_normal", true, true}};
    enum { COUNT = sizeof remedies / sizeof *remedies };
    double accuracy[COUNT] = {0};
    mica_device *device = mica_device_open(NULL);
    mica_data *data = mica_csv_open(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz", &(mica_csv_desc){
        .label = "-1", .header = MICA_HEADER_NO, .split = {.fraction = {0.8f, 0, 0.2f}},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}});
    printf("%-22s gradient of the weights of layer %d", "", shown[0]);
    for (int i = 1; i < SHOWN; i++)
        printf("%s%9d", i > 1 ? "" : "  ", shown[i]);
    printf("  test digits right\n");
    for (int i = 0; i < COUNT && !mica_device_status(device); i++) {
        double norms[SHOWN] = {0};
        measure(device, data, &remedies[i], norms);
        accuracy[i] = train(device, data, &remedies[i], argc > 2 ? atoi(argv[2]) : 10);
        printf("%-22s", remedies[i].name);
        for (int k = 0; k < SHOWN; k++)
            printf("%9.1e", norms[k]);
        printf("%8.1f %%\n", 100 * accuracy[i]);
        fflush(stdout);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "gradients: %s\n", mica_device_error(device));
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed ? failed : !(accuracy[0] < 0.2 && accuracy[COUNT - 1] > 0.9);
}
