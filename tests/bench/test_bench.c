/* Benchmarks say what ran, how fast, and how wrong; what they time is not looked at here. */
#include "bench/bench.h"
#include "support/files.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const mica_bench_desc brief = {.seconds = 0.001, .no_roof = true};

static const mica_bench_result *only(const mica_bench *bench)
{
    if (mica_bench_status(bench) != MICA_OK)
        fail_msg("%s", mica_bench_error(bench));
    assert_int_equal(mica_bench_count(bench), 1);
    return mica_bench_get(bench, 0);
}

static void assert_measured(const mica_bench_result *result, double most)
{
    assert_true(result->min_ms > 0 && result->min_ms <= result->median_ms && result->median_ms <= result->max_ms);
    assert_true(result->launches > 0 && result->runs >= 3 && result->launches_a_run > 0 && result->peak_bytes > 0);
    if (!(result->error <= most))
        fail_msg("%s, %s: error %g", result->name, result->engine, result->error);
}

/* Fails with the status and a text; the device is as before. */
static void assert_refused(mica_device *device, mica_bench *bench, mica_status status, const char *text)
{
    if (mica_bench_status(bench) != status || !strstr(mica_bench_error(bench), text))
        fail_msg("status %d, \"%s\"; expected %d and \"%s\"", mica_bench_status(bench), mica_bench_error(bench), status, text);
    assert_int_equal(mica_bench_count(bench), 0);
    assert_int_equal(mica_device_status(device), status);
    mica_device_clear_error(device);
    mica_bench_destroy(bench);
}

/* ---- Products ---- */

static void test_gemm(void **state)
{
    const mica_bench_gemm_desc cases[] = {
        {.m = 13, .n = 17, .k = 31, .transpose_a = true, .common = brief},
        {.m = 13, .n = 17, .k = 31, .transpose_b = true, .constant_b = true, .common = brief},
        {.m = 5, .n = 3, .k = 7, .common = {.batch = 4, .engine = "nest", .seconds = 0.001, .no_roof = true}},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_bench *bench = mica_bench_gemm(*state, &cases[i]);
        const mica_bench_result *result = only(bench);
        double flops = 2.0 * (double)(cases[i].m * cases[i].n * cases[i].k * (cases[i].common.batch ? cases[i].common.batch : 1));
        assert_measured(result, 1e-5);
        assert_true(fabs(result->gflops * result->median_ms * 1e6 / flops - 1) < 1e-6);
        assert_true(isnan(result->roof_share) && *result->engine);
        mica_bench_destroy(bench);
    }
    assert_refused(*state, mica_bench_gemm(*state, &(mica_bench_gemm_desc){.m = 1, .n = 0, .k = 1}), MICA_INVALID_ARGUMENT,
                   "n is 0");
    mica_bench_gemm_desc other = {.m = 8, .n = 8, .k = 8, .common = {.engine = "ges"}};
    assert_refused(*state, mica_bench_gemm(*state, &other), MICA_INVALID_ARGUMENT, "there is no engine \"ges\"");
    other.common = (mica_bench_desc){.engine = "col2im", .no_roof = true};
    assert_refused(*state, mica_bench_gemm(*state, &other), MICA_UNSUPPORTED, "engine \"col2im\" does not do this");
}

static void test_conv(void **state)
{
    for (int pass = MICA_BENCH_FORWARD; pass <= MICA_BENCH_WEIGHTS; pass++) {
        const mica_bench_conv_desc desc = {.channels = 16, .height = 5, .width = 7, .filters = 24, .kernel = 3,
                                           .stride = 1, .pass = (mica_bench_pass)pass,
                                           .common = {.batch = 2, .seconds = 0.001, .no_roof = true}};
        mica_bench *bench = mica_bench_conv(*state, &desc);
        const mica_bench_result *result = only(bench);
        assert_measured(result, 1e-5);
        assert_true(fabs(result->gflops * result->median_ms * 1e6 / (2.0 * 2 * 24 * 16 * 9 * 35) - 1) < 1e-6);
        mica_bench_destroy(bench);
    }
    const mica_bench_conv_desc odd = {.channels = 3, .height = 5, .width = 5, .filters = 4, .kernel = 3, .groups = 2};
    assert_refused(*state, mica_bench_conv(*state, &odd), MICA_INVALID_ARGUMENT, "2 groups");
}

