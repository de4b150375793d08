/* How to cut a matrix product for a CPU: every sensible cut is priced in cycles of one core, by a model whose constants were
 * measured. What the model knows: a register tile is bound by multiplications, loads or latency; rows and columns past the end
 * are computed in vain; packing costs a share of a cycle an element, again in each item that packs the same; an item's results
 * go through memory; work is handed out in whole items; a launch takes a while. */
#include "engines/gemm/gemm.h"

#include <string.h>

struct tile {
    int mr, nv;
};

/* Of 16 registers, and of 32. */
static const struct tile tiles16[] = {{6, 2}, {4, 3}, {5, 2}, {4, 2}, {8, 1}, {3, 3}, {3, 2}, {2, 4},
                                      {2, 2}, {1, 8}, {1, 4}, {1, 2}, {1, 1}, {2, 1}, {4, 1}},
                         tiles32[] = {{12, 2}, {8, 3}, {6, 4}, {6, 2}, {8, 2}, {8, 1}, {4, 4}, {4, 2},
                                      {2, 8},  {2, 4}, {1, 8}, {1, 4}, {1, 2}, {1, 1}, {2, 1}, {4, 1}};

static const double cycles_a_second = 2.5e9, launch_cycles = 9000, wake_cycles = 16000, item_cycles = 250;
static const double pack_turned = 0.45, pack_straight = 0.3, pack_scattered = 1.5, pack_far = 0.4, slow_lines = 2.0,
                    pack_both = 0.3, pack_made = 1, store_near = 1.5, store_far = 2.7; /* cycles an element */
/* Numbers that stay in a core's own cache, that are not streamed from the last one, and that are not much of it. */
enum { NEAR = 100000, FAR = 500000, FARTHEST = 2000000 };

void mi_gemm_read(const struct mi_problem *problem, const struct mi_product *product, struct mi_gemm *g)
{
    const mica_device *device = problem->device;
    int64_t extent[MI_PRODUCT_AXES];
    for (int i = 0; i < MI_PRODUCT_AXES; i++)
        extent[i] = mi_dim_at(product->extent[i], problem->batch);
    *g = (struct mi_gemm){.p = *product,
                          .rows = extent[MI_PRODUCT_M],
                          .columns = extent[MI_PRODUCT_N],
                          .depth = extent[MI_PRODUCT_K],
                          .batch = extent[MI_PRODUCT_BATCH],
                          .vw = device->vector_width,
                          .by_rows = problem->by_rows,
                          .units = device->info.compute_units > 0 && !problem->by_rows ? (int)device->info.compute_units : 1,
                          .local_bytes = device->info.local_memory_bytes};
    g->constant_b = !problem->plain_only && product->a != product->b && product->b->shape.rank == 2 &&
                    mi_is_prepared(problem->node, product->b);
}

static void exchange_axes(struct mi_product *p)
{
    const struct mi_product from = *p;
    const enum mi_product_axis pair[2] = {MI_PRODUCT_M, MI_PRODUCT_N};
    for (int i = 0; i < 2; i++) {
        enum mi_product_axis to = pair[i], of = pair[1 - i];
        p->extent[to] = from.extent[of];
        p->stride_c[to] = from.stride_c[of];
        p->axes[to] = from.axes[of];
        memcpy(p->axis[to], from.axis[of], sizeof p->axis[to]);
    }
    for (int i = 0; i < MI_PRODUCT_AXES; i++) {
        int of = i == MI_PRODUCT_M ? MI_PRODUCT_N : i == MI_PRODUCT_N ? MI_PRODUCT_M : i;
        p->stride_a[i] = from.stride_b[of];
        p->stride_b[i] = from.stride_a[of];
    }
    p->a = from.b;
    p->b = from.a;
}

struct mi_gemm mi_gemm_turned(const struct mi_gemm *g)
{
    struct mi_gemm turned = *g;
    exchange_axes(&turned.p);
    turned.rows = g->columns;
    turned.columns = g->rows;
    turned.made_a = g->made_b;
    turned.made_b = g->made_a;
    turned.constant_b = false;
    return turned;
}

/* ---- Memory ---- */

