/* A step allocates nothing on the host, builds no program and makes no buffer: counted between the ends of epochs, which also
 * hold the reading of the sums, a shuffle and a validation pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing.h"
#include "base/base.h"
#include "device/device.h"

#include <mica/mica.h>

enum { SAMPLES = 61, EPOCHS = 4 };

struct counts {
    mica_device *device;
    int epochs;
    long allocations[EPOCHS];
    uint64_t builds[EPOCHS], buffers[EPOCHS], waits[EPOCHS];
};

static bool count_epoch(void *user, const mica_progress *now)
{
    struct counts *counts = user;
    int i = counts->epochs++;
    assert_true(now->batch == now->batches && i < EPOCHS);
    counts->allocations[i] = allocations();
    counts->builds[i] = counts->device->calls_build;
    counts->buffers[i] = counts->device->calls_buffer;
    counts->waits[i] = counts->device->calls_wait;
    return true;
}

static void train(mica_device *device, struct counts *counts)
{
    static float inputs[SAMPLES * 36];
    int32_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES * 36; i++)
        inputs[i] = mi_uniform(3, 1, (uint64_t)i);
    for (int i = 0; i < SAMPLES; i++)
        classes[i] = i % 3;
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(1, 6, 6), .inputs = inputs, .classes = classes});
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(1, 6, 6));
    x = mica_conv2d(x, &(mica_conv_desc){.filters = 4, .kernel_size = {3}, .activation = "relu"});
    x = mica_dropout(mica_flatten(mica_batch_normalization(x, NULL), NULL), &(mica_dropout_desc){.rate = 0.2f});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 3}));
    fail_allocation(0);
    mica_fit(model, data, &(mica_fit_desc){
        .loss = "sparse_categorical_crossentropy", .optimizer = {.type = "adam"}, .batch_size = 4, .epochs = EPOCHS,
        .validation_split = 0.2f, .metrics = {{"accuracy"}},
        .callbacks = &(mica_callback){.epoch = count_epoch, .user = counts}, .callback_count = 1}, NULL);
    if (mica_device_status(device))
        fail_msg("%s", mica_device_error(device));
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void steps(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(NULL);
    struct counts counts = {.device = device};
    if (mica_device_status(device))
        fail_msg("%s", mica_device_error(device));
    train(device, &counts);
    assert_int_equal(counts.epochs, EPOCHS);
    for (int i = 1; i < EPOCHS; i++) {
        if (i > 1) /* what an epoch is remembered by */
            assert_int_equal(counts.allocations[i] - counts.allocations[i - 1], counts.allocations[1] - counts.allocations[0]);
        assert_int_equal(counts.builds[i], counts.builds[0]);
        assert_int_equal(counts.buffers[i], counts.buffers[0]);
    }
    mica_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
