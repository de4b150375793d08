/* Every public function with every pointer NULL, counts that are negative, zero and huge, and names that nothing has: a status,
 * one line where there is an object to hold it, and nothing is blocked. */
#include "api.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID MICA_INVALID_ARGUMENT

/* ---- A description that does not fit leaves its line in the model ---- */

#define NODES(built)                                                                                                     \
    mica_node *x = mica_input(built, NULL, MICA_SHAPE(2, 6, 6)), *v = mica_input(built, "v", MICA_SHAPE(6));             \
    (void)x, (void)v

static void layers(void **state)
{
    const int64_t huge = INT64_MAX;
    (void)state;
    NOT_BUILT("expression is missing", mica_map(&v, 1, NULL));
    NOT_BUILT("takes at most 4 inputs, not 5", mica_map((mica_node *[]){v, v, v, v, v}, 5, &(mica_map_desc){.expression = "a"}));
    NOT_BUILT("do not broadcast", mica_map((mica_node *[]){v, x}, 2, &(mica_map_desc){.expression = "a + b + 1"}) ||
                                      mica_map((mica_node *[]){v, mica_reshape(x, NULL, MICA_SHAPE(72))}, 2,
                                               &(mica_map_desc){.expression = "a * b"}));
    NOT_BUILT("no layer \"nobody\"", mica_again(built, "nobody", &v, 1, NULL));
    NOT_BUILT("input 0 is NULL", mica_again(built, "v", (mica_node *[]){NULL}, 1, NULL));
    NOT_BUILT("ends that never began", mica_group_end(built, v));
    NOT_BUILT("no layer \"inputs\"; did you mean \"input\"?", mica_model_node(built, "inputs"));
    NOT_BUILT("no layer \"(null)\"", mica_model_node(built, NULL));
    NOT_BUILT("units must be at least 1", mica_dense(v, NULL));
    NOT_BUILT("units must be at least 1, not -3", mica_dense(v, &(mica_dense_desc){.units = -3}));
    NOT_BUILT("9223372036854775807", mica_dense(v, &(mica_dense_desc){.units = huge}));
    NOT_BUILT("activation \"rleu\"", mica_dense(v, &(mica_dense_desc){.units = 2, .activation = "rleu"}));
    NOT_BUILT("initializer \"x\"", mica_dense(v, &(mica_dense_desc){.units = 2, .kernel.initializer = {.type = "x"}}));
    NOT_BUILT("a layer's name", mica_dense(v, &(mica_dense_desc){.name = "", .units = 2}));
    NOT_BUILT("that name already", mica_dense(v, &(mica_dense_desc){.name = "v", .units = 2}));
    NOT_BUILT("kernel_size", mica_conv2d(x, NULL));
    NOT_BUILT("filters", mica_conv2d(x, &(mica_conv_desc){.filters = -1, .kernel_size = {1}}));
    NOT_BUILT("filters", mica_conv2d(x, &(mica_conv_desc){.filters = huge, .kernel_size = {1}}));
    NOT_BUILT("kernel_size", mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {-2}}));
    NOT_BUILT("kernel_size", mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {huge}}));
    NOT_BUILT("strides", mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}, .strides = {-1}}));
    NOT_BUILT("dilation_rate", mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}, .dilation_rate = {huge}}));
    NOT_BUILT("groups", mica_conv2d(x, &(mica_conv_desc){.filters = 2, .kernel_size = {1}, .groups = -2}));
    NOT_BUILT("padding \"smae\"", mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}, .padding = "smae"}));
    NOT_BUILT("a pad", mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}, .padding = "explicit", .pads = {-1}}));
    NOT_BUILT("needs (channels, length)", mica_conv1d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}}));
    NOT_BUILT("pool_size", mica_max_pooling2d(x, &(mica_pool_desc){.pool_size = {-1}}));
    NOT_BUILT("does not fit into an input", mica_average_pooling2d(x, &(mica_pool_desc){.pool_size = {1 << 20}}));
    NOT_BUILT("(channels, length)", mica_max_pooling1d(x, NULL));
    NOT_BUILT("(channels, length)", mica_average_pooling1d(x, NULL));
    NOT_BUILT("target_shape", mica_reshape(x, NULL, MICA_SHAPE(5)));
    NOT_BUILT("target_shape has 1 to", mica_reshape(x, NULL, (mica_shape){.rank = -1}));
    NOT_BUILT("target_shape has 1 to", mica_reshape(x, NULL, (mica_shape){.rank = INT32_MAX}));
    NOT_BUILT("dims", mica_permute(x, NULL, MICA_SHAPE(1, 1, 2)));
    NOT_BUILT("dims", mica_permute(x, NULL, (mica_shape){.rank = INT32_MAX}));
    NOT_BUILT("scale 0 must be", mica_rescaling(x, NULL));
    NOT_BUILT("offset inf", mica_rescaling(x, &(mica_rescaling_desc){.scale = 1, .offset = INFINITY}));
    NOT_BUILT("axis 9", mica_normalization(x, &(mica_normalization_desc){.axis = 9}));
    NOT_BUILT("variance is missing", mica_normalization(x, &(mica_normalization_desc){.mean = (float[]){1}, .count = 1}));
    NOT_BUILT("mean must be a number or a list of numbers", mica_normalization(x, &(mica_normalization_desc){
        .mean = (float[]){NAN}, .variance = (float[]){1}, .count = 1}));
    NOT_BUILT("takes bin_boundaries or num_bins", mica_discretization(x, NULL));
    NOT_BUILT("num_bins is 9223372036854775807", mica_discretization(x, &(mica_discretization_desc){.num_bins = huge}));
    NOT_BUILT("output_mode \"x\"", mica_discretization(x, &(mica_discretization_desc){.num_bins = 2, .output_mode = "x"}));
    NOT_BUILT("num_tokens must be 1 to", mica_category_encoding(x, NULL));
    NOT_BUILT("num_bins must be 1 to", mica_hashing(x, &(mica_hashing_desc){.num_bins = huge}));
    NOT_BUILT("mask_value is nan", mica_masking(x, &(mica_masking_desc){.mask_value = NAN}));
    NOT_BUILT("needs (features)", mica_repeat_vector(x, NULL, 2));
    NOT_BUILT("n must be at least 1, not 0", mica_repeat_vector(v, NULL, 0));
    NOT_BUILT("n is 9223372036854775807", mica_repeat_vector(v, NULL, huge));
    NOT_BUILT("needs (channels, length)", mica_zero_padding1d(x, NULL));
    NOT_BUILT("padding must be at least 0, not -1", mica_zero_padding2d(x, &(mica_zero_padding_desc){.padding = {{1, -1}}}));
    NOT_BUILT("needs (channels, depth, height, width)", mica_zero_padding3d(x, NULL));
    NOT_BUILT("needs (channels, length)", mica_cropping1d(v, NULL));
    NOT_BUILT("leaves nothing", mica_cropping2d(x, &(mica_cropping_desc){.cropping = {{3, 3}}}));
    NOT_BUILT("cropping is 9223372036854775807", mica_cropping2d(x, &(mica_cropping_desc){.cropping = {{0, huge}}}));
    NOT_BUILT("needs (channels, depth, height, width)", mica_cropping3d(x, NULL));
    NOT_BUILT("only nearest is possible along one axis", mica_up_sampling1d(mica_reshape(v, NULL, MICA_SHAPE(2, 3)), &(mica_up_sampling_desc){
        .interpolation = "bilinear"}));
    NOT_BUILT("interpolation \"cubic\"; there are \"nearest\"", mica_up_sampling2d(x, &(mica_up_sampling_desc){
        .interpolation = "cubic"}));
    NOT_BUILT("size must be at least 1, not -2", mica_up_sampling2d(x, &(mica_up_sampling_desc){.size = {-2}}));
    NOT_BUILT("size is 9223372036854775807", mica_up_sampling2d(x, &(mica_up_sampling_desc){.size = {huge}}));
    NOT_BUILT("needs (channels, depth, height, width)", mica_up_sampling3d(x, NULL));
    NOT_BUILT("type is missing", mica_activation(x, NULL));
    NOT_BUILT("activation \"none\"", mica_activation(x, &(mica_activation_desc){.type = "none"}));
    NOT_BUILT("rate", mica_dropout(x, &(mica_dropout_desc){.rate = 1}));
    NOT_BUILT("rate", mica_dropout(x, &(mica_dropout_desc){.rate = NAN}));
    NOT_BUILT("momentum", mica_batch_normalization(x, &(mica_batch_normalization_desc){.momentum = -1}));
    NOT_BUILT("input_dim", mica_embedding(v, NULL));
    NOT_BUILT("input_dim", mica_embedding(v, &(mica_embedding_desc){.input_dim = -1, .output_dim = 1}));
    NOT_BUILT("input 1 of 2 is NULL", mica_add((mica_node *[]){x, NULL}, 2, NULL));
    NOT_BUILT("input 0 of 2 is NULL", mica_multiply((mica_node *[]){NULL, x}, 2, NULL));
    NOT_BUILT("at least 2 inputs, not 1", mica_add(&x, 1, NULL));
    NOT_BUILT("do not fit together", mica_add((mica_node *[]){x, v}, 2, NULL));
    NOT_BUILT("axis 9", mica_concatenate((mica_node *[]){x, x}, 2, 9, NULL));
    NOT_BUILT("axis", mica_concatenate((mica_node *[]){x, x}, 2, INT32_MIN, NULL));
    NOT_BUILT("another model", mica_add((mica_node *[]){x, api.input}, 2, NULL));
    NOT_BUILT("another model", mica_output(built, NULL, api.input));
    NOT_BUILT("dimension 0 is -1", mica_input(built, "w", MICA_SHAPE(-1)));
    NOT_BUILT("dimensions, not 2147483647", mica_input(built, "w", (mica_shape){.rank = INT32_MAX}));
    NOT_BUILT("dimensions, not -1", mica_input_integer(built, "w", (mica_shape){.rank = -1}));
    NOT_BUILT("no type 13", mica_input_typed(built, "w", MICA_SHAPE(1), (mica_type)13));
    NOT_BUILT("begins with the most steps", mica_input_varying(built, "w", (mica_shape){0}, MICA_FLOAT32));
    NOT_BUILT("begins with the most steps", mica_input_varying(built, "w", MICA_SHAPE(0, 2), MICA_FLOAT32));
    NOT_BUILT("no such type", mica_input_varying(built, "w", MICA_SHAPE(4, 2), (mica_type)13));
    NOT_BUILT("no type -1", mica_input_typed(built, "w", MICA_SHAPE(1), (mica_type)-1));
    NOT_BUILT("too large", mica_input(built, "w", MICA_SHAPE(INT64_MAX, INT64_MAX)));
}

