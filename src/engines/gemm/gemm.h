/* What the matrix products of Mica's own agree on: how a product is cut, and what that costs. */
#ifndef MICA_SRC_GEMM_H
#define MICA_SRC_GEMM_H

#include "engines/match/product.h"

/* The numbers of a variant. */
enum mi_gemm_number {
    MI_GEMM_MR,     /* rows of a register tile */
    MI_GEMM_NV,     /* vectors in each of its rows */
    MI_GEMM_MB,     /* rows an item makes, a multiple of MR */
    MI_GEMM_NB,     /* columns an item makes, a multiple of NV vectors */
    MI_GEMM_KB,     /* steps of k at a time */
    MI_GEMM_PACK_A, /* 1: the item packs its block of A */
    MI_GEMM_PACK_B, /* enum mi_gemm_pack */
    MI_GEMM_SPLIT,  /* pieces of k that are summed apart, and then in their order */
    MI_GEMM_TURNED  /* 1: the transposed product is computed, B'A': the operands change places */
};

enum mi_gemm_pack {
    MI_GEMM_IN_PLACE, /* read where it is: columns lie side by side */
    MI_GEMM_BY_ITEM,  /* each item packs the panel that it needs */
    MI_GEMM_BEFORE,   /* a launch of its own packs all, or it is packed already */
    MI_GEMM_BLOCK     /* each item packs all panels of its block at once */
};

/* A product with its sizes at the largest batch. */
struct mi_gemm {
    struct mi_product p;
    int64_t rows, columns, depth, batch;
    int vw, units; /* lanes of a vector; compute units */
    bool by_rows;  /* one launch, without scratch memory, in one core and without what a launch costs */
    uint64_t local_bytes;
    bool constant_b; /* B is made of variables that nothing changes: it is packed once */
    bool made_a, made_b; /* in no memory: computed while it is packed */
};

/* The transposed product. Its rows are the product's columns, so results are stored one by one; but a large B is read as it lies,
 * element by element, and it is the small A that is packed. */
struct mi_gemm mi_gemm_turned(const struct mi_gemm *g);
void mi_gemm_read(const struct mi_problem *problem, const struct mi_product *product, struct mi_gemm *g);
/* Text that makes the kernel's totals, each in the items that have the first rows or columns of the other operand; its function is
 * added to the definitions. */
const char *mi_gemm_totals(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, struct mi_text *text);
/* Text that computes one panel of A, or of B, into `to` (made.c says what stands before it); "" where it is in memory. */
const char *mi_gemm_made(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_gemm *g, bool of_a);
/* Ways to cut a product for a CPU, the best first; *seconds (may be NULL): what the best takes, roughly. */
int mi_gemm_cuts(const struct mi_gemm *g, struct mi_variant *list, int most, double *seconds);
/* Whether it pays to compute operands while they are packed, as the product says, beside kernels of their own and the cut as it
 * is, which may become another for that. */
bool mi_gemm_cut_made(const struct mi_gemm *g, struct mi_variant *v);
/* Whether an item's sums find room in local memory between blocks of k, beside its panels; else they wait in scratch. */
bool mi_gemm_sums_near(const struct mi_gemm *g, const struct mi_variant *v);

#endif
