/* Operators as layers: values and gradients against references in double, C and JSON, files, shapes, and what errors say. */
#include "nn/fixture.h"
#include "support/device.h"

#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 7 };

static mica_device *device;

static int begin(void **state)
{
    int failed = open_device(state);
    device = *state;
    return failed;
}

static void assert_fine(const mica_model *model)
{
    if (mica_model_status(model) != MICA_OK || mica_device_status(device) != MICA_OK)
        fail_msg("%s%s", mica_model_error(model), mica_device_error(device));
}

static void assert_close(const char *what, const float *got, const double *expected, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= tolerance * fmax(1, fabs(expected[i]))))
            fail_msg("%s: element %zu is %.9g, expected %.9g", what, i, (double)got[i], expected[i]);
}

/* What a node is for n samples of the model's inputs, all of which are of SIZE. */
static void compute(mica_model *model, mica_node *node, const float *a, const float *b, int64_t n, float *out, size_t count)
{
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = n, .outputs = &node, .output_count = 1});
    assert_fine(model);
    if (a)
        assert_int_equal(mica_plan_write(plan, "a", a, (size_t)n * SIZE), MICA_OK);
    if (b)
        assert_int_equal(mica_plan_write(plan, "b", b, (size_t)n * SIZE), MICA_OK);
    assert_int_equal(mica_plan_run(plan, n), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, out, count), MICA_OK);
    mica_plan_destroy(plan);
}

/* The gradient of a loss by a variable: one step of SGD takes it off. */
static void differentiate(mica_model *model, mica_node *loss, const char *name, float *gradient, size_t count)
{
    float *before = mi_new(count, sizeof *before);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.loss = loss, .train = name,
                                                            .optimizer = {"sgd", {{"learning_rate", 1}}}});
    assert_fine(model);
    assert_int_equal(mica_model_read(model, name, before, count), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
    assert_int_equal(mica_model_read(model, name, gradient, count), MICA_OK);
    for (size_t i = 0; i < count; i++)
        gradient[i] = before[i] - gradient[i];
    assert_int_equal(mica_model_write(model, name, before, count), MICA_OK);
    mica_plan_destroy(plan);
    free(before);
}

static mica_node *variable_of(mica_model *model, const char *name, mica_shape shape, const float *values)
{
    char full[64];
    size_t count = 1;
    mica_node *node = mica_variable(model, &(mica_variable_desc){.name = name, .shape = shape});
    for (int i = 0; i < shape.rank; i++)
        count *= (size_t)shape.dim[i];
    snprintf(full, sizeof full, "%s.value", name);
    assert_int_equal(mica_model_write(model, full, values, count), MICA_OK);
    return node;
}

/* ---- Functions of one and of two numbers ---- */

