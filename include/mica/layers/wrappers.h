/* Layers around another one, whose weight they reparameterise. The layer within is any with a parameter `weight`: dense,
 * einsum_dense, embedding, convolutions. In C it is the type as JSON has it and its descriptor:
 *
 *     mica_spectral_normalization(x, &(mica_spectral_normalization_desc){
 *         .layer = "dense", .desc = &(mica_dense_desc){.units = 4}});
 *
 * The name is the wrapper's, so the variables are NAME.bias and so on; a name in the descriptor within is not read. Regularizers
 * and constraints of the weight act on the variable that is trained. */
#ifndef MICA_LAYERS_WRAPPERS_H
#define MICA_LAYERS_WRAPPERS_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The layer with weight / sigma, sigma = u^T W v near the largest singular value of W, which is the weight as (out, all others):
 * Miyato et al. 2018, arXiv:1802.05957. Its first axis counts as out also in transposed convolutions, where it is the input's
 * channels. A training step first takes u to W v and v to W^T u, each divided by its length (at least 1e-12); in inference they
 * stay. Derivatives take both as constants. As torch.nn.utils.parametrizations.spectral_norm.
 * weight (trained), weight_u (out), weight_v (all others); at first they are vectors that the power method has come to from random
 * ones. A layer that is used several times takes its vectors further once a step. */
typedef struct mica_spectral_normalization_desc {
    const char *name;
    const char *layer;            /* required: "dense" */
    const void *desc;             /* its descriptor, of that type: a mica_dense_desc; NULL: all defaults */
    int power_iterations;         /* of a training step; 0: 1 */
} mica_spectral_normalization_desc;
MICA_API mica_node *mica_spectral_normalization(mica_node *x, const mica_spectral_normalization_desc *desc);

/* The layer with g v / |v| as its weight, the norm over all axes of v but one: Salimans and Kingma 2016, arXiv:1602.07868.
 * weight_g, of the weight's shape with 1 along the other axes, and weight_v, of the weight's shape, are trained. At first g = |v|,
 * so that the weight is what the layer's initializer makes. As torch.nn.utils.weight_norm, but that a v of zeros gives zeros. */
typedef struct mica_weight_normalization_desc {
    const char *name;
    const char *layer;            /* required: "dense" */
    const void *desc;             /* its descriptor, of that type: a mica_dense_desc; NULL: all defaults */
    int axis;                     /* of the weight as it is stored: 0 its first, -1 its last */
} mica_weight_normalization_desc;
MICA_API mica_node *mica_weight_normalization(mica_node *x, const mica_weight_normalization_desc *desc);

#ifdef __cplusplus
}
#endif

#endif