/* Numbers of an item's panels. */
static int64_t count_packed(const struct mi_gemm *g, const struct mi_variant *v)
{
    const int32_t *n = v->number;
    int64_t width = n[MI_GEMM_PACK_B] == MI_GEMM_BY_ITEM ? (int64_t)n[MI_GEMM_NV] * g->vw
                    : n[MI_GEMM_PACK_B] == MI_GEMM_BLOCK ? n[MI_GEMM_NB]
                                                         : 0;
    return ((n[MI_GEMM_PACK_A] ? n[MI_GEMM_MB] : 0) + width) * n[MI_GEMM_KB];
}

bool mi_gemm_sums_near(const struct mi_gemm *g, const struct mi_variant *v)
{
    int64_t sums = (int64_t)v->number[MI_GEMM_MB] * v->number[MI_GEMM_NB];
    return (count_packed(g, v) + sums) * (int64_t)sizeof(float) <= (int64_t)(g->local_bytes / 2);
}

/* ---- Prices ---- */

static double pack_price(struct mi_dim across, struct mi_dim along, int64_t count)
{
    double price = mi_dim_is(along, 1) ? pack_turned : mi_dim_is(across, 1) ? pack_straight : pack_scattered;
    return count <= NEAR ? price : price + pack_far;
}

static double pack_a_price(const struct mi_gemm *g)
{
    return g->made_a ? pack_made
                     : pack_price(g->p.stride_a[MI_PRODUCT_M], g->p.stride_a[MI_PRODUCT_K], g->rows * g->depth);
}

static double pack_b_price(const struct mi_gemm *g)
{
    return g->made_b ? pack_made
                     : pack_price(g->p.stride_b[MI_PRODUCT_N], g->p.stride_b[MI_PRODUCT_K], g->columns * g->depth);
}

/* Whether B is straight, far, and its rows lie far apart: a panel by itself comes line by line, from a page each. */
static bool comes_slowly(const struct mi_gemm *g)
{
    return mi_dim_is(g->p.stride_b[MI_PRODUCT_N], 1) && mi_dim_at(g->p.stride_b[MI_PRODUCT_K], 1) >= 512 &&
           g->columns * g->depth > 2 * NEAR && g->rows >= 48;
}

/* What reading A where it lies adds to a step of k of a register tile. Rows that lie a multiple of a page apart share the sets of a
 * cache. Where it is rows that lie side by side each step has a line of its own, and a tile after a tile the same ones: they stay
 * near where a few hundred steps are taken at a time; short lines of a far A that begin anywhere are torn. */
static double in_place_price(const struct mi_gemm *g, const struct mi_variant *v)
{
    int64_t across = mi_dim_at(g->p.stride_a[MI_PRODUCT_M], 1), along = mi_dim_at(g->p.stride_a[MI_PRODUCT_K], 1);
    int64_t count = v->number[MI_GEMM_MB] * g->depth, deep = v->number[MI_GEMM_KB];
    int mr = v->number[MI_GEMM_MR];
    if (along == 1)
        return (across % 1024 == 0 ? 0.6 : 0) + (count <= NEAR ? 0 : count <= FAR ? 0.15 : 1.2);
    if (across != 1)
        return 0.5 * mr;
    if (along * deep <= 4096)
        return 0.05 * mr;
    bool torn = along < 64 && along % 4 != 0 && count > NEAR;
    return (deep > 384 ? 1 : torn ? 0.6 : along > 256 || along * deep > 70000 ? 0.5 : deep > 288 ? 0.3 : 0.2) * mr;
}

/* Cycles of one step of k of a register tile. */
static double tile_step(const struct mi_gemm *g, const struct mi_variant *v)
{
    int mr = v->number[MI_GEMM_MR], nv = v->number[MI_GEMM_NV];
    double multiply = mr * nv * 0.51, load = (mr + nv) * 0.575, cycles = multiply > load ? multiply : load;
    cycles = cycles < 4.5 ? 4.5 : cycles;
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_IN_PLACE)
        cycles += g->columns * g->depth <= 8192                          ? 0.3
                  : mi_dim_at(g->p.stride_b[MI_PRODUCT_K], 1) % 256 == 0 ? 3
                  : g->columns * g->depth <= NEAR                        ? 1.5
                                                                         : 2.5;
    if (!v->number[MI_GEMM_PACK_A])
        cycles += in_place_price(g, v);
    return cycles;
}

