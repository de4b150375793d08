/* Trains a generative adversarial network (Goodfellow et al. 2014) on MNIST: a generator that draws from noise the digit that it is
 * asked for, and a discriminator that tells drawn digits from real ones and reads them (Odena et al. 2017, arXiv:1610.09585), each
 * by a step of its own over one model. Every epoch leaves a picture of 100 drawn digits, gan_EPOCH.png, with a column for each.
 * With a classifier, such as the mnist example saves, it says how many of 1,000 drawn digits, asked for at random, that is at least
 * 0.9 sure of, and how many of each it sees: after 8 epochs 99.6 % with one of 98.9 %, and of each digit 8.1 % or more; after 2
 * epochs 94.1 %.
 * Usage: gan FOLDER [EPOCHS [CLASSIFIER]] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, NOISE = 64, DIGITS = 10, SIDE = 28, PIXELS = SIDE * SIDE, ROW = 10, SAMPLES = 1000 };

/* ---- The network ---- */

/* x (N, 4 C, H, W) -> (N, C, 2 H, 2 W): four channels become four pixels of one. */
static mica_node *shuffle(mica_node *x, int64_t channels, int64_t side)
{
    x = mica_reshape(x, NULL, MICA_SHAPE(channels, 2, 2, side, side));
    x = mica_permute(x, NULL, MICA_SHAPE(1, 4, 2, 5, 3));
    return mica_reshape(x, NULL, MICA_SHAPE(channels, 2 * side, 2 * side));
}

static mica_node *normalize(mica_node *x)
{
    return mica_activation(mica_batch_normalization(x, NULL), &(mica_activation_desc){.type = "relu"});
}

static mica_node *conv(mica_node *x, int64_t filters, int64_t size, int64_t stride, const char *activation)
{
    return mica_conv2d(x, &(mica_conv_desc){.filters = filters, .kernel_size = {size}, .strides = {stride}, .padding = "same",
                                            .activation = activation});
}

/* Noise and a digit, which is a row of one 1, become an image, whose pixels are from 0 to 1. */
static mica_node *generator(mica_model *model, mica_node *noise, mica_node *digit)
{
    mica_node *inputs[] = {noise, digit};
    mica_group_begin(model, "generator", inputs, 2);
    mica_node *x = mica_dense(mica_concatenate(inputs, 2, -1, NULL), &(mica_dense_desc){.units = 32 * 7 * 7});
    x = normalize(mica_reshape(x, NULL, MICA_SHAPE(32, 7, 7)));
    x = normalize(shuffle(conv(x, 4 * 16, 3, 1, NULL), 16, 7));
    x = normalize(shuffle(conv(x, 4 * 8, 3, 1, NULL), 8, 14));
    return mica_group_end(model, conv(x, 1, 3, 1, "sigmoid"));
}

/* An image becomes a number that is above 0 where it is taken for real, and ten scores of digits. */
static mica_node *discriminator(mica_model *model, mica_node *image)
{
    mica_group_begin(model, "discriminator", &image, 1);
    mica_node *x = conv(conv(image, 32, 4, 2, "leaky_relu"), 64, 4, 2, "leaky_relu");
    return mica_group_end(model, mica_dense(mica_flatten(x, NULL), &(mica_dense_desc){.units = 1 + DIGITS}));
}

/* Losses of what the discriminator says: whether it takes images for real as `truth` has it, and whether it reads the digit. */
static mica_node *taken(mica_node *said, mica_node *truth)
{
    return mica_binary_crossentropy(mica_op_slice(said, 1, 0, 1), truth, &(mica_loss_desc){.from_logits = 1});
}

static mica_node *read_as(mica_node *said, mica_node *digit)
{
    return mica_categorical_crossentropy(mica_op_slice(said, 1, 1, 1 + DIGITS), digit, &(mica_loss_desc){.from_logits = 1});
}

struct gan {
    mica_device *device;
    mica_model *model;
    mica_plan *judge, *draw, *show; /* steps of the discriminator and of the generator; inference */
};

