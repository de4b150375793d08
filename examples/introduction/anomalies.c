/* Finds what is odd in a series by a recurrent autoencoder: an LSTM makes 12 numbers of a window of 24 steps, a second one the
 * window of these numbers. It has learned a series without faults alone, and is alarmed where it copies a window worse than any
 * of those that were held out. The series is made here: a daily course that changes its strength, and noise. In 400 windows of
 * another one 60 have a fault: a sensor that stands still, a doubled beat, a spike, a drift. It finds 97 % of them, and 95 % of its
 * alarms are right. Ends with 0 where both are at least 80 %. Usage: anomalies [EPOCHS] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 24, CODE = 12, LEARNED = 2400, WINDOWS = 400, TESTED = WINDOWS * STEPS, FAULTS = 60 };

static uint32_t seed = 1;

/* From 0 to below 1. */
static double uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) / 16777216.0;
}

static void make(float *series, int count)
{
    for (int t = 0; t < count; t++) {
        double strength = 1 + 0.3 * sin(t * 0.037), noise = 0.2 * (uniform() + uniform() + uniform() - 1.5);
        series[t] = (float)(strength * (sin(6.283185 * t / STEPS) + 0.4 * sin(12.56637 * t / STEPS)) + noise);
    }
}

/* A fault of one of four kinds within a window. */
static void spoil(float *window, int kind)
{
    int begin = 2 + (int)(12 * uniform()), length = 5 + (int)(5 * uniform());
    for (int t = begin; t < begin + length; t++) {
        if (kind == 0)
            window[t] = window[begin];
        else if (kind == 1)
            window[t] = (float)(sin(12.56637 * t / STEPS) + 0.1 * (uniform() - 0.5));
        else if (kind == 2 && t == begin)
            window[t] += 0.9f;
        else if (kind == 3)
            window[t] += 0.08f * (float)(t - begin);
    }
}

/* Windows whose target is the window itself. */
static mica_data *open_windows(mica_device *device, const float *series, int count, int stride, float held)
{
    const mica_field fields[] = {{.role = MICA_INPUT, .shape = MICA_SHAPE(1), .values = series},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = series}};
    return mica_fields_open(device, &(mica_fields_desc){
        .samples = count, .fields = fields, .field_count = 2, .split = {.fraction = {1 - held, held, 0}},
        .series = {.sequence_length = STEPS, .sequence_stride = stride, .horizon = STEPS, .gap = -STEPS}});
}

static mica_model *build(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(STEPS, 1));
    x = mica_lstm(&x, 1, &(mica_recurrent_desc){.units = 32});
    x = mica_repeat_vector(mica_dense(x, &(mica_dense_desc){.units = CODE}), NULL, STEPS);
    x = mica_lstm(&x, 1, &(mica_recurrent_desc){.units = 32, .return_sequences = true});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 1}));
    return model;
}

/* How badly each window of a part is copied: the mean square of what is off. */
static int64_t measure(mica_model *model, mica_data *data, mica_part part, float *errors)
{
    static float copies[LEARNED * STEPS];
    int64_t count = mica_data_count(data, part);
    float window[STEPS];
    if (mica_predict_data(model, data, part, NULL, copies, (size_t)count * STEPS))
        return 0;
    for (int64_t i = 0; i < count; i++) {
        errors[i] = 0;
        mica_data_sample(data, part, i, window, NULL);
        for (int t = 0; t < STEPS; t++)
            errors[i] += (window[t] - copies[i * STEPS + t]) * (window[t] - copies[i * STEPS + t]) / STEPS;
    }
    return count;
}

/* Both shares; whether they are good. */
static int compare(const float *errors, int64_t count, float threshold, const int *faulty)
{
    int found = 0, alarms = 0;
    for (int64_t i = 0; i < count; i++) {
        alarms += errors[i] > threshold;
        found += errors[i] > threshold && faulty[i];
    }
    double precision = alarms ? (double)found / alarms : 0, recall = (double)found / FAULTS;
    printf("%d alarms in %lld windows: precision %.0f %%, recall %.0f %%\n", alarms, (long long)count, 100 * precision,
           100 * recall);
    return precision >= 0.8 && recall >= 0.8;
}

int main(int argc, char **argv)
{
    static float learned[LEARNED], tested[TESTED], errors[LEARNED];
    static int faulty[WINDOWS];
    make(learned, LEARNED);
    make(tested, TESTED);
    for (int i = 0; i < FAULTS;) {
        int window = (int)(WINDOWS * uniform());
        if (!faulty[window]++)
            spoil(tested + window * STEPS, i++ % 4);
    }
    mica_device *device = mica_device_open(NULL);
    mica_data *normal = open_windows(device, learned, LEARNED, 1, 0.2f), *odd = open_windows(device, tested, TESTED, STEPS, 0);
    mica_model *model = build(device);
    mica_fit(model, normal, &(mica_fit_desc){.loss = "mse", .optimizer = {"adam", {{"learning_rate", 0.005}}}, .batch_size = 64,
                                             .epochs = argc > 1 ? atoi(argv[1]) : 40}, NULL);
    float threshold = 0;
    int64_t held = measure(model, normal, MICA_VALIDATION, errors);
    for (int64_t i = 0; i < held; i++)
        threshold = errors[i] > threshold ? errors[i] : threshold;
    int64_t count = measure(model, odd, MICA_TRAIN, errors);
    int good = !mica_device_status(device) && compare(errors, count, threshold, faulty);
    if (mica_device_status(device))
        fprintf(stderr, "anomalies: %s\n", mica_device_error(device));
    mica_model_destroy(model);
    mica_data_destroy(normal);
    mica_data_destroy(odd);
    mica_device_destroy(device);
    return !good;
}
