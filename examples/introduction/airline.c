/* Forecasts a series by two LSTMs: the passengers of each month from the 25 months before. Trains on all but the last 24 months
 * of the file, forecasts these one month ahead, and compares with the seasonal naive forecast, the number of the same month a
 * year before. On the airline's passengers from 1949 to 1960 (Box and Jenkins 1976) the mean error of the last two years is 18.5
 * after 60 epochs, where that of the naive forecast is 47.6. Usage: airline FILE.csv [EPOCHS]; the file has a first line of names
 * and lines MONTH,PASSENGERS. The status says whether the forecast is the better one. airline.json is the same as a job. */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 25, YEAR = 12, HELD = 24 };

static const char *const passengers[] = {"1", NULL};

/* Each sample is a year and the month that follows: windows over the table, without anything to tell. */
static mica_data *open_years(mica_device *device, const char *path)
{
    return mica_csv_open(device, path, &(mica_csv_desc){.columns = passengers, .series = {.sequence_length = YEAR + 1}});
}

/* The network sees logarithms, scaled as the training part is; what it tells is passengers again. */
static mica_data *open_months(mica_device *device, const char *path, long long months)
{
    const float held = (float)HELD / (float)(months - WINDOW);
    return mica_csv_open(device, path, &(mica_csv_desc){
        .label = passengers[0], .regression = true, .columns = passengers, .date = "0", .logarithm = passengers,
        .series = {.sequence_length = WINDOW}, .normalize = {.type = MICA_STANDARD}, .split = {.fraction = {1 - held, 0, held}}});
}

/* The last level and the change that follows, told from the changes before: they have neither trend nor growing seasons. */
static mica_model *build(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *levels = mica_permute(mica_input(model, NULL, MICA_SHAPE(WINDOW, 1)), NULL, MICA_SHAPE(2, 1));
    mica_node *later = mica_cropping1d(levels, &(mica_cropping_desc){.cropping = {{1, 0}}});
    mica_node *earlier = mica_cropping1d(levels, &(mica_cropping_desc){.cropping = {{0, 1}}});
    mica_node *last = mica_flatten(mica_cropping1d(levels, &(mica_cropping_desc){.cropping = {{WINDOW - 1, 0}}}), NULL);
    mica_node *x = mica_permute(mica_subtract(later, earlier, NULL), NULL, MICA_SHAPE(2, 1));
    x = mica_rescaling(x, &(mica_rescaling_desc){.scale = 4});
    x = mica_lstm(&x, 1, &(mica_recurrent_desc){.units = 64, .return_sequences = true});
    x = mica_lstm(&x, 1, &(mica_recurrent_desc){.units = 32});
    x = mica_rescaling(mica_dense(x, &(mica_dense_desc){.units = 1}), &(mica_rescaling_desc){.scale = 0.25f});
    mica_output(model, NULL, mica_add((mica_node *const[]){last, x}, 2, NULL));
    return model;
}

/* Prints each month and both forecasts of it; whether the network's have the smaller error. */
static int forecast(mica_model *model, mica_data *data, const mica_data *years)
{
    float own[HELD], year[YEAR + 1];
    double error = 0, naive = 0;
    char month[32];
    if (mica_predict_data(model, data, MICA_TEST, NULL, own, HELD))
        return 0;
    printf("  month  passengers  forecast  a year before\n");
    for (int t = 0; t < HELD; t++) {
        mica_data_sample(years, MICA_TRAIN, mica_data_count(years, MICA_TRAIN) - HELD + t, year, NULL);
        mica_data_date(data, MICA_TEST, t, month, sizeof month);
        error += fabs(own[t] - year[YEAR]) / HELD;
        naive += fabs(year[0] - year[YEAR]) / HELD;
        printf("%s  %10.0f  %8.0f  %13.0f\n", month, year[YEAR], own[t], year[0]);
    }
    printf("mean error %.1f passengers, of the seasonal naive forecast %.1f\n", error, naive);
    return error < naive;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: airline FILE.csv [EPOCHS]; the file has lines MONTH,PASSENGERS\n");
        return 2;
    }
    mica_device *device = mica_device_open(NULL);
    mica_data *years = open_years(device, argv[1]);
    mica_data *data = open_months(device, argv[1], mica_data_count(years, MICA_TRAIN) + YEAR);
    mica_model *model = build(device);
    mica_fit(model, data, &(mica_fit_desc){.loss = "mean_squared_error", .optimizer = {"adam", {{"learning_rate", 0.002}}},
                                           .batch_size = 32, .epochs = argc > 2 ? atoi(argv[2]) : 60}, NULL);
    int better = !mica_device_status(device) && forecast(model, data, years);
    if (mica_device_status(device))
        fprintf(stderr, "airline: %s\n", mica_device_error(device));
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_data_destroy(years);
    mica_device_destroy(device);
    return !better;
}
