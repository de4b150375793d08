/* Inlining: a cheap map that reductions fold is computed in whoever uses it, where nothing more is read for it. Otherwise it
 * would join the contraction that makes one of its inputs, be stored there beside that input, and be read again.
 *
 * So what a normalisation's gradient sums, dy * (x - mean), is never stored; and the derivative of the activation behind the
 * normalisation is computed there too, since its x is read in any case. */
#include "compile/rewrite/rewrite.h"

enum { DEEPEST = 4, LEAST_ROWS = 8, LEAST_ELEMENTS = 1 << 12, MOST_LARGE = 8 };

struct large {
    const mi_value *list[MOST_LARGE];
    int count;
};

/* Whether a value is as large as this map's result; what is smaller, a number for each channel, counts for nothing. */
static bool is_as_large(const mi_value *value, const mi_value *result)
{
    while (value->node->op->kind == MI_MOVE && value->node->inputs == 1)
        value = value->node->in[0];
    return value->node->op != &mi_op_constant && mi_shape_count(&value->shape, 2) >= mi_shape_count(&result->shape, 2);
}

/* Adds the large values that a node reads, through what is computed inside it; `but` does not count. */
static void add_large(const struct mi_node *node, const mi_value *result, const mi_value *but, struct large *out, int depth)
{
    for (int i = 0; i < node->inputs; i++) {
        const mi_value *in = node->in[i];
        int known = 0;
        if (!in || in == but || !is_as_large(in, result))
            continue;
        if (in->node->again == MI_AGAIN_INLINE && depth < DEEPEST) {
            add_large(in->node, result, but, out, depth + 1);
            continue;
        }
        while (known < out->count && out->list[known] != in)
            known++;
        if (known == out->count && out->count < MOST_LARGE)
            out->list[out->count++] = in;
    }
}

/* How many of the large values that the map reads are not read by this user of it anyway. */
static int not_read_by(const struct mi_node *map, const struct mi_node *user)
{
    struct large own = {.count = 0}, there = {.count = 0};
    int missing = 0;
    add_large(map, map->out[0], NULL, &own, 0);
    add_large(user, map->out[0], map->out[0], &there, 0);
    for (int i = 0; i < own.count; i++) {
        int k = 0;
        while (k < there.count && there.list[k] != own.list[i])
            k++;
        missing += k == there.count;
    }
    return missing;
}

/* Whether the reduction leaves so many rows that one kernel does all it needs. */
static bool has_rows(const struct mi_node *reduction, int64_t batch)
{
    return mi_shape_count(&reduction->out[0]->shape, batch) >= LEAST_ROWS;
}

static bool is_candidate(const struct mi_node *node, int64_t batch)
{
    return mi_map_is_cheap(node) && !node->again && mi_shape_count(&node->out[0]->shape, batch) >= LEAST_ELEMENTS;
}

/* Whether the map may be computed in all that use it: reductions, and maps of its shape that need one large tensor more at most,
 * which then is read in its place. Maps that are computed in their users stand for these. */
static bool fits_users(const struct mi_users *users, const struct mi_node *map, const struct mi_node *node, int64_t batch,
                       int depth, int *folds)
{
    const mi_value *value = node->out[0];
    for (size_t u = users->first[value->id]; u < users->first[value->id + 1]; u++) {
        const struct mi_node *user = users->node[u];
        if (user->op->kind == MI_REDUCE) {
            *folds += 1;
            if (!has_rows(user, batch))
                return false;
        } else if (user->op->kind == MI_MAP && user->again == MI_AGAIN_INLINE && depth < DEEPEST) {
            if (!fits_users(users, map, user, batch, depth + 1, folds))
                return false;
        } else if (user->op->kind == MI_MAP && !user->again && mi_shape_equal(&user->out[0]->shape, &value->shape)) {
            if (not_read_by(map, user) > 1)
                return false;
        } else
            return false;
    }
    return true;
}

mica_status mi_inline(struct mi_graph *graph, int64_t batch)
{
    struct mi_users users;
    mica_status status = mi_users_list(graph, &users) ? MICA_OK : mi_out_of_memory(&graph->error);
    for (size_t i = graph->node_count; i-- > 0 && status == MICA_OK;) {
        struct mi_node *node = graph->nodes[i];
        int folds = 0;
        if (is_candidate(node, batch) && fits_users(&users, node, node, batch, 0, &folds) && folds > 0)
            node->again = MI_AGAIN_INLINE;
    }
    mi_users_free(&users);
    return status;
}