static double sign(double x) { return (x > 0) - (x < 0); }
static double reciprocal(double x) { return 1 / x; }
static double negative(double x) { return -x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double relu(double x) { return x > 0 ? x : 0; }
static double softplus(double x) { return log(1 + exp(x)); }
static double same(double x) { return x; }

static const struct {
    mica_node *(*call)(mica_node *x);
    double (*reference)(double x);
    bool positive, flat; /* flat: there is no gradient */
} unary[] = {
    {mica_op_exp, exp, false, false},     {mica_op_log, log, true, false},       {mica_op_sqrt, sqrt, true, false},
    {mica_op_abs, fabs, false, false},    {mica_op_neg, negative, false, false}, {mica_op_sign, sign, false, true},
    {mica_op_floor, floor, false, true},  {mica_op_sin, sin, false, false},      {mica_op_cos, cos, false, false},
    {mica_op_erf, erf, false, false},     {mica_op_tanh, tanh, false, false},    {mica_op_reciprocal, reciprocal, true, false},
    {mica_op_relu, relu, false, false},   {mica_op_sigmoid, sigmoid, false, false},
    {mica_op_softplus, softplus, false, false}, {mica_op_stop_gradient, same, false, true},
};

static const float signed_values[SIZE] = {-2.3f, -1.1f, -0.4f, 0.3f, 0.9f, 1.6f, 2.8f},
                   positive_values[SIZE] = {0.2f, 0.5f, 0.8f, 1.3f, 1.9f, 2.4f, 3.1f};

static void test_unary(void **state)
{
    (void)state;
    for (size_t i = 0; i < MI_COUNT(unary); i++) {
        const float *values = unary[i].positive ? positive_values : signed_values;
        double expected[SIZE], slope[SIZE], h = 1e-5;
        float got[SIZE], gradient[SIZE];
        char what[16];
        snprintf(what, sizeof what, "unary %zu", i);
        for (int k = 0; k < SIZE; k++) {
            double x = (double)values[k];
            expected[k] = unary[i].reference(x);
            /* beside it stands x, so that there is always something to train */
            slope[k] = 1 + (unary[i].flat ? 0 : (unary[i].reference(x + h) - unary[i].reference(x - h)) / (2 * h));
        }
        mica_model *model = mica_model_create(device, NULL);
        compute(model, unary[i].call(mica_input(model, "a", MICA_SHAPE(SIZE))), values, NULL, 1, got, SIZE);
        assert_close(what, got, expected, SIZE, 2e-6);
        mica_node *v = variable_of(model, "v", MICA_SHAPE(SIZE), values);
        differentiate(model, mica_op_reduce_sum(mica_op_add(v, unary[i].call(v)), NULL, 0, false), "v.value", gradient, SIZE);
        assert_close(what, gradient, slope, SIZE, 1e-5);
        mica_model_destroy(model);
    }
}

static double add(double a, double b) { return a + b; }
static double sub(double a, double b) { return a - b; }
static double mul(double a, double b) { return a * b; }
static double divided(double a, double b) { return a / b; }

static const struct {
    mica_node *(*call)(mica_node *a, mica_node *b);
    double (*reference)(double a, double b);
} binary[] = {{mica_op_add, add}, {mica_op_sub, sub}, {mica_op_mul, mul},  {mica_op_div, divided},
              {mica_op_pow, pow}, {mica_op_max, fmax}, {mica_op_min, fmin}};

/* a (n, 7) with b (1, 7), and the slopes by both. */
static void test_binary(void **state)
{
    float a[2 * SIZE], got[2 * SIZE], gradient[SIZE];
    (void)state;
    for (int k = 0; k < 2 * SIZE; k++)
        a[k] = positive_values[(k * 3 + 1) % SIZE] + 0.05f;
    for (size_t i = 0; i < MI_COUNT(binary); i++) {
        double expected[2 * SIZE], slope[2][SIZE], h = 1e-5;
        char what[16];
        snprintf(what, sizeof what, "binary %zu", i);
        for (int k = 0; k < 2 * SIZE; k++)
            expected[k] = binary[i].reference((double)a[k], (double)positive_values[k % SIZE]);
        for (int k = 0; k < SIZE; k++) {
            double x = (double)a[k], y = (double)positive_values[k];
            slope[0][k] = (binary[i].reference(x + h, y) - binary[i].reference(x - h, y)) / (2 * h);
            slope[1][k] = (binary[i].reference(x, y + h) - binary[i].reference(x, y - h)) / (2 * h);
        }
        mica_model *model = mica_model_create(device, NULL);
        mica_node *v = variable_of(model, "v", MICA_SHAPE(1, SIZE), positive_values);
        mica_node *w = variable_of(model, "w", MICA_SHAPE(SIZE), a);
        compute(model, binary[i].call(mica_input(model, "a", MICA_SHAPE(SIZE)), v), a, NULL, 2, got, 2 * SIZE);
        assert_close(what, got, expected, 2 * SIZE, 2e-6);
        mica_node *loss = mica_op_reduce_sum(binary[i].call(w, v), NULL, 0, false);
        differentiate(model, loss, "w.value", gradient, SIZE);
        assert_close(what, gradient, slope[0], SIZE, 2e-5);
        differentiate(model, loss, "v.value", gradient, SIZE);
        assert_close(what, gradient, slope[1], SIZE, 2e-5);
        mica_model_destroy(model);
    }
}

/* Comparisons choose: a where it is equal to, below or above b, else b - 10. */
static void test_choices(void **state)
{
    static mica_node *(*const calls[])(mica_node *, mica_node *) = {mica_op_equal, mica_op_less, mica_op_greater};
    const float a[SIZE] = {1, 2, 3, 4, 5, 6, 7}, b[SIZE] = {7, 2, 9, 0, 5, 5, -1};
    (void)state;
    for (int i = 0; i < 3; i++) {
        float got[SIZE];
        double expected[SIZE];
        for (int k = 0; k < SIZE; k++) {
            bool holds = i == 0 ? a[k] >= b[k] && a[k] <= b[k] : i == 1 ? a[k] < b[k] : a[k] > b[k];
            expected[k] = holds ? (double)a[k] : (double)b[k] - 10;
        }
        mica_model *model = mica_model_create(device, NULL);
        mica_node *x = mica_input(model, "a", MICA_SHAPE(SIZE)), *y = mica_input(model, "b", MICA_SHAPE(SIZE));
        compute(model, mica_op_where(calls[i](x, y), x, mica_op_shift(y, -10)), a, b, 1, got, SIZE);
        assert_close("where", got, expected, SIZE, 0);
        mica_model_destroy(model);
    }
}

/* ---- Tensors ---- */

static const float table[12] = {1, -2, 3, 4, 0.5f, -6, 7, 8, -9, 10, 11, 1.5f}; /* (3, 4) */

struct reduced {
    mica_node *(*call)(mica_node *x, const int64_t *axes, int count, bool keepdims);
    double (*join)(double a, double b);
    double first, divisor;
};

static void test_reductions(void **state)
{
    static const struct reduced rows[] = {{mica_op_reduce_sum, add, 0, 1}, {mica_op_reduce_mean, add, 0, 4},
                                          {mica_op_reduce_max, fmax, -1e9, 1}, {mica_op_reduce_min, fmin, 1e9, 1}};
    const int64_t last[] = {-1};
    (void)state;
    for (size_t i = 0; i < MI_COUNT(rows); i++) {
        double expected[3];
        float got[3];
        for (int r = 0; r < 3; r++) {
            expected[r] = rows[i].first;
            for (int c = 0; c < 4; c++)
                expected[r] = rows[i].join(expected[r], (double)table[4 * r + c]);
            expected[r] /= rows[i].divisor;
        }
        mica_model *model = mica_model_create(device, NULL);
        mica_node *t = mica_constant(model, "t", MICA_SHAPE(3, 4), table), *y = rows[i].call(t, last, 1, true);
        assert_int_equal(mica_node_shape(y).rank, 2);
        compute(model, y, NULL, NULL, 1, got, 3);
        assert_close("reduction", got, expected, 3, 1e-6);
        assert_int_equal(mica_node_shape(rows[i].call(t, last, 1, false)).rank, 1);
        assert_int_equal(mica_node_shape(rows[i].call(t, NULL, 0, false)).rank, 0);
        mica_model_destroy(model);
    }
}

/* Where each element of the result comes from in the table. */
static void assert_moved(const char *what, mica_model *model, mica_node *y, mica_shape shape, const int *from)
{
    double expected[24];
    float got[24];
    size_t count = 1;
    mica_shape has = mica_node_shape(y);
    assert_int_equal(has.rank, shape.rank);
    for (int i = 0; i < shape.rank; i++) {
        assert_int_equal(has.dim[i], shape.dim[i]);
        count *= (size_t)shape.dim[i];
    }
    for (size_t i = 0; i < count; i++)
        expected[i] = (double)table[from[i]];
    compute(model, y, NULL, NULL, 1, got, count);
    assert_close(what, got, expected, count, 0);
}

static void test_moves(void **state)
{
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *t = mica_constant(model, NULL, MICA_SHAPE(3, 4), table);
    mica_node *index = mica_op_cast(mica_constant(model, NULL, MICA_SHAPE(2), (const float[]){2, -3}), "int32");
    assert_moved("transpose", model, mica_op_transpose(t, (const int64_t[]){1, 0}, 2), MICA_SHAPE(4, 3),
                 (const int[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    assert_moved("reshape", model, mica_op_reshape(t, (const int64_t[]){0, 2, -1}, 3), MICA_SHAPE(3, 2, 2),
                 (const int[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    assert_moved("slice", model, mica_op_slice(t, 1, 1, -1), MICA_SHAPE(3, 2), (const int[]){1, 2, 5, 6, 9, 10});
    assert_moved("slice to the end", model, mica_op_slice(t, 0, -1, INT64_MAX), MICA_SHAPE(1, 4), (const int[]){8, 9, 10, 11});
    mica_node *first = mica_op_slice(t, 1, 0, 1), *last = mica_op_slice(t, -1, 3, 4);
    assert_moved("concat", model, mica_op_concat((mica_node *[]){last, first}, 2, 1), MICA_SHAPE(3, 2),
                 (const int[]){3, 0, 7, 4, 11, 8});
    assert_moved("expand", model, mica_op_expand(first, (const int64_t[]){2, 1, 2}, 3), MICA_SHAPE(2, 3, 2),
                 (const int[]){0, 0, 4, 4, 8, 8, 0, 0, 4, 4, 8, 8});
    assert_moved("gather", model, mica_op_gather(t, index, 1), MICA_SHAPE(3, 2), (const int[]){2, 1, 6, 5, 10, 9});
    mica_model_destroy(model);
}

static void test_products(void **state)
{
    double expected[9] = {0};
    float got[12];
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *t = mica_constant(model, NULL, MICA_SHAPE(3, 4), table);
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 4; k++)
            expected[i] += (double)table[i / 3 * 4 + k] * (double)table[i % 3 * 4 + k];
    compute(model, mica_op_matmul(t, mica_op_transpose(t, (const int64_t[]){1, 0}, 2)), NULL, NULL, 1, got, 9);
    assert_close("matmul", got, expected, 9, 1e-6);
    for (int i = 0; i < 2; i++) { /* along the rows */
        double shares[12];
        for (int k = 0; k < 12; k++) {
            double sum = 0;
            for (int c = 0; c < 4; c++)
                sum += exp((double)table[k / 4 * 4 + c] - (double)table[k]);
            shares[k] = i ? -log(sum) : 1 / sum;
        }
        compute(model, i ? mica_op_log_softmax(t, -1) : mica_op_softmax(t, 1), NULL, NULL, 1, got, 12);
        assert_close("softmax", got, shares, 12, 1e-6);
    }
    double clipped[12];
    for (int k = 0; k < 12; k++)
        clipped[k] = 2 * fmin(fmax((double)table[k], -2.5), 4) - 1;
    compute(model, mica_op_shift(mica_op_scale(mica_op_clip(t, -2.5f, 4), 2), -1), NULL, NULL, 1, got, 12);
    assert_close("clip, scale, shift", got, clipped, 12, 1e-6);
    for (int k = 0; k < 12; k++)
        clipped[k] = trunc((double)table[k]);
    compute(model, mica_op_cast(mica_op_cast(t, "int32"), "float32"), NULL, NULL, 1, got, 12);
    assert_close("cast", got, clipped, 12, 0);
    mica_model_destroy(model);
}

/* d/dW of mean((W x - y)^2) by hand. */
static void test_composed_gradient(void **state)
{
    double expected[12] = {0};
    float gradient[12];
    const float x[4] = {1, -1, 0.5f, 2}, y[3] = {0.5f, 3, -2};
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *w = variable_of(model, "w", MICA_SHAPE(3, 4), table);
    mica_node *error = mica_op_sub(mica_op_matmul(w, mica_constant(model, "x", MICA_SHAPE(4), x)),
                                   mica_constant(model, "y", MICA_SHAPE(3), y));
    differentiate(model, mica_op_mul(error, error), "w.value", gradient, 12); /* the mean over all elements */
    for (int r = 0; r < 3; r++) {
        double off = -(double)y[r];
        for (int k = 0; k < 4; k++)
            off += (double)table[4 * r + k] * (double)x[k];
        for (int k = 0; k < 4; k++)
            expected[4 * r + k] = 2 * off * (double)x[k] / 3;
    }
    assert_close("gradient", gradient, expected, 12, 1e-5);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.loss = error, .train = "x.value"});
    assert_non_null(strstr(mica_plan_error(plan), "depends on no parameter that \"x.value\" names")); /* it is frozen */
    mica_plan_destroy(plan);
    mica_device_clear_error(device);
    mica_model_destroy(model);
}

/* ---- Shapes of nodes, and where a batch is needed ---- */

static void test_shapes(void **state)
{
    float out[4];
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(3, 2)), *v = mica_variable(model, &(mica_variable_desc){.shape = MICA_SHAPE(2, 5)});
    assert_int_equal(mica_node_shape(x).rank, 2);
    assert_int_equal(mica_node_shape(v).rank, 2);
    assert_int_equal(mica_node_shape(v).dim[0], 2);
    assert_int_equal(mica_node_shape(mica_scalar(model, 3)).rank, 0);
    assert_int_equal(mica_node_shape(mica_op_matmul(x, v)).dim[1], 5);
    mica_shape turned = mica_node_shape(mica_op_transpose(x, (const int64_t[]){2, 0, 1}, 3));
    assert_int_equal(turned.rank, 3);
    assert_int_equal(turned.dim[0], 2);
    assert_int_equal(turned.dim[1], -1);
    assert_int_equal(turned.dim[2], 3);
    assert_int_equal(mica_model_parameter_count(model), 10);
    mica_constant(model, NULL, MICA_SHAPE(4), table);
    assert_int_equal(mica_model_parameter_count(model), 10);
    mica_output(model, NULL, v);
    assert_int_equal(mica_predict(model, table, 1, out, 4), MICA_SHAPE);
    assert_non_null(strstr(mica_device_error(device), "the output has shape (2, 5) of float32, it must be (n, ...)"));
    mica_device_clear_error(device);
    mica_model_destroy(model);
}

/* Other layers take a batch first: a number has none, and nothing else may grow with it. */
static void test_layers_on_anything(void **state)
{
    (void)state;
    for (int rank = -1; rank < 8; rank++)
        for (int layer = 0; layer < 11; layer++) {
            mica_model *model = mica_model_create(device, NULL);
            mica_shape shape = {.rank = rank < 0 ? 1 : rank, .dim = {4, 3, 2, 3, 2, 1, 2}};
            mica_node *x = rank < 0 ? mica_op_transpose(mica_input(model, NULL, shape), (const int64_t[]){1, 0}, 2)
                                    : mica_variable(model, &(mica_variable_desc){.shape = shape});
            mica_node *y = layer == 0   ? mica_dense(x, &(mica_dense_desc){.units = 2})
                           : layer == 1 ? mica_conv1d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}})
                           : layer == 2 ? mica_conv2d(x, &(mica_conv_desc){.filters = 1, .kernel_size = {1}})
                           : layer == 3 ? mica_max_pooling2d(x, &(mica_pool_desc){.pool_size = {1}})
                           : layer == 4 ? mica_global_average_pooling(x, NULL)
                           : layer == 5 ? mica_flatten(x, NULL)
                           : layer == 6 ? mica_reshape(x, NULL, MICA_SHAPE(-1))
                           : layer == 7 ? mica_permute(x, NULL, MICA_SHAPE(2, 1))
                           : layer == 8 ? mica_batch_normalization(x, NULL)
                           : layer == 9 ? mica_concatenate((mica_node *[]){x, x}, 2, 1, NULL)
                                        : mica_add((mica_node *[]){x, x}, 2, NULL);
            assert_true(!y == (mica_model_status(model) != MICA_OK));
            if (rank == 0)
                assert_non_null(strstr(mica_model_error(model), ": input 0 is a single number, without a batch"));
            if (rank < 0)
                assert_non_null(strstr(mica_model_error(model), "has shape (4, n), only its first dimension may grow"));
            mica_model_destroy(model);
            mica_device_clear_error(device);
        }
}

