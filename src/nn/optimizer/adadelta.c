/* Adadelta: Zeiler 2012. */
#include "nn/optimizer/optimizer.h"

static const char *update(const float *value)
{
    (void)value;
    return "AdadeltaUpdate";
}

const struct mi_optimizer_row mi_optimizer_adadelta = {
    .name = "adadelta", .learning_rate = 0.001f, .update = update,
    .keys = {{"rho", 0.95f, .most = 1}, {"epsilon", 1e-7f, .most = 1e30f}}};