static void operators(void **state)
{
    const int64_t wild[] = {INT64_MIN, INT64_MAX, -1, 0};
    (void)state;
    NOT_BUILT("the operator's name is missing", mica_op(&x, 1, NULL));
    NOT_BUILT("did you mean \"Add\"", mica_op(&x, 1, &(mica_op_desc){.op = "Addd"}));
    NOT_BUILT("there is no operator", mica_op(&x, 1, &(mica_op_desc){.op = ""}));
    NOT_BUILT("-3 attributes", mica_op(&x, 1, &(mica_op_desc){.op = "Exp", .attribute_count = -3}));
    NOT_BUILT("2 attributes at NULL", mica_op(&x, 1, &(mica_op_desc){.op = "Exp", .attribute_count = 2}));
    NOT_BUILT("output -1", mica_op(&x, 1, &(mica_op_desc){.op = "Exp", .output = -1}));
    NOT_BUILT("input 1 of 2 is NULL", mica_op_add(x, NULL));
    NOT_BUILT("input 0 of 2 is NULL", mica_op_matmul(NULL, x));
    NOT_BUILT("another model", mica_op_mul(x, api.input));
    NOT_BUILT("do not broadcast", mica_op_add(x, mica_input(built, "w", MICA_SHAPE(5))));
    NOT_BUILT("must be a number", mica_op_clip(x, 0, NAN));
    NOT_BUILT("value is inf", mica_op_scale(x, INFINITY));
    NOT_BUILT("attribute to of Cast must be a text", mica_op_cast(x, NULL));
    NOT_BUILT("axes of ReduceSum must be a list", mica_op_reduce_sum(x, NULL, 2, false));
    NOT_BUILT("axes of ReduceMax must be a list", mica_op_reduce_max(x, wild, -2, false));
    NOT_BUILT("axis -9007199254740992", mica_op_reduce_min(x, wild, 4, false));
    NOT_BUILT("does not fit", mica_op_reshape(x, wild + 1, 2));
    NOT_BUILT("perm holds", mica_op_transpose(x, wild, 4));
    NOT_BUILT("at most 64", mica_op_expand(x, wild, INT32_MAX));
    NOT_BUILT("axis is -2147483648", mica_op_slice(x, INT32_MIN, 0, 1));
    NOT_BUILT("axis is 2147483647", mica_op_softmax(x, INT32_MAX));
    NOT_BUILT("0 to 7 dimensions, not 2147483647", mica_variable(built, &(mica_variable_desc){.shape = {.rank = INT32_MAX}}));
    NOT_BUILT("dimension 0 of shape must be at least 1, not -1", mica_variable(built, &(mica_variable_desc){.shape = MICA_SHAPE(-1)}));
    NOT_BUILT("the values are NULL", mica_constant(built, NULL, MICA_SHAPE(1), NULL));
    NOT_BUILT("value is nan", mica_scalar(built, NAN));
    NOT_BUILT("the values are NULL", mica_constant_elements(built, NULL, MICA_SHAPE(1), MICA_INT8, NULL));
    NOT_BUILT("no type 99", mica_constant_elements(built, NULL, MICA_SHAPE(1), (mica_type)99, wild));
    NOT_BUILT("no dtype \"int23\"; did you mean \"int32\"", mica_variable(built, &(mica_variable_desc){
        .shape = MICA_SHAPE(1), .frozen = true, .dtype = "int23"}));
    NOT_BUILT("must be frozen", mica_variable(built, &(mica_variable_desc){.shape = MICA_SHAPE(1), .dtype = "float16"}));
    assert_int_equal(mica_type_size((mica_type)-1) + mica_type_size((mica_type)13), 0);
    assert_null(mica_type_name((mica_type)13));
}