/* Whether B stays in a core's own cache from item to item. By rows a core reads it in each turn, and hardly anything else; CPUs say
 * that they have as much local memory. */
static bool stays_near(const struct mi_gemm *g)
{
    int64_t count = g->columns * g->depth;
    return count <= NEAR || (g->by_rows && count * (int64_t)sizeof(float) <= (int64_t)(g->local_bytes / 4 * 3));
}

static double item_price(const struct mi_gemm *g, const struct mi_variant *v)
{
    int mr = v->number[MI_GEMM_MR], nv = v->number[MI_GEMM_NV], mb = v->number[MI_GEMM_MB], nb = v->number[MI_GEMM_NB];
    int64_t share = mi_divide_up(g->depth, v->number[MI_GEMM_SPLIT]);
    double tiles = (double)(mb / mr) * (nb / (nv * g->vw)), depth = (double)share;
    double store = v->number[MI_GEMM_TURNED] ? mr >= 4 ? g->vw : 2.5 * g->vw : 1.7; /* of a vector */
    double price = item_cycles + tiles * (depth * tile_step(g, v) + 15 + store * mr * nv);
    double part = mi_gemm_sums_near(g, v) ? 2 : 12; /* of a vector, written and read again */
    price += tiles * (double)(mi_divide_up(share, v->number[MI_GEMM_KB]) - 1) * (part * mr * nv + 10);
    /* A panel of B comes from the second cache, once for all rows of the item. */
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_BEFORE)
        price += depth * nb * (stays_near(g) ? 0.125 : 0.5);
    /* Wide pieces of both push one another out of the nearest cache. */
    bool both = v->number[MI_GEMM_PACK_B] == MI_GEMM_BLOCK && mi_dim_is(g->p.stride_a[MI_PRODUCT_M], 1);
    if (v->number[MI_GEMM_PACK_A])
        price += mb * depth * (pack_a_price(g) + (both ? pack_both : 0));
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_BY_ITEM)
        price += nb * depth * pack_b_price(g);
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_BLOCK)
        price += nb * depth * (pack_b_price(g) + 0.1); /* ... and packed panels from the second cache */
    return price;
}

static int64_t count_items(const struct mi_gemm *g, const struct mi_variant *v)
{
    return mi_divide_up(g->rows, v->number[MI_GEMM_MB]) * mi_divide_up(g->columns, v->number[MI_GEMM_NB]) * g->batch;
}

/* Cycles until the last core is done. */
static double cut_price(const struct mi_gemm *g, const struct mi_variant *v)
{
    int split = v->number[MI_GEMM_SPLIT];
    int64_t items = count_items(g, v) * split;
    if (g->by_rows)
        return (double)items * item_price(g, v);
    double rounds = items <= 1 ? 1 : (double)mi_divide_up(items, g->units) + 0.5;
    double price = launch_cycles + (items > 1 ? wake_cycles : 0) + rounds * item_price(g, v);
    if (v->number[MI_GEMM_PACK_B] == MI_GEMM_BEFORE && !g->constant_b)
        price +=
            launch_cycles + wake_cycles + (double)(g->batch * g->columns * g->depth) / g->units * 1.2 * pack_b_price(g);
    if (split > 1)
        price += launch_cycles + wake_cycles + (double)(g->batch * g->rows * g->columns) * split * 3 / g->units;
    return price;
}

/* What packing blocks of B saves: what lines that come one by one cost is in no other way's price. */
static double block_saves(const struct mi_gemm *g, const struct mi_variant *v)
{
    bool saves = v->number[MI_GEMM_PACK_B] == MI_GEMM_BLOCK && comes_slowly(g);
    return saves ? (double)(g->batch * g->columns * g->depth) / g->units * slow_lines : 0;
}

/* ---- Cuts ---- */

