/* Initializers: range, mean and deviation of many values, and that a seed decides them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/layer.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { COUNT = 40000 };

static bool fill(const mica_initializer *initializer, const char *otherwise, double fan_in, double fan_out, uint64_t seed,
                 uint64_t stream, const struct mi_shape *shape, float *values)
{
    struct mi_error error = {0};
    struct mi_initial make = {.seed = seed, .stream = stream};
    const struct mi_initializer_use use = {.given = initializer, .otherwise = otherwise, .fan_in = fan_in, .fan_out = fan_out,
                                           .shape = shape};
    return mi_initializer_choose(&error, &use, &make) == MICA_OK && make.fill(&make, shape, values);
}

static bool initialize(const mica_initializer *initializer, const char *otherwise, double fan_in, double fan_out, uint64_t seed,
                       uint64_t stream, float *values, size_t count)
{
    const struct mi_shape shape = {.rank = 1, .dim = {mi_fixed((int64_t)count)}};
    return fill(initializer, otherwise, fan_in, fan_out, seed, stream, &shape, values);
}

struct moments {
    double mean, deviation, low, high;
};

static struct moments draw(const mica_initializer *initializer, double fan_in, double fan_out)
{
    static float values[COUNT];
    struct moments m = {0, 0, INFINITY, -INFINITY};
    assert_true(initialize(initializer, "zeros", fan_in, fan_out, 5, 9, values, COUNT));
    for (int i = 0; i < COUNT; i++) {
        double value = (double)values[i];
        m.mean += value / COUNT;
        m.low = fmin(m.low, value);
        m.high = fmax(m.high, value);
    }
    for (int i = 0; i < COUNT; i++)
        m.deviation += ((double)values[i] - m.mean) * ((double)values[i] - m.mean) / COUNT;
    m.deviation = sqrt(m.deviation);
    return m;
}

static void assert_near(double got, double wanted, double error)
{
    if (!(fabs(got - wanted) <= error))
        fail_msg("%g, not %g", got, wanted);
}

static void uniform(void **state)
{
    (void)state;
    const struct {
        mica_initializer initializer;
        double low, high;
    } cases[] = {
        {{.type = "random_uniform"}, -0.05, 0.05},
        {{.type = "random_uniform", .minval = 2, .maxval = 3}, 2, 3},
        {{.type = "glorot_uniform"}, -sqrt(6.0 / 40), sqrt(6.0 / 40)},
        {{.type = "he_uniform"}, -sqrt(6.0 / 30), sqrt(6.0 / 30)},
        {{.type = "lecun_uniform"}, -sqrt(3.0 / 30), sqrt(3.0 / 30)},
        {{.type = "variance_scaling", .scale = 0.5f, .mode = "fan_out", .distribution = "uniform"}, -sqrt(1.5 / 10), sqrt(1.5 / 10)},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct moments m = draw(&cases[i].initializer, 30, 10);
        double width = cases[i].high - cases[i].low;
        assert_true(m.low >= cases[i].low - 1e-6 && m.high <= cases[i].high + 1e-6);
        assert_near(m.low, cases[i].low, width * 1e-3);
        assert_near(m.high, cases[i].high, width * 1e-3);
        assert_near(m.mean, (cases[i].low + cases[i].high) / 2, width * 0.01);
        assert_near(m.deviation, width / sqrt(12), width * 0.01);
    }
}

static void normal(void **state)
{
    (void)state;
    const struct {
        mica_initializer initializer;
        double mean, deviation;
    } cases[] = {
        {{.type = "random_normal"}, 0, 0.05},
        {{.type = "random_normal", .mean = 1, .stddev = 2}, 1, 2},
        {{.type = "variance_scaling", .scale = 3, .mode = "fan_avg", .distribution = "untruncated_normal"}, 0, sqrt(3.0 / 20)},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct moments m = draw(&cases[i].initializer, 30, 10);
        assert_near(m.mean, cases[i].mean, 0.02 * cases[i].deviation);
        assert_near(m.deviation, cases[i].deviation, 0.02 * cases[i].deviation);
        assert_true(m.high - cases[i].mean > 3 * cases[i].deviation); /* not truncated */
    }
}

