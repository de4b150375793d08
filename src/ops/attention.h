/* Attention, as its lowering and its kernels read it (attention.c, attention_tiled.c). */
#ifndef MICA_SRC_OPS_ATTENTION_H
#define MICA_SRC_OPS_ATTENTION_H

#include "ops/ops.h"

enum { MI_ATTENTION_MASK = 3, MI_ATTENTION_GRAD_DY = 6, MI_ATTENTION_GRAD_MASK = 7 }; /* inputs */
enum { MI_ATTENTION_Y, MI_ATTENTION_LARGEST, MI_ATTENTION_PART };                     /* outputs */

struct mi_attention {
    int64_t heads, groups;           /* of the query; of key and value */
    int64_t dim, value_dim;          /* features of a head */
    struct mi_dim batch, queries, keys;
    enum mi_type type;
    float scale, rate;
    bool causal, hides;              /* hides: the mask is bool, and scores are `hidden` where it is false */
    float hidden, slope;
    int64_t alibi;                   /* 0: distances do not count */
    mi_value *mask;                  /* NULL: none */
};

/* Of Attention, or one of its gradients; `mask`: which input is the mask. */
struct mi_attention mi_attention_read(const struct mi_node *node, int mask);

/* Whether a kernel that keeps no scores is the way to compute it. */
bool mi_attention_tiles(const struct mi_graph *graph, const struct mi_attention *a);
/* Lowers Attention, or AttentionGrad, to a node that has such a kernel, and the same inputs and outputs. */
mica_status mi_attention_lower_tiled(struct mi_node *node, bool gradient, const struct mi_attention *a, mi_value **out);

/* The `recognise` of Attention's row (attention_chain.c). */
mi_value *mi_attention_recognise(struct mi_node *end, const struct mi_readers *readers);

#endif
