/* A network of spiking units on handwritten digits. A unit's potential v leaks, gathers current, and where it passes 1 the unit
 * gives a spike and loses 1:
 *
 *     s[t] = 1 where v[t] > 1, else 0        v[t + 1] = 0.9 v[t] + current[t] - s[t]
 *
 * A spike has no slope to learn by, so on the way back it counts as a smooth curve, 1 / (1 + 5 |v - 1|)^2 (surrogate gradients:
 * Zenke and Ganguli 2018; Neftci, Mostafa and Zenke 2019). The eight steps of time are written out, and all use the same weights.
 * After 10 epochs 95.0 % of the test digits are right; a unit of the second layer gives a spike in every fifth step.
 * Ends with 0 where 90 % are. Usage: spiking [TABLE [EPOCHS]] */
#include <mica/mica.h>

#include <stdio.h>
#include <stdlib.h>

enum { TIME = 8, UNITS = 64, MOST_TESTED = 1000 };

static mica_node *spike(mica_node *v)
{
    return mica_map(&v, 1, &(mica_map_desc){.expression = "x > 1", .derivative = {"pow(1 + 5 * abs(x - 1), -2)"}});
}

/* A layer's spikes at one time, from the current of that time; *v is its potential, NULL before the first. */
static mica_node *step(mica_node *current, mica_node **v)
{
    mica_node *spikes;
    *v = *v ? mica_op_add(mica_op_scale(*v, 0.9f), current) : current;
    spikes = spike(*v);
    *v = mica_op_sub(*v, spikes);
    return spikes;
}

/* The image is the first layer's current all the time; what the last layer gathers over time are the scores. */
static mica_model *describe(mica_device *device, mica_shape image)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_input(model, NULL, image), *first = NULL, *second = NULL, *scores = NULL, *activity = NULL;
    mica_node *constant = mica_dense(x, &(mica_dense_desc){.name = "first", .units = UNITS});
    for (int t = 0; t < TIME; t++) {
        mica_node *spikes = step(constant, &first), *score;
        mica_node *current = t ? mica_again(model, "second", &spikes, 1, NULL)
                               : mica_dense(spikes, &(mica_dense_desc){.name = "second", .units = UNITS});
        spikes = step(current, &second);
        score = t ? mica_again(model, "score", &spikes, 1, NULL)
                  : mica_dense(spikes, &(mica_dense_desc){.name = "score", .units = 10});
        scores = t ? mica_op_add(scores, score) : score;
        activity = t ? mica_op_add(activity, spikes) : spikes;
    }
    mica_output(model, "digit", scores);
    mica_output(model, "activity", activity);
    return model;
}

/* The last column is what the output "digit" should be; the output "activity" has no target. */
static mica_data *open_digits(mica_device *device, const char *path)
{
    const char *const last[] = {"-1", NULL};
    const mica_column_field fields[] = {{.role = MICA_INPUT, .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}},
                                        {.role = MICA_TARGET, .name = "digit", .columns = last}};
    return mica_csv_open(device, path, &(mica_csv_desc){.header = MICA_HEADER_NO, .fields = fields, .field_count = 2,
                                                        .split = {.fraction = {0.8f, 0, 0.2f}}});
}

static bool show(void *user, const mica_progress *now)
{
    (void)user;
    printf("epoch %d: loss %.3f, accuracy %.3f\n", now->epoch, now->loss, mica_scores_get(now->scores, "accuracy"));
    return true;
}

/* How many spikes the second layer's units give for a test digit, drawn for the first few. */
static void draw_spikes(mica_model *model, mica_data *data)
{
    static float spikes[MOST_TESTED][UNITS];
    int64_t count = mica_data_count(data, MICA_TEST);
    double sum = 0;
    if (count > MOST_TESTED || mica_predict_data(model, data, MICA_TEST, "activity", spikes[0], (size_t)count * UNITS) != MICA_OK)
        return;
    printf("spikes of each unit of the second layer in %d steps:\n", TIME);
    for (int64_t i = 0; i < count; i++)
        for (int unit = 0; unit < UNITS; unit++) {
            sum += spikes[i][unit];
            if (i < 5)
                printf("%s%c%s", unit ? "" : "  ", " 123456789"[(int)spikes[i][unit]], unit == UNITS - 1 ? "\n" : "");
        }
    printf("a unit gives a spike in %.1f %% of the steps\n", 100 * sum / (double)(count * UNITS * TIME));
}

int main(int argc, char **argv)
{
    mica_device *device = mica_device_open(NULL);
    mica_data *data = open_digits(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz");
    mica_model *model = describe(device, mica_data_shape(data));
    const mica_objective digit = {.output = "digit", .loss = "sparse_categorical_crossentropy", .metrics = {{"accuracy"}}};
    mica_scores *test = NULL;
    mica_fit(model, data, &(mica_fit_desc){.objectives = &digit, .objective_count = 1, .epochs = argc > 2 ? atoi(argv[2]) : 10,
                                           .optimizer = {"adam", {{"learning_rate", 0.003}}},
                                           .callbacks = &(mica_callback){.epoch = show}, .callback_count = 1}, NULL);
    mica_evaluate(model, data, MICA_TEST, &digit, 1, &test);
    double accuracy = mica_scores_get(test, "accuracy");
    draw_spikes(model, data);
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "spiking: %s\n", mica_device_error(device));
    else
        printf("%.1f %% of the test digits are right\n", 100 * accuracy);
    mica_scores_destroy(test);
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed ? failed : !(accuracy > 0.9);
}