static void create(struct gan *gan, mica_device *device)
{
    const mica_optimizer judging = {"adam", {{"learning_rate", 5e-4}, {"beta_1", 0.5}}};
    const mica_optimizer drawing = {"adam", {{"learning_rate", 1e-3}, {"beta_1", 0.5}, {"use_ema", 1}}};
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *noise = mica_input(model, "noise", MICA_SHAPE(NOISE)), *real = mica_input(model, "real", MICA_SHAPE(1, SIDE, SIDE));
    mica_node *asked = mica_input(model, "asked", MICA_SHAPE(DIGITS)), *label = mica_input(model, "label", MICA_SHAPE(DIGITS));
    mica_node *yes = mica_input(model, "yes", MICA_SHAPE(1)), *no = mica_input(model, "no", MICA_SHAPE(1));
    mica_node *fake = generator(model, noise, asked);
    mica_node *of_real = discriminator(model, real), *of_fake = mica_again(model, "discriminator", &fake, 1, NULL);
    /* Reading is learnt from real digits alone: drawn ones are not yet what was asked for. */
    mica_node *told[] = {taken(of_real, yes), read_as(of_real, label), taken(of_fake, no)};
    mica_node *deceived[] = {taken(of_fake, yes), read_as(of_fake, asked)};
    *gan = (struct gan){.device = device, .model = model};
    gan->judge = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .loss = mica_add(told, 3, NULL), .optimizer = judging,
                                                       .train = "discriminator.*"});
    gan->draw = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .loss = mica_add(deceived, 2, NULL), .optimizer = drawing,
                                                      .train = "generator.*"});
    gan->show = mica_compile(model, &(mica_plan_desc){.batch = ROW * ROW, .outputs = &fake, .output_count = 1});
}

static void destroy(struct gan *gan)
{
    mica_plan_destroy(gan->judge);
    mica_plan_destroy(gan->draw);
    mica_plan_destroy(gan->show);
    mica_model_destroy(gan->model);
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

/* A digit as a row of one 1. */
static void put_digit(float *row, int digit)
{
    for (int i = 0; i < DIGITS; i++)
        row[i] = i == digit;
}

static void fill_digits(float *rows, int count)
{
    for (int i = 0; i < count; i++)
        put_digit(rows + i * DIGITS, (int)(uniform() * DIGITS));
}

static void fill_images(const mica_data *data, float *images, float *labels)
{
    int64_t count = mica_data_count(data, MICA_TRAIN);
    for (int i = 0; i < BATCH; i++) {
        int32_t digit = -1;
        mica_data_sample(data, MICA_TRAIN, (int64_t)(uniform() * (double)count), images + i * PIXELS, &digit);
        put_digit(labels + i * DIGITS, digit);
    }
}

/* ---- Training ---- */

/* Runs any of the plans with new noise for these digits. */
static void run(mica_plan *plan, const float *digits, int count)
{
    static float noise[ROW * ROW * NOISE];
    fill_noise(noise, (size_t)count * NOISE);
    mica_plan_write(plan, "noise", noise, (size_t)count * NOISE);
    mica_plan_write(plan, "asked", digits, (size_t)count * DIGITS);
    mica_plan_run(plan, count);
}

static mica_status train_epoch(struct gan *gan, const mica_data *data, int64_t steps, float losses[2])
{
    static float images[BATCH * PIXELS], labels[BATCH * DIGITS], digits[BATCH * DIGITS];
    mica_plan *plans[2] = {gan->judge, gan->draw};
    for (int64_t step = 0; step < steps && mica_device_status(gan->device) == MICA_OK; step++) {
        fill_images(data, images, labels);
        mica_plan_write(gan->judge, "real", images, BATCH * PIXELS);
        mica_plan_write(gan->judge, "label", labels, BATCH * DIGITS);
        for (int i = 0; i < 2; i++) {
            fill_digits(digits, BATCH);
            run(plans[i], digits, BATCH);
        }
    }
    for (int i = 0; i < 2; i++)
        mica_plan_read(plans[i], "loss", &losses[i], 1);
    mica_model_take_averages(gan->model); /* with the averages of its weights the generator draws better; it goes on from there */
    return mica_device_status(gan->device);
}

/* The targets are the same in every step; inputs stay as they were written. */
static void write_targets(struct gan *gan)
{
    float yes[BATCH], no[BATCH];
    for (int i = 0; i < BATCH; i++) {
        yes[i] = 0.9f; /* a discriminator that is never quite sure goes on teaching */
        no[i] = 0;
    }
    mica_plan_write(gan->judge, "yes", yes, BATCH);
    mica_plan_write(gan->judge, "no", no, BATCH);
    mica_plan_write(gan->draw, "yes", yes, BATCH);
}

/* ---- Pictures ---- */

/* 100 images of as many digits. */
static mica_status draw(struct gan *gan, const float *digits, float *images)
{
    run(gan->show, digits, ROW * ROW);
    return mica_plan_read(gan->show, NULL, images, ROW * ROW * PIXELS);
}

static void put32(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* A part of a PNG file: its size, its name, its bytes and their check sum. */
static void write_part(FILE *file, const char *name, unsigned char *bytes, uint32_t size)
{
    unsigned char head[8], sum[4];
    uint32_t crc = 0xffffffffu;
    put32(head, size);
    memcpy(head + 4, name, 4);
    for (uint32_t i = 0; i < size + 4; i++) {
        crc ^= i < 4 ? head[4 + i] : bytes[i - 4];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    put32(sum, ~crc);
    fwrite(head, 1, 8, file);
    fwrite(bytes, 1, size, file);
    fwrite(sum, 1, 4, file);
}

/* A square of ROW x ROW grey images, not compressed: each row of pixels is a block of its own behind a filter's byte. */
static void write_png(const char *path, const float *images)
{
    enum { WIDE = ROW * SIDE, LINE = WIDE + 1, BLOCK = LINE + 5 };
    static unsigned char data[2 + WIDE * BLOCK + 4];
    unsigned char head[13] = {0}, *at = data + 2;
    uint32_t a = 1, b = 0;
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return;
    }
    memcpy(data, "\x78\x01", 2);
    for (int y = 0; y < WIDE; y++) {
        *at++ = y == WIDE - 1;
        *at++ = LINE & 255;
        *at++ = LINE >> 8;
        *at++ = ~LINE & 255;
        *at++ = ~LINE >> 8 & 255;
        for (int x = -1; x < WIDE; x++) {
            const float *image = images + (y / SIDE * ROW + (x < 0 ? 0 : x) / SIDE) * PIXELS;
            *at = x < 0 ? 0 : (unsigned char)(image[y % SIDE * SIDE + x % SIDE] * 255 + 0.5f);
            a = (a + *at++) % 65521;
            b = (b + a) % 65521;
        }
    }
    put32(at, b << 16 | a);
    put32(head, WIDE);
    put32(head + 4, WIDE);
    head[8] = 8;
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);
    write_part(file, "IHDR", head, sizeof head);
    write_part(file, "IDAT", data, sizeof data);
    write_part(file, "IEND", head, 0);
    fclose(file);
}

/* ---- What a classifier thinks of it ---- */

static mica_status classify(struct gan *gan, const char *path)
{
    static float images[ROW * ROW * PIXELS], digits[ROW * ROW * DIGITS];
    int sure = 0, right = 0, seen[DIGITS] = {0};
    mica_model *classifier = mica_model_load(gan->device, path);
    for (int part = 0; part < SAMPLES / (ROW * ROW) && mica_device_status(gan->device) == MICA_OK; part++) {
        mica_answer answers[ROW * ROW];
        fill_digits(digits, ROW * ROW);
        draw(gan, digits, images);
        for (int i = 0; i < ROW * ROW * PIXELS; i++)
            images[i] *= 255; /* raw pixels, as its files have them */
        if (mica_classify(classifier, images, ROW * ROW, 1, answers) != MICA_OK)
            break;
        for (int i = 0; i < ROW * ROW; i++) {
            sure += answers[i].score >= 0.9f;
            right += digits[i * DIGITS + answers[i].class_index % DIGITS] > 0;
            seen[answers[i].class_index % DIGITS]++;
        }
    }
    printf("the classifier is sure of %.1f %%, reads %.1f %% as asked; digits:", 100.0 * sure / SAMPLES, 100.0 * right / SAMPLES);
    for (int digit = 0; digit < DIGITS; digit++)
        printf(" %.1f", 100.0 * seen[digit] / SAMPLES);
    printf(" %%\n");
    mica_model_destroy(classifier);
    return mica_device_status(gan->device);
}

static mica_data *open_images(mica_device *device, const char *folder)
{
    char images[1024], labels[1024];
    snprintf(images, sizeof images, "%s/train-images-idx3-ubyte.gz", folder);
    snprintf(labels, sizeof labels, "%s/train-labels-idx1-ubyte.gz", folder);
    return mica_idx_open(device, &(mica_files_desc){.part = {[MICA_TRAIN] = {images, labels}},
                                                    .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 255}});
}

