/* RMSprop: Tieleman and Hinton 2012; with momentum, and centered (Graves 2013), as Keras and PyTorch have it. */
#include "nn/optimizer/optimizer.h"

#include <math.h>

enum { RHO, MOMENTUM, EPSILON, CENTERED };

static const char *update(const float *value)
{
    bool plain = fpclassify(value[MOMENTUM]) == FP_ZERO;
    if (value[CENTERED] > 0)
        return plain ? "RmspropCenteredUpdate" : "RmspropCenteredMomentumUpdate";
    return plain ? "RmspropUpdate" : "RmspropMomentumUpdate";
}

const struct mi_optimizer_row mi_optimizer_rmsprop = {
    .name = "rmsprop", .learning_rate = 0.001f, .update = update,
    .keys = {[RHO] = {"rho", 0.9f, .most = 1}, [MOMENTUM] = {"momentum", 0, .most = 1},
             [EPSILON] = {"epsilon", 1e-7f, .most = 1e30f}, [CENTERED] = {"centered", 0, .flag = true}}};
