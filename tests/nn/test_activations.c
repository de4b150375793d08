/* What a beginner writes of activations, of layers that join and of equations, and what is said of it; and that a plain relu is the
 * plain operator. */
#include "nn/fixture.h"
#include "nn/layer.h"

static void activations(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[4]", "\"type\": \"relu\", \"max_val\": 6"), "layers[0]: there is no key \"max_val\"; did you mean \"max_value\"?"},
        {OF("[4]", "\"type\": \"relu\", \"max_value\": -1"), "layers[0].max_value: must be at least 0, not -1"},
        {OF("[4]", "\"type\": \"relu\", \"negative_slope\": -0.1"), "layers[0].negative_slope: must be at least 0, not -0.1"},
        {OF("[4]", "\"type\": \"leaky_relu\", \"slope\": 0.1"), "layers[0]: there is no key \"slope\""},
        {OF("[4]", "\"type\": \"tanh\", \"alpha\": 1"), "layers[0]: there is no key \"alpha\""},
        {OF("[4]", "\"type\": \"activation\", \"activation\": \"tanh\", \"alpha\": 1"), "tanh takes no alpha"},
        {OF("[4]", "\"type\": \"activation\", \"activation\": \"prelu\""), "layers[0]: there is no activation \"prelu\""},
        {OF("[4]", "\"type\": \"threshold\""), "layers[0]: \"threshold\" is missing"},
        {OF("[4]", "\"type\": \"hard_tanh\", \"min_value\": 2"), "min_value 2 must be below max_value 1"},
        {OF("[4]", "\"type\": \"gelu\", \"approximate\": \"tanh\""), "layers[0].approximate: must be true or false"},
        {OF("[3, 4]", "\"type\": \"softmax\", \"axis\": 3"), "softmax \"softmax\": axis 3; a sample of the input has axes 1 to 2"},
        {OF("[3, 4]", "\"type\": \"softmax\", \"axis\": 0"), "layers[0].axis: must not be 0: that is the batch"},
        {OF("[]", "\"type\": \"softmax\""), "softmax \"softmax\": input has shape () per sample, needs at least one dimension"},
        {OF("[3]", "\"type\": \"glu\""), "glu \"glu\": axis 1 has 3 elements, glu needs two halves of them"},
        {OF("[3]", "\"type\": \"dense\", \"units\": 5, \"activation\": \"glu\""),
         "dense \"dense\": axis 1 has 5 elements, glu needs"},
        {OF("[3, 4]", "\"type\": \"prelu\", \"shared_axes\": [3]"),
         "prelu \"prelu\": shared_axes names axis 3; a sample of the input has axes 1 to 2"},
        {OF("[3]", "\"type\": \"prelu\", \"shared_axes\": [1, 1]"), "shared_axes names 2 axes, the input has shape (3) per sample"},
        {OF("[3, 4]", "\"type\": \"prelu\", \"shared_axes\": [0]"), "layers[0].shared_axes: must be at least 1, not 0"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

static void joining(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[4]", "\"type\": \"subtract\""), "layers[0]: subtract joins layers: \"inputs\" is missing"},
        {OF("[4]", "\"type\": \"subtract\", \"inputs\": [\"input\", \"input\", \"input\"]"), "subtract: takes 2 inputs, not 3"},
        {OF("[4]", "\"type\": \"average\", \"inputs\": [\"input\"]"), "average: takes at least 2 inputs, not 1"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3}, {\"type\": \"maximum\", \"inputs\": [\"input\", \"dense\"]"),
         "maximum \"maximum\": inputs of shapes (4) and (3) per sample do not fit together"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

