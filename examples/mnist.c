/* Trains a convolutional network on MNIST's four files and says how many of the test images it gets right.
 * Usage: mnist FOLDER */
#include <mica/mica.h>
#include <stdio.h>

static bool show(void *user, const mica_progress *now)
{
    (void)user;
    printf("epoch %d of %d: loss %.4f, accuracy %.4f, validation %.4f, %.1f s\n", now->epoch, now->epochs,
           now->loss, mica_scores_get(now->scores, "accuracy"), mica_scores_get(now->scores, "val_accuracy"), now->seconds);
    return true;
}

static mica_data *open_mnist(mica_device *device, const char *folder)
{
    static const char *names[4] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                   "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
    char path[4][1024];
    for (int i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    return mica_idx_open(device, &(mica_files_desc){
        .part = {[MICA_TRAIN] = {path[0], path[1]}, [MICA_TEST] = {path[2], path[3]}},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 255}});
}

static void describe(mica_model *model, mica_shape image)
{
    mica_node *x = mica_input(model, NULL, image);
    x = mica_conv2d(x, &(mica_conv_desc){.filters = 32, .kernel_size = {3}, .activation = "relu"});
    x = mica_max_pooling2d(x, NULL);
    x = mica_conv2d(x, &(mica_conv_desc){.filters = 64, .kernel_size = {3}, .activation = "relu"});
    x = mica_max_pooling2d(x, NULL);
    x = mica_flatten(x, NULL);
    x = mica_dense(x, &(mica_dense_desc){.units = 64, .activation = "relu"});
    x = mica_dropout(x, &(mica_dropout_desc){.rate = 0.2f});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 10}));
}

int main(int argc, char **argv)
{
    mica_device *device = mica_device_open(NULL);
    mica_data *data = open_mnist(device, argc > 1 ? argv[1] : ".");
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    describe(model, mica_data_shape(data));

    mica_scores *test = NULL;
    mica_fit(model, data, &(mica_fit_desc){
        .loss = "sparse_categorical_crossentropy", .optimizer = {"adam"}, .batch_size = 128, .epochs = 5,
        .validation_split = 0.1f, .metrics = {{"accuracy"}},
        .callbacks = &(mica_callback){.epoch = show}, .callback_count = 1}, NULL);
    mica_evaluate(model, data, MICA_TEST, NULL, 0, &test);
    mica_model_save(model, "mnist.safetensors");

    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "mnist: %s\n", mica_device_error(device));
    else
        printf("%.2f %% of %lld test images\n", 100 * mica_scores_get(test, "accuracy"), (long long)mica_data_count(data,
                MICA_TEST));
    mica_scores_destroy(test);
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed != 0;
}
