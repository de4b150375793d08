/* Winograd convolution F(2x2, 3x3) and F(4x4, 3x3) on channel-blocked tensors, for CPU devices (Lavin, Gray: "Fast Algorithms
 * for Convolutional Neural Networks", 2015, arXiv:1509.09308):
 *
 *     Y = A^T [ sum over c of (G w G^T) * (B^T x B) ] A        for each tile of m x m results, m 2 or 4
 *
 * which multiplies (m + 2)^2 times where the plain sum does 9 m^2 times: 2.25 and 4 times less. The transformed weights are the
 * node's third input, made by the operator WinogradWeight; or the kernel, kernels/winograd.cl, transforms them itself ("fresh"),
 * which pays where there are few tiles for so many weights, or where weights change with each step.
 *
 * One row of m = 2, four inputs d and three weights g to two results y, with 4 products where the plain sum has 6:
 *
 *     d' = B^T d = (d0 - d2, d1 + d2, d2 - d1, d1 - d3)                       tile_in of kernels/winograd_tile.cl
 *     g' = G g   = (g0, (g0 + g1 + g2)/2, (g0 - g1 + g2)/2, g2)               tile_weight; tile_scale halves
 *     y  = A^T (g' d') = (p0 + p1 + p2, p1 - p2 - p3), p the four products    tile_out
 *
 * d = (1, 2, 3, 4), g = (1, 1, 1): d' = (-2, 5, 1, -2), g' = (1, 1.5, 0.5, 1), p = (-2, 7.5, 0.5, -2), y = (6, 9).
 *
 * It rounds more than the plain sum: the largest error, relative to the largest result, is about 1e-6 for m 2 and 3e-6 for
 * m 4 (5e-7 to 2e-6 for the plain sum). A NaN or infinity in x makes NaN of every result of the tiles that read it, also of
 * those beside its own windows. */
#include "engines/conv/conv.h"

#include <string.h>

enum { NUMBER_TILE, NUMBER_TILES, NUMBER_WIDTH, NUMBER_BLOCKS, NUMBER_PARTS, NUMBER_CHUNK };

struct winograd {
    struct mi_conv conv;
    int b, tile, edge;        /* lanes; results and inputs along a tile's side */
    int ob, tw, tiles, parts; /* blocks of filters and tiles in registers; an item's tiles; parts of the filters */
    int chunk;                /* blocks of channels at a time, where the kernel transforms the weights; 0: it does not */
    int64_t rows, columns;    /* tiles of an image */
    int64_t cb, groups;       /* blocks of channels; groups of ob blocks of filters */
};

/* Local memory, as kernels/winograd.cl says: elements between groups of tw tiles in the inputs of a place, where a group's tiles
 * lie side by side in each block of channels; between tiles in its products; and from one place's products to the next's. A block
 * more, lest all begin at one place of the cache. */
static int64_t group_size(const struct winograd *w)
{
    return ((w->chunk ? w->chunk : w->cb) * w->tw + 1) * w->b;
}

static int64_t products_size(const struct winograd *w)
{
    return (mi_divide_up(w->groups, w->parts) * w->ob + 1) * w->b;
}

static int64_t slice_size(const struct winograd *w)
{
    int64_t inputs = mi_divide_up(w->tiles, w->tw) * group_size(w), products = w->tiles * products_size(w);
    return inputs > products && !w->chunk ? inputs : products;
}

static uint64_t local_bytes(const struct winograd *w)
{
    int64_t places = w->edge * w->edge, floats = (places + 1) * slice_size(w);
    if (w->chunk)
        floats = places * (slice_size(w) + w->tiles / w->tw * group_size(w) + (w->chunk * w->b * w->ob + 1) * w->b);
    return (uint64_t)floats * sizeof(float);
}

/* Leaves some of the local memory to the driver. */
static bool fits(const struct mi_problem *problem, const struct winograd *w)
{
    uint64_t most = problem->device->info.local_memory_bytes;
    return local_bytes(w) + 8192 <= most;
}

