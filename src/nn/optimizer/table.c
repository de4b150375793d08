/* Every optimizer; nothing else lists them. */
#include "nn/optimizer/optimizer.h"

extern const struct mi_optimizer_row mi_optimizer_sgd, mi_optimizer_adam, mi_optimizer_rmsprop, mi_optimizer_adagrad;

const struct mi_optimizer_row *const mi_optimizer_rows[] = {
    &mi_optimizer_sgd, &mi_optimizer_adam, &mi_optimizer_rmsprop, &mi_optimizer_adagrad, NULL,
};