/* ---- JSON and files ---- */

static const char described[] =
    "{\"input_shape\": [4], \"layers\": ["
    "{\"type\": \"variable\", \"name\": \"w\", \"shape\": [4, 3], \"initializer\": \"he_normal\"},"
    "{\"type\": \"constant\", \"name\": \"zero\", \"value\": 0}, {\"type\": \"constant\", \"name\": \"ten\", \"value\": 10},"
    "{\"type\": \"op\", \"op\": \"MatMul\", \"name\": \"product\", \"inputs\": [\"input\", \"w\"]},"
    "{\"type\": \"op\", \"op\": \"LeakyRelu\", \"attributes\": {\"alpha\": 1}},"
    "{\"type\": \"op\", \"op\": \"Clip\", \"inputs\": [\"LeakyRelu\", \"zero\", \"ten\"]},"
    "{\"type\": \"op\", \"op\": \"ReduceSum\", \"attributes\": {\"axes\": 1, \"keepdims\": true}},"
    "{\"type\": \"op\", \"op\": \"Cast\", \"attributes\": {\"to\": \"float16\"}},"
    "{\"type\": \"op\", \"op\": \"Cast\", \"attributes\": {\"to\": \"float32\"}},"
    "{\"type\": \"variable\", \"name\": \"b\", \"frozen\": true},"
    "{\"type\": \"op\", \"op\": \"Add\", \"inputs\": [\"Cast_1\", \"b\"]},"
    "{\"type\": \"op\", \"op\": \"Concat\", \"inputs\": [\"Add\", \"input\"], \"attributes\": {\"axis\": -1}},"
    "{\"type\": \"op\", \"op\": \"Slice\", \"attributes\": {\"starts\": [0, 0], \"ends\": [9007199254740992, 4], \"steps\": [1, 2]}},"
    "{\"type\": \"variable\", \"name\": \"v1\", \"shape\": [2]}, {\"type\": \"variable\", \"name\": \"v2\", \"shape\": [2]},"
    "{\"type\": \"variable\", \"name\": \"v3\", \"shape\": [2]},"
    "{\"type\": \"variable\", \"name\": \"v4\", \"shape\": [2], \"initializer\": \"ones\"},"
    "{\"type\": \"op\", \"op\": \"BatchNormalization\", \"output\": 1, \"inputs\": [\"Slice\", \"v1\", \"v2\", \"v3\", \"v4\"]},"
    "{\"type\": \"op\", \"op\": \"Add\", \"name\": \"last\", \"inputs\": [\"Slice\", \"BatchNormalization\"]}]}";

