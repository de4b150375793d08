/* Maps of a user: values and slopes against doubles, and what is no expression. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 12 };

static const float points[COUNT] = {-3, -1.5f, -1, -0.25f, 0, 0.125f, 0.5f, 1, 1.25f, 2, 3, 7};
static const float others[COUNT] = {2, -1, -0.5f, 0.75f, 1, 0.5f, 3, -2, 1.5f, 0.5f, -4, 1};

struct of_two {
    const char *expression;
    double (*of)(double a, double b);
    const char *derivative[2];
    double (*slope)(double a, double b); /* by a, where it is not the expression's */
};

static double elu(double a, double b) { return a > 0 ? a : 0.5 * expm1(a) + 0 * b; }
static double mixed(double a, double b) { return (a < b) * 3 - (a >= 0.9 && !(b < 0)) + fmax(a, b) * fmin(a, 2); }
static double swish(double a, double b) { return a / (1 + exp(-b * a)); }
static double functions(double a, double b) { return sin(a) * cos(b) + tanh(a) - erf(b) + sqrt(a * a + 1) + log1p(fabs(b)); }
static double power(double a, double b) { return pow(fabs(a) + 0.5, b) - 1 / (a * a + 2); }
static double rounded(double a, double b) { return floor(a) + ceil(b) + rint(a * 3) - (a > 0 ? 1 : a < 0 ? -1 : 0) + a / 4; }
static double quarter(double a, double b) { return 0.25 + 0 * a * b; }
static double step(double a, double b) { return (a > 0) + 0 * b; }
static double smooth(double a, double b) { return 1 / (1 + a * a) + 0 * b; }
static double chained(double a, double b) { return -(a - b - 2) / 4 * 2 + +a; }

static const struct of_two maps[] = {
    {"a > 0 ? a : 0.5 * (exp(a) - 1) + 0 * b", elu, {0}, NULL},
    {"(a < b) * 3 - (a >= 0.9 && !(b < 0)) + max(a, b) * min(a, 2)", mixed, {0}, NULL},
    {"a * sigmoid(b * a)", swish, {0}, NULL},
    {"sin(a)*cos(b) + tanh(a) - erf(b) + sqrt(a*a + 1) + log1p(abs(b))", functions, {0}, NULL},
    {"pow(abs(a) + 0.5, b) - 1 / (a * a + 2)", power, {0}, NULL},
    {"floor(a) + ceil(b) + round(a * 3) - sign(a) + a / 4", rounded, {0}, quarter},
    {"a > 0", step, {"1 / (1 + a * a)", "0"}, smooth},
    {"-(a - b - 2) / 4 * 2 + +a", chained, {0}, NULL},
};

static void assert_near(const char *what, int i, double got, double wanted)
{
    if (!(fabs(got - wanted) <= 2e-5 * (1 + fabs(wanted))))
        fail_msg("%s: number %d is %g instead of %g", what, i, got, wanted);
}

/* Slopes by a are seen in one step of sgd on a factor of ones: y = map(factor * a), with a loss that is the mean of y. */
static void check(mica_device *device, const struct of_two *map)
{
    mica_model *model = mica_model_create(device, NULL);
    float got[COUNT], factor;
    mica_node *a = mica_input(model, "a", MICA_SHAPE(1)), *b = mica_input(model, "b", MICA_SHAPE(1));
    mica_node *scaled = mica_dense(a, &(mica_dense_desc){.name = "line", .units = 1, .no_bias = true,
                                                         .kernel.initializer = {.type = "ones"}});
    mica_node *y = mica_map((mica_node *[]){scaled, b}, 2, &(mica_map_desc){
        .name = "own", .expression = map->expression, .derivative = {map->derivative[0], map->derivative[1]}});
    if (!y)
        fail_msg("%s", mica_model_error(model));
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = COUNT, .loss = y, .outputs = &y, .output_count = 1,
                                                            .optimizer = {"sgd", {{"learning_rate", 1}}}});
    mica_plan_write(plan, "a", points, COUNT);
    mica_plan_write(plan, "b", others, COUNT);
    mica_plan_run(plan, COUNT);
    if (mica_plan_read(plan, "own", got, COUNT) != MICA_OK || mica_model_read(model, "line.weight", &factor, 1) != MICA_OK)
        fail_msg("%s: %s", map->expression, mica_device_error(device));
    double gradient = 0, h = 1e-6;
    for (int i = 0; i < COUNT; i++) {
        double x = (double)points[i], z = (double)others[i];
        assert_near(map->expression, i, (double)got[i], map->of(x, z));
        double slope = map->slope ? map->slope(x, z) : (map->of(x + h, z) - map->of(x - h, z)) / (2 * h);
        gradient += (fabs(slope) > 1e5 ? 0 : slope) * x / COUNT; /* a jump has no slope */
    }
    if (fabs(1 - gradient - (double)factor) > 2e-4 * (1 + fabs(gradient)))
        fail_msg("%s: the gradient is %g instead of %g", map->expression, 1 - (double)factor, gradient);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void test_values(void **state)
{
    mica_device *device = *state;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        check(device, &maps[i]);
}

