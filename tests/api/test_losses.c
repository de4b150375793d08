/* Every loss as a layer: without inputs, with a target that does not fit, and with keys that it does not have. */
#include "api.h"

#include <stdbool.h>

/* Ways of asking for a loss that no loss grants: x is a vector a sample, and so is t but for one way. */
static const struct {
    mica_loss_desc desc;
    bool image;
    const char *error;
} ways[] = {
    {.image = true, .error = "shape"},
    {.desc.setting = {{"no_key", 1}}, .error = "there is no key \"no_key\""},
    {.desc.name = "", .error = "a layer's name has"},
};

/* The call is made without inputs, and in each of these ways; it names x, t and desc. */
#define REFUSES(call)                                                                                                   \
    do {                                                                                                                \
        mica_node *x = NULL, *t = NULL;                                                                                 \
        const mica_loss_desc *desc = NULL;                                                                              \
        assert_null(call);                                                                                              \
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {                                                       \
            mica_model *model = mica_model_create(api.device, NULL);                                                    \
            x = mica_input(model, NULL, MICA_SHAPE(6));                                                                 \
            t = ways[i].image ? mica_input(model, "t", MICA_SHAPE(2, 6, 6)) : mica_input(model, "t", MICA_SHAPE(6));    \
            desc = &ways[i].desc;                                                                                       \
            assert_null(call);                                                                                          \
            api_not_built(#call, model, ways[i].error);                                                                 \
            mica_model_destroy(model);                                                                                  \
            api_still_works(&api);                                                                                      \
        }                                                                                                               \
    } while (0)

static void refused(void **state)
{
    (void)state;
    REFUSES(mica_mean_squared_error(x, t, desc));
    REFUSES(mica_mean_absolute_error(x, t, desc));
    REFUSES(mica_mean_absolute_percentage_error(x, t, desc));
    REFUSES(mica_mean_squared_logarithmic_error(x, t, desc));
    REFUSES(mica_huber(x, t, desc));
    REFUSES(mica_log_cosh(x, t, desc));
    REFUSES(mica_poisson(x, t, desc));
    REFUSES(mica_cosine_similarity(x, t, desc));
    REFUSES(mica_binary_crossentropy(x, t, desc));
    REFUSES(mica_binary_focal_crossentropy(x, t, desc));
    REFUSES(mica_hinge(x, t, desc));
    REFUSES(mica_squared_hinge(x, t, desc));
    REFUSES(mica_dice(x, t, desc));
    REFUSES(mica_tversky(x, t, desc));
    REFUSES(mica_categorical_crossentropy(x, t, desc));
    REFUSES(mica_categorical_focal_crossentropy(x, t, desc));
    REFUSES(mica_kl_divergence(x, t, desc));
    REFUSES(mica_categorical_hinge(x, t, desc));
    REFUSES(mica_info_nce(x, t, desc));
    REFUSES(mica_triplet_margin(x, x, t, desc));
}

/* Targets of any shape are refused that are no whole numbers. */
static void numbers(void **state)
{
    mica_model *model = mica_model_create(api.device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(6));
    (void)state;
    assert_null(mica_sparse_categorical_crossentropy(NULL, NULL, NULL));
    assert_null(mica_sparse_categorical_crossentropy(x, x, NULL));
    api_says("sparse", mica_model_status(model), mica_model_error(model), mica_device_status(api.device), "whole numbers");
    mica_model_destroy(model);
    api_still_works(&api);
}

/* What is no sequence of classes, and targets that are no rows of labels. */
static void sequences(void **state)
{
    (void)state;
    static const struct {
        int64_t axes, labels;
        mica_setting setting;
        const char *error;
    } cases[] = {{1, 1, {NULL, 0}, "needs steps and at least 2 classes"},
                 {2, 0, {NULL, 0}, "it must be a row of labels for each sample"},
                 {2, 1, {"blank", 3}, "the blank is class 3, the output has 3 classes"},
                 {2, 1, {"blank", -1}, "blank: must be a whole number from 0"},
                 {2, 1, {"zero_infinity", 2}, "zero_infinity: must be true or false"}};
    assert_null(mica_ctc(NULL, NULL, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_model *model = mica_model_create(api.device, NULL);
        mica_node *x = mica_input(model, NULL, cases[i].axes == 1 ? MICA_SHAPE(6) : MICA_SHAPE(6, 3));
        mica_node *t = mica_input_integer(model, "t", cases[i].labels ? MICA_SHAPE(4) : MICA_SHAPE(4, 2));
        assert_null(mica_ctc(x, t, &(mica_loss_desc){.setting = {cases[i].setting}}));
        api_not_built("mica_ctc", model, cases[i].error);
        mica_model_destroy(model);
        api_still_works(&api);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused), cmocka_unit_test(numbers), cmocka_unit_test(sequences)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