/* ---- Models and plans ---- */

static void models(void **state)
{
    float values[API_IN * 5] = {0};
    char *json = NULL;
    (void)state;
    REFUSED(&api, mica_model_read(api.model, NULL, values, 5), INVALID, "no variable");
    REFUSED(&api, mica_model_read(api.model, "dense.wieght", values, 5), INVALID, "no variable \"dense.wieght\"");
    REFUSED(&api, mica_model_read(api.model, "dense.bias", NULL, 5), INVALID, "NULL");
    REFUSED(&api, mica_model_read(api.model, "dense.bias", values, 0), MICA_SHAPE, "5 elements, not 0");
    REFUSED(&api, mica_model_read(api.model, "dense.bias", values, SIZE_MAX), MICA_SHAPE, "5 elements");
    REFUSED(&api, mica_model_write(api.model, NULL, values, 5), INVALID, "no variable");
    REFUSED(&api, mica_model_write(api.model, "dense.bias", NULL, 5), INVALID, "NULL");
    REFUSED(&api, mica_model_write(api.model, "dense.bias", values, 6), MICA_SHAPE, "5 elements, not 6");
    REFUSED(&api, mica_model_save(api.model, NULL), INVALID, "path");
    REFUSED(&api, mica_model_save(api.model, "/nowhere/at/all.safetensors"), MICA_IO, "/nowhere/at/all");
    REFUSED(&api, mica_model_load_weights(api.model, NULL, NULL), INVALID, "path");
    REFUSED(&api, mica_model_load_weights(api.model, "/nowhere", NULL), MICA_IO, "/nowhere");
    REFUSED(&api, mica_model_add_json(api.model, NULL), INVALID, "NULL");
    REFUSED(&api, mica_model_inspect(api.model, NULL, NULL), INVALID, "place for the text");
    REFUSED(&api, mica_model_inspect(api.model, &(mica_inspect_desc){.with_plan = true, .batch = -1}, &json), INVALID, "batch is -1");
    REFUSED(&api, mica_model_inspect(api.model, &(mica_inspect_desc){.with_plan = true, .batch = INT64_MAX}, &json), INVALID, "batch is");
    assert_null(json);
    assert_null(mica_model_variable_name(api.model, -1));
    assert_null(mica_model_variable_name(api.model, 99));
    assert_int_equal(mica_model_variable_shape(api.model, 99).rank, -1);
    assert_int_equal(mica_model_variable_type(api.model, 99), MICA_FLOAT32);
    mica_model *loaded = mica_model_load(api.device, NULL);
    api_says("load", mica_model_status(loaded), mica_model_error(loaded), INVALID, "path of a model is missing");
    mica_model_destroy(loaded);
    loaded = mica_model_load_memory(api.device, NULL, 10);
    api_says("load", mica_model_status(loaded), mica_model_error(loaded), INVALID, "bytes of a model are missing");
    mica_model_destroy(loaded);
    loaded = mica_model_load_memory(api.device, "", 0);
    api_says("load", mica_model_status(loaded), mica_model_error(loaded), MICA_FORMAT, "the model in memory");
    mica_model_destroy(loaded);
    api_still_works(&api);
}

static void plans(void **state)
{
    static const int64_t batches[] = {-1, INT64_MIN, INT64_MAX, (int64_t)1 << 40};
    float values[API_IN * API_BATCH] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        mica_plan *plan = mica_compile(api.model, &(mica_plan_desc){.batch = batches[i]});
        api_says("compile", mica_plan_status(plan), mica_plan_error(plan), INVALID, "batch is");
        assert_int_equal(mica_plan_run(plan, 1), INVALID); /* a plan that did not compile says so each time */
        mica_plan_destroy(plan);
        REFUSED(&api, mica_plan_run(api.plan, batches[i]), INVALID, "samples, the plan was compiled for at most 4");
        REFUSED(&api, mica_cl_run(api.plan, batches[i], 0, NULL, NULL), INVALID, "samples, the plan was compiled for at most 4");
    }
    REFUSED(&api, mica_cl_run(api.plan, ((int64_t)1 << 32) + 1, 0, NULL, NULL), INVALID, "4294967297 samples");
    REFUSED(&api, mica_plan_run(api.plan, 5), INVALID, "5 samples");
    REFUSED(&api, mica_plan_set(api.plan, "learning_rate", 1), INVALID, "no learning rate");
    REFUSED(&api, mica_plan_set(api.plan, NULL, 1), INVALID, "\"learning_rate\"");
    REFUSED(&api, mica_plan_write(api.plan, "x", values, API_IN), INVALID, "no input \"x\": there is \"input\"");
    REFUSED(&api, mica_plan_write(api.plan, NULL, NULL, API_IN), INVALID, "NULL");
    REFUSED(&api, mica_plan_write(api.plan, NULL, values, API_IN + 1), MICA_SHAPE, "4 values, a sample has 3");
    REFUSED(&api, mica_plan_write(api.plan, NULL, values, SIZE_MAX / 3 * 3), MICA_SHAPE, "a sample has 3");
    REFUSED(&api, mica_plan_read(api.plan, "y", values, API_OUT), INVALID, "no output \"y\": there is \"output\"");
    REFUSED(&api, mica_plan_read(api.plan, NULL, NULL, API_OUT), INVALID, "NULL");
    REFUSED(&api, mica_plan_read(api.plan, NULL, values, 3), MICA_SHAPE, "3 values, a sample has 2");
    REFUSED(&api, mica_plan_read(api.plan, NULL, values, SIZE_MAX / 2 * 2), MICA_SHAPE, "a sample has 2");
    REFUSED(&api, mica_plan_write_elements(api.plan, NULL, MICA_INT32, values, API_IN), INVALID, "input \"input\" is float32, not int32");
    REFUSED(&api, mica_plan_write_elements(api.plan, NULL, (mica_type)-1, values, API_IN), INVALID, "not a type that there is not");
    REFUSED(&api, mica_plan_write_elements(api.plan, "x", MICA_FLOAT32, values, API_IN), INVALID, "no input \"x\"");
    REFUSED(&api, mica_plan_write_elements(api.plan, NULL, MICA_FLOAT32, NULL, API_IN), INVALID, "NULL");
    REFUSED(&api, mica_plan_read_elements(api.plan, NULL, MICA_FLOAT16, values, API_OUT), INVALID, "output \"output\" is float32");
    REFUSED(&api, mica_plan_read_elements(api.plan, NULL, MICA_FLOAT32, NULL, API_OUT), INVALID, "NULL");
    REFUSED(&api, mica_plan_read_elements(api.plan, NULL, MICA_FLOAT32, values, 3), MICA_SHAPE, "3 values, a sample has 2");
    assert_int_equal(mica_plan_status(api.plan), INVALID); /* the first that was refused is told, and blocks nothing */
    assert_int_equal(mica_plan_run(api.plan, 0), MICA_OK);
}

