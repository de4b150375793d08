/* Layers that repeat, pad, crop and enlarge: shapes, what is written of them, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

/* The keys of the only layer as a model file has them, without type and name. */
static void assert_written(const mica_model *model, const char *wanted)
{
    cJSON *json = cJSON_Duplicate(model->layers[model->layer_count - 1].json, true);
    cJSON_DeleteItemFromObject(json, "type");
    cJSON_DeleteItemFromObject(json, "name");
    char *text = cJSON_PrintUnformatted(json);
    assert_string_equal(text, wanted);
    cJSON_free(text);
    cJSON_Delete(json);
}

static void test_shapes(void **state)
{
    const struct {
        const char *json, *written;
        mica_shape out;
    } cases[] = {
        {OF("[4]", "\"type\": \"repeat_vector\", \"n\": 3"), "{\"n\":3}", MICA_SHAPE(3, 4)},
        {OF("[2, 5]", "\"type\": \"zero_padding1d\""), "{}", MICA_SHAPE(2, 7)},
        {OF("[2, 5]", "\"type\": \"zero_padding1d\", \"padding\": [0, 4]"), "{\"padding\":[[0,4]]}", MICA_SHAPE(2, 9)},
        {OF("[2, 5]", "\"type\": \"zero_padding1d\", \"padding\": [3]"), "{\"padding\":[[3,3]]}", MICA_SHAPE(2, 11)},
        {OF("[2, 5, 6]", "\"type\": \"zero_padding2d\", \"padding\": [2, [0, 1]]"), "{\"padding\":[[2,2],[0,1]]}",
         MICA_SHAPE(2, 9, 7)},
        {OF("[2, 5, 6, 7]", "\"type\": \"zero_padding3d\", \"padding\": 1"), "{\"padding\":[[1,1],[1,1],[1,1]]}",
         MICA_SHAPE(2, 7, 8, 9)},
        {OF("[2, 5]", "\"type\": \"cropping1d\""), "{}", MICA_SHAPE(2, 3)},
        {OF("[2, 5, 6]", "\"type\": \"cropping2d\""), "{}", MICA_SHAPE(2, 5, 6)},
        {OF("[2, 5, 6]", "\"type\": \"cropping2d\", \"cropping\": [[0, 2], [1, 0]]"), "{\"cropping\":[[0,2],[1,0]]}",
         MICA_SHAPE(2, 3, 5)},
        {OF("[2, 5, 6, 7]", "\"type\": \"cropping3d\""), "{}", MICA_SHAPE(2, 3, 4, 5)},
        {OF("[2, 5]", "\"type\": \"up_sampling1d\""), "{}", MICA_SHAPE(2, 10)},
        {OF("[2, 5, 6]", "\"type\": \"up_sampling2d\", \"size\": 3, \"interpolation\": \"bicubic\""),
         "{\"size\":3,\"interpolation\":\"bicubic\"}", MICA_SHAPE(2, 15, 18)},
        {OF("[2, 5, 6]", "\"type\": \"up_sampling2d\", \"size\": [1, 2]"), "{\"size\":[1,2]}", MICA_SHAPE(2, 5, 12)},
        {OF("[2, 5, 6, 7]", "\"type\": \"up_sampling3d\", \"size\": [1, 2, 3]"), "{\"size\":[1,2,3]}", MICA_SHAPE(2, 5, 12, 21)},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct fixture *f = fixture_open(cases[i].json);
        fixture_has_shape(f->model->layers[f->model->layer_count - 1].value, cases[i].out);
        assert_written(f->model, cases[i].written);
        fixture_close(f);
    }
}

static void test_errors(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[4]", "\"type\": \"repeat_vector\""), "layers[0]: \"n\" is missing"},
        {OF("[4]", "\"type\": \"repeat_vector\", \"n\": 0"), "layers[0].n: must be at least 1, not 0"},
        {OF("[4, 2]", "\"type\": \"repeat_vector\", \"n\": 2"), "input has shape (4, 2) per sample, needs (features)"},
        {OF("[4, 5]", "\"type\": \"zero_padding1d\", \"padding\": 0"), "layers[0].padding: must not be 0: it would do nothing"},
        {OF("[4, 5]", "\"type\": \"zero_padding1d\", \"padding\": [1, 2, 3]"),
         "layers[0].padding: must be a number, or a list of 1, one or [before, after] for each axis"},
        {OF("[4, 5]", "\"type\": \"zero_padding1d\", \"padding\": \"same\""),
         "layers[0].padding: must be a whole number, not the text"},
        {OF("[4, 5]", "\"type\": \"zero_padding1d\", \"padding\": -1"), "layers[0].padding: must be at least 0, not -1"},
        {OF("[4, 5]", "\"type\": \"zero_padding2d\""), "input has shape (4, 5) per sample, needs (channels, height, width)"},
        {OF("[4, 5, 5]", "\"type\": \"zero_padding2d\", \"padding\": [[1], [1]]"),
         "layers[0].padding: must hold pairs: before and after an axis"},
        {OF("[4, 5, 5]", "\"type\": \"zero_padding2d\", \"padding\": [1.5, 1]"),
         "layers[0].padding: must be a whole number, not 1.5"},
        {OF("[4, 5, 5]", "\"type\": \"zero_padding2d\", \"pading\": 1"), "there is no key \"pading\"; did you mean \"padding\"?"},
        {OF("[4, 5, 5]", "\"type\": \"cropping2d\", \"cropping\": [[2, 3], 0]"),
         "input has shape (4, 5, 5) per sample, cropping 2 and 3 of 5 leaves nothing"},
        {OF("[4, 1]", "\"type\": \"cropping1d\""), "cropping 1 and 1 of 1 leaves nothing"},
        {OF("[4, 5, 5]", "\"type\": \"up_sampling2d\", \"size\": 0"), "layers[0].size: must be at least 1, not 0"},
        {OF("[4, 5, 5]", "\"type\": \"up_sampling2d\", \"size\": [1, 2, 3]"), "layers[0].size: must be a number or a list of 2"},
        {OF("[4, 5, 5]", "\"type\": \"up_sampling2d\", \"interpolation\": \"linear\""), "there is no interpolation \"linear\""},
        {OF("[4, 5]", "\"type\": \"up_sampling1d\", \"interpolation\": \"bilinear\""), "there is no interpolation \"bilinear\""},
        {OF("[4, 5]", "\"type\": \"up_sampling3d\""), "needs (channels, depth, height, width)"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
