/* An autoencoder: digits go through a bottleneck of a few numbers, and should come out as they went in. Nobody says which digit an
 * image is; the loss of a plan is any node, so what is asked for can be the input itself.
 * The 8 x 8 digits through 8 numbers, after 60 epochs: a pixel's mean squared error is 0.0155; it is 0.0731 where the answer is
 * always the mean image. MNIST through 32 numbers, after 5 epochs: 0.0083, and 0.0675.
 * Ends with 0 where the error is at most half of that of the mean image.
 * Usage: autoencoder [TABLE or MNIST-FOLDER [EPOCHS]] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, MOST_PIXELS = 784, MOST_TESTED = 10000, SHOWN = 4 };

static mica_node *dense(mica_node *x, int64_t units, const char *activation)
{
    return mica_dense(x, &(mica_dense_desc){.units = units, .activation = activation});
}

/* Gives the loss: the mean squared error of an image's pixels. */
static mica_node *describe(mica_model *model, mica_shape image, int64_t numbers)
{
    mica_node *pixels = mica_flatten(mica_input(model, "image", image), NULL);
    mica_node *code = dense(dense(pixels, 128, "relu"), numbers, NULL);
    mica_node *drawn = dense(dense(code, 128, "relu"), mica_node_shape(pixels).dim[0], "sigmoid");
    mica_output(model, "drawn", drawn);
    return mica_output(model, "error", mica_mean_squared_error(drawn, pixels, NULL));
}

static mica_data *open_digits(mica_device *device, const char *path)
{
    char images[2][1024], labels[2][1024];
    static const char *const parts[] = {"train", "t10k"};
    if (strstr(path, ".csv"))
        return mica_csv_open(device, path, &(mica_csv_desc){
            .label = "-1", .header = MICA_HEADER_NO, .split = {.fraction = {0.8f, 0, 0.2f}},
            .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}});
    for (int i = 0; i < 2; i++) {
        snprintf(images[i], sizeof images[i], "%s/%s-images-idx3-ubyte.gz", path, parts[i]);
        snprintf(labels[i], sizeof labels[i], "%s/%s-labels-idx1-ubyte.gz", path, parts[i]);
    }
    return mica_idx_open(device, &(mica_files_desc){
        .part = {[MICA_TRAIN] = {images[0], labels[0]}, [MICA_TEST] = {images[1], labels[1]}},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 255}});
}

static void train(mica_plan *plan, mica_data *data, int epochs)
{
    mica_batches *batches = NULL;
    mica_batches_create(plan, data, &(mica_batches_desc){.part = MICA_TRAIN, .shuffle = true}, &batches);
    for (int epoch = 1; batches && epoch <= epochs; epoch++) {
        int64_t n = 0;
        float loss = 0;
        mica_batches_begin(batches, (uint64_t)epoch);
        while (mica_batches_next(batches, &n) == MICA_OK && n > 0)
            mica_plan_run(plan, n);
        if (mica_plan_read(plan, "loss", &loss, 1) != MICA_OK)
            break;
        if (epoch % (epochs > 5 ? epochs / 5 : 1) == 0)
            printf("epoch %d: error %.4f in its last batch\n", epoch, loss);
    }
    mica_batches_destroy(batches);
}

/* The mean squared error, where every answer is the mean of the training images. */
static double error_of_mean(const mica_data *data, int64_t pixels)
{
    static float image[MOST_PIXELS], mean[MOST_PIXELS];
    int64_t learned = mica_data_count(data, MICA_TRAIN), tested = mica_data_count(data, MICA_TEST);
    double sum = 0;
    for (int64_t i = 0; i < learned && mica_data_sample(data, MICA_TRAIN, i, image, NULL) == MICA_OK; i++)
        for (int64_t k = 0; k < pixels; k++)
            mean[k] += image[k] / (float)learned;
    for (int64_t i = 0; i < tested && mica_data_sample(data, MICA_TEST, i, image, NULL) == MICA_OK; i++)
        for (int64_t k = 0; k < pixels; k++)
            sum += (image[k] - mean[k]) * (image[k] - mean[k]);
    return sum / (double)(tested * pixels);
}

/* A line of an image; large images are drawn by every other pixel. */
static void draw_line(const float *line, int64_t side)
{
    int64_t step = side > 14 ? 2 : 1;
    for (int64_t x = 0; x < side; x += step)
        printf("%c", " .:-=+*#%@"[(int)(line[x] * 9.99f)]);
    printf("   ");
}

/* The first test images, and below each what the network makes of it. */
static void draw(const mica_data *data, const float *drawn, int64_t pixels)
{
    static float image[SHOWN][MOST_PIXELS];
    int64_t side = (int64_t)(sqrt((double)pixels) + 0.5);
    for (int i = 0; i < SHOWN; i++)
        mica_data_sample(data, MICA_TEST, i, image[i], NULL);
    for (int made = 0; made < 2; made++) {
        for (int64_t y = 0; y < side; y += side > 14 ? 2 : 1) {
            for (int i = 0; i < SHOWN; i++)
                draw_line((made ? drawn + i * pixels : image[i]) + y * side, side);
            printf("\n");
        }
        printf(made ? "\n" : "come out as:\n");
    }
}

/* Whether the test images come out well. */
static bool test(mica_model *model, mica_data *data, int64_t pixels)
{
    static float drawn[MOST_TESTED * MOST_PIXELS], errors[MOST_TESTED];
    int64_t count = mica_data_count(data, MICA_TEST);
    double sum = 0, mean = error_of_mean(data, pixels);
    if (count > MOST_TESTED || count < SHOWN ||
        mica_predict_data(model, data, MICA_TEST, "drawn", drawn, (size_t)(count * pixels)) != MICA_OK ||
        mica_predict_data(model, data, MICA_TEST, "error", errors, (size_t)count) != MICA_OK)
        return false;
    for (int64_t i = 0; i < count; i++)
        sum += errors[i];
    draw(data, drawn, pixels);
    printf("mean squared error of a pixel: %.4f; of the mean image %.4f\n", sum / (double)count, mean);
    return sum / (double)count <= 0.5 * mean;
}

int main(int argc, char **argv)
{
    mica_device *device = mica_device_open(NULL);
    mica_data *data = open_digits(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz");
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_shape image = mica_data_shape(data);
    int64_t pixels = image.rank == 3 ? image.dim[1] * image.dim[2] : image.dim[0];
    mica_node *error = describe(model, image, pixels > 64 ? 32 : 8);
    mica_plan *learn = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .loss = error, .optimizer = {"adam"}});
    bool good = false;
    train(learn, data, argc > 2 ? atoi(argv[2]) : pixels > 64 ? 5 : 60);
    if (!mica_device_status(device))
        good = test(model, data, pixels);
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "autoencoder: %s\n", mica_device_error(device));
    mica_plan_destroy(learn);
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed ? failed : !good;
}
