/* Lion: Chen et al. 2023. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "LionUpdate";
}

const struct mi_optimizer_row mi_optimizer_lion = {
    .name = "lion", .learning_rate = 0.001f, .update = update,
    /* A beta_1 of 0 would take the gradient's sign alone. */
    .keys = {{"beta_1", 0.9f, .above = true, .most = 1}, {"beta_2", 0.99f, .most = 1}}};
