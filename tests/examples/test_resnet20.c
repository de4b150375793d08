/* examples/models/resnet20.json with the published weights of ResNet-20 (third-party data): the logits of another
 * implementation for a thousand images of CIFAR-10, and the share of them that is right. */
#include "support/device.h"
#include "support/files.h"

#include "job/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { IMAGES = 1000, PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS, CLASSES = 10 };

/* Records of a class and three planes of colours, as floats with the usual mean 0 and deviation 1. */
static void read_images(float *images, unsigned char *labels)
{
    static const float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
    unsigned char record[RECORD];
    gzFile file = gzopen(shared_data("cifar10/test_batch_first1000.bin.gz"), "rb");
    assert_non_null(file);
    for (int i = 0; i < IMAGES; i++) {
        assert_int_equal(gzread(file, record, RECORD), RECORD);
        labels[i] = record[0];
        for (int k = 0; k < PIXELS; k++)
            images[i * PIXELS + k] = ((float)record[1 + k] / 255 - mean[k / 1024]) / deviation[k / 1024];
    }
    gzclose(file);
}

/* A .npy file of floats behind a header of 128 bytes. */
static void read_logits(float *logits)
{
    FILE *file = fopen(shared_data("models/resnet-cifar10/resnet20.test1000.logits.npy"), "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 128, SEEK_SET), 0);
    assert_int_equal(fread(logits, sizeof *logits, IMAGES * CLASSES, file), IMAGES * CLASSES);
    fclose(file);
}

static mica_model *load(mica_device *device)
{
    struct mi_error error = {0};
    cJSON *json = NULL;
    mica_model *model = mica_model_create(device, NULL);
    const char *weights = shared_data("models/resnet-cifar10/resnet20.safetensors");
    assert_int_equal(mi_json_file(&error, MICA_SOURCE_DIR "/examples/models/resnet20.json", &json), MICA_OK);
    if (mi_model_add_layers(model, cJSON_GetObjectItem(json, "model"), "model", NULL) || mica_model_load_weights(model, weights, NULL))
        fail_msg("%s", mica_model_error(model));
    cJSON_Delete(json);
    return model;
}

static void test_logits(void **state)
{
    mica_model *model = load(*state);
    float *images = malloc(sizeof(float) * IMAGES * PIXELS), *got = malloc(sizeof(float) * IMAGES * CLASSES);
    float *wanted = malloc(sizeof(float) * IMAGES * CLASSES), worst = 0;
    unsigned char labels[IMAGES];
    int right = 0;
    assert_true(images && got && wanted);
    read_images(images, labels);
    read_logits(wanted);
    if (mica_predict(model, images, IMAGES, got, IMAGES * CLASSES))
        fail_msg("%s", mica_model_error(model));
    for (int i = 0; i < IMAGES; i++) {
        int best = 0;
        for (int k = 0; k < CLASSES; k++) {
            worst = fmaxf(worst, fabsf(got[i * CLASSES + k] - wanted[i * CLASSES + k]));
            best = got[i * CLASSES + k] > got[i * CLASSES + best] ? k : best;
        }
        right += best == labels[i];
    }
    print_message("largest difference of a logit %g, %d of %d right\n", (double)worst, right, IMAGES);
    assert_true(worst < 1e-3f);
    assert_int_equal(right, 915);
    free(images);
    free(got);
    free(wanted);
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits)};
    return cmocka_run_group_tests_name("resnet20", tests, open_device, close_device);
}
