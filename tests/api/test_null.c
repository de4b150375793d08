/* Every public function without an object: a status where there is one, else nothing (test_arguments.c has the others). */
#include "api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID MICA_INVALID_ARGUMENT

/* ---- No object: a status where there is one, else nothing ---- */

/* An object that is NULL has the status of its kind, as those have that could not be made. */
static void null_objects(void **state)
{
    char shown[8] = "before";
    (void)state;
    assert_int_equal(mica_device_status(NULL), MICA_OUT_OF_MEMORY);
    assert_int_equal(mica_devices_status(NULL), MICA_OUT_OF_MEMORY);
    assert_int_equal(mica_model_status(NULL), MICA_OUT_OF_MEMORY);
    assert_int_equal(mica_plan_status(NULL), MICA_OUT_OF_MEMORY);
    assert_int_equal(mica_data_status(NULL), MICA_OUT_OF_MEMORY);
    assert_int_equal(mica_job_status(NULL), MICA_OUT_OF_MEMORY);
    assert_int_equal(mica_bench_status(NULL), MICA_OUT_OF_MEMORY);
    const char *const texts[] = {mica_device_error(NULL), mica_devices_error(NULL), mica_model_error(NULL), mica_plan_error(NULL),
                                 mica_data_error(NULL),   mica_job_error(NULL),     mica_bench_error(NULL)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(texts[i], mica_status_text(MICA_OUT_OF_MEMORY));
    mica_device_destroy(NULL), mica_devices_destroy(NULL), mica_model_destroy(NULL), mica_plan_destroy(NULL);
    mica_data_destroy(NULL), mica_job_destroy(NULL), mica_bench_destroy(NULL), mica_history_destroy(NULL), mica_free(NULL);
    mica_device_clear_error(NULL);
    mica_device_on_compile(NULL, NULL, NULL);
    assert_non_null(mica_status_text((mica_status)999));
    assert_non_null(mica_version());
    assert_string_equal(mica_printable(NULL, shown, sizeof shown), "");
    assert_ptr_equal(mica_printable("text", shown, 0), shown);
}

/* Asking gives nothing, and is no error. */
static void null_asked(void **state)
{
    const char *why = NULL;
    (void)state;
    assert_null(mica_device_get_info(NULL));
    assert_int_equal(mica_devices_count(NULL), 0);
    assert_null(mica_devices_get(NULL, 0));
    assert_int_equal(mica_devices_absent_count(NULL), 0);
    assert_null(mica_devices_absent(NULL, 0));
    assert_int_equal(mica_devices_choose(NULL, "gpu", &why), -1);
    assert_null(mica_cl_context(NULL));
    assert_null(mica_cl_queue(NULL));
    assert_int_equal(mica_node_shape(NULL).rank, -1);
    assert_int_equal(mica_model_variable_count(NULL), 0);
    assert_null(mica_model_variable_name(NULL, 0));
    assert_int_equal(mica_model_variable_shape(NULL, 0).rank, -1);
    assert_int_equal(mica_model_parameter_count(NULL), 0);
    assert_int_equal(mica_plan_peak_bytes(NULL), 0);
    assert_int_equal(mica_plan_launches(NULL), 0);
    assert_int_equal(mica_data_count(NULL, MICA_TRAIN), 0);
    assert_int_equal(mica_data_shape(NULL).rank, -1);
    assert_int_equal(mica_data_classes(NULL), 0);
    assert_string_equal(mica_data_class_name(NULL, 0), "");
    assert_null(mica_job_model(NULL));
    assert_null(mica_job_data(NULL));
    assert_null(mica_job_fit(NULL));
    assert_null(mica_job_run_folder(NULL));
    assert_int_equal(mica_job_log_every(NULL), 0);
    assert_int_equal(mica_job_notes(NULL), 0);
    assert_null(mica_job_note(NULL, 0));
    assert_int_equal(mica_history_epochs(NULL), 0);
    assert_null(mica_history_epoch(NULL, 0));
    assert_true(mica_history_compile_seconds(NULL) >= 0);
    assert_int_equal(mica_history_peak_bytes(NULL), 0);
    assert_int_equal(mica_bench_count(NULL), 0);
    assert_null(mica_bench_get(NULL, 0));
    assert_int_equal(mica_bench_kernel_count(NULL), 0);
    assert_null(mica_bench_get_kernel(NULL, 0));
}

/* Calls on nothing. */
static void null_calls(void **state)
{
    float values[API_IN] = {0};
    char *json = &(char){0};
    int64_t n = 1;
    float *inputs = values;
    mica_history *history = (mica_history *)&n;
    mica_scores *result = (mica_scores *)&n;
    cl_event done = (cl_event)&n;
    (void)state;
    assert_null(mica_model_create(NULL, NULL));
    assert_null(mica_model_load(NULL, "file"));
    assert_null(mica_model_load_memory(NULL, "bytes", 5));
    assert_null(mica_compile(NULL, NULL));
    assert_null(mica_job_open(NULL, "file", NULL, 0));
    assert_null(mica_job_open_model(NULL, "file", NULL, 0));
    assert_null(mica_bench_gemm(NULL, &(mica_bench_gemm_desc){.m = 1, .n = 1, .k = 1}));
    assert_null(mica_bench_conv(NULL, &(mica_bench_conv_desc){.channels = 1}));
    assert_null(mica_bench_op(NULL, &(mica_bench_op_desc){.name = "Add"}));
    assert_null(mica_bench_model(NULL, "file", NULL));
    assert_null(mica_bench_memory(NULL, NULL));
    assert_int_equal(mica_model_add_json(NULL, "{}"), INVALID);
    assert_int_equal(mica_model_read(NULL, "dense.bias", values, 5), INVALID);
    assert_int_equal(mica_model_write(NULL, "dense.bias", values, 5), INVALID);
    assert_int_equal(mica_model_save(NULL, "file"), INVALID);
    assert_int_equal(mica_model_load_weights(NULL, "file", NULL), INVALID);
    assert_int_equal(mica_model_inspect(NULL, NULL, &json), INVALID);
    assert_null(json);
    assert_int_equal(mica_plan_write(NULL, NULL, values, API_IN), INVALID);
    assert_int_equal(mica_plan_run(NULL, 1), INVALID);
    assert_int_equal(mica_plan_set(NULL, "learning_rate", 1), INVALID);
    assert_int_equal(mica_plan_read(NULL, NULL, values, API_OUT), INVALID);
    assert_int_equal(mica_cl_bind(NULL, "input", NULL, 0), INVALID);
    assert_int_equal(mica_cl_run(NULL, 1, 0, NULL, &done), INVALID);
    assert_null(done);
    mica_batches *batches = (mica_batches *)&n;
    int count = 5;
    assert_int_equal(mica_batches_create(NULL, api.data, NULL, &batches), INVALID);
    assert_null(batches);
    mica_batches_destroy(NULL);
    assert_int_equal(mica_batches_count(NULL), 0);
    assert_int_equal(mica_batches_begin(NULL, 0), INVALID);
    assert_int_equal(mica_batches_next(NULL, &n), INVALID);
    n = 1;
    assert_int_equal(mica_plan_metric_count(NULL), 0);
    assert_null(mica_plan_metric_name(NULL, 0));
    assert_int_equal(mica_plan_metrics(NULL, NULL, 0), INVALID);
    assert_int_equal(mica_plan_reset_metrics(NULL), INVALID);
    assert_int_equal(mica_plan_reset_states(NULL), INVALID);
    mica_scores_destroy(NULL);
    assert_null(mica_model_class_name(NULL, NULL, 0));
    assert_int_equal(mica_model_take_averages(NULL), INVALID);
    assert_int_equal(mica_scores_count(NULL), 0);
    assert_null(mica_scores_name(NULL, 0));
    assert_true(mica_scores_value(NULL, 0) != mica_scores_value(NULL, 0));
    assert_true(mica_scores_get(NULL, "loss") != mica_scores_get(NULL, "loss"));
    assert_null(mica_scores_parts(NULL, "loss", &count));
    assert_int_equal(count, 0);
    assert_int_equal(mica_data_field_count(NULL), 0);
    assert_null(mica_data_field_name(NULL, 0));
    assert_int_equal(mica_data_hold_out(NULL, 0.5f, 0), INVALID);
    assert_int_equal(mica_data_sample(NULL, MICA_TRAIN, 0, values, NULL), INVALID);
    assert_int_equal(mica_data_date(NULL, MICA_TRAIN, 0, NULL, 0), INVALID);
    assert_int_equal(mica_job_run(NULL, &history), INVALID);
    assert_null(history);
    history = (mica_history *)&n;
    assert_int_equal(mica_model_adapt(NULL, api.data), INVALID);
    assert_int_equal(mica_fit(NULL, api.data, &(mica_fit_desc){.loss = "mse"}, &history), INVALID);
    assert_null(history);
    assert_int_equal(mica_evaluate(NULL, api.data, MICA_TRAIN, NULL, 0, &result), INVALID);
    assert_null(result);
    assert_int_equal(mica_predict(NULL, values, 1, values, 2), INVALID);
    assert_int_equal(mica_classify(NULL, values, 1, 1, &(mica_answer){0}), INVALID);
    assert_int_equal(mica_predict_data(NULL, api.data, MICA_TRAIN, NULL, values, 2), INVALID);
    assert_int_equal(mica_classify_data(NULL, api.data, MICA_TRAIN, NULL, 1, &(mica_answer){0}), INVALID);
    assert_int_equal(mica_generate(NULL, "prompt", &(mica_generate_desc){.tokens = 1}), INVALID);
    assert_int_equal(mica_generate_all(NULL, NULL, 1, NULL), INVALID);
    mica_data *texts = mica_data_open_texts(api.device, NULL, 1, NULL);
    assert_int_equal(mica_data_status(texts), INVALID);
    mica_data_destroy(texts);
    assert_int_equal(mica_decode(NULL, NULL, MICA_TRAIN, NULL), INVALID);
    assert_int_equal(mica_data_notes(NULL), 0);
    assert_null(mica_data_note(NULL, 0));
    assert_int_equal(mica_tune(NULL, NULL, NULL), INVALID);
    assert_int_equal(mica_tune_clblast(NULL, 1, NULL, NULL), INVALID);
    assert_int_equal(mica_read_inputs(NULL, "file", &inputs, &n), INVALID);
    assert_null(inputs);
    assert_int_equal(n, 0);
    assert_int_equal(mica_check_output(NULL, "file"), INVALID);
    assert_int_equal(mica_write_npy(NULL, "file", values, MICA_SHAPE(3), 1), INVALID);
    assert_int_equal(mica_write_csv(NULL, "file", NULL, values, 1, 1), INVALID);
}

/* Layers take NULL and give NULL. */
static void null_layers(void **state)
{
    mica_node *none[2] = {NULL, NULL};
    (void)state;
    assert_null(mica_input(NULL, "x", MICA_SHAPE(1)));
    assert_null(mica_input_integer(NULL, "x", MICA_SHAPE(1)));
    assert_null(mica_input_typed(NULL, "x", MICA_SHAPE(1), MICA_INT64));
    assert_null(mica_input_varying(NULL, "x", MICA_SHAPE(4, 1), MICA_FLOAT32));
    assert_null(mica_constant_elements(NULL, "x", MICA_SHAPE(1), MICA_INT64, NULL));
    assert_int_equal(mica_node_type(NULL), MICA_FLOAT32);
    assert_int_equal(mica_model_variable_type(NULL, 0), MICA_FLOAT32);
    assert_int_equal(mica_plan_write_elements(NULL, NULL, MICA_INT64, NULL, 0), INVALID);
    assert_int_equal(mica_plan_read_elements(NULL, NULL, MICA_INT64, NULL, 0), INVALID);
    assert_null(mica_output(NULL, "y", api.input));
    assert_null(mica_output(api.model, "y", NULL));
    assert_null(mica_dense(NULL, NULL));
    assert_null(mica_conv1d(NULL, NULL));
    assert_null(mica_conv2d(NULL, NULL));
    assert_null(mica_max_pooling1d(NULL, NULL));
    assert_null(mica_max_pooling2d(NULL, NULL));
    assert_null(mica_average_pooling1d(NULL, NULL));
    assert_null(mica_average_pooling2d(NULL, NULL));
    assert_null(mica_global_average_pooling(NULL, NULL));
    assert_null(mica_global_max_pooling(NULL, NULL));
    assert_null(mica_flatten(NULL, NULL));
    assert_null(mica_reshape(NULL, NULL, MICA_SHAPE(1)));
    assert_null(mica_permute(NULL, NULL, MICA_SHAPE(1)));
    assert_null(mica_repeat_vector(NULL, NULL, 1));
    assert_null(mica_rescaling(NULL, NULL));
    assert_null(mica_normalization(NULL, NULL));
    assert_null(mica_discretization(NULL, NULL));
    assert_null(mica_category_encoding(NULL, NULL));
    assert_null(mica_hashing(NULL, NULL));
    assert_null(mica_masking(NULL, NULL));
    assert_null(mica_zero_padding1d(NULL, NULL));
    assert_null(mica_zero_padding2d(NULL, NULL));
    assert_null(mica_zero_padding3d(NULL, NULL));
    assert_null(mica_cropping1d(NULL, NULL));
    assert_null(mica_cropping2d(NULL, NULL));
    assert_null(mica_cropping3d(NULL, NULL));
    assert_null(mica_up_sampling1d(NULL, NULL));
    assert_null(mica_up_sampling2d(NULL, NULL));
    assert_null(mica_up_sampling3d(NULL, NULL));
    assert_null(mica_activation(NULL, NULL));
    assert_null(mica_dropout(NULL, NULL));
    assert_null(mica_batch_normalization(NULL, NULL));
    assert_null(mica_embedding(NULL, NULL));
    assert_null(mica_add(NULL, 2, NULL));
    assert_null(mica_add(none, 2, NULL));
    assert_null(mica_multiply(none, 2, NULL));
    assert_null(mica_concatenate(none, 2, 1, NULL));
    assert_null(mica_concatenate(none, -1, 1, NULL));
    assert_null(mica_add(none, 0, NULL));
    assert_null(mica_map(none, 2, NULL));
    assert_null(mica_again(NULL, "dense", none, 2, NULL));
    assert_int_equal(mica_group_begin(NULL, "group", none, 2), INVALID);
    assert_null(mica_group_end(NULL, NULL));
    assert_null(mica_model_node(NULL, "dense"));
    assert_int_equal(mica_layer_register(NULL, "own", NULL, NULL), INVALID);
    REFUSED(&api, mica_layer_register(api.device, "own", NULL, NULL), INVALID, "a name of 1 to");
    assert_null(mica_layer_user(NULL));
    assert_true(mica_layer_number(NULL, "key", 2) > 1);
    assert_null(mica_layer_text(NULL, "key", NULL));
}

/* And so do operators. */
static void null_operators(void **state)
{
    const int64_t axes[] = {0};
    mica_node *none[2] = {NULL, NULL}, *const made[] = {
        mica_op(NULL, 1, NULL), mica_op(none, 2, NULL), mica_op(none, -1, &(mica_op_desc){.op = "Add"}), mica_variable(NULL, NULL),
        mica_constant(NULL, NULL, MICA_SHAPE(1), NULL), mica_scalar(NULL, 1), mica_op_add(NULL, NULL), mica_op_sub(NULL, NULL),
        mica_op_mul(NULL, NULL), mica_op_div(NULL, NULL), mica_op_pow(NULL, NULL), mica_op_max(NULL, NULL), mica_op_min(NULL, NULL),
        mica_op_equal(NULL, NULL), mica_op_less(NULL, NULL), mica_op_greater(NULL, NULL), mica_op_where(NULL, NULL, NULL),
        mica_op_matmul(NULL, NULL), mica_op_exp(NULL), mica_op_log(NULL), mica_op_sqrt(NULL), mica_op_abs(NULL), mica_op_neg(NULL),
        mica_op_sign(NULL), mica_op_floor(NULL), mica_op_sin(NULL), mica_op_cos(NULL), mica_op_erf(NULL), mica_op_reciprocal(NULL),
        mica_op_sigmoid(NULL), mica_op_tanh(NULL), mica_op_relu(NULL), mica_op_softplus(NULL), mica_op_stop_gradient(NULL),
        mica_op_softmax(NULL, 0), mica_op_log_softmax(NULL, 0), mica_op_clip(NULL, 0, 1), mica_op_scale(NULL, 1),
        mica_op_shift(NULL, 1), mica_op_cast(NULL, NULL), mica_op_reduce_sum(NULL, axes, 1, true),
        mica_op_reduce_mean(NULL, NULL, 1, true), mica_op_reduce_max(NULL, NULL, -1, true), mica_op_reduce_min(NULL, axes, 0, true),
        mica_op_reshape(NULL, NULL, 1), mica_op_transpose(NULL, NULL, 1), mica_op_concat(NULL, 1, 0), mica_op_concat(none, 2, 0),
        mica_op_slice(NULL, 0, 0, 1), mica_op_expand(NULL, NULL, 1), mica_op_gather(NULL, NULL, 0)};
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        assert_null(made[i]);
    assert_int_equal(mica_model_status(api.model), MICA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_objects), cmocka_unit_test(null_asked), cmocka_unit_test(null_calls), cmocka_unit_test(null_layers),
        cmocka_unit_test(null_operators),
    };
    return cmocka_run_group_tests(tests, api_open, api_close);
}