static bool fits(const struct mi_gemm *g, const struct mi_variant *v)
{
    const int32_t *n = v->number;
    int64_t width = (int64_t)n[MI_GEMM_NV] * g->vw;
    if ((g->made_a && !n[MI_GEMM_PACK_A]) || (g->made_b && n[MI_GEMM_PACK_B] == MI_GEMM_IN_PLACE))
        return false;
    if (g->by_rows && (n[MI_GEMM_SPLIT] > 1 || (n[MI_GEMM_PACK_B] == MI_GEMM_BEFORE && !g->constant_b) ||
                       (g->depth > n[MI_GEMM_KB] && !mi_gemm_sums_near(g, v))))
        return false;
    bool fixed = g->p.extent[MI_PRODUCT_N].a == 0;
    if (n[MI_GEMM_PACK_B] == MI_GEMM_IN_PLACE &&
        (!fixed || g->columns < width || !mi_dim_is(g->p.stride_b[MI_PRODUCT_N], 1)))
        return false;
    if ((n[MI_GEMM_PACK_B] == MI_GEMM_BY_ITEM || n[MI_GEMM_PACK_B] == MI_GEMM_BLOCK) && g->constant_b)
        return false;
    /* Few panels, or what does not lie side by side, each item packs one by one. */
    if (n[MI_GEMM_PACK_B] == MI_GEMM_BLOCK &&
        (g->made_b || n[MI_GEMM_NB] < 4 * width || !mi_dim_is(g->p.stride_b[MI_PRODUCT_N], 1)))
        return false;
    /* Sums that wait in scratch pay where an item's block of A serves many columns that are packed already. */
    if (g->depth > n[MI_GEMM_KB] && !mi_gemm_sums_near(g, v) &&
        (n[MI_GEMM_PACK_B] < MI_GEMM_BEFORE || (g->columns * g->depth <= FARTHEST && !comes_slowly(g))))
        return false;
    return count_packed(g, v) * (int64_t)sizeof(float) <= (int64_t)(g->local_bytes / 2);
}

struct ranking {
    struct mi_variant *list;
    int count, most;
    double price[MI_MOST_VARIANTS], least; /* the cheapest, before what it saves */
};

static void rank(struct ranking *r, const struct mi_gemm *g, const struct mi_variant *v)
{
    double price = cut_price(g, v);
    r->least = price < r->least ? price : r->least;
    price -= block_saves(g, v);
    int at = r->count;
    while (at > 0 && r->price[at - 1] > price)
        at--;
    if (at == r->most)
        return;
    if (r->count < r->most)
        r->count++;
    for (int i = r->count - 1; i > at; i--) {
        r->list[i] = r->list[i - 1];
        r->price[i] = r->price[i - 1];
    }
    r->list[at] = *v;
    r->price[at] = price;
}

/* Steps of k in blocks of one size, none deeper than `most`. */
static int32_t depth_block(int64_t depth, int64_t most)
{
    int64_t block = mi_divide_up(mi_divide_up(depth, mi_divide_up(depth, most)), 8) * 8;
    return (int32_t)(block < 8 ? 8 : block);
}

/* Where there are few items and many steps, also with k in pieces: a few for each core. */
static void rank_splits(struct ranking *r, const struct mi_gemm *g, struct mi_variant v)
{
    v.number[MI_GEMM_SPLIT] = 1;
    if (!fits(g, &v))
        return;
    rank(r, g, &v);
    int64_t split = mi_divide_up(4 * (int64_t)g->units, count_items(g, &v)), most = g->depth / 512;
    split = split < most ? split : most;
    if (split < 2 || (v.number[MI_GEMM_PACK_B] == MI_GEMM_BLOCK && count_items(g, &v) > 2 * (int64_t)g->units))
        return;
    v.number[MI_GEMM_SPLIT] = (int32_t)split;
    rank(r, g, &v);
}

/* All steps of k at once, where a panel of them stays in the second cache; fewer leave room for more of A, and
 * still fewer keep near what is read of it in place. */