/* Reads a variant's numbers; what the last tiles read beyond the image becomes part of the halo. */
static void configure(const struct mi_problem *problem, const struct mi_variant *variant, struct winograd *w)
{
    struct mi_conv *conv = &w->conv;
    w->b = problem->device->vector_width;
    w->tile = variant->number[NUMBER_TILE];
    w->tiles = variant->number[NUMBER_TILES];
    w->tw = variant->number[NUMBER_WIDTH];
    w->ob = variant->number[NUMBER_BLOCKS];
    w->parts = variant->number[NUMBER_PARTS];
    w->chunk = variant->number[NUMBER_CHUNK];
    w->edge = w->tile + 2;
    w->rows = mi_divide_up(conv->out[0], w->tile);
    w->columns = mi_divide_up(conv->out[1], w->tile);
    w->cb = mi_divide_up(conv->c, w->b);
    w->groups = mi_divide_up(conv->k, (int64_t)w->b * w->ob);
    mi_conv_tile_halo(conv, w->tile);
}

static bool match(const struct mi_problem *problem, struct mi_conv *conv)
{
    return mi_conv_match(&problem->c, conv) && mi_conv_takes_tiles(conv) && conv->w == &problem->c.b && conv->w_r[0] == 2 &&
           conv->w_r[1] == 3 && conv->dilation[0] == conv->dilation[1] && (conv->dilation[0] == 1 || conv->dilation[0] == -1);
}

/* ---- Variants ---- */

/* An item's weights: those of one part are used by one item after the other, from the cache that all cores share. */
enum { WEIGHT_BYTES = 6 << 20 };

/* A way to go about it: results along a tile's side, blocks of filters in registers, most tiles an item; who transforms weights. */
struct way {
    int tile, ob, tiles;
    bool fresh;
};

/* Blocks of filters in registers: fewer where many would be blocks of nothing. */
static int blocks_in_registers(int64_t blocks, int most)
{
    while (most > 1 && mi_divide_up(blocks, most) * most * 8 > blocks * 9)
        most /= 2;
    return most;
}

/* Parts of the filters: enough that every core has work, and that the weights of one stay in the cache that all cores share
 * while all tiles go by. */
static int64_t parts_of(const struct mi_problem *problem, const struct winograd *w, int64_t items)
{
    int64_t wanted = 2 * (int64_t)problem->device->info.compute_units,
            parts = items < wanted ? mi_divide_up(wanted, items) : 1;
    int64_t bytes = w->edge * w->edge * w->cb * w->b * w->groups * w->ob * w->b * (int64_t)sizeof(float);
    if (items > 1 && parts < mi_divide_up(bytes, WEIGHT_BYTES))
        parts = mi_divide_up(bytes, WEIGHT_BYTES);
    return parts > w->groups ? w->groups : parts;
}

/* Weights that do not stay in a core's own cache come from farther away for each item; one takes as long as the products with so
 * many tiles, and so many more when a step reads it first. Cores that then read different weights, and multiply each with fewer
 * tiles than one from memory takes, wait for the rest. */
enum { NEAR_BYTES = 256 << 10, TILES_A_WEIGHT = 8, TILES_A_FIRST_READ = 6, TILES_FROM_MEMORY = 16 };

/* Transforming a weight in the kernel takes as long as the products with so many tiles; before it, so many seconds. */
enum { TILES_A_TRANSFORM = 4 };
#define SECONDS_A_WEIGHT 0.9e-9

/* Cores do not begin at the same time, but within so long. */
#define SECONDS_TO_BEGIN 30e-6
#define RATE_OF_LANE (1.1 * 4.8e9)

/* What reading an item's weights for the first time takes, in tiles. */
static double first_read(const struct winograd *w)
{
    int waits = w->parts > 1 && w->tiles < TILES_FROM_MEMORY ? TILES_FROM_MEMORY - w->tiles : 0;
    return TILES_A_FIRST_READ + waits;
}

