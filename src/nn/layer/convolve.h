/* What the layers of convolutions share: a new kernel, and the operator that x goes through with it. */
#ifndef MICA_SRC_NN_CONVOLVE_H
#define MICA_SRC_NN_CONVOLVE_H

#include "nn/layer/window.h"

/* A variable (first, second, window...), as PyTorch lays it out. */
struct mi_conv_kernel {
    const char *op;              /* Conv or ConvTranspose */
    const char *name;            /* of the variable */
    int64_t first, second;
    int64_t groups;
    const mica_parameter_desc *desc;
    double fan_in, fan_out;      /* of one place of the window */
};

/* A variable (size) that is added to the channels. */
struct mi_conv_bias {
    bool none;
    int64_t size;
    const mica_parameter_desc *desc;
};

/* bias NULL: none. */
mi_value *mi_convolve(struct mi_layer *layer, mi_value *x, const struct mi_window *window, const struct mi_conv_kernel *kernel,
                      const struct mi_conv_bias *bias);

/* The operator of x, a kernel and a bias or NULL. */
mi_value *mi_convolve_by(struct mi_graph *graph, const char *op, mi_value *const in[3], const struct mi_window *window,
                         int64_t groups);

/* Whether x has channels, and they and the filters divide into the groups. */
bool mi_channels_fit(struct mi_layer *layer, int64_t channels, int64_t filters, int64_t groups);

/* The keys of what stands behind the product, and of the bias. */
#define MI_BIAS_KEYS(desc)                                                                                                       \
    MI_KEY(desc, "activation", MI_KEY_TEXT, activation),                                                                         \
    MI_KEY(desc, "use_bias", MI_KEY_NOT, no_bias),                                                                               \
    MI_PARAMETER_KEYS(desc, bias)

#endif
