/* Every loss: MI_LOSSES; and one as it is without settings. */
#include "nn/loss/loss.h"

#include <string.h>

#define DECLARE(name) extern const struct mi_loss_row mi_loss_##name;
MI_LOSSES(DECLARE)

#define LIST(name) &mi_loss_##name,
const struct mi_loss_row *const mi_loss_rows[] = {MI_LOSSES(LIST) NULL};

#define NAME(name) #name,
const char *const mi_loss_names[] = {MI_LOSSES(NAME) "mse", "mae", "mape", "msle", NULL};

const struct mi_loss_row *mi_loss_find(const char *name)
{
    for (const struct mi_loss_row *const *row = mi_loss_rows; *row; row++)
        if (strcmp((*row)->layer.type, name) == 0 || ((*row)->alias && strcmp((*row)->alias, name) == 0))
            return *row;
    return NULL;
}

struct mi_loss mi_loss_plain(const char *name, bool from_logits)
{
    struct mi_loss loss = {.row = mi_loss_find(name), .from_logits = from_logits, .axis = 1};
    for (int i = 0; loss.row->keys[i].name; i++)
        loss.value[i] = loss.row->keys[i].otherwise;
    return loss;
}