/* Until the first core is done. Drivers give each core a run of neighbours, and the first run is as long as any: all wait for it,
 * and for half an item, or (where weights are only read) until the others have begun. In multiply-adds of a lane, and then in
 * seconds. */
static double seconds_of(const struct mi_problem *problem, const struct winograd *w)
{
    int64_t all = problem->batch * w->rows * w->columns, items = mi_divide_up(all, w->tiles);
    int64_t first = mi_divide_up(items * w->parts, problem->device->info.compute_units);
    int64_t last = mi_divide_up(all - (items - 1) * w->tiles, w->tw) * w->tw;
    double places = (double)w->edge * w->edge, c = (double)w->cb * w->b;
    double k = (double)(mi_divide_up(w->groups, w->parts) * w->ob * w->b);
    double rate = 0.65 + 0.7 * (w->ob + 0.4 * w->tw) / (w->ob * w->tw); /* weights are loaded from farther away than tiles */
    bool far = !w->chunk && places * c * k * (double)sizeof(float) > NEAR_BYTES;
    if (w->ob * w->tw < 10) /* too few sums at a time to hide how long one takes */
        rate *= 1.15;
    if (w->chunk) /* sums are read and written for each chunk of channels */
        rate += 2.0 / (w->chunk * w->b);
    double item = w->tiles * rate, last_item = (double)last * rate, more = w->chunk ? TILES_A_TRANSFORM : 0;
    if (far) {
        item = item > TILES_A_WEIGHT ? item : TILES_A_WEIGHT;
        last_item = last_item > TILES_A_WEIGHT ? last_item : TILES_A_WEIGHT;
    }
    double ends = (double)(first / items), whole = (double)first - ends;
    double reads = far ? (double)mi_divide_up(first, items) * first_read(w) : 0;
    double transform = 6 / 0.5 * (c + k), lane = RATE_OF_LANE * problem->device->vector_width;
    double half = places * (c * k * (item + more) + transform * w->tiles) / 2;
    double work = 2 * half * whole + places * (c * k * (ends * (last_item + more) + reads) + transform * ends * (double)last);
    if (!w->chunk && half > SECONDS_TO_BEGIN * lane)
        half = SECONDS_TO_BEGIN * lane;
    double made = problem->constant || w->chunk ? 0 : places * c * (double)(w->groups * w->ob * w->b) * SECONDS_A_WEIGHT;
    return (work + half) / lane + made;
}

struct plan {
    bool found;
    struct mi_variant variant;
    double seconds;
};

/* Takes a variant that fits and is faster than the best so far. */
static void consider(const struct mi_problem *problem, const struct mi_conv *conv, struct mi_variant variant, struct plan *best)
{
    struct winograd w = {.conv = *conv};
    configure(problem, &variant, &w);
    double seconds = seconds_of(problem, &w);
    if (fits(problem, &w) && (!best->found || seconds < best->seconds))
        *best = (struct plan){true, variant, seconds};
}

/* With weights that were transformed before. */
static void plan_prepared(const struct mi_problem *problem, const struct mi_conv *conv, struct mi_variant variant,
                          struct plan *best)
{
    struct winograd w = {.conv = *conv};
    variant.number[NUMBER_PARTS] = 1;
    configure(problem, &variant, &w);
    variant.number[NUMBER_PARTS] = (int32_t)parts_of(problem, &w, mi_divide_up(problem->batch * w.rows * w.columns, w.tiles));
    consider(problem, conv, variant, best);
}

/* With weights that the kernel transforms: whole blocks of channels and groups of filters only. */
static void plan_fresh(const struct mi_problem *problem, const struct mi_conv *conv, struct mi_variant variant, struct plan *best)
{
    int b = problem->device->vector_width, filters = b * variant.number[NUMBER_BLOCKS];
    for (int parts = 1; parts <= conv->k / filters && conv->c % b == 0 && conv->k % filters == 0; parts *= 2)
        for (int channels = 32; channels >= 16; channels -= 16) {
            variant.number[NUMBER_PARTS] = parts;
            variant.number[NUMBER_CHUNK] = (int32_t)mi_divide_up(channels, b);
            consider(problem, conv, variant, best);
        }
}