/* ---- OpenCL objects of the application ---- */

static void opencl(void **state)
{
    cl_int code;
    cl_context context = mica_cl_context(api.device);
    mica_device *other = mica_device_open(NULL);
    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, 4096, NULL, &code);
    cl_mem narrow = clCreateBuffer(context, CL_MEM_READ_WRITE, 8, NULL, &code);
    cl_mem constant = clCreateBuffer(context, CL_MEM_READ_ONLY, 4096, NULL, &code);
    cl_mem sink = clCreateBuffer(context, CL_MEM_WRITE_ONLY, 4096, NULL, &code);
    cl_mem foreign = clCreateBuffer(mica_cl_context(other), CL_MEM_READ_WRITE, 4096, NULL, &code);
    cl_event none = NULL, strange = clCreateUserEvent(mica_cl_context(other), &code), done = NULL;
    (void)state;
    REFUSED(&api, mica_cl_bind(api.plan, "input", NULL, 0), INVALID, "NULL");
    REFUSED(&api, mica_cl_bind(api.plan, NULL, buffer, 0), INVALID, "\"input\", \"output\"");
    REFUSED(&api, mica_cl_bind(api.plan, "x", buffer, 0), INVALID, "\"x\": there is \"input\", \"output\"");
    REFUSED(&api, mica_cl_bind(api.plan, "input", buffer, 3), INVALID, "multiple of 4");
    REFUSED(&api, mica_cl_bind(api.plan, "input", buffer, SIZE_MAX - 3), INVALID, "has 0 bytes");
    REFUSED(&api, mica_cl_bind(api.plan, "input", narrow, 0), INVALID, "has 8 bytes");
    REFUSED(&api, mica_cl_bind(api.plan, "input", foreign, 0), INVALID, "another context");
    REFUSED(&api, mica_cl_bind(api.plan, "output", constant, 0), INVALID, "CL_MEM_READ_ONLY");
    REFUSED(&api, mica_cl_bind(api.plan, "input", sink, 0), INVALID, "CL_MEM_WRITE_ONLY");
    REFUSED(&api, mica_cl_run(api.plan, 1, 1, NULL, NULL), INVALID, "1 events");
    REFUSED(&api, mica_cl_run(api.plan, 1, 1, &none, &done), INVALID, "event 0 of 1");
    REFUSED(&api, mica_cl_run(api.plan, 1, 1, &strange, &done), MICA_DEVICE, "CL_INVALID_CONTEXT");
    assert_null(done);
    assert_int_equal(mica_cl_bind(api.plan, "input", buffer, 0), MICA_OK);
    REFUSED(&api, mica_cl_bind(api.plan, "output", buffer, 4), INVALID, "the place is that of \"input\"");
    assert_int_equal(mica_cl_bind(api.plan, "output", buffer, 1024), MICA_OK);
    api_still_works(&api);
    mica_plan_destroy(api.plan); /* the application's buffers go before it otherwise */
    api.plan = mica_compile(api.model, &(mica_plan_desc){.batch = API_BATCH});
    mica_device *wrong = mica_cl_device_adopt(NULL, NULL, NULL, NULL);
    api_says("adopt", mica_device_status(wrong), mica_device_error(wrong), INVALID, "context is NULL");
    mica_device_destroy(wrong);
    clSetUserEventStatus(strange, CL_COMPLETE);
    clReleaseEvent(strange);
    cl_mem all[] = {buffer, narrow, constant, sink, foreign};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        clReleaseMemObject(all[i]);
    mica_device_destroy(other);
}

/* ---- Data, training and prediction ---- */

static void assert_no_data(mica_data *data, mica_status status, const char *part)
{
    api_says(part, mica_data_status(data), mica_data_error(data), status, part);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 0);
    assert_int_not_equal(mica_fit(api.model, data, &(mica_fit_desc){.loss = "mse"}, NULL), MICA_OK);
    mica_data_destroy(data);
    api_still_works(&api);
}