static void test_files(void **state)
{
    static const char path[] = "test_op.safetensors";
    const float x[8] = {1, 2, 3, 4, -1, 0.5f, 2, -3}, four[2] = {4, 4};
    float before[4], after[4];
    (void)state;
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 5});
    assert_int_equal(mica_model_add_json(model, described), MICA_OK);
    assert_int_equal(mica_model_write(model, "v3.value", four, 2), MICA_OK);
    assert_int_equal(mica_model_write(model, "b.value", (const float[]){0.25f}, 1), MICA_OK);
    assert_int_equal(mica_predict(model, x, 2, before, 4), MICA_OK);
    assert_int_equal(mica_model_save(model, path), MICA_OK);
    mica_model *again = mica_model_load(device, path);
    assert_fine(again);
    assert_int_equal(mica_model_parameter_count(again), 12 + 8);
    assert_int_equal(mica_predict(again, x, 2, after, 4), MICA_OK);
    assert_memory_equal(before, after, sizeof before);
    /* column 0: the sum of the product's rows, clipped, and a quarter; column 2: x[1]; both and 4 */
    float w[12];
    double expected[4];
    assert_int_equal(mica_model_read(again, "w.value", w, 12), MICA_OK);
    for (int n = 0; n < 2; n++) {
        double sum = 0.25;
        for (int c = 0; c < 3; c++) {
            double y = 0;
            for (int k = 0; k < 4; k++)
                y += (double)x[4 * n + k] * (double)w[3 * k + c];
            sum += fmin(fmax(y, 0), 10);
        }
        expected[2 * n] = sum + 4;
        expected[2 * n + 1] = (double)x[4 * n + 1] + 4;
    }
    assert_close("from JSON", after, expected, 4, 1e-3); /* half a number of ten bits in between */
    cJSON *first = mi_model_describe(model), *second = mi_model_describe(again);
    assert_true(cJSON_Compare(first, second, true));
    cJSON_Delete(first);
    cJSON_Delete(second);
    mica_model_destroy(model);
    mica_model_destroy(again);
    remove(path);
}