static void rank_packs(struct ranking *r, const struct mi_gemm *g, struct mi_variant v)
{
    static const int panel[] = {1024, 384, 256}, block[] = {1024, 512, 288};
    bool side_by_side = mi_dim_is(g->p.stride_a[MI_PRODUCT_M], 1);
    for (int a = 0; a < 2; a++)
        for (int b = MI_GEMM_IN_PLACE; b <= MI_GEMM_BLOCK; b++) {
            bool packs = a || b || g->depth > 4096;
            const int *most = b == MI_GEMM_BLOCK ? block : panel;
            int count = b == MI_GEMM_BLOCK ? MI_COUNT(block) : MI_COUNT(panel) - (a || !side_by_side);
            v.number[MI_GEMM_PACK_A] = a;
            v.number[MI_GEMM_PACK_B] = b;
            v.number[MI_GEMM_KB] = (int32_t)(mi_divide_up(g->depth + 1, 8) * 8);
            for (int i = 0; i < count && (i == 0 || (packs && g->depth > most[i])); i++) {
                if (packs)
                    v.number[MI_GEMM_KB] = depth_block(g->depth, most[i]);
                rank_splits(r, g, v);
            }
        }
}

static void rank_blocks(struct ranking *r, const struct mi_gemm *g, const struct tile *t, bool turned)
{
    static const int heights[] = {1, 24, 48, 132, 264, 1 << 20}, widths[] = {1, 2, 4, 8, 32, 1 << 16};
    int64_t width = (int64_t)t->nv * g->vw, last_rows = 0, last_columns;
    for (size_t h = 0; h < MI_COUNT(heights); h++) {
        int64_t most = heights[h] < t->mr ? t->mr : heights[h], blocks = mi_divide_up(g->rows, most);
        int64_t rows = mi_divide_up(mi_divide_up(g->rows, blocks ? blocks : 1), t->mr) * t->mr;
        if (rows == last_rows || rows == 0)
            continue;
        last_rows = rows;
        last_columns = 0;
        for (size_t w = 0; w < MI_COUNT(widths); w++) {
            blocks = mi_divide_up(g->columns, widths[w] * width);
            int64_t columns = mi_divide_up(mi_divide_up(g->columns, blocks ? blocks : 1), width) * width;
            if (columns == last_columns || columns == 0)
                continue;
            last_columns = columns;
            struct mi_variant v = {.number = {t->mr, t->nv, (int32_t)rows, (int32_t)columns}};
            v.number[MI_GEMM_TURNED] = turned;
            rank_packs(r, g, v);
        }
    }
}

int mi_gemm_cuts(const struct mi_gemm *g, struct mi_variant *list, int most, double *seconds)
{
    struct ranking r = {.list = list, .most = most < MI_MOST_VARIANTS ? most : MI_MOST_VARIANTS, .least = 1e18};
    struct mi_gemm at_least = *g;
    at_least.rows = g->rows < 1 ? 1 : g->rows;
    at_least.columns = g->columns < 1 ? 1 : g->columns;
    at_least.depth = g->depth < 1 ? 1 : g->depth;
    const struct tile *tiles = g->vw >= 16 ? tiles32 : tiles16;
    size_t count = g->vw >= 16 ? MI_COUNT(tiles32) : MI_COUNT(tiles16);
    const struct mi_gemm turned = mi_gemm_turned(&at_least);
    for (size_t i = 0; i < count; i++) {
        rank_blocks(&r, &at_least, &tiles[i], false);
        rank_blocks(&r, &turned, &tiles[i], true);
    }
    if (seconds)
        *seconds = r.count ? r.least / cycles_a_second : 1e9;
    return r.count;
}

/* Of a kernel that stores an operand, to be read once. */
static double store_price(const struct mi_gemm *g, int64_t count)
{
    double price = count <= NEAR ? store_near : store_far;
    return launch_cycles + wake_cycles + (double)(g->batch * count) * price / g->units;
}

bool mi_gemm_cut_made(const struct mi_gemm *g, struct mi_variant *v)
{
    struct mi_variant best[1];
    double seconds;
    struct mi_gemm as_cut = v->number[MI_GEMM_TURNED] ? mi_gemm_turned(g) : *g;
    double own = fits(&as_cut, v) ? cut_price(&as_cut, v) : 1e18;
    as_cut.made_a = as_cut.made_b = false;
    double apart = cut_price(&as_cut, v);
    apart += g->made_a ? store_price(g, g->rows * g->depth) : 0;
    apart += g->made_b ? store_price(g, g->columns * g->depth) : 0;
    if (mi_gemm_cuts(g, best, 1, &seconds) == 1 && seconds * cycles_a_second < 0.97 * own) {
        own = seconds * cycles_a_second;
        *v = *best;
    }
    return own < apart;
}
