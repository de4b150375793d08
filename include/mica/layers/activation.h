/* Activations. */
#ifndef MICA_LAYERS_ACTIVATION_H
#define MICA_LAYERS_ACTIVATION_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_activation_desc {
    const char *name;
    const char *type;             /* required: "relu", "softmax", ..., or any row of src/ops/activation.h in snake_case */
    float alpha;                  /* leaky_relu (0: 0.2), elu (0: 1.0), hard_sigmoid (0: 1/6) */
} mica_activation_desc;
MICA_API mica_node *mica_activation(mica_node *x, const mica_activation_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
