/* Adagrad: Duchi, Hazan and Singer 2011. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "AdagradUpdate";
}

const struct mi_optimizer_row mi_optimizer_adagrad = {
    .name = "adagrad", .learning_rate = 0.001f, .update = update, .first = "initial_accumulator_value",
    .keys = {{"initial_accumulator_value", 0.1f, .most = 1e30f}, {"epsilon", 1e-7f, .most = 1e30f}}};
