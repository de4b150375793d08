/* Every optimizer, one a line; nothing else lists them. */
#include "nn/optimizer/optimizer.h"

#define OPTIMIZERS(X)                                                                                                            \
    X(sgd)                                                                                                                       \
    X(adam)                                                                                                                      \
    X(rmsprop)                                                                                                                   \
    X(adagrad)

#define DECLARE(name) extern const struct mi_optimizer_row mi_optimizer_##name;
OPTIMIZERS(DECLARE)

#define LIST(name) &mi_optimizer_##name,
const struct mi_optimizer_row *const mi_optimizer_rows[] = {OPTIMIZERS(LIST) NULL};
