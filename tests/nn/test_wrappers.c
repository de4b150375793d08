/* Layers around another one before any device computes: their variables, first values, JSON both ways, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <math.h>
#include <string.h>

/* ---- Errors ---- */

#define SPECTRAL(within) "\"type\": \"spectral_normalization\", \"layer\": {" within "}"
#define WEIGHT(within) "\"type\": \"weight_normalization\", \"layer\": {" within "}"
#define DENSE "\"type\": \"dense\", \"units\": 4"

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[4]", "\"type\": \"spectral_normalization\""),
         "layers[0]: \"layer\", the layer that spectral_normalization is around, is missing"},
        {OF("[4]", "\"type\": \"weight_normalization\", \"layer\": \"dense\""),
         "layers[0].layer: a layer is an object with a \"type\""},
        {OF("[4]", "\"type\": \"SpectralNormalization\""), "did you mean \"spectral_normalization\"?"},
        {OF("[4]", "\"type\": \"spectral_norm\""), "did you mean \"spectral_normalization\"?"},
        {OF("[4]", "\"type\": \"weight_norm\""), "did you mean \"weight_normalization\"?"},
        {OF("[4]", SPECTRAL("\"units\": 4")), "layers[0].layer: a layer is an object with a \"type\""},
        {OF("[4]", SPECTRAL("\"type\": \"dens\"")), "layers[0].layer: there is no layer type \"dens\"; did you mean \"dense\"?"},
        {OF("[4]", SPECTRAL("\"type\": \"dense\"")), "layers[0].layer: \"units\" is missing"},
        {OF("[4]", SPECTRAL("\"type\": \"dense\", \"units\": 0")), "layers[0].layer.units: must be at least 1, not 0"},
        {OF("[4]", SPECTRAL("\"type\": \"dense\", \"unit\": 4")),
         "layers[0].layer: there is no key \"unit\"; did you mean \"units\"?"},
        {OF("[4]", SPECTRAL(DENSE ", \"name\": \"a\"")), "layers[0].layer.name: it stands beside \"layer\", in layers[0]"},
        {OF("[4]", WEIGHT(DENSE ", \"inputs\": [\"a\"]")), "layers[0].layer.inputs: it stands beside \"layer\""},
        {OF("[4]", WEIGHT(DENSE ", \"activity_regularizer\": \"l2\"")), "layers[0].layer.activity_regularizer: it stands beside"},
        {OF("[4]", SPECTRAL(WEIGHT(DENSE))), "layers[0].layer: a wrapper has no weight_normalization within"},
        {OF("[4]", SPECTRAL("\"type\": \"dropout\", \"rate\": 0.5")),
         "spectral_normalization \"spectral_normalization\": dropout has no parameter \"weight\""},
        {OF("[4]", WEIGHT("\"type\": \"relu\"")),
         "weight_normalization \"weight_normalization\": relu has no parameter \"weight\""},
        {OF("[4, 5]", WEIGHT("\"type\": \"separable_conv1d\", \"filters\": 2, \"kernel_size\": 2")),
         "separable_conv1d has no parameter \"weight\""},
        {OF("[4]", SPECTRAL("\"type\": \"batch_normalization\"")),
         "its weight has shape (4), to be normalised it needs two dimensions"},
        {OF("[4]", WEIGHT("\"type\": \"layer_normalization\"")), "to be normalised it needs two dimensions"},
        {OF("[4]", SPECTRAL("\"type\": \"conv2d\", \"filters\": 2, \"kernel_size\": 2")),
         "layers[0]: conv2d \"spectral_normalization\": "},
        {OF("[4]", WEIGHT("\"type\": \"variable\", \"shape\": [4, 4]")), "variable: takes 0 inputs, not 1"},
        {OF("[4]", SPECTRAL(DENSE) ", \"power_iterations\": 0"), "layers[0].power_iterations: must lie between 1 and 100, not 0"},
        {OF("[4]", SPECTRAL(DENSE) ", \"power_iterations\": 101"), "must lie between 1 and 100, not 101"},
        {OF("[4]", SPECTRAL(DENSE) ", \"axis\": 1"), "layers[0]: there is no key \"axis\""},
        {OF("[4]", WEIGHT(DENSE) ", \"axis\": 2"), "dense \"weight_normalization\": axis 2, its weight has axes 0 to 1"},
        {OF("[4]", WEIGHT(DENSE) ", \"axis\": -3"), "axis -3, its weight has axes 0 to 1"},
        {OF("[4]", WEIGHT(DENSE) ", \"axis\": 8"), "layers[0].axis: must lie between -8 and 7, not 8"},
        {OF("[4]", SPECTRAL(DENSE) ", \"name\": \"a\"}, {\"type\": \"dense\", \"units\": 5}, {\"layer\": \"a\""),
         "is used again with inputs that ask for a weight of shape (4, 5), \"a\" has (4, 4)"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* ---- Variables ---- */

static void variables(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(3, 5, 5));
    x = mica_spectral_normalization(x, &(mica_spectral_normalization_desc){
        .name = "a", .layer = "conv2d", .desc = &(mica_conv_desc){.name = "b", .filters = 4, .kernel_size = {3, 2}}});
    x = mica_weight_normalization(x, &(mica_weight_normalization_desc){
        .layer = "conv2d_transpose", .axis = 1, .desc = &(mica_conv_transpose_desc){.filters = 6, .kernel_size = {2}}});
    assert_non_null(x);
    assert_int_equal(fixture_has_variable(f, "a.weight", MICA_SHAPE(4, 3, 3, 2))->role, MI_PARAMETER);
    assert_int_equal(fixture_has_variable(f, "a.weight_u", MICA_SHAPE(4))->role, MI_STATISTIC);
    assert_int_equal(fixture_has_variable(f, "a.weight_v", MICA_SHAPE(18))->role, MI_STATISTIC);
    fixture_has_variable(f, "a.bias", MICA_SHAPE(4));
    assert_int_equal(fixture_has_variable(f, "weight_normalization.weight_g", MICA_SHAPE(1, 6, 1, 1))->role, MI_PARAMETER);
    assert_int_equal(fixture_has_variable(f, "weight_normalization.weight_v", MICA_SHAPE(4, 6, 2, 2))->role, MI_PARAMETER);
    assert_null(mi_variable_find(&f->model->variables, "weight_normalization.weight"));
}

