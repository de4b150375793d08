/* What a parameter of a layer begins with. */
#ifndef MICA_LAYERS_PARAMETER_H
#define MICA_LAYERS_PARAMETER_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An initializer by name: "zeros", "ones", "constant", "random_normal", "random_uniform", "glorot_uniform", "glorot_normal",
 * "he_uniform", "he_normal". NULL type: the layer's default. Unlike Keras, the normal ones are not truncated. */
typedef struct mica_initializer {
    const char *type;
    float value;                  /* constant */
    float mean, stddev;           /* random_normal; stddev 0: 0.05 */
    float minval, maxval;         /* random_uniform; both 0: -0.05, 0.05 */
} mica_initializer;

/* What a layer's parameter has: "kernel_initializer" of a job is kernel.initializer in C. */
typedef struct mica_parameter_desc {
    mica_initializer initializer;
} mica_parameter_desc;

#ifdef __cplusplus
}
#endif
#endif