/* A normal number that is drawn again beyond two deviations has 0.8796 of its deviation; a variance is that of what is drawn. */
static void truncated(void **state)
{
    const double left = 0.87962566103423978;
    (void)state;
    const struct {
        mica_initializer initializer;
        double mean, deviation;
    } cases[] = {
        {{.type = "truncated_normal"}, 0, 0.05 * left},
        {{.type = "truncated_normal", .mean = 1, .stddev = 2}, 1, 2 * left},
        {{.type = "variance_scaling"}, 0, sqrt(1.0 / 30)},
        {{.type = "glorot_normal"}, 0, sqrt(2.0 / 40)},
        {{.type = "he_normal"}, 0, sqrt(2.0 / 30)},
        {{.type = "lecun_normal"}, 0, sqrt(1.0 / 30)},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct moments m = draw(&cases[i].initializer, 30, 10);
        double bound = 2 * cases[i].deviation / left;
        assert_near(m.mean, cases[i].mean, 0.02 * cases[i].deviation);
        assert_near(m.deviation, cases[i].deviation, 0.02 * cases[i].deviation);
        assert_near(m.high, cases[i].mean + bound, 0.01 * bound);
        assert_near(m.low, cases[i].mean - bound, 0.01 * bound);
        assert_true(m.high <= cases[i].mean + bound * (1 + 1e-6) && m.low >= cases[i].mean - bound * (1 + 1e-6));
    }
}

/* Values are the same however many are made: each follows from its place. */
static void places(void **state)
{
    float few[70], many[200];
    (void)state;
    const mica_initializer given = {.type = "truncated_normal", .stddev = 1};
    assert_true(initialize(&given, NULL, 8, 8, 7, 4, few, MI_COUNT(few)));
    assert_true(initialize(&given, NULL, 8, 8, 7, 4, many, MI_COUNT(many)));
    assert_memory_equal(few, many, sizeof few);
}

/* The largest difference of the products of rows, or of columns, from gain^2 times the identity. */
static double from_orthogonal(const float *q, int rows, int columns, double gain)
{
    int count = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    double worst = 0;
    for (int a = 0; a < count; a++)
        for (int b = 0; b <= a; b++) {
            double sum = 0;
            for (int i = 0; i < length; i++)
                sum += rows < columns ? (double)q[a * columns + i] * (double)q[b * columns + i]
                                      : (double)q[i * columns + a] * (double)q[i * columns + b];
            worst = fmax(worst, fabs(sum - (a == b ? gain * gain : 0)));
        }
    return worst;
}

/* Without a deviation all values are the mean: that nothing is drawn is told from a tiny deviation nowhere. */
static void exact(void **state)
{
    (void)state;
    const struct {
        mica_initializer initializer;
        float value;
    } cases[] = {
        {{.type = "truncated_normal", .stddev = FLT_MIN}, 0},
        {{.type = "truncated_normal", .mean = 2, .stddev = FLT_MIN}, 2},
        {{.type = "random_normal", .mean = FLT_MIN, .stddev = FLT_MIN}, 0},
        {{.type = "random_uniform", .minval = FLT_MIN, .maxval = FLT_MIN}, 0},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct moments m = draw(&cases[i].initializer, 30, 10);
        assert_true(m.low >= (double)cases[i].value && m.high <= (double)cases[i].value);
    }
}

static void orthogonal(void **state)
{
    enum { MOST = 150 * 150 };
    static float values[MOST];
    (void)state;
    const struct {
        int rows, dim[3];
        float gain;
    } cases[] = {{150, {150, 1, 1}, 0}, {7, {31, 1, 1}, 0}, {97, {5, 1, 1}, 2}, {8, {3, 3, 5}, 0}, {1, {1, 1, 1}, 0}, {1, {9, 1, 1}, 0.5f},
                 {9, {1, 1, 1}, 0}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        const struct mi_shape shape = {.rank = 4, .dim = {mi_fixed(cases[i].rows), mi_fixed(cases[i].dim[0]),
                                                          mi_fixed(cases[i].dim[1]), mi_fixed(cases[i].dim[2])}};
        const mica_initializer given = {.type = "orthogonal", .gain = cases[i].gain};
        int columns = cases[i].dim[0] * cases[i].dim[1] * cases[i].dim[2];
        assert_true(fill(&given, NULL, 1, 1, 3, 4, &shape, values));
        assert_near(from_orthogonal(values, cases[i].rows, columns, cases[i].gain > 0 ? (double)cases[i].gain : 1), 0, 1e-6);
    }
}

