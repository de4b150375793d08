/* Initializers: a row each, which says how the first values of a parameter are made.
 *
 * Adding one: its row in a file of this folder, and its name in MI_INITIALIZERS. */
#ifndef MICA_SRC_NN_INITIALIZER_H
#define MICA_SRC_NN_INITIALIZER_H

#include "json/keys.h"
#include "graph/graph.h"

#include <mica/layers/parameter.h>

#define MI_INITIALIZERS(X)                                                                                                       \
    X(zeros)                                                                                                                     \
    X(ones)                                                                                                                      \
    X(constant)                                                                                                                  \
    X(random_normal)                                                                                                             \
    X(random_uniform)                                                                                                            \
    X(truncated_normal)                                                                                                          \
    X(variance_scaling)                                                                                                          \
    X(glorot_uniform)                                                                                                            \
    X(glorot_normal)                                                                                                             \
    X(he_uniform)                                                                                                                \
    X(he_normal)                                                                                                                 \
    X(lecun_uniform)                                                                                                             \
    X(lecun_normal)                                                                                                              \
    X(orthogonal)                                                                                                                \
    X(identity)

/* What a parameter is that values are made for. */
struct mi_initializer_use {
    const mica_initializer *given;       /* NULL: the default */
    const char *otherwise;               /* the default's type */
    double fan_in, fan_out;
    const struct mi_shape *shape;
};

struct mi_initializer_row {
    const char *name;
    int least_rank, most_rank;           /* of the parameter; most_rank 0: any */
    float number;                        /* the row's own: the value of zeros and ones, the scale of a variance */
    const char *mode, *distribution;     /* of a variance; NULL: they are given */
    /* Sets how values are made; seed and stream are there. An error names key and value. */
    mica_status (*set)(struct mi_error *error, const struct mi_initializer_row *row, const struct mi_initializer_use *use,
                       struct mi_initial *out);
};

extern const struct mi_key mi_initializer_keys[];
extern const char *const mi_initializer_names[];  /* NULL-terminated */
extern const char *const mi_variance_modes[], *const mi_variance_distributions[];

/* How values are made by the seed and the stream that *out has, the variable's own. */
mica_status mi_initializer_choose(struct mi_error *error, const struct mi_initializer_use *use, struct mi_initial *out);
struct mi_initial mi_initial_constant(float value);

/* First values that follow from those of another variable (derived.c). `of` is borrowed: how that one's are made, and its shape. A
 * function of the application's that makes them is called once more for each of these. */
struct mi_initial_source {
    struct mi_initial make;
    struct mi_shape shape;
    int axis;
};
/* The norms over all axes of `of` but its `axis`. */
struct mi_initial mi_initial_norms(struct mi_initial_source *of);
/* A singular vector of the largest singular value of `of`, whose first axis (out) counts as rows and all others as columns: of axis
 * 0 the left one, (out), of axis 1 the right one. It is near that: fifteen steps of the power method from a normal vector, the same
 * for both with the same seed and stream. */
struct mi_initial mi_initial_singular(struct mi_initial_source *of, uint64_t seed, uint64_t stream);

/* ---- For rows ---- */

/* A block of random numbers makes this many values. */
enum { MI_BLOCK = 4 };

/* Makes the values of block `index`: out[0 .. MI_BLOCK - 1]. */
typedef void mi_draw(const struct mi_initial *how, uint64_t index, float *out);
mi_draw mi_draw_constant; /* low */
mi_draw mi_draw_uniform;  /* from low to high */
mi_draw mi_draw_normal;   /* mean low, standard deviation high */
mi_draw mi_draw_truncated_normal; /* the same, of which what lies beyond two deviations is drawn again */

/* A fill of blocks, which how->draw makes. */
bool mi_fill_blocks(const struct mi_initial *how, const struct mi_shape *shape, float *values);

#endif
