/* Layers that prepare data, in the network or in a job's `data.layers`. Two of them learn from data before the first step, where
 * their values are not given: mica_model_adapt (train.h) does that, and mica_fit by itself. Inputs of every type are taken as
 * float32, and whole numbers that a layer gives are float32, too. */
#ifndef MICA_LAYERS_PREPROCESSING_H
#define MICA_LAYERS_PREPROCESSING_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = x * scale + offset. */
typedef struct mica_rescaling_desc {
    const char *name;
    float scale;                  /* required: another number than 0 */
    float offset;
} mica_rescaling_desc;
MICA_API mica_node *mica_rescaling(mica_node *x, const mica_rescaling_desc *desc);

/* y = (x - mean) / max(sqrt(variance), 1e-7) for each index of an axis, or x = y * max(sqrt(variance), 1e-7) + mean. Where mean and
 * variance are not given they are the statistics `mean` and `variance` (size of the axis), learnt from data: the variance is the
 * biased one. */
typedef struct mica_normalization_desc {
    const char *name;
    int axis;                     /* 0: -1, the last; 1 is the first after the batch, an image's channels */
    const float *mean, *variance; /* (count); copied. NULL: they are learnt */
    int count;                    /* 1, or the size of the axis */
    bool invert;
} mica_normalization_desc;
MICA_API mica_node *mica_normalization(mica_node *x, const mica_normalization_desc *desc);

/* Bin k for bin_boundaries[k - 1] <= x < bin_boundaries[k]: how many boundaries x reaches. Where they are not given they are the
 * statistic `bin_boundaries` (num_bins - 1), learnt from data: quantiles of all values, at least 2 bins.
 * output_mode, of x (N, ...) and B bins:  "int" the numbers, (N, ...);  "one_hot" (N, ..., B), where a last axis of 1 is left out;
 * "multi_hot" (N, ..., B) without the last axis of x, 1 where a bin is among its values;  "count" the same, how often it is. */
typedef struct mica_discretization_desc {
    const char *name;
    const float *bin_boundaries;  /* (boundary_count), rising; copied */
    int boundary_count;
    int64_t num_bins;             /* instead */
    const char *output_mode;      /* NULL: "int" */
} mica_discretization_desc;
MICA_API mica_node *mica_discretization(mica_node *x, const mica_discretization_desc *desc);

/* Whole numbers from 0 to num_tokens - 1 as above, "one_hot", "multi_hot" or "count". Another number is an
 * error: of an input at once, with its sample; computed by layers it is told with the next result. */
typedef struct mica_category_encoding_desc {
    const char *name;
    int64_t num_tokens;           /* required */
    const char *output_mode;      /* NULL: "multi_hot" */
} mica_category_encoding_desc;
MICA_API mica_node *mica_category_encoding(mica_node *x, const mica_category_encoding_desc *desc);

/* Whole numbers (others are cut towards zero) to bins 0 to num_bins - 1: SplitMix64 of x and salt, modulo num_bins (src/ops/hash.c
 * has the formula). */
typedef struct mica_hashing_desc {
    const char *name;
    int64_t num_bins;             /* required; at most 2^24 */
    int64_t salt;
    const char *output_mode;      /* NULL: "int"; the others as above */
} mica_hashing_desc;
MICA_API mica_node *mica_hashing(mica_node *x, const mica_hashing_desc *desc);

/* y[n, ..., :] = 0 where all of x[n, ..., :] are mask_value, else x: places that are padding give nothing. Of x (N, T, features)
 * these are steps that recurrent layers and attention behind it pass over (recurrent.h, attention.h). */
typedef struct mica_masking_desc {
    const char *name;
    float mask_value;
} mica_masking_desc;
MICA_API mica_node *mica_masking(mica_node *x, const mica_masking_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