static void data(void **state)
{
    char date[32];
    const mica_shape shape = MICA_SHAPE(API_IN);
    (void)state;
    assert_no_data(mica_csv_open(api.device, NULL, &(mica_csv_desc){0}), INVALID, "a path");
    assert_no_data(mica_csv_open(api.device, "/nowhere", NULL), INVALID, "description");
    assert_no_data(mica_csv_open(api.device, "/nowhere", &(mica_csv_desc){0}), MICA_IO, "/nowhere");
    assert_no_data(mica_idx_open(api.device, NULL), INVALID, "description");
    assert_no_data(mica_idx_open(api.device, &(mica_files_desc){0}), INVALID, "");
    assert_no_data(mica_npy_open(api.device, NULL), INVALID, "description");
    assert_no_data(mica_npy_open(api.device, &(mica_files_desc){.part = {{"/nowhere", NULL}}}), MICA_IO, "/nowhere");
    assert_no_data(mica_text_open(api.device, NULL), INVALID, "description");
    assert_no_data(mica_text_open(api.device, &(mica_text_desc){.window = 3}), INVALID, "a training text");
    assert_no_data(mica_text_open(api.device, &(mica_text_desc){.part = {"/nowhere"}}), MICA_IO, "/nowhere");
    assert_no_data(mica_text_open(api.device, &(mica_text_desc){.part = {"/nowhere"}, .window = INT64_MIN}), INVALID, "a window of -");
    assert_no_data(mica_data_open_spec(api.device, NULL, NULL), INVALID, "path");
    assert_no_data(mica_data_open_spec(api.device, "/nowhere", NULL), MICA_IO, "/nowhere");
    assert_no_data(mica_arrays_open(api.device, NULL), INVALID, "fields are missing");
    assert_no_data(mica_arrays_open(api.device, &(mica_arrays_desc){.samples = 1, .input_shape = shape}), INVALID, "inputs are missing");
    assert_no_data(mica_arrays_open(api.device, &(mica_arrays_desc){.samples = -1, .input_shape = shape, .inputs = api.inputs}),
                   INVALID, "samples is -1");
    assert_no_data(mica_arrays_open(api.device, &(mica_arrays_desc){.samples = INT64_MAX, .input_shape = shape, .inputs = api.inputs}),
                   INVALID, "samples is");
    assert_no_data(mica_arrays_open(api.device, &(mica_arrays_desc){.samples = 1, .input_shape = {.rank = -1}, .inputs = api.inputs}),
                   MICA_SHAPE, "the shape of inputs");
    assert_no_data(mica_arrays_open(api.device, &(mica_arrays_desc){.samples = 1, .input_shape = {.rank = 99}, .inputs = api.inputs}),
                   MICA_SHAPE, "the shape of inputs");
    REFUSED(&api, mica_data_hold_out(api.data, 0, 1), INVALID, "validation_split is 0");
    REFUSED(&api, mica_data_hold_out(api.data, NAN, 1), INVALID, "validation_split is");
    REFUSED(&api, mica_data_hold_out(api.data, 0.99f, 1), MICA_DATA, "leaves none to train");
    REFUSED(&api, mica_data_sample(api.data, MICA_TRAIN, -1, NULL, NULL), INVALID, "sample -1");
    REFUSED(&api, mica_data_sample(api.data, MICA_TRAIN, INT64_MAX, NULL, NULL), INVALID, "has 12 samples");
    REFUSED(&api, mica_data_sample(api.data, (mica_part)7, 0, NULL, NULL), INVALID, "has 0 samples");
    assert_int_equal(mica_data_sample(api.data, MICA_TRAIN, 0, NULL, NULL), MICA_OK);
    REFUSED(&api, mica_data_date(api.data, MICA_TRAIN, 12, date, sizeof date), INVALID, "sample 12");
    assert_int_equal(mica_data_date(api.data, MICA_TRAIN, 0, NULL, 0), INVALID);
    assert_int_equal(mica_data_date(api.data, MICA_TRAIN, 0, date, sizeof date), MICA_OK);
    assert_string_equal(date, "");
    assert_int_equal(mica_data_count(api.data, (mica_part)-1), 0);
    assert_string_equal(mica_data_class_name(api.data, -1), "");
    assert_string_equal(mica_data_class_name(api.data, 2), "");
    mica_data *unowned = mica_arrays_open(NULL, &(mica_arrays_desc){.samples = 1, .input_shape = MICA_SHAPE(2), .inputs = api.inputs});
    REFUSED(&api, mica_fit(api.model, unowned, &(mica_fit_desc){.loss = "mse"}, NULL), MICA_SHAPE, "not [3]");
    mica_data_destroy(unowned);
}

static void fields(void **state)
{
    const mica_field input = {.shape = MICA_SHAPE(API_IN), .values = api.inputs};
    const mica_field pair[] = {input, input};
    (void)state;
    assert_no_data(mica_fields_open(api.device, NULL), INVALID, "fields are missing");
    assert_no_data(mica_fields_open(api.device, &(mica_fields_desc){.samples = 1, .fields = &input, .field_count = -1}), INVALID,
                   "fields are missing");
    assert_no_data(mica_fields_open(api.device, &(mica_fields_desc){.samples = 1, .fields = pair, .field_count = 2}), INVALID,
                   "two fields of one role");
    assert_no_data(mica_fields_open(api.device, &(mica_fields_desc){.samples = 1, .fields = &(mica_field){.role = (mica_role)7},
                                                                    .field_count = 1}), INVALID, "no role 7");
    assert_no_data(mica_fields_open(api.device, &(mica_fields_desc){.samples = 1, .fields = &(mica_field){.name = "x"},
                                                                    .field_count = 1}), INVALID, "only classes have");
    assert_no_data(mica_fields_open(api.device, &(mica_fields_desc){
        .samples = 1, .fields = &(mica_field){.role = MICA_WEIGHT, .shape = MICA_SHAPE(2), .values = api.inputs}, .field_count = 1}),
                   MICA_SHAPE, "a weight is one number");
    const mica_field rows = {.shape = MICA_SHAPE(2, 2), .values = api.inputs};
    mica_fields_desc series = {.samples = 4, .fields = &input, .field_count = 1, .series = {.sequence_length = 5}};
    assert_no_data(mica_fields_open(api.device, &series), MICA_DATA, "4 rows are too few");
    series.series = (mica_series){.sequence_length = -1};
    assert_no_data(mica_fields_open(api.device, &series), INVALID, "sequence_length is -1; it must be from 1 to");
    series.series = (mica_series){.sequence_length = 2, .gap = -3};
    assert_no_data(mica_fields_open(api.device, &series), INVALID, "gap is -3; it must be from -2 to");
    series.series = (mica_series){.sequence_length = INT64_MAX};
    assert_no_data(mica_fields_open(api.device, &series), INVALID, "sequence_length is 9223372036854775807");
    series.series = (mica_series){.sequence_length = 2};
    series.fields = &rows;
    assert_no_data(mica_fields_open(api.device, &series), MICA_SHAPE, "a row of the series inputs has shape [2, 2]");
    assert_null(mica_data_field_name(api.data, -1));
    assert_null(mica_model_class_name(api.model, "no such output", 0));
    assert_null(mica_data_field_name(api.data, mica_data_field_count(api.data)));
}

static void batches(void **state)
{
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true};
    mica_batches *made = NULL;
    double loss;
    (void)state;
    mica_plan *plan = mica_compile(api.model, &(mica_plan_desc){.batch = 2, .objectives = &goal, .objective_count = 1});
    assert_int_equal(mica_plan_status(plan), MICA_OK);
    REFUSED(&api, mica_batches_create(plan, NULL, NULL, &made), INVALID, "the data are NULL");
    REFUSED(&api, mica_batches_create(plan, api.data, NULL, NULL), INVALID, "the place is NULL");
    REFUSED(&api, mica_batches_create(plan, api.data, &(mica_batches_desc){.part = (mica_part)8}, &made), INVALID, "no part 8");
    REFUSED(&api, mica_batches_create(plan, api.data, &(mica_batches_desc){.batch_size = 3}, &made), INVALID, "at most 2");
    REFUSED(&api, mica_batches_create(plan, api.data, &(mica_batches_desc){.batch_size = -5}, &made), INVALID, "batches of -5");
    assert_null(made);
    REFUSED(&api, mica_plan_metrics(plan, NULL, 1), INVALID, "room for 0");
    REFUSED(&api, mica_plan_metrics(plan, &loss, 2), INVALID, "room for 2");
    assert_int_equal(mica_plan_metric_count(plan), 1);
    assert_null(mica_plan_metric_name(plan, 1));
    assert_null(mica_plan_metric_name(plan, -1));
    assert_int_equal(mica_plan_reset_metrics(plan), MICA_OK);
    assert_int_equal(mica_plan_reset_states(plan), MICA_OK);
    assert_int_equal(mica_batches_create(plan, api.data, NULL, &made), MICA_OK);
    assert_int_equal(mica_batches_begin(made, 0), MICA_OK);
    assert_int_equal(mica_batches_next(made, NULL), INVALID);
    mica_batches_destroy(made);
    mica_plan_destroy(plan);
    const mica_objective bad[] = {{.loss = "mes"}, {.loss = "mse", .output = "outptu"}, {.loss = "mse", .weight = -1},
                                  {.loss = "mse", .metrics = {{"acuracy"}}}};
    static const char *const says[] = {"no loss \"mes\"", "no output \"outptu\"", "the weight of loss mse is -1", "no metric \"acuracy\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        plan = mica_compile(api.model, &(mica_plan_desc){.objectives = &bad[i], .objective_count = 1});
        api_says("compile", mica_plan_status(plan), mica_plan_error(plan), mica_plan_status(plan), says[i]);
        assert_int_not_equal(mica_plan_status(plan), MICA_OK);
        mica_plan_destroy(plan);
    }
}

