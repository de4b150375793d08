/* Activations that are one operator, element by element: a line for each. */
#include "nn/layer/activation.h"

#include <math.h>

static const struct mi_key no_keys[] = {{0}};

/* ---- Without a number ---- */

#define NAMED(id, op, other_names)                                                                                               \
    static mi_value *build_##id(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)                         \
    {                                                                                                                            \
        return (void)count, (void)desc, mi_op1(layer->graph, op, x[0]);                                                          \
    }                                                                                                                            \
    MI_ACTIVATION_ROW(id, other_names, struct mi_named, no_keys);
#define PLAIN(id, op) NAMED(id, op, NULL)

/* Keras has two names for these. */
static const char *const of_silu[] = {"swish", NULL}, *const of_hard_silu[] = {"hard_swish", NULL};

PLAIN(linear, "Identity")
PLAIN(relu6, "Relu6")
PLAIN(selu, "Selu")
PLAIN(sigmoid, "Sigmoid")
PLAIN(log_sigmoid, "LogSigmoid")
PLAIN(tanh, "Tanh")
PLAIN(softplus, "Softplus")
PLAIN(sparse_plus, "SparsePlus")
PLAIN(softsign, "Softsign")
NAMED(silu, "Silu", of_silu)
NAMED(hard_silu, "HardSwish", of_hard_silu)
PLAIN(mish, "Mish")
PLAIN(tanh_shrink, "TanhShrink")
PLAIN(exponential, "Exp")
PLAIN(step, "Step")

/* ---- With one number ---- */

struct numbered {
    const char *name;
    float number;                /* 0: Keras's default */
};

#define NUMBER(key) MI_KEY_WITH(struct numbered, key, MI_KEY_FLOAT, number, MI_KEY_AT_LEAST(0))
#define NUMBER_TOO(key) MI_KEY_WITH(struct numbered, key, MI_KEY_FLOAT, number, MI_KEY_AT_LEAST(0), .alias = true)

/* The operator with attributes made of `number`; the layer's keys are the rest. */
#define WITH_NUMBER(id, op, otherwise, attributes, ...)                                                                          \
    static mi_value *build_##id(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)                         \
    {                                                                                                                            \
        float number = ((const struct numbered *)desc)->number;                                                                  \
        number = fpclassify(number) == FP_ZERO ? (otherwise) : number;                                                           \
        const struct mi_attribute with[] = {attributes};                                                                         \
        return (void)count, mi_apply(layer->graph, op, x, 1, with, (int)MI_COUNT(with));                                         \
    }                                                                                                                            \
    static const struct mi_key keys_##id[] = {__VA_ARGS__, {0}};                                                                 \
    MI_ACTIVATION_ROW(id, NULL, struct numbered, keys_##id);                                                                     \
    mica_node *mica_##id(mica_node *x, float number, const char *name)                                                           \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_##id, &x, 1, &(struct numbered){name, number});                                            \
    }
#define AND ,

WITH_NUMBER(leaky_relu, "LeakyRelu", 0.2f, MI_REAL("alpha", number), NUMBER("negative_slope"), NUMBER_TOO("alpha"))
WITH_NUMBER(thresholded_relu, "ThresholdedRelu", 1.0f, MI_REAL("alpha", number), NUMBER("theta"), NUMBER_TOO("alpha"))
WITH_NUMBER(elu, "Elu", 1.0f, MI_REAL("alpha", number), NUMBER("alpha"))
WITH_NUMBER(celu, "Celu", 1.0f, MI_REAL("alpha", number), NUMBER("alpha"))
WITH_NUMBER(hard_sigmoid, "HardSigmoid", 1.0f / 6.0f, MI_REAL("alpha", number), NUMBER("alpha"))
WITH_NUMBER(squareplus, "Squareplus", 4.0f, MI_REAL("b", number), NUMBER("b"))
WITH_NUMBER(hard_shrink, "Shrink", 0.5f, MI_REAL("lambd", number), NUMBER("threshold"))
WITH_NUMBER(soft_shrink, "Shrink", 0.5f, MI_REAL("lambd", number) AND MI_REAL("bias", number), NUMBER("threshold"))

/* ---- Others ---- */

/* min(max(x / 2 + 1 / 2, 0), 1) */
static mi_value *build_sparse_sigmoid(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    const struct mi_attribute half[] = {MI_REAL("alpha", 0.5f), MI_REAL("beta", 0.5f)};
    return (void)count, (void)desc, mi_apply(layer->graph, "HardSigmoid", x, 1, half, 2);
}
MI_ACTIVATION_ROW(sparse_sigmoid, NULL, struct mi_named, no_keys);

struct gelu_desc {
    const char *name;
    bool approximate;
};

static mi_value *build_gelu(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    const char *how = ((const struct gelu_desc *)desc)->approximate ? "tanh" : "none";
    return (void)count, mi_apply(layer->graph, "Gelu", x, 1, (const struct mi_attribute[]){MI_TEXT("approximate", how)}, 1);
}

static const struct mi_key gelu_keys[] = {MI_KEY(struct gelu_desc, "approximate", MI_KEY_BOOL, approximate), {0}};
MI_ACTIVATION_ROW(gelu, NULL, struct gelu_desc, gelu_keys);

mica_node *mica_gelu(mica_node *x, bool approximate, const char *name)
{
    return mi_layer_add(&mi_layer_gelu, &x, 1, &(struct gelu_desc){name, approximate});
}
