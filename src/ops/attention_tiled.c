/* TiledAttention and TiledAttentionGrad: attention by a kernel of its own for CPUs (kernels/attention.cl, attention_grad.cl), which
 * has the scores of one tile at a time. Lowering adds the nodes, with how the kernel is cut as attributes. */
#include "ops/attention.h"

#include <math.h>

/* Registers of a tile: vectors of queries by keys or features. KEYS keys at a time, a multiple of all of these. */
enum { CUTS = 3, KEYS = 96, NEAR_BYTES_OF_LANE = 48 << 10, ITEMS_OF_UNIT = 4, MOST_FEATURES = 1024 };
static const int wide_cuts[CUTS][2] = {{3, 8}, {2, 12}, {1, 24}}, narrow_cuts[CUTS][2] = {{3, 4}, {2, 6}, {1, 12}};

struct cut {
    int64_t lanes, vectors, tile;
};

/* The one that computes least: queries that are not there, and loads beside products. */
static struct cut cut_of(int lanes, int64_t queries)
{
    const int(*cuts)[2] = lanes >= 16 ? wide_cuts : narrow_cuts;
    struct cut best = {.lanes = lanes};
    double least = 0;
    for (int i = 0; i < CUTS; i++) {
        int64_t rows = (int64_t)lanes * cuts[i][0], whole = mi_divide_up(queries, rows) * rows;
        double loads = (double)(cuts[i][0] + cuts[i][1]) / (double)(cuts[i][0] * cuts[i][1]);
        double cost = (double)whole * (0.8 + 0.3 * loads);
        if (i == 0 || cost < least) {
            least = cost;
            best.vectors = cuts[i][0];
            best.tile = cuts[i][1];
        }
    }
    return best;
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

/* How many tiles of queries share a copy of keys and values: as many as stay in a core's second cache, each query with so many
 * floats, and in the forward pass leave items for all cores. */
static int64_t tiles_of(const struct mi_target *target, const struct mi_attention *a, const struct cut *cut, bool gradient)
{
    int64_t floats = gradient ? 3 * a->dim + 2 * a->value_dim : a->dim + a->value_dim;
    int64_t rows = cut->lanes * cut->vectors, tiles = mi_divide_up(a->queries.b, rows);
    int64_t most = cut->lanes * NEAR_BYTES_OF_LANE / (rows * floats * (int64_t)sizeof(float));
    if (!gradient)
        most = least(most, tiles * target->batch * a->heads / (ITEMS_OF_UNIT * (int64_t)target->units));
    return most < 1 ? 1 : mi_divide_up(tiles, mi_divide_up(tiles, most)); /* all alike */
}

/* Into how many parts the queries of a head fall for the gradient, so that all cores work: each part has a gradient of the keys and
 * values of its own, and these are summed. No part is empty. */
static int64_t parts_of(const struct mi_target *target, const struct mi_attention *a, const struct cut *cut)
{
    int64_t rows = cut->lanes * cut->vectors, tiles = mi_divide_up(a->queries.b, rows), items = target->batch * a->groups;
    int64_t parts = least(mi_divide_up(target->units, items), tiles);
    return mi_divide_up(tiles, mi_divide_up(tiles, parts));
}

bool mi_attention_tiles(const struct mi_graph *graph, const struct mi_attention *a)
{
    const struct mi_target *target = &graph->target;
    bool some = a->keys.b > 0 && a->dim > 0 && a->value_dim > 0 && a->dim + a->value_dim <= MOST_FEATURES;
    return target->lanes >= 4 && mi_types[a->type].bytes <= 4 && a->queries.b >= target->lanes && some;
}

/* ---- Rows ---- */

static mica_status infer_tiled(struct mi_node *node)
{
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_MASK);
    const struct mi_shape y = {.rank = 3, .dim = {a.batch, a.queries, mi_fixed(a.heads * a.value_dim)}};
    const struct mi_shape rows = {.rank = 4, .dim = {a.batch, mi_fixed(a.heads), a.queries, mi_fixed(1)}};
    mi_infer_output(node, MI_ATTENTION_Y, MI_FLOAT, &y);
    mi_infer_output(node, MI_ATTENTION_LARGEST, MI_FLOAT, &rows);
    mi_infer_output(node, MI_ATTENTION_PART, MI_FLOAT, &rows);
    return MICA_OK;
}

/* A block of queries of one head of one sample. */
static struct mi_dim tiled_items(const struct mi_node *node)
{
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_MASK);
    int64_t rows = mi_attribute_int(node, "lanes", 1) * mi_attribute_int(node, "vectors", 1) * mi_attribute_int(node, "tiles", 1);
    int64_t blocks = a.heads * mi_divide_up(a.queries.b, rows);
    return (struct mi_dim){a.batch.a * blocks, a.batch.b * blocks};
}