static void training(void **state)
{
    const char *const loss = "sparse_categorical_crossentropy";
    mica_history *history = NULL;
    mica_scores *result = NULL;
    (void)state;
    REFUSED(&api, mica_model_adapt(api.model, NULL), INVALID, "takes data, which are NULL");
    REFUSED(&api, mica_fit(api.model, NULL, &(mica_fit_desc){.loss = loss}, NULL), INVALID, "the data are NULL");
    REFUSED(&api, mica_fit(api.model, api.data, NULL, &history), INVALID, "the description is NULL");
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){0}, &history), INVALID, "loss");
    mica_history_destroy(history);
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){.loss = "sparse"}, NULL), INVALID, "no loss \"sparse\"");
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){.loss = loss, .optimizer = {.type = "sdg"}}, NULL), INVALID, "sdg");
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){.loss = loss, .batch_size = -2}, NULL), INVALID, "batch_size is -2");
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){.loss = loss, .batch_size = INT64_MAX}, NULL), INVALID, "batch_size");
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){.loss = loss, .validation_split = 2}, NULL), INVALID,
            "validation_split is 2");
    REFUSED(&api, mica_fit(api.model, api.data, &(mica_fit_desc){.loss = loss, .callback_count = 1}, NULL), INVALID, "the list is NULL");
    assert_null(mica_training_model(NULL));
    assert_int_equal(mica_training_look(NULL), INVALID);
    assert_int_equal(mica_training_ask(NULL), INVALID);
    assert_int_equal(mica_training_set_learning_rate(NULL, 1), INVALID);
    assert_int_equal(mica_training_stop(NULL), INVALID);
    assert_int_equal(mica_training_save(NULL, "none"), INVALID);
    REFUSED(&api, mica_evaluate(api.model, api.data, MICA_TRAIN, NULL, 1, &result), INVALID, "their list is NULL");
    REFUSED(&api, mica_evaluate(api.model, NULL, MICA_TRAIN, &(mica_objective){.loss = loss}, 1, &result), INVALID, "the data are NULL");
    REFUSED(&api, mica_evaluate(api.model, api.data, MICA_TRAIN, &(mica_objective){.loss = loss}, 1, NULL), INVALID, "the place is NULL");
    REFUSED(&api, mica_evaluate(api.model, api.data, (mica_part)9, &(mica_objective){.loss = loss}, 1, &result), INVALID, "part 9");
    REFUSED(&api, mica_evaluate(api.model, api.data, MICA_TEST, &(mica_objective){.loss = loss}, 1, &result), MICA_DATA, "no test part");
    REFUSED(&api, mica_evaluate(api.model, api.data, MICA_TRAIN, NULL, 0, &result), INVALID, "never trained");
    assert_int_equal(mica_fit(api.model, api.data, &(mica_fit_desc){.loss = loss, .epochs = 1}, &history), MICA_OK);
    assert_null(mica_history_epoch(history, -1));
    assert_null(mica_history_epoch(history, 1));
    mica_history_destroy(history);
}

/* A number of epochs is no size: nothing is allocated for those that a callback never lets come. */
static bool stop(void *user, const mica_progress *now)
{
    (void)user;
    return now->epoch < 2;
}

static void many_epochs(void **state)
{
    mica_history *history = NULL;
    (void)state;
    mica_device_clear_error(api.device);
    assert_int_equal(mica_fit(api.model, api.data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .epochs = INT32_MAX,
                                                                    .callbacks = &(mica_callback){.epoch = stop},
                                                                    .callback_count = 1}, &history), MICA_CANCELLED);
    assert_int_equal(mica_history_epochs(history), 2);
    assert_int_equal(mica_device_status(api.device), MICA_OK);
    mica_history_destroy(history);
}