/* A wrong element shows, and so does NaN. */
static void test_product_error(void **state)
{
    struct network net;
    float a[6], b[12], y[8];
    network_begin(&net, *state);
    mi_value *product = mi_op2(net.graph, "MatMul", network_input(&net, "a", "2 3", MI_FLOAT),
                               network_input(&net, "b", "3 4", MI_FLOAT));
    struct mi_contraction c;
    assert_int_equal(product->node->op->contract(product->node, &c), MICA_OK);
    for (int i = 0; i < 12; i++) {
        a[i % 6] = (float)(i % 6) - 2;
        b[i] = (float)i / 4 - 1;
    }
    for (int i = 0; i < 8; i++) {
        y[i] = 0;
        for (int k = 0; k < 3; k++)
            y[i] += a[i / 4 * 3 + k] * b[k * 4 + i % 4];
    }
    const struct mi_bench_product operands = {.c = &c, .a = a, .b = b, .n = 1};
    assert_true(mi_bench_flops(&c, 1) > 47 && mi_bench_flops(&c, 1) < 49);
    assert_true(mi_bench_product_error(&operands, y) < 1e-6);
    y[7] += 1;
    assert_true(mi_bench_product_error(&operands, y) > 0.1);
    y[7] = NAN;
    assert_true(isinf(mi_bench_product_error(&operands, y)));
    network_end(&net);
}

/* ---- Operators ---- */

static void test_op(void **state)
{
    const char *const images[] = {"nx3x8x8"}, *const rows[] = {"5x13", "4:int32"}, *const bad[] = {"5xx3"};
    const char *const window[] = {"kernel_shape=3,3", "strides=2,2"}, *const axis[] = {"axis=1"};
    const mica_bench_desc two = {.batch = 2, .seconds = 0.001, .no_roof = true};
    const mica_bench_op_desc cases[] = {
        {.name = "MaxPool", .shapes = images, .shape_count = 1, .attributes = window, .attribute_count = 2, .common = two},
        {.name = "Softmax", .shapes = rows, .shape_count = 1, .gradient = true, .common = brief},
        {.name = "Gather", .shapes = rows, .shape_count = 2, .attributes = axis, .attribute_count = 1, .common = brief}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_bench *bench = mica_bench_op(*state, &cases[i]);
        const mica_bench_result *result = only(bench);
        assert_measured(result, 1e-5);
        assert_true(result->gbytes_per_second > 0 && isnan(result->gflops));
        mica_bench_destroy(bench);
    }
    mica_bench_op_desc wrong = {.name = "Relu", .shapes = bad, .shape_count = 1};
    assert_refused(*state, mica_bench_op(*state, &wrong), MICA_INVALID_ARGUMENT, "\"5xx3\" is no shape");
    wrong = (mica_bench_op_desc){.name = "Rleu", .shapes = rows, .shape_count = 1};
    mica_bench *bench = mica_bench_op(*state, &wrong);
    assert_refused(*state, bench, mica_bench_status(bench), "Rleu");
}

static void test_memory(void **state)
{
    mica_bench *bench = mica_bench_memory(*state, &brief);
    if (mica_bench_status(bench) != MICA_OK)
        fail_msg("%s", mica_bench_error(bench));
    assert_int_equal(mica_bench_count(bench), 2);
    assert_true(mica_bench_get(bench, 0)->gbytes_per_second > 0);
    assert_true(mica_bench_get(bench, 1)->gflops > 0);
    assert_null(mica_bench_get(bench, 2));
    mica_bench_destroy(bench);
}

/* ---- Models ---- */

static const char job[] =
    "{\"model\": {\"input_shape\": [1, 6, 6], \"weights\": \"nowhere.safetensors\", \"layers\": [{\"type\": \"conv2d\", "
    "\"filters\": 8, \"kernel_size\": 3, \"activation\": \"relu\"}, {\"type\": \"flatten\"}, {\"type\": \"dense\", \"units\": 5}]}, "
    "\"data\": {\"format\": \"npy\", \"train\": {\"inputs\": \"nowhere.npy\", \"labels\": \"nowhere.npy\"}}, "
    "\"loss\": \"sparse_categorical_crossentropy\", \"optimizer\": \"adam\"}";