static void products(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[3, 4]", "\"type\": \"dot\", \"inputs\": [\"input\", \"input\"], \"axes\": 0"), "layers[0].axes: must not be 0"},
        {OF("[3, 4]", "\"type\": \"dot\", \"inputs\": [\"input\", \"input\"], \"axes\": [1, 0]"), "layers[0].axes: must not be 0"},
        {OF("[3, 4]", "\"type\": \"dot\", \"inputs\": [\"input\", \"input\"], \"axes\": [1, 2]"),
         "axis 1 of (3, 4) has 3 elements, axis 2 of (3, 4) has 4"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"output_shape\": [3]"), "layers[0]: \"equation\" is missing"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc->ac\""), "layers[0]: \"output_shape\" is missing"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc\", \"output_shape\": [3]"),
         "it has an input, a kernel and a result"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc,cd->ad\", \"output_shape\": [3]"),
         "it has an input, a kernel and a result"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,b...c->a...c\", \"output_shape\": [3]"),
         "the kernel's term has no \"...\""},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"...a,ab->b...\", \"output_shape\": [3]"),
         "\"...\" stands at another place of the result"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bd->ac\", \"output_shape\": [3]"),
         "the result has c, and no operand does"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"abc,cd->abd\", \"output_shape\": [-1, 3]"),
         "input has shape (4) per sample, with the batch 2 axes, the equation names 3"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc->ac\", \"output_shape\": [2, 3]"),
         "output_shape has 2 dimensions, the equation's result names 1 beside the batch"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc->ac\", \"output_shape\": [-1]"),
         "the size of c is not known: neither the input nor output_shape says it"},
        {OF("[3, 4]", "\"type\": \"einsum_dense\", \"equation\": \"abc,cd->abd\", \"output_shape\": [2, 5]"),
         "output_shape says 2 for b, the input 3"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc->ca\", \"output_shape\": [2]"),
         "the equation must keep the input's first axis, the batch, as the first"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,abc->ac\", \"output_shape\": [2]"),
         "the equation must keep the input's first axis"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc->ac\", \"output_shape\": [2], \"bias_axes\": \"d\""),
         "bias_axes \"d\" must name axes of the result"},
        {OF("[4]", "\"type\": \"einsum_dense\", \"equation\": \"ab,bc->ac\", \"output_shape\": [2], \"activation\": \"rleu\""),
         "there is no activation \"rleu\""},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* A relu and others of default keys are the operator alone, which fuses and commutes as it always did. */
static void plain_operators(void **state)
{
    static const struct {
        const char *json, *op;
    } cases[] = {
        {OF("[4]", "\"type\": \"relu\""), "Relu"},
        {OF("[4]", "\"type\": \"relu\", \"negative_slope\": 0, \"threshold\": 0"), "Relu"},
        {OF("[4]", "\"type\": \"activation\", \"activation\": \"relu\""), "Relu"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3, \"activation\": \"relu\""), "Relu"},
        {OF("[4]", "\"type\": \"relu\", \"negative_slope\": 0.5"), "LeakyRelu"},
        {OF("[4]", "\"type\": \"relu\", \"max_value\": 0"), "BoundedRelu"},
        {OF("[4]", "\"type\": \"swish\""), "Silu"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3, \"activation\": \"hard_swish\""), "HardSwish"},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct fixture *f = fixture_open(cases[i].json);
        assert_string_equal(f->model->layers[f->model->layer_count - 1].value->node->op->name, cases[i].op);
        fixture_close(f);
    }
}

/* What a layer's description says is the same again when it is read. */
static void described(void **state)
{
#define SAME(layer) {OF("[4]", layer), "{" layer "}"}
    static const struct {
        const char *json, *layer;
    } cases[] = {
        SAME("\"type\":\"relu\",\"name\":\"a\",\"max_value\":2,\"negative_slope\":0.25,\"threshold\":-1"),
        SAME("\"type\":\"leaky_relu\",\"name\":\"a\",\"negative_slope\":0.25"),
        SAME("\"type\":\"hard_silu\",\"name\":\"a\""),
        SAME("\"type\":\"threshold\",\"name\":\"a\",\"threshold\":0,\"default_value\":-1"),
        SAME("\"type\":\"gelu\",\"name\":\"a\",\"approximate\":true"),
        SAME("\"type\":\"glu\",\"name\":\"a\",\"axis\":-1"),
        SAME("\"type\":\"prelu\",\"name\":\"a\",\"shared_axes\":[1],\"alpha_initializer\":{\"type\":\"constant\",\"value\":0.25}"),
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct fixture *f = fixture_open(cases[i].json);
        char *text = cJSON_PrintUnformatted(f->model->layers[f->model->layer_count - 1].json);
        assert_string_equal(text, cases[i].layer);
        cJSON_free(text);
        fixture_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations),
        cmocka_unit_test(joining),
        cmocka_unit_test(products),
        cmocka_unit_test(plain_operators),
        cmocka_unit_test(described),
    };
    return cmocka_run_group_tests_name("activations", tests, NULL, NULL);
}
