/* Every optimizer, one a line; nothing else lists them. */
#include "nn/optimizer/optimizer.h"

#define OPTIMIZERS(X)                                                                                                            \
    X(sgd)                                                                                                                       \
    X(adam)                                                                                                                      \
    X(adamw)                                                                                                                     \
    X(amsgrad)                                                                                                                   \
    X(adamax)                                                                                                                    \
    X(nadam)                                                                                                                     \
    X(rmsprop)                                                                                                                   \
    X(adagrad)                                                                                                                   \
    X(adadelta)                                                                                                                  \
    X(lion)                                                                                                                      \
    X(ftrl)                                                                                                                      \
    X(lamb)                                                                                                                      \
    X(adafactor)

#define DECLARE(name) extern const struct mi_optimizer_row mi_optimizer_##name;
OPTIMIZERS(DECLARE)

#define LIST(name) &mi_optimizer_##name,
const struct mi_optimizer_row *const mi_optimizer_rows[] = {OPTIMIZERS(LIST) NULL};