static mica_status infer_tiled_gradient(struct mi_node *node)
{
    int64_t parts = mi_attribute_int(node, "parts", 1);
    for (int i = 0; i < 3; i++) {
        struct mi_shape shape = node->in[i]->shape;
        if (i > 0)
            shape.dim[0] = (struct mi_dim){shape.dim[0].a * parts, shape.dim[0].b * parts};
        mi_infer_output(node, i, MI_FLOAT, &shape);
    }
    return MICA_OK;
}

/* A head of key and value of one sample, with all queries that share it or a part of them: what they add to its gradient has one
 * writer. */
static struct mi_dim tiled_gradient_items(const struct mi_node *node)
{
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_GRAD_MASK);
    int64_t items = a.groups * mi_attribute_int(node, "parts", 1);
    return (struct mi_dim){a.batch.a * items, a.batch.b * items};
}

const struct mi_op mi_op_TiledAttention = {.name = "TiledAttention", .kind = MI_OWN, .min_inputs = 3, .max_inputs = 4, .outputs = 3,
                                           .infer = infer_tiled, .own = "attention", .tools = "attention_tile",
                                           .items = tiled_items};
const struct mi_op mi_op_TiledAttentionGrad = {.name = "TiledAttentionGrad", .kind = MI_OWN, .min_inputs = 7, .max_inputs = 8,
                                               .outputs = 3, .infer = infer_tiled_gradient, .own = "attention_grad",
                                               .tools = "attention_tile", .items = tiled_gradient_items};

/* ---- Lowering ---- */

/* What a bool mask hides: nothing, scores that become `hidden`, or those that become minus infinity, which no attribute writes. */
static int mask_hides(const struct mi_attention *a)
{
    return !a->hides ? 0 : isfinite(a->hidden) ? 1 : 2;
}

/* How many rows of the mask the kernel tells apart: none, one for all queries, one for each. */
static int mask_rows(const mi_value *mask)
{
    return !mask ? 0 : mi_dim_is(mask->shape.dim[2], 1) ? 1 : 2;
}

/* The sum of what the parts add to the gradient `like`: (N * parts, steps, features). */
static mi_value *sum_parts(struct mi_graph *graph, mi_value *x, const mi_value *like, int64_t parts)
{
    const struct mi_dim *dim = like->shape.dim;
    const struct mi_shape apart = {.rank = 4, .dim = {dim[0], mi_fixed(parts), dim[1], dim[2]}};
    const int64_t axis = 1;
    return parts == 1 ? x : mi_reduce(graph, "ReduceSum", mi_reshape_to(graph, x, &apart), &axis, 1, false);
}

mica_status mi_attention_lower_tiled(struct mi_node *node, bool gradient, const struct mi_attention *a, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    const struct cut cut = cut_of(graph->target.lanes, a->queries.b);
    const char *op = gradient ? "TiledAttentionGrad" : "TiledAttention";
    int64_t tiles = tiles_of(&graph->target, a, &cut, gradient);
    int64_t parts = gradient ? parts_of(&graph->target, a, &cut) : 1;
    float rate = mi_trains(node) ? a->rate : 0;
    const struct mi_attribute attributes[] = {
        MI_INT("lanes", cut.lanes), MI_INT("vectors", cut.vectors), MI_INT("tile", cut.tile), MI_INT("tiles", tiles),
        MI_INT("parts", parts),
        MI_INT("block", KEYS), MI_INT("across", graph->target.lanes >= 16 ? 4 : 2), MI_INT("q_num_heads", a->heads),
        MI_INT("kv_num_heads", a->groups), MI_INT("dim", a->dim), MI_INT("value_dim", a->value_dim), MI_INT("is_causal", a->causal),
        MI_REAL("scale", a->scale), MI_INT("masks", mask_rows(a->mask)), MI_INT("hides", mask_hides(a)),
        MI_REAL("hidden", mask_hides(a) == 1 ? a->hidden : 0), MI_REAL("rate", rate), MI_REAL("factor", 1 / (1 - rate)),
        MI_INT("seed", mi_attribute_int(node, "seed", 0)), MI_INT("alibi", a->alibi), MI_REAL("slope", a->slope)};
    mi_value *in[MI_MAX_INPUTS];
    for (int i = 0; i < node->inputs; i++)
        in[i] = node->in[i] == a->mask && a->hides ? a->mask : mi_cast(graph, node->in[i], MI_FLOAT);
    struct mi_node *made = mi_node_add(graph, op, in, node->inputs, attributes, (int)MI_COUNT(attributes));
    if (!made)
        return graph->error.status;
    made->stable = node->stable;
    for (int o = 0; o < node->outputs; o++) {
        mi_value *whole = gradient && o ? sum_parts(graph, made->out[o], node->out[o], parts) : made->out[o];
        out[o] = mi_cast(graph, whole, node->out[o]->type);
    }
    return graph->error.status;
}