/* The best variant for one way: tiles in registers, and of an item. */
static struct plan plan_way(const struct mi_problem *problem, const struct mi_conv *conv, const struct way *way)
{
    int b = problem->device->vector_width, registers = b >= 16 ? 24 : 12;
    int ob = blocks_in_registers(mi_divide_up(conv->k, b), way->ob);
    int64_t all = problem->batch * mi_divide_up(conv->out[0], way->tile) * mi_divide_up(conv->out[1], way->tile);
    int64_t most = registers / ob < all ? registers / ob : all, least = most < 4 ? most : most * 2 / 3;
    struct plan best = {.found = false};
    for (int64_t width = most; width >= least; width--)
        for (int64_t turns = way->tiles > width ? way->tiles / width : 1; turns > 0; turns--)
            (way->fresh ? plan_fresh : plan_prepared)(
                problem, conv, (struct mi_variant){{way->tile, (int32_t)(width * turns), (int32_t)width, ob}}, &best);
    return best;
}

/* Layers with the same tile in registers share a program, which is what a first start waits for: tiles of other than the usual
 * blocks of filters must be that much faster. */
enum { USUAL_BLOCKS = 4 };
static const double OTHER_TILES = 1.1;

static int variants(const struct mi_problem *problem, struct mi_variant *list, int most)
{
    static const struct way ways[] = {{4, 2, 12, false}, {4, 4, 12, false}, {4, 2, 6, false}, {4, 2, 24, false},
                                      {2, 2, 24, false}, {2, 4, 12, false}, {4, 2, 48, true}, {2, 2, 48, true}};
    struct plan found[MI_COUNT(ways)];
    struct mi_conv conv;
    int count = 0, listed = 0;
    if (!match(problem, &conv))
        return 0;
    for (size_t i = 0; i < MI_COUNT(ways); i++) {
        struct plan plan = plan_way(problem, &conv, &ways[i]);
        int at = count;
        if (plan.variant.number[NUMBER_BLOCKS] != USUAL_BLOCKS)
            plan.seconds *= OTHER_TILES;
        for (; plan.found && at > 0 && found[at - 1].seconds > plan.seconds; at--)
            found[at] = found[at - 1];
        found[at] = plan;
        count += plan.found;
    }
    for (int i = 0; i < count; i++)
        listed = mi_variant_add(list, listed, most, found[i].variant);
    return listed;
}

static bool supports(const struct mi_problem *problem)
{
    const mica_device *device = problem->device;
    struct mi_conv conv;
    struct mi_variant variant;
    if (problem->exact || problem->plain_only || !device->is_cpu || device->vector_width < 4)
        return false;
    return match(problem, &conv) && mi_contraction_is_float(&problem->c) && variants(problem, &variant, 1) > 0;
}

static void read_variant(const struct mi_problem *problem, struct winograd *w)
{
    match(problem, &w->conv);
    configure(problem, &problem->variant, w);
}

/* ---- Cost ---- */

static double cost(const struct mi_problem *problem)
{
    struct mi_variant variant = mi_variant_of(&mi_engine_winograd, problem, 0);
    struct winograd w;
    match(problem, &w.conv);
    configure(problem, &variant, &w);
    double seconds = seconds_of(problem, &w);
    /* Where transforms weigh more than products it was not measured to win. */
    return w.conv.c < 16 || w.conv.k < 16 ? 4 * seconds : seconds;
}

/* ---- Operands and kernel ---- */