/* Values given from C are in the file, and numbers keep their last bit. */
static void test_constants(void **state)
{
    static const char path[] = "test_op.safetensors";
    const float odd[4] = {0.1f, -3e-41f, 1.17549435e-38f, 0};
    float kept[3], got[4];
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(1)), *y = NULL;
    mica_constant(model, "table", MICA_SHAPE(3), table);
    for (int i = 0; i < 4; i++) {
        mica_node *number = mica_scalar(model, odd[i]);
        y = i ? mica_op_concat((mica_node *[]){y, mica_op_mul(x, number)}, 2, 1) : mica_op_mul(x, number);
    }
    mica_output(model, NULL, y);
    assert_int_equal(mica_model_save(model, path), MICA_OK);
    mica_model *again = mica_model_load(device, path);
    assert_fine(again);
    assert_int_equal(mica_model_read(again, "table.value", kept, 3), MICA_OK);
    assert_memory_equal(kept, table, sizeof kept);
    for (int i = 0, k = 0; i < 4; k++)
        if (again->graph->nodes[k]->op == &mi_op_constant) {
            memcpy(&got[i], again->graph->nodes[k]->constant, sizeof *got);
            assert_memory_equal(&got[i], &odd[i], sizeof *got);
            i++;
        }
    mica_model_destroy(model);
    mica_model_destroy(again);
    remove(path);
}

