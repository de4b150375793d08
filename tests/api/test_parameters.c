/* Initializers, regularizers and constraints with settings that nothing has. */
#include "api.h"

#include <math.h>

#define NODES(built) mica_node *x = mica_input(built, "v", MICA_SHAPE(6))
#define KERNEL(...) mica_dense(x, &(mica_dense_desc){.units = 2, .kernel = {__VA_ARGS__}})

static void parameters(void **state)
{
    (void)state;
    NOT_BUILT("no initializer \"x\"", KERNEL(.initializer = {.type = "x"}));
    NOT_BUILT("no mode \"x\"", KERNEL(.initializer = {.type = "variance_scaling", .mode = "x"}));
    NOT_BUILT("no distribution \"x\"", KERNEL(.initializer = {.type = "variance_scaling", .distribution = "x"}));
    NOT_BUILT("no regularizer \"x\"", KERNEL(.regularizer = {.type = "x"}));
    NOT_BUILT("at least 0", KERNEL(.regularizer = {.type = "l2", .l2 = -1}));
    NOT_BUILT("at least 0", KERNEL(.regularizer = {.type = "l2", .l2 = NAN}));
    NOT_BUILT("at least 0", KERNEL(.regularizer = {.type = "l1", .l1 = INFINITY}));
    NOT_BUILT("no mode \"x\"", KERNEL(.regularizer = {.type = "orthogonal", .mode = "x"}));
    NOT_BUILT("no constraint \"x\"", KERNEL(.constraint = {.type = "x"}));
    NOT_BUILT("norms from 0 to -1", KERNEL(.constraint = {.type = "max_norm", .max_value = -1}));
    NOT_BUILT("norms from 0 to nan", KERNEL(.constraint = {.type = "max_norm", .max_value = NAN}));
    NOT_BUILT("rate must lie between 0 and 1", KERNEL(.constraint = {.type = "min_max_norm", .rate = -1}));
    NOT_BUILT("axis -3 is none of 2", KERNEL(.constraint = {.type = "unit_norm", .axis = {1, {-3}}}));
    NOT_BUILT("axis 9", KERNEL(.constraint = {.type = "unit_norm", .axis = {1, {9}}}));
    NOT_BUILT("given twice", KERNEL(.constraint = {.type = "unit_norm", .axis = {2, {0, 0}}}));
    NOT_BUILT("-1 axes", KERNEL(.constraint = {.type = "unit_norm", .axis = {-1, {0}}}));
    NOT_BUILT("2147483647 axes", KERNEL(.constraint = {.type = "unit_norm", .axis = {INT32_MAX, {0}}}));
}

static void activities(void **state)
{
    (void)state;
    assert_null(mica_activity_regularizer(NULL, NULL));
    assert_null(mica_activity_regularization(NULL, NULL));
    NOT_BUILT("type is missing", mica_activity_regularizer(x, NULL));
    NOT_BUILT("type is missing", mica_activity_regularizer(x, &(mica_regularizer){.l1 = 1}));
    NOT_BUILT("no regularizer \"x\"", mica_activity_regularizer(x, &(mica_regularizer){.type = "x"}));
    NOT_BUILT("there is one already", mica_activity_regularizer(mica_activity_regularizer(x, &(mica_regularizer){.type = "l1"}),
                                                                &(mica_regularizer){.type = "l1"}));
    NOT_BUILT("at least 0", mica_activity_regularization(x, &(mica_activity_regularization_desc){.l1 = -1}));
    NOT_BUILT("at least 0", mica_activity_regularization(x, &(mica_activity_regularization_desc){.l2 = NAN}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parameters), cmocka_unit_test(activities)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