/* Penalties and constraints are on what is trained. */
static void attached(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(OF("[3]", WEIGHT(DENSE ", \"kernel_regularizer\": \"l2\", "
                                                          "\"kernel_constraint\": \"max_norm\"")));
    assert_int_equal(f->model->penalty_count, 1);
    assert_int_equal(f->model->constraint_count, 1);
    fixture_close(f);
}

/* ---- First values ---- */

static const float *first_values(struct fixture *f, const char *name)
{
    struct mi_variable *variable = mi_variable_find(&f->model->variables, name);
    assert_true(variable && mi_variable_make(variable));
    return variable->initial;
}

/* The layer begins with the weight that its initializer makes: g = |v|. */
static void first_norms(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(OF("[3]", "\"name\": \"a\", " WEIGHT(DENSE)));
    const float *g = first_values(f, "a.weight_g"), *v = first_values(f, "a.weight_v");
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)g[i] - sqrt(pow((double)v[3 * i], 2) + pow((double)v[3 * i + 1], 2) +
                                             pow((double)v[3 * i + 2], 2))) < 1e-6);
    fixture_close(f);
    f = fixture_open(OF("[3]", "\"name\": \"a\", \"axis\": -1, " WEIGHT(DENSE)));
    g = first_values(f, "a.weight_g"), v = first_values(f, "a.weight_v");
    for (int i = 0; i < 3; i++) {
        double square = 0;
        for (int k = 0; k < 4; k++)
            square += pow((double)v[3 * k + i], 2);
        assert_true(fabs((double)g[i] - sqrt(square)) < 1e-6);
    }
    fixture_close(f);
}

