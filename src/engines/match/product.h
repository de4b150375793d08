/* Contractions that are matrix products, recognised by their index maps:
 *
 *     C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]
 *
 * Axes that only one extent long are left out; neighbouring axes of one kind are joined where every operand allows it.
 * Strides are in elements of plain rows. */
#ifndef MICA_SRC_PRODUCT_H
#define MICA_SRC_PRODUCT_H

#include "engines/engine.h"

enum mi_product_axis { MI_PRODUCT_BATCH, MI_PRODUCT_M, MI_PRODUCT_N, MI_PRODUCT_K, MI_PRODUCT_AXES };

struct mi_product {
    const mi_value *a, *b;                       /* the contraction's operands, exchanged where that makes N contiguous */
    struct mi_dim extent[MI_PRODUCT_AXES];
    struct mi_dim stride_a[MI_PRODUCT_AXES], stride_b[MI_PRODUCT_AXES], stride_c[MI_PRODUCT_AXES];
    int axis[MI_PRODUCT_AXES][MI_MAX_RANK], axes[MI_PRODUCT_AXES]; /* the contraction's axes in each, outermost first */
};

/* Whether an operand's place depends on the axis. */
bool mi_uses_axis(const struct mi_operand *operand, int axis);
bool mi_product_match(const struct mi_contraction *c, struct mi_product *product);

/* The contraction's axes from the joined ones' names: declares variables where axes were joined. */
void mi_product_axes(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_product *product,
                     const char *const name[MI_PRODUCT_AXES], const char **axis);
/* The coordinates of the result from its axes. */
void mi_output_at(struct mi_emitter *e, const struct mi_contraction *c, const char *const *axis, struct mi_coordinate *at);

#endif
