/* Stochastic gradient descent, with momentum (Polyak 1964) and Nesterov's (Sutskever et al. 2013). */
#include "nn/optimizer/optimizer.h"

#include <math.h>

enum { MOMENTUM, NESTEROV };

static const char *update(const float *value)
{
    if (fpclassify(value[MOMENTUM]) == FP_ZERO)
        return "SgdUpdate";
    return value[NESTEROV] > 0 ? "NesterovUpdate" : "MomentumUpdate";
}

const struct mi_optimizer_row mi_optimizer_sgd = {
    .name = "sgd", .learning_rate = 0.01f, .update = update,
    .keys = {[MOMENTUM] = {"momentum", 0, .most = 1}, [NESTEROV] = {"nesterov", 0, .flag = true}}};