/* As often as not the determinant of a random orthogonal matrix is negative, and so is each element. */
static void orthogonal_is_uniform(void **state)
{
    enum { DRAWS = 4000 };
    double sum[4] = {0}, squares[4] = {0}, determinants = 0;
    const struct mi_shape shape = {.rank = 2, .dim = {mi_fixed(2), mi_fixed(2)}};
    (void)state;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        float q[4];
        assert_true(fill(&(mica_initializer){.type = "orthogonal"}, NULL, 1, 1, seed, 4, &shape, q));
        for (int i = 0; i < 4; i++) {
            sum[i] += (double)q[i] / DRAWS;
            squares[i] += (double)q[i] * (double)q[i] / DRAWS;
        }
        determinants += (double)(q[0] * q[3] - q[1] * q[2]) / DRAWS;
    }
    for (int i = 0; i < 4; i++) {
        assert_near(sum[i], 0, 0.05);
        assert_near(squares[i], 0.5, 0.05);
    }
    assert_near(determinants, 0, 0.05);
}

static void identity(void **state)
{
    float values[6];
    const float wanted[] = {2, 0, 0, 0, 2, 0};
    const struct mi_shape shape = {.rank = 2, .dim = {mi_fixed(2), mi_fixed(3)}};
    (void)state;
    assert_true(fill(&(mica_initializer){.type = "identity", .gain = 2}, NULL, 1, 1, 3, 4, &shape, values));
    assert_memory_equal(values, wanted, sizeof wanted);
}

static void count_up(void *user, const int64_t *shape, int rank, float *values)
{
    for (int64_t i = 0; i < shape[0] * shape[rank - 1]; i++)
        values[i] = (float)i + *(const float *)user;
}

static void function(void **state)
{
    float values[6], first = 0.5f;
    const struct mi_shape shape = {.rank = 2, .dim = {mi_fixed(2), mi_fixed(3)}};
    (void)state;
    assert_true(fill(&(mica_initializer){.fill = count_up, .user = &first}, "zeros", 1, 1, 3, 4, &shape, values));
    for (int i = 0; i < 6; i++)
        assert_near((double)values[i], i + 0.5, 0);
}

static void constant(void **state)
{
    (void)state;
    assert_near(draw(NULL, 1, 1).high, 0, 0);
    assert_near(draw(&(mica_initializer){.type = "ones"}, 1, 1).low, 1, 0);
    struct moments m = draw(&(mica_initializer){.type = "constant", .value = 0.25f}, 1, 1);
    assert_near(m.low, 0.25, 0);
    assert_near(m.high, 0.25, 0);
}

static void seeds(void **state)
{
    (void)state;
    float a[64], b[64];
    mica_initializer type = {.type = "he_normal"};
    assert_true(initialize(&type, NULL, 8, 8, 1, 2, a, 64));
    assert_true(initialize(&type, NULL, 8, 8, 1, 2, b, 64));
    assert_memory_equal(a, b, sizeof a);
    assert_true(initialize(&type, NULL, 8, 8, 2, 2, b, 64));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(initialize(&type, NULL, 8, 8, 1, 3, b, 64));
    assert_memory_not_equal(a, b, sizeof a);
    assert_false(initialize(&(mica_initializer){.type = "he"}, NULL, 8, 8, 1, 3, b, 64));
}

/* Threads share what is large; each number still follows from the seed, the stream and its place. */
static void threads(void **state)
{
    enum { MANY = 3 * 65536 + 5 };
    static float values[MANY];
    (void)state;
    const mica_initializer given = {.type = "random_uniform", .minval = 0, .maxval = 1};
    assert_true(initialize(&given, NULL, 8, 8, 7, 4, values, MANY));
    for (size_t i = 0; i < MANY; i++) {
        uint32_t word[4];
        mi_philox(7, 4, i / 4, word);
        float expected = (float)(word[i % 4] >> 8) / 16777216.0f;
        if (memcmp(&values[i], &expected, sizeof expected) != 0)
            fail_msg("%zu: %.9g, not %.9g", i, (double)values[i], (double)expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(uniform), cmocka_unit_test(normal), cmocka_unit_test(truncated), cmocka_unit_test(exact),
                                       cmocka_unit_test(places), cmocka_unit_test(constant), cmocka_unit_test(orthogonal),
                                       cmocka_unit_test(orthogonal_is_uniform), cmocka_unit_test(identity),
                                       cmocka_unit_test(function), cmocka_unit_test(seeds), cmocka_unit_test(threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