/* Of orthogonal rows times 3, w v = 3 u and w^T u = 3 v hold for each pair of the right length. */
static void first_vectors(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(OF("[7]", "\"name\": \"a\", " SPECTRAL(DENSE ", \"kernel_initializer\": {\"type\": "
                                            "\"orthogonal\", \"gain\": 3}")));
    const float *u = first_values(f, "a.weight_u"), *v = first_values(f, "a.weight_v"), *w = first_values(f, "a.weight");
    double length = 0;
    for (int i = 0; i < 4; i++) {
        double product = 0;
        for (int k = 0; k < 7; k++)
            product += (double)w[7 * i + k] * (double)v[k];
        assert_true(fabs(product - 3 * (double)u[i]) < 1e-5);
        length += (double)u[i] * (double)u[i];
    }
    assert_true(fabs(length - 1) < 1e-6);
    fixture_close(f);
}

static void zeros(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(OF("[7]", "\"name\": \"a\", " SPECTRAL(DENSE ", \"kernel_initializer\": \"zeros\"")));
    assert_true(fabsf(first_values(f, "a.weight_u")[0]) < 1e-30f);
    fixture_close(f);
}

/* ---- The graph ---- */

/* A layer that is used twice takes its vectors further once. */
static void again(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(OF("[4]", "\"name\": \"a\", " SPECTRAL(DENSE) "}, {\"layer\": \"a\"},"
                                            " {\"name\": \"b\", " WEIGHT(DENSE) "}, {\"layer\": \"b\""));
    int steps = 0, products = 0;
    for (size_t i = 0; i < f->model->graph->node_count; i++) {
        steps += strcmp(f->model->graph->nodes[i]->op->name, "SpectralNorm") == 0;
        products += strcmp(f->model->graph->nodes[i]->op->name, "Gemm") == 0;
    }
    assert_int_equal(steps, 1);
    assert_int_equal(products, 4);
    assert_int_equal(mica_model_variable_count(f->model), 4 + 3);
    fixture_close(f);
}

/* The host still checks the numbers that go into a table. */
static void rows(void **state)
{
    (void)state;
    struct fixture *f = fixture_open("{\"layers\": [{\"type\": \"input\", \"shape\": [5], \"integer\": true}, {"
                                     WEIGHT("\"type\": \"embedding\", \"input_dim\": 7, \"output_dim\": 3") "}]}");
    int64_t of[1] = {0};
    struct mi_error error = {0};
    assert_int_equal(mi_index_rows(&error, f->model->graph, of), MICA_OK);
    assert_int_equal(of[0], 7);
    fixture_close(f);
}

/* ---- A description read again describes the same ---- */

static void round_trip(void **state)
{
    struct fixture *f = *state, *read = fixture_open(
        OF("[4]", "\"name\": \"a\", \"power_iterations\": 3, " SPECTRAL(DENSE ", \"use_bias\": false") "}, {\"layer\": \"a\"},"
                  "{\"axis\": 1, \"activity_regularizer\": \"l2\", " WEIGHT(DENSE ", \"activation\": \"tanh\"")));
    fixture_round_trip(read);
    fixture_close(read);
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4));
    x = mica_spectral_normalization(x, &(mica_spectral_normalization_desc){
        .layer = "dense", .desc = &(mica_dense_desc){.units = 4, .no_bias = true, .kernel.initializer = {.type = "he_normal"}}});
    x = mica_weight_normalization(x, &(mica_weight_normalization_desc){
        .layer = "dense", .axis = 1, .desc = &(mica_dense_desc){.units = 3}});
    mica_output(f->model, NULL, x);
    fixture_round_trip(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test_setup_teardown(variables, fixture_begin, fixture_end),
        cmocka_unit_test(attached),
        cmocka_unit_test(first_norms),
        cmocka_unit_test(first_vectors),
        cmocka_unit_test(zeros),
        cmocka_unit_test(again),
        cmocka_unit_test(rows),
        cmocka_unit_test_setup_teardown(round_trip, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
