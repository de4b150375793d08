/* WinogradWeight(w; tile m, transposed, turned, block b) -> U ((m+2)^2, K/b, C, b): what the Winograd convolution multiplies by,
 *
 *     U[i*(m+2) + j, k/b, c, k%b] = sum_{r, s} G[i, r] * G[j, s] * w[k, c, r, s]
 *
 * with G of F(m, 3), m 2 or 4 (Lavin, Gray: "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308). Filters
 * and channels are filled up with zeros to multiples of b and of `channels`. transposed: w is (C, K, 3, 3), as for the gradient
 * of the data; turned: w[k, c, 2-r, 2-s] stands for w[k, c, r, s]. An engine of convolutions adds the node; no layer asks
 * for it, and it has no gradient. */
#include "ops/ops.h"

static mica_status infer_winograd(struct mi_node *node)
{
    const struct mi_shape *w = &node->in[0]->shape;
    int64_t m = mi_attribute_int(node, "tile", 0), block = mi_attribute_int(node, "block", 0);
    int64_t channels = mi_attribute_int(node, "channels", 0);
    int k = mi_attribute_int(node, "transposed", 0) ? 1 : 0;
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_int(node, "transposed", 0));
    MI_TRY(mi_default_int(node, "turned", 0));
    if (w->rank != 4 || !mi_dim_is(w->dim[2], 3) || !mi_dim_is(w->dim[3], 3) || w->dim[0].a || w->dim[1].a)
        return mi_op_fail(node, MICA_SHAPE, "weight is %s, its kernel must be 3 x 3", mi_shape_text(&node->graph->arena, w));
    if ((m != 2 && m != 4) || block < 1 || block > 256 || channels < 1 || channels > 256)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "tile %lld must be 2 or 4, block %lld and channels %lld 1 to 256",
                          (long long)m, (long long)block, (long long)channels);
    struct mi_shape u = {.rank = 4,
                         .dim = {mi_fixed((m + 2) * (m + 2)), mi_fixed(mi_divide_up(w->dim[k].b, block)),
                                 mi_fixed(mi_divide_up(w->dim[1 - k].b, channels) * channels), mi_fixed(block)}};
    mi_infer_output(node, 0, node->in[0]->type, &u);
    return MICA_OK;
}

/* One item transforms a block of filters and of channels. */
static struct mi_dim winograd_items(const struct mi_node *node)
{
    const struct mi_shape *u = &node->out[0]->shape;
    return mi_fixed(u->dim[1].b * (u->dim[2].b / mi_attribute_int(node, "channels", 1)));
}

const struct mi_op mi_op_WinogradWeight = {.name = "WinogradWeight",
                                           .kind = MI_OWN,
                                           .min_inputs = 1,
                                           .max_inputs = 1,
                                           .outputs = 1,
                                           .infer = infer_winograd,
                                           .own = "winograd_prepare",
                                           .items = winograd_items};
