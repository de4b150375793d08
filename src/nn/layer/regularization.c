/* Layers that disturb a training: dropouts and noise. */
#include "nn/layer.h"

#include <math.h>

static bool rate_fits(struct mi_layer *layer, float rate)
{
    bool fits = rate >= 0 && rate < 1;
    if (!fits)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "rate must be at least 0 and below 1, not %g", (double)rate);
    return fits;
}

/* An operator with a rate; along the axes of `shared` one number serves all elements. */
static mi_value *drop(struct mi_layer *layer, mi_value *x, const char *op, const mica_dropout_desc *desc, const int64_t *shared,
                      int count)
{
    const struct mi_attribute attributes[] = {MI_REAL("rate", desc->rate), MI_INT("seed", (int64_t)desc->seed),
                                              MI_INTS("shared", shared, count)};
    return rate_fits(layer, desc->rate) ? mi_apply(layer->graph, op, &x, 1, attributes, count ? 3 : 2) : NULL;
}

/* ---- One number for each element, or for those that a noise_shape leaves ---- */

static const char *noise_text(struct mi_layer *layer, const mica_shape *noise)
{
    struct mi_shape shape = {.rank = noise->rank};
    for (int i = 0; i < noise->rank; i++)
        shape.dim[i] = mi_fixed(noise->dim[i]);
    return mi_shape_text(&layer->graph->arena, &shape);
}

/* The axes of x that are ones in noise_shape; -1 after an error. */
static int shared_axes(struct mi_layer *layer, const mi_value *x, const mica_shape *noise, int64_t shared[MI_MAX_RANK])
{
    int count = 0;
    if (noise->rank < 0 || noise->rank > MICA_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "noise_shape has 1 to %d dimensions, not %d", MICA_MAX_RANK, noise->rank), -1;
    bool fits = !noise->rank || noise->rank == x->shape.rank - 1;
    for (int i = 0; fits && i < noise->rank; i++) {
        fits = noise->dim[i] == 1 || noise->dim[i] == x->shape.dim[i + 1].b;
        if (noise->dim[i] == 1 && x->shape.dim[i + 1].b != 1)
            shared[count++] = i + 1;
    }
    if (!fits)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, noise_shape is %s: the same, or 1 where it is "
                             "shared",
                             mi_layer_shape_text(layer, x), noise_text(layer, noise)), -1;
    return count;
}

static mi_value *drop_by_shape(struct mi_layer *layer, mi_value *x, const char *op, const mica_dropout_desc *desc)
{
    int64_t shared[MI_MAX_RANK];
    int count = shared_axes(layer, x, &desc->noise_shape, shared);
    return count < 0 ? NULL : drop(layer, x, op, desc, shared, count);
}

static mi_value *build_dropout(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, drop_by_shape(layer, x[0], "Dropout", desc);
}

static mi_value *build_alpha(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, drop_by_shape(layer, x[0], "AlphaDropout", desc);
}

static mi_value *build_gaussian_dropout(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, drop(layer, x[0], "GaussianDropout", desc, NULL, 0);
}

/* ---- Whole channels ---- */

static mi_value *spatial(struct mi_layer *layer, mi_value *x, int axes, const mica_dropout_desc *desc)
{
    static const char *const wanted[] = {"(channels, length)", "(channels, height, width)", "(channels, depth, height, width)"};
    static const int64_t places[] = {2, 3, 4};
    if (x->shape.rank != 2 + axes)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs %s", mi_layer_shape_text(layer, x),
                             wanted[axes - 1]);
    return drop(layer, x, "Dropout", desc, places, axes);
}

static mi_value *build_spatial1(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, spatial(layer, x[0], 1, desc);
}

static mi_value *build_spatial2(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, spatial(layer, x[0], 2, desc);
}

static mi_value *build_spatial3(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, spatial(layer, x[0], 3, desc);
}

/* ---- Noise that is added ---- */

static mi_value *build_noise(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_gaussian_noise_desc *desc = given;
    if (!(desc->stddev >= 0 && desc->stddev < INFINITY))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "stddev must be at least 0 and finite, not %g", (double)desc->stddev);
    return mi_apply(layer->graph, "GaussianNoise", x, 1,
                    (const struct mi_attribute[]){MI_REAL("stddev", desc->stddev), MI_INT("seed", (int64_t)desc->seed)}, 2);
}

/* ---- Rows ---- */

#define RATE_KEY MI_KEY_WITH(mica_dropout_desc, "rate", MI_KEY_FLOAT, rate, .required = true, MI_KEY_BELOW(0, 1))
#define SEED_KEY(desc) MI_KEY(desc, "seed", MI_KEY_SEED, seed)
static const struct mi_key shaped_keys[] = {
    RATE_KEY,
    MI_KEY(mica_dropout_desc, "noise_shape", MI_KEY_SHAPE, noise_shape),
    SEED_KEY(mica_dropout_desc),
    {0},
};
static const struct mi_key rate_keys[] = {RATE_KEY, SEED_KEY(mica_dropout_desc), {0}};
static const struct mi_key noise_keys[] = {
    MI_KEY_WITH(mica_gaussian_noise_desc, "stddev", MI_KEY_FLOAT, stddev, .required = true, MI_KEY_AT_LEAST(0)),
    SEED_KEY(mica_gaussian_noise_desc),
    {0},
};

/* The row of a layer, and the function that adds one. */
#define LAYER(id, descriptor, its_keys, builds)                                                                                  \
    const struct mi_layer_type mi_layer_##id = {.type = #id, .desc_size = sizeof(descriptor), .keys = (its_keys), .min_inputs = 1, \
                                                .max_inputs = 1, .keeps_steps = true, .build = (builds)};                        \
    mica_node *mica_##id(mica_node *x, const descriptor *desc)                                                                   \
    {                                                                                                                            \
        return mi_layer_add(&mi_layer_##id, &x, 1, desc);                                                                        \
    }

LAYER(dropout, mica_dropout_desc, shaped_keys, build_dropout)
LAYER(spatial_dropout1d, mica_dropout_desc, rate_keys, build_spatial1)
LAYER(spatial_dropout2d, mica_dropout_desc, rate_keys, build_spatial2)
LAYER(spatial_dropout3d, mica_dropout_desc, rate_keys, build_spatial3)
LAYER(alpha_dropout, mica_dropout_desc, shaped_keys, build_alpha)
LAYER(gaussian_dropout, mica_dropout_desc, rate_keys, build_gaussian_dropout)
LAYER(gaussian_noise, mica_gaussian_noise_desc, noise_keys, build_noise)
