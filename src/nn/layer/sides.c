/* Places added to the sides of spatial axes, or cut off them: zero_padding and cropping. */
#include "nn/layer/spatial.h"

bool mi_spatial_fits(struct mi_layer *layer, const mi_value *x, int spatial)
{
    static const char *const needs[] = {"(channels, length)", "(channels, height, width)", "(channels, depth, height, width)"};
    if (x->shape.rank == spatial + 2)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs %s", mi_layer_shape_text(layer, x), needs[spatial - 1]);
    return false;
}

/* Where nothing is given each side is `otherwise`. */
static bool take_sides(struct mi_layer *layer, const char *what, int spatial, const int64_t (*given)[2], int64_t otherwise,
                       int64_t (*sides)[2])
{
    bool none = true;
    for (int i = 0; i < spatial; i++)
        none = none && given[i][0] == 0 && given[i][1] == 0;
    for (int i = 0; i < spatial; i++)
        for (int k = 0; k < 2; k++) {
            sides[i][k] = none ? otherwise : given[i][k];
            if (!mi_layer_size(layer, what, sides[i][k], 0))
                return false;
        }
    return true;
}

static mi_value *zero_padding(struct mi_layer *layer, mi_value *x, int spatial, const mica_zero_padding_desc *desc)
{
    int64_t sides[MI_MOST_SPATIAL][2], pads[2 * MI_MOST_SPATIAL], axes[] = {2, 3, 4};
    if (!mi_spatial_fits(layer, x, spatial) || !take_sides(layer, "padding", spatial, desc->padding, 1, sides))
        return NULL;
    for (int i = 0; i < spatial; i++) {
        pads[i] = sides[i][0];
        pads[spatial + i] = sides[i][1];
    }
    return MI_APPLY(layer->graph, "Pad", ((mi_value *[]){x}), MI_INTS("pads", pads, 2 * spatial), MI_INTS("axes", axes, spatial));
}

static mi_value *cropping(struct mi_layer *layer, mi_value *x, int spatial, const mica_cropping_desc *desc)
{
    int64_t sides[MI_MOST_SPATIAL][2], starts[MI_MOST_SPATIAL], ends[MI_MOST_SPATIAL], axes[] = {2, 3, 4};
    if (!mi_spatial_fits(layer, x, spatial) || !take_sides(layer, "cropping", spatial, desc->cropping, spatial == 2 ? 0 : 1, sides))
        return NULL;
    for (int i = 0; i < spatial; i++) {
        int64_t size = x->shape.dim[2 + i].b;
        starts[i] = sides[i][0];
        ends[i] = size - sides[i][1];
        if (starts[i] >= ends[i])
            return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, cropping %lld and %lld of %lld leaves nothing",
                                 mi_layer_shape_text(layer, x), (long long)sides[i][0], (long long)sides[i][1], (long long)size);
    }
    return MI_APPLY(layer->graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", starts, spatial), MI_INTS("ends", ends, spatial),
                    MI_INTS("axes", axes, spatial));
}

/* ---- Rows: each of both for one, two and three axes ---- */

#define SIDES(kind, field, axes, why_not_zero)                                                                                   \
    static mi_value *build_##kind##axes(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)                 \
    {                                                                                                                            \
        return (void)count, kind(layer, x[0], axes, desc);                                                                       \
    }                                                                                                                            \
    static const struct mi_key kind##axes##_keys[] = {                                                                           \
        MI_KEY_WITH(mica_##kind##_desc, #field, MI_KEY_SIDES, field, .spatial = (axes), .not_zero = (why_not_zero)),              \
        {0},                                                                                                                     \
    };                                                                                                                           \
    const struct mi_layer_type mi_layer_##kind##axes##d = {                                                                      \
        .type = #kind #axes "d", .desc_size = sizeof(mica_##kind##_desc), .keys = kind##axes##_keys, .min_inputs = 1,            \
        .max_inputs = 1, .build = build_##kind##axes};                                                                           \
    mica_node *mica_##kind##axes##d(mica_node *x, const mica_##kind##_desc *desc)                                                \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_##kind##axes##d, &x, 1, desc);                                                             \
    }
SIDES(zero_padding, padding, 1, "it would do nothing")
SIDES(zero_padding, padding, 2, "it would do nothing")
SIDES(zero_padding, padding, 3, "it would do nothing")
SIDES(cropping, cropping, 1, "it would do nothing")
SIDES(cropping, cropping, 2, NULL)
SIDES(cropping, cropping, 3, "it would do nothing")
