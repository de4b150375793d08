/* Draws digits that a model has never seen in the terminal, each beside the model's answer.
 * Usage: show_digits MODEL JOB.json [key.path=value]...   the model's answers to the test part of the job's data
 *        show_digits                                      which device Mica uses on this machine, and why */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 80, TEXT = 10, CLASSES = 10, ROWS = 3, SHOWN = 9 };

struct digit {
    float *pixels; /* height x width, as the network sees them */
    int answer, truth;
    float probability;
};

/* Says which device is used, and plainly when a GPU of this machine is not. */
static int show_device(void)
{
    static const char *kinds[] = {"GPU", "integrated GPU", "accelerator", "CPU", "device"};
    mica_devices *found = mica_devices_find();
    const char *why = "";
    int chosen = found ? mica_devices_choose(found, NULL, &why) : -1;
    if (chosen < 0) {
        fprintf(stderr, "show_digits: %s\n", found ? mica_devices_error(found) : "the host is out of memory");
        mica_devices_destroy(found);
        return 1;
    }
    const mica_device_info *device = mica_devices_get(found, chosen);
    bool is_pocl = strstr(device->platform, "Portable Computing Language") != NULL;
    printf("Device: %s, a %s through %s.\n", device->name, kinds[device->type], is_pocl ? "POCL" : device->platform);
    for (int i = 0; device->type == MICA_DEVICE_CPU && i < mica_devices_count(found); i++)
        if (mica_devices_get(found, i)->type <= MICA_DEVICE_INTEGRATED_GPU)
            printf("This machine has a GPU, %s, and it is NOT used: %s.\n", mica_devices_get(found, i)->name, why);
    for (int i = 0; i < mica_devices_absent_count(found); i++) {
        const mica_absent_gpu *gpu = mica_devices_absent(found, i);
        printf("This machine has a GPU, %s, and it is NOT used: %s\n", gpu->name, gpu->advice);
    }
    mica_devices_destroy(found);
    return 0;
}

/* Shades from dark to light; plain characters where the terminal does not speak UTF-8. */
static const char *const *choose_shades(void)
{
    static const char *const blocks[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
    static const char *const plain[] = {" ", ".", "+", "#", "@"};
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *locale = getenv(variables[i]);
        if (locale && locale[0])
            return strstr(locale, "UTF-8") || strstr(locale, "utf8") ? blocks : plain;
    }
    return plain;
}

/* A character is about twice as high as wide: a small image takes two characters for a pixel, a large one a character
 * for two pixels above each other. */
static bool is_small(int width)
{
    return width <= 16;
}

/* How many drawings fit beside each other. */
static int fit_across(int width)
{
    int across = LINE / ((is_small(width) ? 2 * width : width) + TEXT);
    return across < 1 ? 1 : across > SHOWN / ROWS ? SHOWN / ROWS : across;
}

/* One line of a drawing. */
static void draw_line(const struct digit *digit, int width, int height, int line, bool small, const char *const *shades)
{
    float brightest = 0;
    for (int i = 0; i < width * height; i++)
        brightest = fmaxf(brightest, digit->pixels[i]);
    for (int x = 0; x < width; x++) {
        const float *pixel = digit->pixels + (small ? line : 2 * line) * width + x;
        float light = small || 2 * line + 1 == height ? pixel[0] : (pixel[0] + pixel[width]) / 2;
        const char *shade = shades[brightest > 0 ? (int)(4 * fmaxf(light, 0) / brightest + 0.5f) : 0];
        printf(small ? "%s%s" : "%s", shade, shade);
    }
}

static void draw(const struct digit *digits, int count, int width, int height)
{
    const char *const *shades = choose_shades();
    bool small = is_small(width);
    int lines = small ? height : (height + 1) / 2, across = fit_across(width);
    for (int first = 0; first < count; first += across) {
        for (int line = 0; line < lines; line++) {
            for (int i = first; i < first + across && i < count; i++) {
                char text[32] = "";
                draw_line(&digits[i], width, height, line, small, shades);
                if (line == lines / 2 - 1)
                    snprintf(text, sizeof text, "a %d", digits[i].answer);
                else if (line == lines / 2)
                    snprintf(text, sizeof text, "%.1f %%", 100 * (double)digits[i].probability);
                else if (line == lines / 2 + 1 && digits[i].answer != digits[i].truth)
                    snprintf(text, sizeof text, "is a %d", digits[i].truth);
                printf("  %-*s", TEXT - 2, text);
            }
            printf("\n");
        }
        printf("\n");
    }
}

/* The best class of CLASSES scores before softmax, and its probability. */
static void answer(const float *scores, struct digit *digit)
{
    double sum = 0;
    digit->answer = 0;
    for (int i = 1; i < CLASSES; i++)
        if (scores[i] > scores[digit->answer])
            digit->answer = i;
    for (int i = 0; i < CLASSES; i++)
        sum += exp((double)(scores[i] - scores[digit->answer]));
    digit->probability = (float)(1 / sum);
}

/* Runs the model on the first test samples and draws them. Errors of Mica are left in the device. */
static bool show(mica_device *device, const char *model_path, mica_job *job)
{
    mica_data *data = mica_job_data(job);
    mica_shape shape = mica_data_shape(data);
    int64_t samples = mica_data_count(data, MICA_TEST);
    bool drawable = shape.rank == 3 && shape.dim[0] == 1 && shape.dim[1] <= 64 && shape.dim[2] <= 64;
    int most = drawable ? ROWS * fit_across((int)shape.dim[2]) : 0;
    int count = samples < most ? (int)samples : most;
    if (count < 1) {
        fprintf(stderr, "show_digits: the job's data are no images of one channel with a test part\n");
        return false;
    }
    size_t pixels = (size_t)(shape.dim[1] * shape.dim[2]);
    float *images = calloc((size_t)count * pixels, sizeof *images), scores[SHOWN * CLASSES] = {0};
    struct digit digits[SHOWN] = {{0}};
    mica_model *model = mica_model_load(device, model_path);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = count});
    for (int i = 0; images && i < count; i++) {
        int32_t truth = -1;
        digits[i].pixels = images + (size_t)i * pixels;
        mica_data_sample(data, MICA_TEST, i, digits[i].pixels, &truth);
        digits[i].truth = truth;
    }
    if (images && !mica_plan_write(plan, NULL, images, (size_t)count * pixels) && !mica_plan_run(plan, count) &&
        !mica_plan_read(plan, NULL, scores, (size_t)count * CLASSES)) {
        for (int i = 0; i < count; i++)
            answer(scores + i * CLASSES, &digits[i]);
        draw(digits, count, (int)shape.dim[2], (int)shape.dim[1]);
    }
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    free(images);
    return images != NULL;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return show_device();
    if (argc == 2) {
        fprintf(stderr, "usage: show_digits [MODEL JOB.json [key.path=value]...]\n");
        return 2;
    }
    mica_device *device = mica_device_open(NULL);
    mica_job *job = mica_job_open(device, argv[2], (const char *const *)(argv + 3), argc - 3);
    bool shown = !mica_device_status(device) && show(device, argv[1], job);
    bool failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "show_digits: %s\n", mica_device_error(device));
    mica_job_destroy(job);
    mica_device_destroy(device);
    return failed || !shown;
}