static void wishes(const struct mi_problem *problem, struct mi_wishes *wanted)
{
    struct winograd w;
    read_variant(problem, &w);
    *wanted = (struct mi_wishes){.wanted = true, .a = mi_conv_input_layout(&w.conv, w.b), .b = mi_layout_plain(4)};
    if (!w.chunk)
        return;
    const int8_t order[] = {(int8_t)w.conv.w_k, (int8_t)w.conv.w_c, 2, 3};
    memcpy(wanted->b.order, order, sizeof order);
    wanted->b.block[w.conv.w_k] = (int16_t)(w.ob * w.b);
    wanted->b.inner[wanted->b.inners++] = (int8_t)w.conv.w_k;
}

static mi_value *prepare(struct mi_graph *graph, const struct mi_problem *problem)
{
    struct winograd w;
    read_variant(problem, &w);
    if (w.chunk)
        return NULL;
    return MI_APPLY(graph, "WinogradWeight", ((mi_value *[]){problem->node->in[1]}), MI_INT("tile", w.tile),
                    MI_INT("transposed", w.conv.w_k == 1), MI_INT("turned", w.conv.dilation[0] < 0),
                    MI_INT("block", w.ob * w.b), MI_INT("channels", w.b));
}

static void define(struct mi_emitter *e, const struct winograd *w, struct mi_text *text)
{
    mi_conv_define(e, &w->conv, w->b, w->b, text);
    mi_define(text, "TILE", w->tile);
    mi_define(text, "EDGE", w->edge);
    mi_define_size(text, "TILES", w->tiles);
    mi_define(text, "TW", w->tw);
    mi_define(text, "OB", w->ob);
    mi_define_size(text, "ROW_TILES", w->rows);
    mi_define_size(text, "COLUMN_TILES", w->columns);
    mi_define_size(text, "FILTER_BLOCKS", mi_divide_up(w->conv.k, w->b));
    mi_define_size(text, "ALL_GROUPS", w->groups);
    mi_define_size(text, "GROUPS", mi_divide_up(w->groups, w->parts));
    mi_define(text, "BEHIND", w->conv.dilation[0] < 0 ? 2 : 0);
    mi_define_size(text, "GROUP", group_size(w));
    mi_define_size(text, "PRODUCTS", products_size(w));
    mi_define_size(text, "SLICE", slice_size(w));
    mi_define(text, "FRESH", w->chunk > 0);
    if (w->chunk)
        mi_define(text, "CHUNK", w->chunk);
    mi_text_add(text, w->chunk ? "#define W p%d\n" : "#define CHUNK CB\n#define U p%d\n",
                mi_emit_argument(e, e->kernel->anchor->in[w->chunk ? 1 : 2], false));
    mi_add_file(text, "winograd_tile.cl", NULL, NULL, 0);
}

static mica_status emit(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    struct winograd w;
    struct mi_text defines = {0};
    read_variant(problem, &w);
    define(e, &w, &defines);
    mi_emit_local(e, "float", "slice", (int64_t)(local_bytes(&w) / sizeof(float)));
    mi_define(&defines, "OUTS", e->kernel->outs);
    const char *with[3];
    mi_conv_emit_stores(e, &w.conv, w.b, 6, with);
    with[2] = mi_conv_emit_border(e, 3);
    size_t items = (size_t)mi_divide_up(problem->batch * w.rows * w.columns, w.tiles);
    struct mi_grid grid = {.dims = 2, .global = {items, (size_t)w.parts}, .local = {1, 1}, .fixed = true};
    const char *name = mi_arena_format(e->arena, "mica_winograd%d_%s", w.tile, e->kernel->anchor->op->name);
    return mi_emit_file(e, "winograd.cl", name, &defines, (const char *const[]){"MICA_RESULT", "MICA_STORE", "MICA_HALO"},
                        with, 3, grid, codes);
}

const struct mi_engine mi_engine_winograd = {.name = "winograd",
                                             .supports = supports,
                                             .cost = cost,
                                             .variants = variants,
                                             .epilogue = true,
                                             .memory = true,
                                             .blocked = true,
                                             .wishes = wishes,
                                             .prepare = prepare,
                                             .emit = emit};
