/* What errors say of initializers, regularizers and constraints, and that descriptions keep them. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <string.h>

/* A dense layer of 3 units on 4 inputs, or another layer on images, with these keys. */
#define DENSE(keys) "{\"input_shape\": [4], \"layers\": [{\"type\": \"dense\", \"name\": \"d\", \"units\": 3, " keys "}]}"
#define CONV(keys)                                                                                                               \
    "{\"input_shape\": [2, 8, 8], \"layers\": [{\"type\": \"conv2d\", \"name\": \"c\", \"filters\": 3, \"kernel_size\": 3, " keys "}]}"

static void errors(void **state)
{
    static const struct mistake mistakes[] = {
        {DENSE("\"kernel_regulariser\": \"l2\""), "there is no key \"kernel_regulariser\"; did you mean \"kernel_regularizer\"?"},
        {DENSE("\"kernel_regularizer\": \"L2\""), "there is no type \"L2\"; did you mean \"l2\"?"},
        {DENSE("\"kernel_regularizer\": 0.01"), "layers[0].kernel_regularizer: must be a text or an object"},
        {DENSE("\"kernel_regularizer\": {\"l2\": 0.01}"), "layers[0].kernel_regularizer: \"type\" is missing"},
        {DENSE("\"kernel_regularizer\": {\"type\": \"l2\", \"l1\": 0.01}"), "there is no key \"l1\"; there are \"type\", \"l2\""},
        {DENSE("\"kernel_regularizer\": {\"type\": \"l2\", \"l2\": -1}"), "kernel_regularizer.l2: must be at least 0, not -1"},
        {DENSE("\"kernel_regularizer\": {\"type\": \"orthogonal\", \"mode\": \"row\"}"), "\"row\"; did you mean \"rows\"?"},
        {DENSE("\"bias_regularizer\": \"orthogonal\""),
         "layers[0]: dense \"d\": bias: regularizer orthogonal takes a weight of 2 dimensions, not of 1"},
        {CONV("\"kernel_regularizer\": \"orthogonal\""),
         "layers[0]: conv2d \"c\": weight: regularizer orthogonal takes a weight of 2 dimensions, not of 4"},
        {DENSE("\"activity_regularizer\": \"l3\""), "there is no type \"l3\""},
        {DENSE("\"activity_regularizer\": \"orthogonal\""), "dense \"d\": activity_regularizer: regularizer orthogonal takes a weight"},
        {DENSE("\"activity_regulariser\": \"l1\""), "did you mean \"activity_regularizer\"?"},
        {DENSE("\"kernel_constraint\": \"maxnorm\""), "there is no type \"maxnorm\"; did you mean \"max_norm\"?"},
        {DENSE("\"kernel_constraint\": {\"type\": \"non_neg\", \"axis\": 0}"), "there is no key \"axis\""},
        {DENSE("\"kernel_constraint\": {\"type\": \"max_norm\", \"axis\": 2}"),
         "layers[0]: dense \"d\": weight: constraint max_norm: axis 2 is none of 2"},
        {DENSE("\"kernel_constraint\": {\"type\": \"max_norm\", \"axis\": [0, -2]}"), "axis -2 is given twice"},
        {DENSE("\"kernel_constraint\": {\"type\": \"max_norm\", \"axis\": \"all\"}"), "kernel_constraint.axis: must be a whole number, not the text"},
        {DENSE("\"kernel_constraint\": {\"type\": \"max_norm\", \"max_value\": -2}"), "max_value: must be at least 0, not -2"},
        {DENSE("\"kernel_constraint\": {\"type\": \"min_max_norm\", \"min_value\": 2}"),
         "dense \"d\": weight: constraint min_max_norm: norms from 2 to 1 are none"},
        {DENSE("\"kernel_constraint\": {\"type\": \"min_max_norm\", \"rate\": 2}"), "rate: must lie between 0 and 1, not 2"},
        {DENSE("\"bias_initializer\": \"orthogonal\""),
         "dense \"d\": bias: initializer orthogonal makes tensors of two and more, not 1 dimensions"},
        {CONV("\"kernel_initializer\": \"identity\""),
         "conv2d \"c\": weight: initializer identity makes matrices of two, not 4 dimensions"},
        {DENSE("\"kernel_initializer\": {\"type\": \"variance_scaling\", \"mode\": \"fan\"}"), "there is no mode \"fan\""},
        {DENSE("\"kernel_initializer\": {\"type\": \"variance_scaling\", \"scale\": 0}"), "scale: must not be 0: all values would be the same"},
        {DENSE("\"kernel_initializer\": {\"type\": \"random_uniform\", \"minval\": 1, \"maxval\": 0}"),
         "dense \"d\": weight: initializer random_uniform: minval is 1, above maxval, which is 0"},
        {DENSE("\"kernel_initializer\": {\"type\": \"random_uniform\", \"minval\": 0.5}"), "minval is 0.5, above maxval, which is 0"},
        {DENSE("\"kernel_initializer\": {\"type\": \"he_normal\", \"gain\": 2}"), "there is no key \"gain\""},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* A description gives the same model, whose description is the same. */
static void describe(void **state)
{
    static const char *const json =
        "{\"input_shape\":[2,8,8],\"layers\":[{\"type\":\"conv2d\",\"name\":\"c\",\"filters\":3,\"kernel_size\":[3,3],"
        "\"kernel_initializer\":{\"type\":\"variance_scaling\",\"scale\":2,\"mode\":\"fan_out\"},"
        "\"kernel_regularizer\":{\"type\":\"l1_l2\",\"l1\":0.5},"
        "\"kernel_constraint\":{\"type\":\"max_norm\",\"max_value\":3,\"axis\":[0,-1]},"
        "\"bias_constraint\":{\"type\":\"non_neg\"},\"activity_regularizer\":{\"type\":\"l2\"}}]}";
    (void)state;
    struct fixture *f = fixture_open(json);
    cJSON *described = mi_model_describe(f->model);
    char *text = cJSON_PrintUnformatted(described);
    const char *keys = strstr(json, "\"kernel_initializer\""), *got = strstr(text, "\"kernel_initializer\"");
    assert_non_null(got);
    assert_memory_equal(got, keys, strlen(keys) - 2); /* up to what follows the list */
    fixture_round_trip(f);
    cJSON_free(text);
    cJSON_Delete(described);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors), cmocka_unit_test(describe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
