/* Adam: Kingma and Ba 2015. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "AdamUpdate";
}

const struct mi_optimizer_row mi_optimizer_adam = {
    .name = "adam", .learning_rate = 0.001f, .update = update,
    /* A mean that takes nothing in would be divided by 1 - beta^step = 0. */
    .keys = {{"beta_1", 0.9f, .most = 1, .below = true}, {"beta_2", 0.999f, .most = 1, .below = true},
             {"epsilon", 1e-7f, .most = 1e30f}}};
