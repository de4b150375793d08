/* Every loss; nothing else lists them, but for the layers' table. */
#include "nn/loss/loss.h"

#include <string.h>

extern const struct mi_loss_row mi_loss_mean_squared_error, mi_loss_binary_crossentropy, mi_loss_categorical_crossentropy,
    mi_loss_sparse_categorical_crossentropy;

const struct mi_loss_row *const mi_loss_rows[] = {
    &mi_loss_mean_squared_error, &mi_loss_binary_crossentropy, &mi_loss_categorical_crossentropy,
    &mi_loss_sparse_categorical_crossentropy, NULL,
};

const char *const mi_loss_names[] = {"mean_squared_error", "binary_crossentropy", "categorical_crossentropy",
                                     "sparse_categorical_crossentropy", "mse", NULL};

const struct mi_loss_row *mi_loss_find(const char *name)
{
    for (const struct mi_loss_row *const *row = mi_loss_rows; *row; row++)
        if (strcmp((*row)->layer.type, name) == 0 || ((*row)->alias && strcmp((*row)->alias, name) == 0))
            return *row;
    return NULL;
}