static void check_kernels(const mica_bench *bench, bool updates)
{
    double share = 0;
    bool updated = false;
    for (int i = 0; i < mica_bench_kernel_count(bench); i++) {
        const mica_bench_kernel *kernel = mica_bench_get_kernel(bench, i);
        assert_true(*kernel->name && *kernel->engine && kernel->launches > 0 && kernel->ms >= 0);
        assert_true(i == 0 || kernel->ms <= mica_bench_get_kernel(bench, i - 1)->ms);
        updated = updated || strcmp(kernel->name, "AdamUpdate") == 0;
        share += kernel->share;
    }
    assert_true(share > 0.999 && share < 1.001);
    assert_true(updated == updates);
}

static void test_model(void **state)
{
    write_text("bench.json", job);
    mica_bench_model_desc desc = {.profile = true, .check = true,
                                  .common = {.batch = 3, .seconds = 0.001, .no_roof = true}};
    mica_bench *bench = mica_bench_model(*state, "bench.json", &desc);
    const mica_bench_result *result = only(bench);
    assert_string_equal(result->name, "bench inference b3");
    assert_measured(result, 1e-5);
    assert_true(result->start_seconds > 0 && result->gflops > 0 && result->gbytes_per_second > 0);
    check_kernels(bench, false);
    mica_bench_destroy(bench);

    desc.training = true;
    bench = mica_bench_model(*state, "bench.json", &desc);
    result = only(bench);
    assert_true(result->median_ms > 0 && isnan(result->error));
    check_kernels(bench, true);
    mica_bench_destroy(bench);

    desc = (mica_bench_model_desc){.start_only = true};
    bench = mica_bench_model(*state, "bench.json", &desc);
    result = only(bench);
    assert_true(result->start_seconds > 0 && isnan(result->median_ms) && mica_bench_kernel_count(bench) == 0);
    mica_bench_destroy(bench);
    assert_refused(*state, mica_bench_model(*state, "nowhere.json", NULL), MICA_IO, "nowhere.json");
    desc = (mica_bench_model_desc){.generation = true, .common = {.seconds = 0.001, .no_roof = true}};
    assert_refused(*state, mica_bench_model(*state, "bench.json", &desc), MICA_UNSUPPORTED, "cannot be run step by step");
    desc.common.batch = 2;
    assert_refused(*state, mica_bench_model(*state, "bench.json", &desc), MICA_INVALID_ARGUMENT, "in a batch of 1");
}

static void test_generation(void **state)
{
    write_text("bench.json", "{\"model\": {\"input_shape\": [8], \"layers\": [{\"type\": \"embedding\", \"input_dim\": 6, \"output_dim\": 4}, "
                             "{\"type\": \"rotary_embedding\"}, {\"type\": \"transformer_decoder\", \"intermediate_dim\": 8, \"num_heads\": 2}, "
                             "{\"type\": \"dense\", \"units\": 6}]}, \"data\": {\"format\": \"text\", \"train\": \"a.txt\", \"window\": 8}, "
                             "\"loss\": \"sparse_categorical_crossentropy\"}");
    const mica_bench_model_desc desc = {.generation = true, .profile = true, .common = {.seconds = 0.001, .no_roof = true}};
    mica_bench *bench = mica_bench_model(*state, "bench.json", &desc);
    const mica_bench_result *result = only(bench);
    assert_string_equal(result->name, "bench generation b1");
    assert_true(result->median_ms > 0 && result->launches > 0 && result->start_seconds > 0);
    check_kernels(bench, false);
    mica_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gemm),   cmocka_unit_test(test_conv),
                                       cmocka_unit_test(test_product_error), cmocka_unit_test(test_op),
                                       cmocka_unit_test(test_memory), cmocka_unit_test(test_model), cmocka_unit_test(test_generation)};
    return cmocka_run_group_tests_name("bench", tests, open_device, close_device);
}