static void test_refused(void **state)
{
    static const struct {
        const char *expression, *says;
    } cases[] = {
        {"x +", "it ends too early"},
        {"x + sine(x)", "there is no \"sine\"; did you mean \"sin\"?"},
        {"(x", "\")\" is missing"},
        {"x ? 1", "\":\" is missing"},
        {"pow(x)", "two arguments"},
        {"exp(x, x)", "too many arguments"},
        {"x; abort()", "something stands behind its end"},
        {"x) + get_global_id(0", "something stands behind its end"},
        {"get_global_id(0)", "there is no \"get_global_id\""},
        {"1e39 * x", "too large"},
        {"1..2", "no number"},
        {"x = 1", "something stands behind its end"},
        {"", "it ends too early"},
        {"g * x", "there is no \"g\""},
    };
    mica_device *device = *state;
    char deep[4200], text[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_model *model = mica_model_create(device, NULL);
        mica_node *x = mica_input(model, "x", MICA_SHAPE(2));
        assert_null(mica_map(&x, 1, &(mica_map_desc){.name = "own", .expression = cases[i].expression}));
        if (!strstr(mica_model_error(model), cases[i].says) || !strstr(mica_model_error(model), "map \"own\""))
            fail_msg("\"%s\": %s", cases[i].expression, mica_model_error(model));
        mica_model_destroy(model);
    }
    for (int many = 1000; many < 4200; many += 1000) {
        mica_model *model = mica_model_create(device, NULL);
        mica_node *x = mica_input(model, "x", MICA_SHAPE(2));
        memset(deep, '(', (size_t)many);
        deep[many] = 0;
        assert_null(mica_map(&x, 1, &(mica_map_desc){.expression = deep}));
        snprintf(text, sizeof text, "%s", mica_model_error(model));
        assert_non_null(strstr(text, "nested too deeply"));
        mica_model_destroy(model);
    }
    mica_model *model = mica_model_create(device, NULL); /* each function doubles what it holds */
    mica_node *x = mica_input(model, "x", MICA_SHAPE(2));
    strcpy(deep, "x");
    for (int i = 0; i < 30; i++) {
        char next[4200];
        snprintf(next, sizeof next, "max(%s, 1)", deep);
        strcpy(deep, next);
    }
    assert_null(mica_map(&x, 1, &(mica_map_desc){.expression = deep}));
    assert_non_null(strstr(mica_model_error(model), "too long"));
    mica_model_destroy(model);
}

/* A job's layer, which comes back from a file with its derivative. */
static void test_json(void **state)
{
    static const char json[] = "{\"input_shape\": [3], \"layers\": [{\"type\": \"dense\", \"units\": 2}, {\"type\": \"map\", \"name\": "
                               "\"spike\", \"expression\": \"x > 0\", \"derivative\": \"1 / (1 + x * x)\"}, {\"type\": \"dense\", "
                               "\"units\": 1}]}";
    mica_device *device = *state;
    mica_model *model = mica_model_create(device, NULL);
    const float x[3] = {1, -2, 0.5f};
    float got[2];
    if (mica_model_add_json(model, json) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    assert_int_equal(mica_model_save(model, "map.safetensors"), MICA_OK);
    mica_model *models[2] = {model, mica_model_load(device, "map.safetensors")};
    for (int i = 0; i < 2; i++) {
        mica_plan *plan = mica_compile(models[i], NULL);
        mica_plan_write(plan, NULL, x, 3);
        mica_plan_run(plan, 1);
        if (mica_plan_read(plan, NULL, &got[i], 1) != MICA_OK)
            fail_msg("%s", mica_device_error(device));
        mica_plan_destroy(plan);
    }
    assert_memory_equal(&got[0], &got[1], sizeof *got);
    mica_model_destroy(models[1]);
    mica_model_destroy(model);
}

static int open_one(void **state)
{
    *state = mica_device_open(NULL);
    return mica_device_status(*state);
}

static int close_one(void **state)
{
    mica_device_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_refused), cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, open_one, close_one);
}