static void prediction(void **state)
{
    float outputs[API_OUT * API_SAMPLES], *read = NULL;
    mica_answer answers[API_SAMPLES];
    int64_t n = 0;
    (void)state;
    REFUSED(&api, mica_predict(api.model, NULL, 1, outputs, 2), INVALID, "inputs are NULL");
    REFUSED(&api, mica_predict(api.model, api.inputs, 1, NULL, 2), INVALID, "NULL");
    REFUSED(&api, mica_predict(api.model, api.inputs, -1, outputs, 2), INVALID, "-1 samples");
    REFUSED(&api, mica_predict(api.model, api.inputs, INT64_MAX, outputs, SIZE_MAX), MICA_SHAPE, "2 outputs each");
    REFUSED(&api, mica_predict(api.model, api.inputs, 1, outputs, 3), MICA_SHAPE, "room for 3");
    assert_int_equal(mica_predict(api.model, NULL, 0, NULL, 0), MICA_OK);
    REFUSED(&api, mica_classify(api.model, NULL, 1, 1, answers), INVALID, "inputs are NULL");
    REFUSED(&api, mica_classify(api.model, api.inputs, 1, 1, NULL), INVALID, "NULL");
    REFUSED(&api, mica_classify(api.model, api.inputs, -1, 1, answers), INVALID, "-1 samples");
    REFUSED(&api, mica_classify(api.model, api.inputs, INT64_MAX, 1, answers), INVALID, "samples to classify");
    REFUSED(&api, mica_classify(api.model, api.inputs, 1, 0, answers), INVALID, "0 best of 2");
    REFUSED(&api, mica_classify(api.model, api.inputs, 1, 3, answers), INVALID, "3 best of 2");
    assert_int_equal(mica_classify(api.model, NULL, 0, 1, NULL), MICA_OK);
    const mica_generate_desc one = {.tokens = 1};
    REFUSED(&api, mica_generate(api.model, NULL, &one), INVALID, "the prompt is NULL");
    REFUSED(&api, mica_generate(api.model, "prompt", NULL), INVALID, "the description is NULL");
    REFUSED(&api, mica_generate(api.model, "prompt", &(mica_generate_desc){.tokens = -1}), INVALID, "tokens is -1");
    REFUSED(&api, mica_generate(api.model, "prompt", &(mica_generate_desc){.tokens = 1, .temperature = NAN}), INVALID, "temperature");
    REFUSED(&api, mica_generate(api.model, "prompt", &(mica_generate_desc){.tokens = 1, .top_p = NAN}), INVALID, "top_p is ");
    REFUSED(&api, mica_generate(api.model, "prompt", &one), MICA_DATA, "no vocabulary");
    REFUSED(&api, mica_generate(api.model, "prompt", &(mica_generate_desc){.tokens = 1, .num_beams = -1}), INVALID, "num_beams is -1");
    REFUSED(&api, mica_generate(api.model, "prompt", &(mica_generate_desc){.tokens = 1, .num_beams = 2, .top_k = 3}), INVALID,
            "beam search draws nothing");
    REFUSED(&api, mica_generate_all(api.model, NULL, 1, &one), INVALID, "the prompts are NULL");
    REFUSED(&api, mica_generate_all(api.model, NULL, 1, NULL), INVALID, "the description is NULL");
    REFUSED(&api, mica_decode(api.model, NULL, MICA_TRAIN, &(mica_decode_desc){.input = "x"}), INVALID, "the data are NULL");
    REFUSED(&api, mica_decode(api.model, NULL, MICA_TRAIN, NULL), INVALID, "the description is NULL");
    REFUSED(&api, mica_predict_data(api.model, NULL, MICA_TRAIN, NULL, outputs, 2), INVALID, "they are NULL");
    REFUSED(&api, mica_predict_data(api.model, api.data, (mica_part)7, NULL, outputs, 2), INVALID, "the training, the validation");
    REFUSED(&api, mica_predict_data(api.model, api.data, MICA_TRAIN, NULL, outputs, 3), MICA_SHAPE, "room for 3");
    REFUSED(&api, mica_predict_data(api.model, api.data, MICA_TRAIN, NULL, NULL, API_OUT * API_SAMPLES), INVALID, "NULL");
    REFUSED(&api, mica_classify_data(api.model, NULL, MICA_TRAIN, NULL, 1, answers), INVALID, "they are NULL");
    REFUSED(&api, mica_classify_data(api.model, api.data, MICA_TRAIN, NULL, 3, answers), INVALID, "3 best of 2");
    mica_data *opened = NULL;
    REFUSED(&api, mica_data_status(opened = mica_data_open_inputs(api.device, NULL, api.model)), INVALID, "a path and a model");
    mica_data_destroy(opened);
    REFUSED(&api, mica_data_status(opened = mica_data_open_inputs(api.device, "/nowhere", api.model)), MICA_IO, "/nowhere");
    mica_data_destroy(opened);
    REFUSED(&api, mica_read_inputs(api.model, NULL, &read, &n), INVALID, "path is NULL");
    REFUSED(&api, mica_read_inputs(api.model, "/nowhere", NULL, &n), INVALID, "NULL");
    REFUSED(&api, mica_read_inputs(api.model, "/nowhere", &read, NULL), INVALID, "NULL");
    REFUSED(&api, mica_read_inputs(api.model, "/nowhere", &read, &n), MICA_IO, "/nowhere");
    REFUSED(&api, mica_check_output(api.device, NULL), INVALID, "NULL");
    REFUSED(&api, mica_check_output(api.device, "/nowhere/at/all"), MICA_IO, "/nowhere");
    REFUSED(&api, mica_write_npy(api.device, NULL, outputs, MICA_SHAPE(2), 1), INVALID, "path is NULL");
    REFUSED(&api, mica_write_npy(api.device, api_path("x.npy"), NULL, MICA_SHAPE(2), 1), INVALID, "values are NULL");
    REFUSED(&api, mica_write_npy(api.device, api_path("x.npy"), outputs, MICA_SHAPE(2), -1), INVALID, "-1 samples");
    REFUSED(&api, mica_write_npy(api.device, "/nowhere/x.npy", outputs, MICA_SHAPE(2), 1), MICA_IO, "/nowhere");
    REFUSED(&api, mica_write_npy(api.device, api_path("x.npy"), outputs, (mica_shape){.rank = 99}, 1), MICA_SHAPE, "cannot be written");
    REFUSED(&api, mica_write_npy(api.device, api_path("x.npy"), outputs, MICA_SHAPE(INT64_MAX), INT64_MAX), MICA_SHAPE, "cannot be written");
    REFUSED(&api, mica_write_csv(api.device, NULL, NULL, outputs, 1, 1), INVALID, "path is NULL");
    REFUSED(&api, mica_write_csv(api.device, api_path("x.csv"), NULL, NULL, 1, 1), INVALID, "values are NULL");
    REFUSED(&api, mica_write_csv(api.device, api_path("x.csv"), NULL, outputs, 1, -1), INVALID, "-1 samples");
    REFUSED(&api, mica_write_csv(api.device, api_path("x.csv"), NULL, outputs, 0, 1), INVALID, "0 columns");
    REFUSED(&api, mica_write_csv(api.device, "/nowhere/x.csv", NULL, outputs, 1, 1), MICA_IO, "/nowhere");
    REFUSED(&api, mica_tune(api.model, &(mica_tune_desc){.batch = -1}, NULL), INVALID, "-1");
    REFUSED(&api, mica_tune(api.model, &(mica_tune_desc){.seconds = NAN}, NULL), INVALID, "seconds");
    REFUSED(&api, mica_tune(api.model, &(mica_tune_desc){.batch = INT64_MAX}, NULL), INVALID, "batch is");
    REFUSED(&api, mica_tune_clblast(api.device, -1, NULL, NULL), INVALID, "-1 seconds");
}

/* ---- Jobs and benchmarks ---- */

static void assert_no_job(mica_job *job, mica_status status, const char *part)
{
    api_says(part, mica_job_status(job), mica_job_error(job), status, part);
    assert_int_equal(mica_job_run(job, NULL), status);
    mica_job_destroy(job);
    api_still_works(&api);
}