/* ---- Results beyond the first ---- */

static const char several[] =
    "{\"layers\": [{\"type\": \"input\", \"name\": \"a\", \"shape\": [3]}, {\"type\": \"input\", \"name\": \"b\", \"shape\": [3]},"
    " {\"name\": \"g\", \"inputs\": [\"a\"], \"layers\": ["
    "  {\"type\": \"op\", \"op\": \"ArgMax\", \"name\": \"k\", \"attributes\": {\"axis\": 1, \"keepdims\": 0}},"
    "  {\"type\": \"op\", \"op\": \"SoftmaxCrossEntropyLoss\", \"name\": \"loss\", \"inputs\": [\"a\", \"k\"]},"
    "  {\"type\": \"op\", \"op\": \"Neg\", \"inputs\": [\"loss:1\"]}]},"
    " {\"layer\": \"g\", \"name\": \"h\", \"inputs\": [\"b\"]}, {\"type\": \"add\", \"inputs\": [\"g.loss:1\", \"h\"]}]}";

/* log_softmax(a) - log_softmax(b): a result that is named by its number, inside a group, again on another input, and from a file. */
static void test_results(void **state)
{
    static const char path[] = "test_op.safetensors";
    const float a[3] = {1, 2, -1}, b[3] = {0.5f, 0.25f, 3};
    double expected[3], of_a = 0, of_b = 0;
    float got[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        of_a += exp((double)a[i]);
        of_b += exp((double)b[i]);
    }
    for (int i = 0; i < 3; i++)
        expected[i] = (double)a[i] - log(of_a) - ((double)b[i] - log(of_b));
    mica_model *model = mica_model_create(device, NULL);
    mica_model_add_json(model, several);
    assert_fine(model);
    assert_non_null(mica_model_node(model, "h.loss:1"));
    assert_ptr_not_equal(mica_model_node(model, "h.loss:1"), mica_model_node(model, "g.loss:1"));
    assert_ptr_equal(mica_model_node(model, "g.loss:0"), mica_model_node(model, "g.loss"));
    assert_int_equal(mica_model_save(model, path), MICA_OK);
    mica_model *again = mica_model_load(device, path);
    for (int i = 0; i < 2; i++) {
        mica_plan *plan = mica_compile(i ? again : model, NULL);
        assert_fine(model);
        mica_plan_write(plan, "a", a, 3);
        mica_plan_write(plan, "b", b, 3);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read(plan, NULL, got, 3), MICA_OK);
        assert_close("results", got, expected, 3, 1e-5);
        mica_plan_destroy(plan);
    }
    mica_model *wrong = mica_model_create(device, NULL);
    assert_int_not_equal(mica_model_add_json(wrong, "{\"input_shape\": [3], \"layers\": [{\"type\": \"dense\", \"units\": 1}, "
                                             "{\"type\": \"flatten\", \"inputs\": [\"dense:1\"]}]}"), MICA_OK);
    assert_non_null(strstr(mica_model_error(wrong), "inputs: \"dense\" has no result 1; the first is :0"));
    mica_model_destroy(wrong);
    mica_device_clear_error(device);
    assert_null(mica_model_node(model, "g.loss:2"));
    assert_non_null(strstr(mica_model_error(model), "there is no layer \"g.loss:2\""));
    mica_device_clear_error(device);
    mica_model_destroy(model);
    mica_model_destroy(again);
    remove(path);
}

