/* Adam: Kingma and Ba 2015. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "AdamUpdate";
}

const struct mi_optimizer_row mi_optimizer_adam = {
    .name = "adam", .learning_rate = 0.001f, .update = update,
    .keys = {{"beta_1", 0.9f, .most = 1}, {"beta_2", 0.999f, .most = 1}, {"epsilon", 1e-7f, .most = 1e30f}}};