static void jobs(void **state)
{
    static const char text[] = "{\"model\": {\"input_shape\": [2], \"layers\": [{\"type\": \"dense\", \"units\": 1}]}, "
                               "\"data\": {\"format\": \"csv\", \"path\": \"none.csv\"}, \"loss\": \"mse\"}";
    const char *const sets[] = {NULL};
    (void)state;
    api_write("job.json", text);
    assert_no_job(mica_job_open(api.device, NULL, NULL, 0), INVALID, "path of a job is missing");
    assert_no_job(mica_job_open_model(api.device, NULL, NULL, 0), INVALID, "path of a job is missing");
    assert_no_job(mica_job_open(api.device, "/nowhere", NULL, 0), MICA_IO, "/nowhere");
    assert_no_job(mica_job_open(api.device, api_path("job.json"), NULL, 1), INVALID, "1 settings");
    assert_no_job(mica_job_open(api.device, api_path("job.json"), NULL, -1), INVALID, "-1 settings");
    assert_no_job(mica_job_open(api.device, api_path("job.json"), sets, 1), INVALID, "setting 0 of 1 is NULL");
    mica_job *job = mica_job_open_model(api.device, api_path("job.json"), NULL, 0);
    assert_int_equal(mica_job_status(job), MICA_OK);
    REFUSED(&api, mica_job_run(job, NULL), INVALID, "only the model was opened");
    REFUSED(&api, mica_job_add_callback(job, NULL), INVALID, "the callback to add is NULL");
    assert_int_equal(mica_job_add_callback(NULL, &(mica_callback){0}), INVALID);
    assert_int_equal(mica_job_log_every(job), 1);
    assert_null(mica_job_note(job, 0));
    mica_job_destroy(job);
}

static void assert_no_bench(mica_bench *bench, const char *part)
{
    api_says(part, mica_bench_status(bench), mica_bench_error(bench), INVALID, part);
    assert_int_equal(mica_bench_count(bench), 0);
    assert_null(mica_bench_get(bench, 0));
    mica_bench_destroy(bench);
    api_still_works(&api);
}

static void benchmarks(void **state)
{
    (void)state;
    const char *const shapes[] = {"2", NULL};
    assert_no_bench(mica_bench_gemm(api.device, NULL), "missing");
    assert_no_bench(mica_bench_gemm(api.device, &(mica_bench_gemm_desc){.n = 1, .k = 1}), "m is 0");
    assert_no_bench(mica_bench_gemm(api.device, &(mica_bench_gemm_desc){.m = 1, .n = INT64_MAX, .k = 1}), "n is");
    assert_no_bench(mica_bench_gemm(api.device, &(mica_bench_gemm_desc){.m = 1, .n = 1, .k = 1, .common = {.batch = -1}}), "batch");
    assert_no_bench(mica_bench_gemm(api.device, &(mica_bench_gemm_desc){.m = 1, .n = 1, .k = 1, .common = {.engine = "x"}}), "\"x\"");
    assert_no_bench(mica_bench_conv(api.device, NULL), "missing");
    assert_no_bench(mica_bench_conv(api.device, &(mica_bench_conv_desc){0}), "channels is 0");
    assert_no_bench(mica_bench_conv(api.device, &(mica_bench_conv_desc){.pass = (mica_bench_pass)9}), "pass is 9");
    assert_no_bench(mica_bench_op(api.device, NULL), "missing");
    assert_no_bench(mica_bench_op(api.device, &(mica_bench_op_desc){0}), "missing");
    assert_no_bench(mica_bench_op(api.device, &(mica_bench_op_desc){.name = "Add", .shape_count = -1}), "-1 shapes");
    assert_no_bench(mica_bench_op(api.device, &(mica_bench_op_desc){.name = "Add", .shape_count = 2}), "shape 0 is NULL");
    assert_no_bench(mica_bench_op(api.device, &(mica_bench_op_desc){.name = "Add", .shapes = shapes, .shape_count = 2}), "shape 1 is NULL");
    assert_no_bench(mica_bench_op(api.device, &(mica_bench_op_desc){.name = "Relu", .shapes = shapes, .shape_count = 1,
                                                                    .attribute_count = 1}), "attribute 0 is NULL");
    assert_no_bench(mica_bench_model(api.device, NULL, NULL), "missing");
    assert_no_bench(mica_bench_model(api.device, api_path("job.json"), &(mica_bench_model_desc){.common = {.batch = -1}}), "batch is -1");
    assert_no_bench(mica_bench_model(api.device, api_path("job.json"), &(mica_bench_model_desc){.set_count = 1}), "1 settings");
}

/* ---- All of them ---- */

/* Adds a file behind the text. */
static void read_behind(char *text, size_t size, const char *name)
{
    char path[1024];
    size_t length = strlen(text);
    snprintf(path, sizeof path, "%s/%s", MICA_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[length + fread(text + length, 1, size - length - 1, file)] = 0;
    fclose(file);
}

/* The files of a folder whose names begin and end so, one behind the other. */
static void read_folder(char *text, size_t size, const char *folder, const char *begin, const char *end)
{
    char path[512];
    const struct dirent *entry;
    snprintf(path, sizeof path, "%s/%s", MICA_SOURCE_DIR, folder);
    DIR *files = opendir(path);
    assert_non_null(files);
    while ((entry = readdir(files)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < strlen(end) || strncmp(entry->d_name, begin, strlen(begin)) || strcmp(entry->d_name + length - strlen(end), end))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        read_behind(text, size, path);
    }
    closedir(files);
}

/* Every function of the headers is named in a test of this folder. */
static void none_is_left_out(void **state)
{
    static char own[1 << 19], header[1 << 19];
    (void)state;
    read_folder(own, sizeof own, "tests/api", "test_", ".c");
    read_folder(header, sizeof header, "include/mica", "", ".h");
    read_folder(header, sizeof header, "include/mica/layers", "", ".h");
    for (char *at = header; (at = strstr(at, "\nMICA_API ")) != NULL;) {
        at += strlen("\nMICA_API ");
        char *open = strchr(at, '('), *name = open;
        while (name > at && (name[-1] == '_' || (name[-1] >= 'a' && name[-1] <= 'z') || (name[-1] >= '0' && name[-1] <= '9')))
            name--;
        char wanted[80];
        snprintf(wanted, sizeof wanted, "%.*s(", (int)(open - name), name);
        if (!strstr(own, wanted))
            fail_msg("%s is not called with arguments that are wrong", wanted);
    }
    mica_devices *found = mica_devices_find();
    assert_null(mica_devices_get(found, -1));
    assert_null(mica_devices_get(found, 1000000));
    assert_null(mica_devices_absent(found, -1));
    mica_devices_destroy(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators),
        cmocka_unit_test(layers),       cmocka_unit_test(models),     cmocka_unit_test(plans),      cmocka_unit_test(opencl),
        cmocka_unit_test(data),         cmocka_unit_test(fields), cmocka_unit_test(batches), cmocka_unit_test(training),   cmocka_unit_test(many_epochs),
        cmocka_unit_test(prediction),   cmocka_unit_test(jobs),       cmocka_unit_test(benchmarks),
        cmocka_unit_test(none_is_left_out),
    };
    return cmocka_run_group_tests(tests, api_open, api_close);
}
