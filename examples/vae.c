/* Trains a variational autoencoder (Kingma and Welling 2014) on MNIST, with a loss that is written with operators: the surprise of
 * the pixels, and how far the code's distribution is from a standard normal one, in nats an image. Draws 100 images from random
 * codes into vae.pgm. After 10 epochs a test image takes 105.6 nats.
 * Usage: vae FOLDER [EPOCHS] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 128, PIXELS = 784, SIDE = 28, HIDDEN = 400, CODE = 20, ROW = 10 };

/* ---- The network ---- */

static mica_node *dense(mica_node *x, const char *name, int64_t units, const char *activation)
{
    return mica_dense(x, &(mica_dense_desc){.name = name, .units = units, .activation = activation});
}

/* The scores of the pixels for a code. */
static mica_node *decode(mica_model *model, mica_node *code)
{
    mica_group_begin(model, "decoder", &code, 1);
    return mica_group_end(model, dense(dense(code, "hidden", HIDDEN, "relu"), "pixels", PIXELS, NULL));
}

/* sum over the code of (mean^2 + variance - 1 - log variance) / 2, one number an image */
static mica_node *divergence(mica_node *mean, mica_node *log_variance)
{
    const int64_t axis[] = {1};
    mica_node *each = mica_op_sub(mica_op_add(mica_op_mul(mean, mean), mica_op_exp(log_variance)), mica_op_shift(log_variance, 1));
    return mica_op_scale(mica_op_reduce_sum(each, axis, 1, false), 0.5f);
}

struct vae {
    mica_device *device;
    mica_model *model;
    mica_plan *learn, *measure, *draw;
};

static void create(struct vae *vae, mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *image = mica_input(model, "image", MICA_SHAPE(PIXELS)), *noise = mica_input(model, "noise", MICA_SHAPE(CODE));
    mica_node *x = dense(image, "hidden", HIDDEN, "relu");
    mica_node *mean = dense(x, "mean", CODE, NULL), *log_variance = dense(x, "log_variance", CODE, NULL);
    mica_node *code = mica_op_add(mean, mica_op_mul(mica_op_exp(mica_op_scale(log_variance, 0.5f)), noise));
    mica_node *of_pixel = mica_binary_crossentropy(decode(model, code), image, &(mica_loss_desc){.from_logits = 1});
    mica_node *nats = mica_op_add(mica_op_scale(of_pixel, PIXELS), divergence(mean, log_variance));
    mica_node *drawn = mica_op_sigmoid(mica_again(model, "decoder", &noise, 1, "drawn"));
    *vae = (struct vae){.device = device, .model = model};
    vae->learn = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .loss = nats, .optimizer = {"adam"}});
    vae->measure = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .outputs = &nats, .output_count = 1});
    vae->draw = mica_compile(model, &(mica_plan_desc){.batch = ROW * ROW, .outputs = &drawn, .output_count = 1});
}

static void destroy(struct vae *vae)
{
    mica_plan_destroy(vae->learn);
    mica_plan_destroy(vae->measure);
    mica_plan_destroy(vae->draw);
    mica_model_destroy(vae->model);
}

/* ---- Batches ---- */

static uint32_t seed = 1;

/* From 0 to below 1. */
static double uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) / 16777216.0;
}

static void fill_noise(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform()));
}

/* A step over n images: those at `order`, or NULL: from `first` on. */
static mica_status step(mica_plan *plan, const mica_data *data, mica_part part, const int *order, int64_t first, int64_t n)
{
    static float images[BATCH * PIXELS], noise[BATCH * CODE];
    for (int64_t i = 0; i < n; i++)
        mica_data_sample(data, part, order ? order[first + i] : first + i, images + i * PIXELS, NULL);
    fill_noise(noise, (size_t)n * CODE);
    mica_plan_write(plan, "image", images, (size_t)n * PIXELS);
    mica_plan_write(plan, "noise", noise, (size_t)n * CODE);
    return mica_plan_run(plan, n);
}

static mica_status train_epoch(struct vae *vae, const mica_data *data, int *order, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int other = (int)(uniform() * (i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (int first = 0; first < count; first += BATCH) {
        mica_status status = step(vae->learn, data, MICA_TRAIN, order, first, count - first < BATCH ? count - first : BATCH);
        if (status != MICA_OK)
            return status;
    }
    return MICA_OK;
}

/* The mean over the test images. */
static mica_status measure(struct vae *vae, const mica_data *data, double *nats)
{
    int64_t count = mica_data_count(data, MICA_TEST);
    float values[BATCH];
    *nats = 0;
    for (int64_t first = 0; first < count; first += BATCH) {
        int64_t n = count - first < BATCH ? count - first : BATCH;
        step(vae->measure, data, MICA_TEST, NULL, first, n);
        mica_status status = mica_plan_read(vae->measure, NULL, values, (size_t)n);
        if (status != MICA_OK)
            return status;
        for (int64_t i = 0; i < n; i++)
            *nats += (double)values[i] / (double)count;
    }
    return MICA_OK;
}

/* 100 images from random codes, as a grey picture in Netpbm's format. */
static mica_status draw(struct vae *vae, const char *path)
{
    static float codes[ROW * ROW * CODE], images[ROW * ROW * PIXELS];
    fill_noise(codes, ROW * ROW * CODE);
    mica_plan_write(vae->draw, "noise", codes, ROW * ROW * CODE);
    mica_plan_run(vae->draw, ROW * ROW);
    mica_status status = mica_plan_read(vae->draw, NULL, images, ROW * ROW * PIXELS);
    FILE *file = status == MICA_OK ? fopen(path, "wb") : NULL;
    if (!file)
        return status;
    fprintf(file, "P5\n%d %d\n255\n", ROW * SIDE, ROW * SIDE);
    for (int y = 0; y < ROW * SIDE; y++)
        for (int x = 0; x < ROW * SIDE; x++)
            fputc((int)(images[(y / SIDE * ROW + x / SIDE) * PIXELS + y % SIDE * SIDE + x % SIDE] * 255 + 0.5f), file);
    fclose(file);
    return MICA_OK;
}

static mica_data *open_images(mica_device *device, const char *folder)
{
    static const char *const names[4] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                                         "t10k-labels-idx1-ubyte.gz"};
    char path[4][1024];
    for (int i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    return mica_idx_open(device, &(mica_files_desc){
        .part = {[MICA_TRAIN] = {path[0], path[1]}, [MICA_TEST] = {path[2], path[3]}},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 255}});
}

int main(int argc, char **argv)
{
    struct vae vae;
    double nats = 0;
    mica_device *device = mica_device_open(NULL);
    mica_data *data = open_images(device, argc > 1 ? argv[1] : ".");
    int count = (int)mica_data_count(data, MICA_TRAIN), epochs = argc > 2 ? atoi(argv[2]) : 10;
    int *order = malloc((size_t)(count + 1) * sizeof *order);
    create(&vae, device);
    for (int i = 0; order && i < count; i++)
        order[i] = i;
    for (int epoch = 1; order && epoch <= epochs && mica_device_status(device) == MICA_OK; epoch++)
        if (train_epoch(&vae, data, order, count) == MICA_OK && measure(&vae, data, &nats) == MICA_OK)
            printf("epoch %d of %d: %.2f nats a test image\n", epoch, epochs, nats);
    draw(&vae, "vae.pgm");
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "vae: %s\n", mica_device_error(device));
    free(order);
    destroy(&vae);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed;
}
