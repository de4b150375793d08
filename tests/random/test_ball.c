/* The reference's own arithmetic: whatever numbers lie in the balls that go in, their result must lie in the one that comes out. */
#include "random/ball.h"

#include "base/base.h"
#include "support/device.h"

#include <float.h>
#include <math.h>

enum { DRAWS = 4000, POINTS = 8 };

static double draw(uint64_t *counter, double low, double high)
{
    return low + (high - low) * (double)mi_uniform(7, 1, (*counter)++);
}

/* Around small numbers, with every size of radius; some never below 0. */
static struct ball a_ball(uint64_t *counter)
{
    double at = draw(counter, -4, 4), far = exp2(floor(draw(counter, -24, 3)));
    bool cut = draw(counter, 0, 1) < 0.3;
    return (struct ball){.at = cut ? fabs(at) : at, .radius = draw(counter, 0, 1) < 0.2 ? 0 : far, .not_negative = cut};
}

static double a_point(uint64_t *counter, struct ball a)
{
    double point = draw(counter, a.at - a.radius, a.at + a.radius);
    return a.not_negative ? fmax(point, 0) : point;
}

static double add(double a, double b) { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double divide(double a, double b) { return a / b; }
static double less(double a, double b) { return a < b; }
static double either(double a, double b) { return a < b ? a : b; }

static void expect_held(const char *what, struct ball result, double value, struct ball a, struct ball b)
{
    bool held = isinf(result.radius) || (isnan(value) && isnan(result.at)) || value == result.at ||
                fabs(value - result.at) <= result.radius;
    if (!held || (result.not_negative && value < 0))
        fail_msg("%s of %.9g +- %.3g and %.9g +- %.3g may be %.9g, which is not in %.9g +- %.3g", what, a.at, a.radius, b.at,
                 b.radius, value, result.at, result.radius);
}

static void test_two(void **state)
{
    static const struct {
        const char *name;
        struct ball (*of)(struct ball a, struct ball b);
        double (*value)(double a, double b);
    } operations[] = {{"sum", ball_add, add},         {"difference", ball_subtract, subtract}, {"product", ball_multiply, multiply},
                      {"quotient", ball_divide, divide}, {"less", ball_less, less},            {"either", ball_either, either},
                      {"larger", ball_larger, fmax},  {"smaller", ball_smaller, fmin},         {"power", ball_power, pow}};
    uint64_t counter = 0;
    (void)state;
    for (size_t i = 0; i < MI_COUNT(operations); i++)
        for (int k = 0; k < DRAWS; k++) {
            struct ball a = a_ball(&counter), b = a_ball(&counter);
            if (k % 4 == 0)
                b = ball_float(floor(b.at));
            struct ball result = operations[i].of(a, b);
            for (int p = 0; p < POINTS; p++)
                expect_held(operations[i].name, result, operations[i].value(a_point(&counter, a), a_point(&counter, b)), a, b);
        }
}

static void test_one(void **state)
{
    static const struct ball_function functions[] = {
        {sin, 4, BALL_TURNS}, {cos, 4, BALL_TURNS},  {exp, 3, BALL_NOT_NEGATIVE}, {sqrt, 3, BALL_NOT_NEGATIVE},
        {log, 3, BALL_ANY},   {floor, 0, BALL_ANY},  {tanh, 5, BALL_ANY},         {fabs, 0, BALL_NOT_NEGATIVE}};
    uint64_t counter = 0;
    (void)state;
    for (size_t i = 0; i < MI_COUNT(functions); i++)
        for (int k = 0; k < DRAWS; k++) {
            struct ball a = a_ball(&counter), result = ball_function(&functions[i], a);
            for (int p = 0; p < POINTS; p++)
                expect_held("a function", result, functions[i].function(a_point(&counter, a)), a, a);
        }
}

/* What may overflow is not known; what is exactly 0 stays so, and a number that counts as zero is none. */
static void test_ends(void **state)
{
    struct ball large = {.at = 3.3e38, .radius = 1e37}, zero = ball_float(0), root;
    const struct ball_function square_root = {sqrt, 3, BALL_NOT_NEGATIVE};
    (void)state;
    assert_true(isinf(ball_add(large, ball_float(1e37)).radius));
    assert_true(isinf(ball_sum(0, 0, 1e39, 2).radius));
    assert_true(ball_add(ball_multiply(zero, large), ball_sum(0, 0, 0, 9)).radius == 0);
    assert_true(ball_holds(ball_float(1e-40), 0));
    root = ball_function(&square_root, (struct ball){.at = 0, .radius = 1e-12, .not_negative = true});
    assert_true(root.radius < 1.1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two), cmocka_unit_test(test_one), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests_name("ball", tests, NULL, NULL);
}
