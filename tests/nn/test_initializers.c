/* Initializers: range, mean and deviation of many values, and that a seed decides them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/layer.h"

#include <math.h>
#include <string.h>

enum { COUNT = 40000 };

static bool initialize(const mica_initializer *initializer, const char *otherwise, double fan_in, double fan_out, uint64_t seed,
                       uint64_t stream, float *values, size_t count)
{
    struct mi_initial make = {.seed = seed, .stream = stream};
    if (!mi_initializer_choose(initializer, otherwise, fan_in, fan_out, &make))
        return false;
    make.fill(&make, values, count);
    return true;
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
        {{.type = "glorot_normal"}, 0, sqrt(2.0 / 40)},
        {{.type = "he_normal"}, 0, sqrt(2.0 / 30)},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct moments m = draw(&cases[i].initializer, 30, 10);
        assert_near(m.mean, cases[i].mean, 0.02 * cases[i].deviation);
        assert_near(m.deviation, cases[i].deviation, 0.02 * cases[i].deviation);
        assert_true(m.high - cases[i].mean > 3 * cases[i].deviation); /* not truncated */
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(uniform), cmocka_unit_test(normal), cmocka_unit_test(constant),
                                       cmocka_unit_test(seeds), cmocka_unit_test(threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