int main(int argc, char **argv)
{
    static float images[ROW * ROW * PIXELS], digits[ROW * ROW * DIGITS];
    struct gan gan = {0};
    mica_device *device = mica_device_open(NULL);
    mica_data *data = open_images(device, argc > 1 ? argv[1] : ".");
    int epochs = argc > 2 ? atoi(argv[2]) : 8;
    for (int i = 0; i < ROW * ROW; i++)
        put_digit(digits + i * DIGITS, i % ROW);
    create(&gan, device);
    write_targets(&gan);
    for (int epoch = 1; epoch <= epochs && mica_device_status(device) == MICA_OK; epoch++) {
        char path[32];
        float losses[2] = {0};
        if (train_epoch(&gan, data, mica_data_count(data, MICA_TRAIN) / BATCH, losses) != MICA_OK ||
            draw(&gan, digits, images) != MICA_OK)
            break;
        snprintf(path, sizeof path, "gan_%d.png", epoch);
        write_png(path, images);
        printf("epoch %d of %d: discriminator %.3f, generator %.3f, %s\n", epoch, epochs, losses[0], losses[1], path);
        if (argc > 3)
            classify(&gan, argv[3]);
        fflush(stdout);
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "gan: %s\n", mica_device_error(device));
    destroy(&gan);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed;
}
