/* Copies of a model's weights in host memory. */
#ifndef MICA_SRC_TRAIN_KEPT_H
#define MICA_SRC_TRAIN_KEPT_H

#include "nn/model.h"

/* Of each variable that is in files, in the order of the model's; all zero: nothing. */
struct mi_kept {
    void **elements;
    size_t count;
};

/* Takes the values as they are: waits. A failure leaves what was kept before. */
mica_status mi_kept_take(struct mi_kept *kept, mica_model *model);
/* Gives them back to the model, where something is kept. */
mica_status mi_kept_give(const struct mi_kept *kept, mica_model *model);
void mi_kept_destroy(struct mi_kept *kept);

#endif
