/* FTRL, "follow the regularized leader": McMahan et al. 2013. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "FtrlUpdate";
}

#define STRENGTH(name) {name, 0, .most = 1e30f}

const struct mi_optimizer_row mi_optimizer_ftrl = {
    .name = "ftrl", .learning_rate = 0.001f, .update = update, .first = "initial_accumulator_value",
    .keys = {{"learning_rate_power", -0.5f, .least = -10, .most = 0}, {"initial_accumulator_value", 0.1f, .most = 1e30f},
             STRENGTH("l1_regularization_strength"), STRENGTH("l2_regularization_strength"),
             STRENGTH("l2_shrinkage_regularization_strength"), STRENGTH("beta")}};
