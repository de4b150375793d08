/* The smallest network worth training: two inputs, four hidden units, exclusive or. */
#include <mica/mica.h>
#include <stdio.h>

int main(void)
{
    static const float inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    static const float targets[4] = {0, 1, 1, 0};
    float answers[4] = {0};

    mica_device *device = mica_device_open(NULL);
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = 4, .input_shape = MICA_SHAPE(2), .inputs = inputs[0],
        .label_shape = MICA_SHAPE(1), .values = targets});

    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(2));
    x = mica_dense(x, &(mica_dense_desc){.units = 4, .activation = "sigmoid"});
    x = mica_dense(x, &(mica_dense_desc){.units = 1, .activation = "sigmoid"});
    mica_output(model, NULL, x);

    mica_fit(model, data, &(mica_fit_desc){
        .loss = "mean_squared_error", .optimizer = {"adam", {{"learning_rate", 0.05}}},
        .batch_size = 4, .epochs = 1000}, NULL);
    mica_predict(model, inputs[0], 4, answers, 4);

    for (int i = 0; i < 4 && !mica_device_status(device); i++)
        printf("%g xor %g = %.3f\n", inputs[i][0], inputs[i][1], answers[i]);

    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "xor: %s\n", mica_device_error(device));
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_device_destroy(device);
    return failed != 0;
}
