/* The public functions of losses, which are all alike. */
#include "nn/loss/loss.h"

#define CALL(name)                                                                                                               \
    extern const struct mi_loss_row mi_loss_##name;                                                                              \
    mica_node *mica_##name(mica_node *y, mica_node *target, const mica_loss_desc *desc)                                          \
    {                                                                                                                            \
        return mi_layer_add(&mi_loss_##name.layer, (mica_node *[]){y, target}, 2, desc);                                         \
    }
MI_LOSSES(CALL)