/* ---- What errors say ---- */

static void test_errors(void **state)
{
#define OP(keys) OF("[4]", "\"type\": \"op\", " keys)
    static const struct mistake mistakes[] = {
        {OP("\"op\": \"ReduceSun\""), "layers[0]: there is no op \"ReduceSun\"; did you mean \"ReduceSum\"?"},
        {OP("\"op\": \"GatherGrad\""), "layers[0]: there is no op \"GatherGrad\""},
        {OP("\"op\": \"WinogradWeight\""), "layers[0]: there is no op \"WinogradWeight\""},
        {OP("\"op\": \"AdamUpdate\""), "layers[0]: there is no op \"AdamUpdate\""},
        {OP("\"op\": \"Variable\""), "layers[0]: there is no op \"Variable\""},
        {OP("\"attributes\": {}"), "layers[0]: \"op\" is missing"},
        {OP("\"op\": \"Exp\", \"axes\": [1]"), "layers[0]: there is no key \"axes\""},
        {OP("\"op\": \"Exp\", \"attributes\": [1]"), "layers[0]: op \"Exp\": attributes must be an object: names and values"},
        {OP("\"op\": \"Exp\", \"attributes\": {\"axis\": 1}"), "layers[0]: op \"Exp\": Exp has no attribute \"axis\""},
        {OP("\"op\": \"ReduceSum\", \"name\": \"r\", \"attributes\": {\"axis\": 1}"),
         "layers[0]: op \"r\": ReduceSum has no attribute \"axis\"; did you mean \"axes\"?"},
        {OP("\"op\": \"Slice\", \"attributes\": {\"from\": [1]}"),
         "Slice has no attribute \"from\"; there are \"starts\", \"ends\", \"axes\", \"steps\""},
        {OP("\"op\": \"Softmax\", \"attributes\": {\"axis\": 1.5}"), "attribute axis of Softmax must be a whole number"},
        {OP("\"op\": \"Softmax\", \"attributes\": {\"axis\": \"x\"}"), "attribute axis of Softmax must be a whole number"},
        {OP("\"op\": \"Softmax\", \"attributes\": {\"axis\": 1e18}"), "attribute axis of Softmax must be a whole number"},
        {OP("\"op\": \"Elu\", \"attributes\": {\"alpha\": \"1\"}"), "attribute alpha of Elu must be a number"},
        {OP("\"op\": \"Elu\", \"attributes\": {\"alpha\": 1e39}"), "attribute alpha of Elu must be a number"},
        {OP("\"op\": \"Elu\", \"attributes\": {\"alpha\": 1, \"alpha\": 2}"), "attribute alpha is given twice"},
        {OP("\"op\": \"Cast\", \"attributes\": {\"to\": 1}"), "attribute to of Cast must be a text"},
        {OP("\"op\": \"Cast\", \"attributes\": {\"to\": \"float23\"}"), "there is no type \"float23\"; did you mean \"float32\"?"},
        {OP("\"op\": \"Cast\""), "Cast \"Cast\": attribute to is missing; there are \"float32\""},
        {OP("\"op\": \"Transpose\", \"attributes\": {\"perm\": [0, \"1\"]}"),
         "perm of Transpose must be a list of at most 64 whole numbers"},
        {OP("\"op\": \"ReduceSum\", \"attributes\": {\"axes\": [5]}"),
         "layers[0]: ReduceSum \"ReduceSum\": axis 5, input has rank 2"},
        {OP("\"op\": \"Exp\", \"output\": 1"), "layers[0]: op \"Exp\": output 1: Exp has outputs 0 to 0"},
        {OP("\"op\": \"Exp\", \"output\": 7"), "layers[0].output: must lie between 0 and 5, not 7"},
        {OP("\"op\": \"Add\""), "layers[0]: op \"Add\": Add takes 2 inputs, not 1"},
        {OP("\"op\": \"Clip\", \"inputs\": [\"input\", \"input\"]"), "min (input 1) must be a constant of float32"},
        {OP("\"op\": \"Exp\", \"inputs\": []"), "layers[0]: op: takes at least 1 input, not 0"},
        {OP("\"op\": \"Expand\", \"attributes\": {\"shape\": [4294967296, 4294967296, 1, 1]}"),
         "layers[0]: op \"Expand\": the result of Expand has shape (4294967296, 4294967296, n, 4), which is too large"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),     cmocka_unit_test(test_binary),   cmocka_unit_test(test_choices),
        cmocka_unit_test(test_reductions), cmocka_unit_test(test_moves),   cmocka_unit_test(test_products),
        cmocka_unit_test(test_composed_gradient), cmocka_unit_test(test_shapes), cmocka_unit_test(test_layers_on_anything),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_constants), cmocka_unit_test(test_results),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("op", tests, begin, close_device);
}
